"""Tables of a comparison: what stands in which cell, once for text and page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shortlist.experiments import protocols
from shortlist.experiments.columns import RANKING
from shortlist.experiments.segments import ALL, OF_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shortlist.experiments.comparing.comparison import Comparison
    from shortlist.experiments.comparing.contrasts import Contrast
    from shortlist.experiments.summary import Result

NONE = "–"
# What a person first wants to know beside the main metric; the rest is shown on demand.
FIRST_METRICS = ("ndcg", "recall", "hit_rate", "novelty", "diversity", "catalogue_coverage", "rmse", "mae")
NOT_AT_K = ("rmse", "mae")
MOST_METRICS = 8


@dataclass(frozen=True)
class Table:
    """A table: its caption, the names of its columns, and rows whose first cell names the row."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_text(self) -> str:
        """Return the caption and the aligned columns."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[c]) for line in lines) for c in range(len(self.head))]
        drawn = [
            "  ".join(
                cell.rjust(width) if c else cell.ljust(width)
                for c, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.caption, *drawn])


def all_tables(comparison: Comparison, all_metrics: bool, by_segment: bool) -> Iterator[Table]:
    """Return the tables of `comparison`: of each protocol the main metric, the others and segments, then the costs."""
    for protocol in comparison.evaluation.protocols:
        yield main_table(comparison, protocol)
        yield from best_tables(comparison, protocol)
        yield from metric_tables(comparison, protocol, all_metrics)
        if by_segment:
            yield from segment_tables(comparison, protocol)
    if comparison.spreads:
        yield seed_table(comparison)
    yield cost_table(comparison)


def main_table(comparison: Comparison, protocol: str) -> Table:
    """Return the main metric of each model with its interval, and its difference from the baseline."""
    evaluation, label = comparison.evaluation, comparison.label
    level = f"[{evaluation.level:.0%} interval]"
    base = {c.model: c for c in comparison.with_baseline if c.protocol == protocol}
    rows = []
    for name in comparison.ranked(protocol):
        result = evaluation.result(comparison.metric, name, protocol=protocol)
        p = base[name].p_holm if name in base else None
        value = f"{result.value:.4f} {_bounds(result.low, result.high)}".rstrip()
        rows.append([name, value, _gain(base.get(name)), NONE if p is None else f"{p:.3f}"])
    head = ["model", f"{label} {level}", f"minus {comparison.baseline} {level}", "p (Holm)"]
    n = evaluation.by_protocol[protocol].of_data["users_evaluated"]
    return Table(f"{label}, {_of(protocol)} ({n:,} users)", head, rows)


def best_tables(comparison: Comparison, protocol: str) -> Iterator[Table]:
    """Return the table of the difference of each model from the best; none where the main table has it already."""
    best, *others = comparison.ranked(protocol)
    own = {c.model: c for c in comparison.with_best if c.protocol == protocol}
    if best == comparison.baseline or len(others) < 2:
        return
    head = ["model", f"minus {best} [{comparison.evaluation.level:.0%} interval]"]
    rows = [[name, _gain(own[name])] for name in others]
    yield Table(f"{comparison.label} behind the best, {_of(protocol)}", head, rows)


def metric_tables(comparison: Comparison, protocol: str, all_metrics: bool) -> Iterator[Table]:
    """Return the metrics of all users, a row a model, in as many tables as are easily read."""
    evaluation = comparison.evaluation
    found = {(r.model, r.metric): r for r in evaluation.results_of(protocol) if r.segment == ALL}
    measured = dict.fromkeys(metric for _, metric in found)
    shown = [m for m in measured if all_metrics or m in (*FIRST_METRICS, comparison.metric)]
    groups = [shown]
    if len(shown) > MOST_METRICS:
        of_rank = [metric for metric in shown if metric in RANKING]
        groups = [of_rank, [metric for metric in shown if metric not in RANKING]]
    for metrics in groups:
        rows = [
            [name, *(_figure(found.get((name, metric))) for metric in metrics)]
            for name in comparison.ranked(protocol)
        ]
        # A metric's name is its column's, with the place of a star behind it.
        head = ["model", *(f"{label_of(metric, evaluation.k)} " for metric in metrics)]
        yield Table(f"metrics, {_of(protocol)}", head, rows)


def label_of(metric: str, k: int) -> str:
    """Return the name of a metric with its cutoff, where it has one."""
    return metric if metric in NOT_AT_K else f"{metric}@{k}"


def segment_tables(comparison: Comparison, protocol: str) -> Iterator[Table]:
    """Return the main metric in each segment of users, and recall in each of items."""
    results = comparison.evaluation.results_of(protocol)
    yield _segments(
        comparison, protocol, comparison.metric, [r for r in results if r.segment not in OF_ITEMS]
    )
    of_items = [r for r in results if r.segment in OF_ITEMS]
    if of_items:
        yield _segments(comparison, protocol, "recall", of_items)


def _segments(comparison: Comparison, protocol: str, metric: str, results: Sequence[Result]) -> Table:
    found = {(r.model, r.segment): r for r in results if r.metric == metric}
    segments = list(dict.fromkeys(segment for _, segment in found))
    users = {segment: result.n_users for (_, segment), result in found.items()}
    rows = [
        [name, *(_figure(found.get((name, segment))) for segment in segments)]
        for name in comparison.ranked(protocol)
    ]
    rows.append(["users", *(f"{users[segment]:,} " for segment in segments)])
    return Table(
        f"{metric}@{comparison.evaluation.k} by segment, {_of(protocol)}", ["model", *segments], rows
    )


def seed_table(comparison: Comparison) -> Table:
    """Return mean and spread of the main metric over the seeds."""
    rows = [
        [
            spread.model,
            spread.protocol,
            f"{spread.mean:.4f}",
            f"{spread.std:.4f}",
            f"{min(spread.values):.4f}",
            f"{max(spread.values):.4f}",
        ]
        for spread in comparison.spreads
    ]
    n = len(comparison.spreads[0].values)
    head = ["model", "protocol", "mean", "std", "least", "largest"]
    return Table(f"{comparison.label} over {n} seeds", head, rows)


def cost_table(comparison: Comparison) -> Table:
    """Return times and sizes, a row a model in the order given."""
    requests = comparison.requests
    head = ["model", "fit s", "ms a user in a batch", "ms alone, median", "ms alone, 95 %", "MB on disk"]
    rows = [
        [
            entry.name,
            _number(entry.times.fit_seconds, ".2f"),
            f"{entry.times.batch_ms_per_user:.3f}",
            f"{entry.times.single_ms:.2f}",
            f"{entry.times.single_ms_p95:.2f}",
            _number(entry.times.size_mb, ".2f"),
        ]
        for entry in comparison.entries
    ]
    threads = comparison.environment.threads
    caption = (
        f"costs: one fit each after a warm-up; lists of {requests.k} for {requests.n_batch:,} users at once and "
        f"{requests.n_single:,} one by one, in turns; {threads} thread{'s' if threads > 1 else ''}"
    )
    return Table(caption, head, rows)


def notes(comparison: Comparison) -> list[str]:
    """Return what must be known to read the tables, and the notes of the comparison."""
    others = len(comparison.entries) - 1
    lines = [
        "* the interval of the difference from the baseline (in the table of the best: from the best) leaves out 0"
    ]
    if comparison.evaluation.n_bootstrap:
        lines.append(
            f"Intervals: paired bootstrap over users, {comparison.evaluation.n_bootstrap:,} resamples. Each is for one "
            f"comparison alone: of many, some leave out 0 by chance. p (Holm) is adjusted for {others} "
            f"comparison{'s' if others != 1 else ''} with {comparison.baseline}."
        )
    if others > 1:
        lines.append(
            "Which model is the best was read off these same users, so its lead is somewhat flattered: choose by "
            "validation, and keep this test part for what you chose."
        )
    return [*lines, *(f"note: {note}" for note in comparison.notes)]


def _of(protocol: str) -> str:
    return f"{protocol}: {protocols.DEFINITIONS[protocol]}"


def _figure(result: Result | None) -> str:
    """Return the value, with a star or the space for one, so that digits stand below each other."""
    if result is None:
        return f"{NONE} "
    return f"{result.value:.4f}{'*' if result.is_significant else ' '}"


def _gain(contrast: Contrast | None) -> str:
    if contrast is None:
        return f"{NONE} "
    bounds = _bounds(contrast.low, contrast.high, "+")
    return f"{contrast.difference:+.4f} {bounds}".rstrip() + ("*" if contrast.is_significant else " ")


def _bounds(low: float | None, high: float | None, sign: str = "") -> str:
    return "" if low is None or high is None else f"[{low:{sign}.4f}, {high:{sign}.4f}]"


def _number(value: float | None, form: str) -> str:
    return NONE if value is None else f"{value:{form}}"
