"""Evaluation: what `evaluate` returns, as frames, as text and as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.data.split import TimeOrder, describe_order
from shortlist.experiments import protocols, segments
from shortlist.experiments.segments import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shortlist.experiments.summary import Result

SCHEMA = {
    "model": pl.String,
    "protocol": pl.String,
    "segment": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "n_users": pl.Int64,
}
# In which metrics the cutoff k has a part.
_NOT_AT_K = {"rmse", "mae"}
# Of the segments a person first wants to know one figure.
_SEGMENT_METRICS = ("ndcg", "recall")


@dataclass(frozen=True)
class Counts:
    """What one protocol measured: `of_data` of the test part, name → number; `of_models` the same by model."""

    of_data: Mapping[str, int]
    of_models: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The measured quality of one or several models on one test part, under one protocol or both.

    - results: every figure; `frame` has them as a table
    - per_user: one row a model, protocol and test user: model, protocol, user_id, n_relevant, fallback, and every
      metric (null where the user has none)
    - by_protocol: the protocols measured (`protocols.DEFINITIONS`), each with its counts
    - k, baseline, exclude_seen, level, n_bootstrap: as given to `evaluate`
    - train, test: the names of the parts; time_ordered: what really holds of their order in time
    - diversity_by: the feature whose vectors intra-list diversity uses, None where it is not measured
    - notes: what was left out, and why
    """

    results: Sequence[Result]
    per_user: pl.DataFrame
    by_protocol: Mapping[str, Counts]
    k: int
    baseline: str | None
    exclude_seen: bool | None
    level: float
    n_bootstrap: int
    train: str
    test: str
    time_ordered: TimeOrder
    diversity_by: str | None
    notes: Sequence[str] = ()

    @property
    def protocols(self) -> tuple[str, ...]:
        """Return the protocols that were measured; "new items" is the first of two."""
        return tuple(self.by_protocol)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return the counts of the test part under the first protocol, name → number."""
        return self.by_protocol[self.protocols[0]].of_data

    @property
    def model_counts(self) -> Mapping[str, Mapping[str, int]]:
        """Return the counts of each model under the first protocol: name of the model → name → number."""
        return self.by_protocol[self.protocols[0]].of_models

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return one row a model, protocol, segment and metric.

        Columns: model, protocol, segment, metric, value, low, high, difference, difference_low, difference_high
        (Float64; null where there is no interval or no baseline), n_users (Int64). The bounds are those of the paired
        percentile bootstrap over users at `level`; the difference is that from the baseline under the same protocol.
        """
        return pl.DataFrame([asdict(result) for result in self.results], schema=SCHEMA, orient="row")

    def result(
        self, metric: str, model: str | None = None, segment: str = ALL, protocol: str | None = None
    ) -> Result:
        """Return one figure. Raises `KeyError` for an unknown one.

        `model` may be left out where there is only one; without `protocol` it is the first that was measured.
        """
        wanted = (metric, segment, protocol or self.protocols[0])
        found = [
            r
            for r in self.results
            if (r.metric, r.segment, r.protocol) == wanted and model in (None, r.model)
        ]
        if len(found) != 1:
            raise KeyError(
                f"{len(found)} results for metric={metric!r}, model={model!r}, segment={segment!r}, "
                f"protocol={wanted[2]!r}"
            )
        return found[0]

    def results_of(self, protocol: str) -> list[Result]:
        """Return every figure of one protocol."""
        return [result for result in self.results if result.protocol == protocol]

    def to_values(self) -> dict[str, Any]:
        """Return everything except `per_user` as plain JSON values."""
        return {
            "k": self.k,
            "baseline": self.baseline,
            "exclude_seen": self.exclude_seen,
            "interval": {
                "level": self.level,
                "n_bootstrap": self.n_bootstrap,
                "kind": "paired percentile bootstrap",
            },
            "train": self.train,
            "test": self.test,
            "time_ordered": self.time_ordered,
            "time_order": describe_order(self.time_ordered),
            "diversity_by": self.diversity_by,
            "segments": {
                name: segments.DEFINITIONS[name] for name in _distinct(self.results, lambda r: r.segment)
            },
            "protocols": {
                name: {
                    "meaning": protocols.DEFINITIONS[name],
                    "counts": dict(counts.of_data),
                    "model_counts": {model: dict(own) for model, own in counts.of_models.items()},
                }
                for name, counts in self.by_protocol.items()
            },
            "notes": list(self.notes),
            "results": [asdict(result) for result in self.results],
        }

    def to_text(self) -> str:
        """Return tables for people, of each protocol: what was measured, every metric of all users, and the segments.

        A star marks a difference whose interval leaves out 0.
        """
        parts = ["\n".join([f"test part: {self.test}", f"time: {describe_order(self.time_ordered)}"])]
        for protocol in self.protocols:
            parts += self._of_protocol(protocol)
        return "\n\n".join([*parts, *(["\n".join(self.notes)] if self.notes else [])])

    def __repr__(self) -> str:
        return self.to_text()

    def _of_protocol(self, protocol: str) -> list[str]:
        found = self.results_of(protocol)
        whole = [r for r in found if r.segment == ALL]
        cut = [r for r in found if r.segment != ALL and r.metric in _SEGMENT_METRICS]
        tables = [self._table(whole, "metric", self._metric)]
        if cut:
            tables.append(self._table(cut, "segment", lambda r: f"{r.segment}: {self._metric(r)}"))
        return ["\n".join(self._heading(protocol)), *tables]

    def _heading(self, protocol: str) -> list[str]:
        counts = self.by_protocol[protocol]
        n = {name: f"{count:,}" for name, count in counts.of_data.items()}
        dropped = counts.of_data["users_without_positive"] + counts.of_data["users_only_seen"]
        lines = [
            f"{protocol}: {protocols.DEFINITIONS[protocol]}",
            f"seen items: {n['pairs_seen']} of {n['pairs_positive']} positive test pairs",
            f"users: {n['users_evaluated']} of {n['test_users']} measured, {dropped:,} without a relevant item dropped",
            f"warm users, with a positive training event: {n['test_users_warm']}, of whom {n['users_warm']} measured",
            f"items that nobody has in training: {n['pairs_new']} of {n['pairs_positive']} positive test pairs",
        ]
        return lines + [_unusual(name, own) for name, own in counts.of_models.items() if any(own.values())]

    def _table(self, results: Sequence[Result], title: str, label: Callable[[Result], str]) -> str:
        head = [title, "model", "value", f"{self.level:.0%} interval", "users"]
        if self.baseline is not None:
            head.append(f"minus {self.baseline}")
        rows = [head]
        for name in _distinct(results, label):
            same = [r for r in results if label(r) == name]
            for at, r in enumerate(same):
                row = [
                    name if at == 0 else "",
                    r.model,
                    f"{r.value:.4f}",
                    _bounds(r.low, r.high),
                    f"{r.n_users:,}",
                ]
                rows.append([*row, _difference(r)] if self.baseline is not None else row)
        return _aligned(rows)

    def _metric(self, result: Result) -> str:
        return result.metric if result.metric in _NOT_AT_K else f"{result.metric}@{self.k}"


def _unusual(name: str, counts: Mapping[str, int]) -> str:
    unknown, short = counts["fallback"], counts["short"]
    return f"{name}: {unknown:,} users unknown to it got the popular items, {short:,} lists are short"


def _distinct(results: Iterable[Result], key: Callable[[Result], str]) -> list[str]:
    return list(dict.fromkeys(key(result) for result in results))


def _bounds(low: float | None, high: float | None, sign: str = "") -> str:
    if low is None or high is None:
        return ""
    return f"[{low:{sign}.4f}, {high:{sign}.4f}]"


def _difference(result: Result) -> str:
    if result.difference is None:
        return ""
    bounds = _bounds(result.difference_low, result.difference_high, "+")
    return f"{result.difference:+.4f} {bounds}".rstrip() + (" *" if result.is_significant else "")


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
