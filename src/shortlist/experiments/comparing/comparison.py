"""Comparison: what `compare` returns, as a frame, text, plain values, pictures and a page."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.experiments.charts import page, require_drawable, save_chart
from shortlist.experiments.comparing import figures, report, tables
from shortlist.experiments.markup import STYLE
from shortlist.output_file import require_writable, write_atomically
from shortlist.threads import num_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.comparing.contrasts import Contrast
    from shortlist.experiments.comparing.seeds import Spread
    from shortlist.experiments.comparing.timing import Requests, Times
    from shortlist.experiments.evaluation import Evaluation

FORMAT_VERSION = 1
# What a split puts between the name of the data and its rule.
TRAIN_OF = ", train of "
_PACKAGES = ("shortlist", "numpy", "scipy", "numba", "polars")


@dataclass(frozen=True)
class Entry:
    """What was compared under `name`.

    - type: its class; parameters: how it would be made, as text; origin: the file that describes it, if any
    - seed: of its fit; times: what it costs
    """

    name: str
    type: str
    parameters: str
    origin: str | None
    seed: int | None
    times: Times


@dataclass(frozen=True)
class Parts:
    """The data of a comparison: its size, the split and the fingerprints (SHA-256) of both parts."""

    name: str
    kind: str
    users: int
    items: int
    train_events: int
    test_events: int
    train_sha256: str
    test_sha256: str
    split: str | None

    @classmethod
    def of(cls, train: Dataset, test: Dataset, split: str | None) -> Parts:
        """Return what is to be said of the two parts.

        `split` is the rule that made them, in words; with None it is what the name of a part made by a split says.
        """
        name, _, rule = train.name.rpartition(TRAIN_OF)
        return cls(
            name or train.name,
            train.feedback.kind,
            len(train.users),
            len(train.items),
            len(train.interactions),
            len(test.interactions),
            train.fingerprint,
            test.fingerprint,
            split or (rule if name else None),
        )

    @property
    def size(self) -> str:
        """Return the size in words."""
        return (
            f"{self.train_events:,} training and {self.test_events:,} test {self.kind} of "
            f"{self.users:,} users and {self.items:,} items"
        )


@dataclass(frozen=True)
class Environment:
    """What the times were measured with and the figures made by."""

    threads: int
    machine: str
    python: str
    versions: Mapping[str, str]

    @classmethod
    def here(cls) -> Environment:
        """Return that of this process."""
        versions = {name: metadata.version(name) for name in _PACKAGES}
        machine = f"{platform.system()} {platform.machine()}"
        return cls(num_threads(), machine, platform.python_version(), versions)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several recommenders measured on one split.

    - evaluation: every metric, segment and protocol, with paired intervals (as `evaluate` returns it)
    - metric: the main metric, by which they are ranked; baseline: the name that the others are compared with
    - entries: what was compared, in the order given, with parameters and times
    - with_baseline, with_best: differences of the main metric for all users, with intervals
    - spreads: of the main metric over several seeds; empty where only one was asked for
    - parts, requests, environment, seed: the data, what was timed, and what it takes to repeat it
    - notes: what else is to be known
    """

    evaluation: Evaluation
    metric: str
    entries: Sequence[Entry]
    with_baseline: Sequence[Contrast]
    with_best: Sequence[Contrast]
    spreads: Sequence[Spread]
    parts: Parts
    requests: Requests
    seed: int
    environment: Environment = field(default_factory=Environment.here)
    notes: Sequence[str] = ()

    @property
    def baseline(self) -> str:
        """Return the name of the baseline."""
        return str(self.evaluation.baseline)

    @property
    def label(self) -> str:
        """Return the name of the main metric with its cutoff, say ndcg@10."""
        return f"{self.metric}@{self.evaluation.k}"

    def ranked(self, protocol: str) -> list[str]:
        """Return the names by falling main metric under `protocol`, ties in the order given."""
        value = {entry.name: self._value(entry.name, protocol) for entry in self.entries}
        return sorted(value, key=lambda name: -value[name])

    def entry(self, name: str) -> Entry:
        """Return the entry of this name. Raises `KeyError`."""
        found = next((entry for entry in self.entries if entry.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return one row a model and protocol, best first: the main metric, its differences, and what it costs.

        Columns: model, protocol, value, low, high; difference, difference_low, difference_high, p_value, p_holm (from
        the baseline); behind_best, behind_best_low, behind_best_high; n_users; fit_seconds, batch_ms_per_user,
        single_ms, single_ms_p95, size_mb. Null where there is nothing to say. Every figure of every metric and segment
        stands in `evaluation.frame`.
        """
        rows = [
            self._row(name, protocol)
            for protocol in self.evaluation.protocols
            for name in self.ranked(protocol)
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def to_text(self, *, all_metrics: bool = False, by_segment: bool = False) -> str:
        """Return tables for people; a star marks a difference whose interval leaves out 0."""
        parts = [f"data: {self.parts.name}, {self.parts.size}"]
        if self.parts.split is not None:
            parts.append(f"split: {self.parts.split}")
        body = [table.to_text() for table in tables.all_tables(self, all_metrics, by_segment)]
        return "\n\n".join(["\n".join(parts), *body, "\n".join(tables.notes(self))])

    def __repr__(self) -> str:
        return self.to_text()

    def to_values(self) -> dict[str, Any]:
        """Return everything but the figures of single users as plain JSON values, all numbers finite.

        Keys: format, metric, k, baseline, seed, data, models (name, type, parameters, origin, seed, times), requests,
        with_baseline, with_best, seeds, evaluation (as `Evaluation.to_values`), environment, notes.
        """
        return {
            "format": FORMAT_VERSION,
            "metric": self.metric,
            "k": self.evaluation.k,
            "baseline": self.baseline,
            "seed": self.seed,
            "data": asdict(self.parts),
            "models": [asdict(entry) for entry in self.entries],
            "requests": asdict(self.requests),
            "with_baseline": [asdict(contrast) for contrast in self.with_baseline],
            "with_best": [asdict(contrast) for contrast in self.with_best],
            "seeds": [asdict(spread) for spread in self.spreads],
            "evaluation": self.evaluation.to_values(),
            "environment": asdict(self.environment),
            "notes": list(self.notes),
        }

    def to_html(self) -> str:
        """Return the report as one HTML document that loads nothing. Raises `MissingExtraError` without Altair."""
        return page(report.title(self), report.body(self), style=STYLE).decode()

    def save_html(self, file: str | Path) -> Path:
        """Write the report to `file` and return its path. Raises what `to_html` raises, `ParameterError`, `OSError`."""
        return write_atomically(require_writable(file), self.to_html().encode())

    def save_chart(self, file: str | Path) -> Path:
        """Write the main figures and differences as a picture (.png, .svg, .html) and return its path.

        Raises `MissingExtraError` without Altair, `ParameterError` for another suffix or where nothing can be written.
        """
        path = require_drawable(file)
        return save_chart(
            figures.overview(self), path, title=report.title(self), alt=figures.overview_alt(self)
        )

    def _value(self, name: str, protocol: str) -> float:
        return self.evaluation.result(self.metric, name, protocol=protocol).value

    def _row(self, name: str, protocol: str) -> dict[str, Any]:
        result = self.evaluation.result(self.metric, name, protocol=protocol)
        base = contrast_of(self.with_baseline, name, protocol)
        best = contrast_of(self.with_best, name, protocol)
        return {
            "model": name,
            "protocol": protocol,
            "value": result.value,
            "low": result.low,
            "high": result.high,
            "difference": base and base.difference,
            "difference_low": base and base.low,
            "difference_high": base and base.high,
            "p_value": base and base.p_value,
            "p_holm": base and base.p_holm,
            "behind_best": best and best.difference,
            "behind_best_low": best and best.low,
            "behind_best_high": best and best.high,
            "n_users": result.n_users,
            **asdict(self.entry(name).times),
        }


def contrast_of(contrasts: Sequence[Contrast], name: str, protocol: str) -> Contrast | None:
    """Return the contrast of a model under a protocol, None where it is the reference itself."""
    return next((c for c in contrasts if (c.model, c.protocol) == (name, protocol)), None)
