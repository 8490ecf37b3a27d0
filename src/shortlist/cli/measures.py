"""Measured quality as tables: one recommender beside its baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.cli.screen import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.table import Table

    from shortlist.cli.screen import Side
    from shortlist.experiments.evaluation import Evaluation
    from shortlist.experiments.summary import Result

ALL = "all"
NOT_AT_K = ("rmse", "mae")
# Of a segment a person first wants to know these.
SEGMENT_METRICS = ("ndcg", "recall")


def quality_table(evaluation: Evaluation, protocol: str, metrics: Sequence[str] | None = None) -> Table:
    """Return the metrics of all users under `protocol` (only `metrics` where given), by model, with the difference."""
    found = [
        r
        for r in evaluation.results_of(protocol)
        if r.segment == ALL and (metrics is None or r.metric in metrics)
    ]
    return _compared(
        evaluation, found, ("metric", "whole"), lambda result: label(result.metric, evaluation.k)
    )


def segment_table(evaluation: Evaluation, protocol: str) -> Table | None:
    """Return the first metrics of each segment, or None where there is no segment besides all users."""
    found = [r for r in evaluation.results_of(protocol) if r.segment != ALL and r.metric in SEGMENT_METRICS]
    if not found:
        return None
    return _compared(
        evaluation,
        found,
        ("segment", "left"),
        lambda result: f"{result.segment}: {label(result.metric, evaluation.k)}",
    )


def label(metric: str, k: int) -> str:
    """Return the name of a metric with its cutoff.

    >>> label("ndcg", 10), label("rmse", 10)
    ('ndcg@10', 'rmse')
    """
    return metric if metric in NOT_AT_K else f"{metric}@{k}"


def _compared(
    evaluation: Evaluation, results: Iterable[Result], first: tuple[str, Side], name: Callable[[Result], str]
) -> Table:
    by_name: dict[str, dict[str, Result]] = {}
    for result in results:
        by_name.setdefault(name(result), {})[result.model] = result
    models = list(dict.fromkeys(result.model for result in evaluation.results))
    columns: list[tuple[str, Side]] = [
        first,
        *((model, "right") for model in models),
        ("users", "right"),
    ]
    columns.append((f"difference [{evaluation.level:.0%} interval]", "whole"))
    rows = [
        [
            row_name,
            *(f"{own[model].value:.4f}" if model in own else "" for model in models),
            f"{max(result.n_users for result in own.values()):,}",
            next(
                (
                    _difference(own[model])
                    for model in models
                    if model in own and own[model].difference is not None
                ),
                "",
            ),
        ]
        for row_name, own in by_name.items()
    ]
    return table(columns, rows)


def _difference(result: Result) -> str:
    low, high = result.difference_low, result.difference_high
    if low is None or high is None:
        return f"{result.difference:+.4f}"
    star = "*" if result.is_significant else ""
    return f"{result.difference:+.4f} [{low:.4f}, {high:.4f}]{star}"


STAR = "* the interval of the difference leaves out 0"
