"""Evaluation: what `evaluate` returns, as frames, as text and as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.data.split import TimeOrder, describe_order
from shortlist.experiments.segments import ALL, DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shortlist.experiments.summary import Result

SCHEMA = {
    "model": pl.String,
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


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The measured quality of one or several models on one test part.

    - results: every figure; `frame` has them as a table
    - per_user: one row a model and test user: model, user_id, n_relevant, fallback, and every metric (null where the
      user has none)
    - counts: of the test part, name → number; model_counts: the same for each model
    - k, baseline, exclude_seen, level, n_bootstrap: as given to `evaluate`
    - train, test: the names of the parts; time_ordered: what really holds of their order in time
    - diversity_by: the feature whose vectors intra-list diversity uses, None where it is not measured
    - notes: what was left out, and why
    """

    results: Sequence[Result]
    per_user: pl.DataFrame
    counts: Mapping[str, int]
    model_counts: Mapping[str, Mapping[str, int]]
    k: int
    baseline: str | None
    exclude_seen: bool
    level: float
    n_bootstrap: int
    train: str
    test: str
    time_ordered: TimeOrder
    diversity_by: str | None
    notes: Sequence[str] = ()

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return one row a model, segment and metric.

        Columns: model, segment, metric, value, low, high, difference, difference_low, difference_high (Float64; null
        where there is no interval or no baseline), n_users (Int64). The bounds are those of the paired percentile
        bootstrap over users at `level`; the difference is that from the baseline.
        """
        return pl.DataFrame([asdict(result) for result in self.results], schema=SCHEMA, orient="row")

    def result(self, metric: str, model: str | None = None, segment: str = ALL) -> Result:
        """Return one figure; `model` may be left out where there is only one. Raises `KeyError` for an unknown one."""
        found = [
            r
            for r in self.results
            if r.metric == metric and r.segment == segment and model in (None, r.model)
        ]
        if len(found) != 1:
            raise KeyError(
                f"{len(found)} results for metric={metric!r}, model={model!r}, segment={segment!r}"
            )
        return found[0]

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
            "segments": {name: DEFINITIONS[name] for name in _distinct(self.results, lambda r: r.segment)},
            "counts": dict(self.counts),
            "model_counts": {name: dict(counts) for name, counts in self.model_counts.items()},
            "notes": list(self.notes),
            "results": [asdict(result) for result in self.results],
        }

    def to_text(self) -> str:
        """Return a table for people: what was measured, every metric of all users, and the segments.

        A star marks a difference whose interval leaves out 0.
        """
        whole = [r for r in self.results if r.segment == ALL]
        parts = [r for r in self.results if r.segment != ALL and r.metric in _SEGMENT_METRICS]
        tables = [self._table(whole, "metric", self._metric)]
        if parts:
            tables.append(self._table(parts, "segment", lambda r: f"{r.segment}: {self._metric(r)}"))
        return "\n\n".join(
            ["\n".join(self._heading()), *tables, *(["\n".join(self.notes)] if self.notes else [])]
        )

    def __repr__(self) -> str:
        return self.to_text()

    def _heading(self) -> list[str]:
        n = {name: f"{count:,}" for name, count in self.counts.items()}
        dropped = self.counts["users_without_positive"] + self.counts["users_only_seen"]
        seen = "not shown, and not in the truth" if self.exclude_seen else "shown, and in the truth"
        lines = [
            f"test part: {self.test}",
            f"time: {describe_order(self.time_ordered)}",
            f"users: {n['users_evaluated']} of {n['test_users']} measured, {dropped:,} without a relevant item dropped",
            f"warm users, with a positive training event: {n['test_users_warm']}, of whom {n['users_warm']} measured",
            f"seen items: {seen} ({n['pairs_seen']} of {n['pairs_positive']} positive test pairs)",
            f"items that nobody has in training: {n['pairs_new']} of {n['pairs_positive']} positive test pairs",
        ]
        return lines + [
            _unusual(name, counts) for name, counts in self.model_counts.items() if any(counts.values())
        ]

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
