"""Tuning: what a search found, as plain values, as text and as a chart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.experiments.charts import save_chart
from shortlist.experiments.tuning.search_chart import search_chart
from shortlist.experiments.tuning.search_space import Choices
from shortlist.experiments.tuning.trials import best_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import altair as alt

    from shortlist.experiments.tuning.search import Stopped
    from shortlist.experiments.tuning.search_space import Dimension, Space
    from shortlist.experiments.tuning.trials import Trial
    from shortlist.experiments.tuning.validation import Target

_ENDINGS = {
    "trials": "all trials are done",
    "timeout": "the time is up",
    "exhausted": "every combination was tried",
    "interrupted": "interrupted",
}


@dataclass(frozen=True, eq=False)
class Tuning:
    """What a search found.

    - target: the metric, its cutoff, and whether seen items are left out
    - start: its value on the validation part with the parameters as they stood; None where they were never measured
    - best_value, best_params: the best value, and the searched parameters that gave it (address → value); those as
      they stood where nothing beat them
    - best_model: the recommender with these parameters, not fitted: fit it on all data there is
    - changed: of the best parameters those that differ from how they stood, address → (as they stood, best)
    - records: every trial that came to an end; `trials` has them as a frame
    - space: what was searched; validation: the cut of the training data, in words; n_users: those measured there
    - seconds: spent on all trials of the study; stopped: what ended the search
    - study: the study file, None where the study was kept in memory
    - notes: what else is to be known
    """

    target: Target
    start: float | None
    best_value: float
    best_params: dict[str, Any]
    best_model: Any
    changed: dict[str, tuple[Any, Any]]
    records: Sequence[Trial]
    space: Space
    validation: str
    n_users: int
    seconds: float
    stopped: Stopped
    study: Path | None
    notes: Sequence[str] = ()

    @cached_property
    def trials(self) -> pl.DataFrame:
        """Return one row a trial, in the order tried.

        Columns: number, state (complete, pruned, failed), value (null unless complete), seconds, error (null unless
        failed), and one for each searched parameter, by address.
        """
        first = {
            "number": pl.Series([trial.number for trial in self.records], dtype=pl.Int64),
            "state": pl.Series([trial.state for trial in self.records], dtype=pl.String),
            "value": pl.Series([trial.value for trial in self.records], dtype=pl.Float64),
            "seconds": pl.Series([trial.seconds for trial in self.records], dtype=pl.Float64),
            "error": pl.Series([trial.error for trial in self.records], dtype=pl.String),
        }
        searched = {
            address: pl.Series([trial.params[address] for trial in self.records], dtype=_dtype(dimension))
            for address, dimension in self.space.items()
        }
        return pl.DataFrame(first | searched)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many trials are complete, pruned and failed."""
        states = [trial.state for trial in self.records]
        return {state: states.count(state) for state in ("complete", "pruned", "failed")}

    @property
    def ending(self) -> str:
        """Return what ended the search, in words."""
        return _ENDINGS[self.stopped]

    @property
    def best_trial(self) -> int | None:
        """Return the number of the best trial; None where parameters outside the space, as they stood, are best."""
        best = best_of(self.records, self.target)
        return None if best is None or best.value != self.best_value else best.number

    def chart(self) -> alt.TopLevelMixin:
        """Return the search as an Altair chart: value and best so far by trial, and value by each parameter.

        Raises `MissingExtraError` without Altair.
        """
        return search_chart(self.trials, self.space, self.target, self.start)

    def save_chart(self, path: str | Path) -> Path:
        """Write the chart to `path` (.png, .svg or .html) and return the path. Raises what `charts.save_chart` does."""
        said = f"{self.target.label} of {len(self.records)} trials, best {self.best_value:.4g}"
        return save_chart(self.chart(), path, title=f"Search for the best {self.target.label}", alt=said)

    def to_values(self) -> dict[str, Any]:
        """Return everything but the recommender as plain JSON values."""
        return {
            "metric": self.target.metric,
            "k": None if self.target.is_error else self.target.k,
            "exclude_seen": self.target.exclude_seen,
            "start": self.start,
            "best": self.best_value,
            "best_trial": self.best_trial,
            "best_params": self.best_params,
            "changed": {name: {"from": old, "to": new} for name, (old, new) in self.changed.items()},
            "space": {name: str(dimension) for name, dimension in self.space.items()},
            "validation": self.validation,
            "validation_users": self.n_users,
            "counts": self.counts,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "study": None if self.study is None else str(self.study),
            "notes": list(self.notes),
            "trials": self.trials.to_dicts(),
        }

    def to_text(self) -> str:
        """Return the outcome for people, in a few lines."""
        changes = [
            f"  {name} = {_toml(new)}  (was {_toml(old)})" for name, (old, new) in self.changed.items()
        ]
        measured = f"{self.n_users:,} users of a validation part of the training data ({self.validation})"
        return "\n".join([self._score(), *changes, self._effort(), f"chosen on {measured}", *self.notes])

    def _effort(self) -> str:
        said = ", ".join(f"{n} {state}" for state, n in self.counts.items())
        return f"{len(self.records)} trials in {self.seconds:.1f} s: {said}; {self.ending}"

    def __repr__(self) -> str:
        return self.to_text()

    def _score(self) -> str:
        best = f"{self.target.label} {self.best_value:.4f}"
        if self.start is None:
            return best
        if not self.changed:
            return f"{best} with the parameters as they stand; nothing tried was better"
        return f"{best}, from {self.start:.4f} ({self.best_value - self.start:+.4f})"


class TuningInterrupt(KeyboardInterrupt):
    """Ctrl-C in a search; `tuning` has what was found until then."""

    def __init__(self, tuning: Tuning) -> None:
        super().__init__("interrupted; .tuning of this exception has what was found until then")
        self.tuning = tuning


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def _dtype(dimension: Dimension) -> Any:
    if not isinstance(dimension, Choices):
        return pl.Int64 if dimension.whole else pl.Float64
    kinds = {type(value) for value in dimension.values if value is not None}
    known = {bool: pl.Boolean, int: pl.Int64, float: pl.Float64, str: pl.String}
    # Choices of several kinds have no column type of their own.
    return known[kinds.pop()] if len(kinds) == 1 else pl.Object
