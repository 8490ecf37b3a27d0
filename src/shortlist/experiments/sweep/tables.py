"""Tables of a sweep and its answers in words, once for text and page alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.experiments.comparing.tables import NONE, Table
from shortlist.experiments.protocols import DEFINITIONS
from shortlist.experiments.sweep.figures import P50, P99
from shortlist.experiments.sweep.measured import CEILING, NDCG, PRECISION, RECALL
from shortlist.experiments.sweep.times import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shortlist.experiments.sweep.figures import Contrast, Estimate, SourceFigures
    from shortlist.experiments.sweep.outcome import Sweep


SOURCES = (
    "Sources: fitted once; at each size every source that has a parameter k has k = size, the others propose what they "
    "always do."
)


def all_tables(sweep: Sweep) -> Iterator[Table]:
    """Return the tables of `sweep`: quality, what is lost, times, and the part of each source."""
    yield quality_table(sweep)
    yield lost_table(sweep)
    yield times_table(sweep)
    yield from source_tables(sweep)


def labels(k: int) -> dict[str, str]:
    """Return the name of each figure as people read it.

    >>> labels(10)["ndcg"]
    'ndcg@10'
    """
    return {
        RECALL: "recall of candidates",
        CEILING: f"ceiling of ndcg@{k}",
        NDCG: f"ndcg@{k}",
        PRECISION: f"precision@{k}",
    }


def quality_table(sweep: Sweep) -> Table:
    """Return each figure of each size, with its interval."""
    named = labels(sweep.setting.k)
    rows = [
        [
            str(of.size),
            f"{of.n_candidates:.1f}",
            *(with_bounds(of.figures[name]) for name in named),
        ]
        for of in sweep.sizes
    ]
    head = ["retrieve", "candidates", *(f"{name} {_interval(sweep)}" for name in named.values())]
    return Table(f"Quality by size ({sweep.setting.n_users:,} users)", head, rows)


def lost_table(sweep: Sweep) -> Table:
    """Return what each size loses beside the largest."""
    named = labels(sweep.setting.k)
    rows = [
        [str(of.size), *(gain(of.lost[name]) for name in (NDCG, PRECISION, RECALL))]
        for of in sweep.sizes[:-1]
    ]
    head = ["retrieve", *(f"{named[name]} {_interval(sweep)}" for name in (NDCG, PRECISION, RECALL))]
    return Table(f"Lost beside {sweep.largest.size} (paired by user)", head, rows)


def times_table(sweep: Sweep) -> Table:
    """Return the milliseconds of a request by stage, median and 99th percentile."""
    stages = list(sweep.largest.milliseconds)
    rows = [
        [
            str(of.size),
            *(" / ".join(f"{of.milliseconds[stage][q].value:.2f}" for q in (P50, P99)) for stage in stages),
        ]
        for of in sweep.sizes
    ]
    return Table(
        f"Milliseconds of a request for one user, median / 99th percentile ({sweep.setting.n_requests:,} requests)",
        ["retrieve", *stages],
        rows,
    )


def source_tables(sweep: Sweep) -> Iterator[Table]:
    """Return the tables of the sources: parts of the shown and of the hits, and what is lost without each."""
    k = sweep.setting.k
    ways: list[tuple[str, Callable[[SourceFigures], Estimate | None], Callable[[Estimate], str]]] = [
        ("Part of each source in the shown items", lambda one: one.shown, _share),
        ("Part of each source in the hits", lambda one: one.hits, _share),
        ("Recall of candidates lost without each source", lambda one: one.recall_lost, gain),
        (f"ndcg@{k} lost without each source", lambda one: one.ndcg_lost, gain),
    ]
    for caption, figure, form in ways:
        cells = [[figure(one) for one in of.sources] for of in sweep.sizes]
        if all(cell is None for row in cells for cell in row):
            continue
        rows = [
            [str(of.size), *(NONE if cell is None else form(cell) for cell in row)]
            for of, row in zip(sweep.sizes, cells, strict=True)
        ]
        head = ["retrieve", *(one.name for one in sweep.largest.sources)]
        yield Table(f"{caption} {_interval(sweep)}", head, rows)


def answers(sweep: Sweep) -> list[str]:
    """Return what the sweep says about how many to retrieve, in sentences."""
    setting, largest = sweep.setting, sweep.largest.size
    said = []
    if len(sweep.sizes) > 1 and setting.n_bootstrap:
        share = f"{setting.margin:.2%}".replace(".00%", "%")
        found = f"{sweep.knee} candidates" if sweep.knee else "none: of the smaller sizes each may lose more"
        said.append(
            f"Knee: {found} (the smallest size whose ndcg@{setting.k} is, at the upper end of its interval, less than "
            f"{share} behind that of {largest})."
        )
    if sweep.bend is not None:
        said.append(f"The curve of candidate recall bends most at {sweep.bend}.")
    if sweep.best != largest:
        behind = sweep.sizes[[of.size for of in sweep.sizes].index(sweep.best)].lost[NDCG]
        said.append(
            f"The largest ndcg@{setting.k} was measured at {sweep.best}: {gain(_negative(behind))} beside {largest}."
        )
    if sweep.contrast is not None:
        said += _of_contrast(sweep, sweep.contrast)
    return said


def _of_contrast(sweep: Sweep, contrast: Contrast) -> Iterator[str]:
    smaller, larger, k = contrast.smaller, contrast.larger, sweep.setting.k
    by_size = {of.size: of for of in sweep.sizes}
    more = contrast.differences
    ms = [by_size[size].milliseconds[WHOLE][P50].value for size in (larger, smaller)]
    yield (
        f"{larger} instead of {smaller}: ndcg@{k} {gain(more[NDCG])}, precision@{k} {gain(more[PRECISION])}, recall of "
        f"candidates {gain(more[RECALL])}; a request takes {ms[0]:.2f} ms instead of {ms[1]:.2f} (median)."
    )
    if more[NDCG].high is not None:
        yield verdict(
            more[NDCG], by_size[larger].figures[NDCG].value, sweep.setting.margin, (smaller, larger)
        )


def verdict(more: Estimate, at_larger: float, margin: float, sizes: tuple[int, int]) -> str:
    """Return what the difference of NDCG between two sizes, which has an interval, decides.

    >>> from shortlist.experiments.sweep.figures import Estimate
    >>> verdict(Estimate(0.0001, -0.0002, 0.0004), 0.1, 0.01, (100, 500))
    '100 is enough: what 500 adds is surely below 1% of its ndcg.'
    >>> verdict(Estimate(0.004, 0.001, 0.007), 0.1, 0.01, (100, 500))
    '500 is better than 100: the interval leaves out 0.'
    """
    (smaller, larger), low, high = sizes, more.low, more.high
    assert low is not None, "without resamples nothing is decided"
    assert high is not None
    if high < 0:
        return f"{smaller} is better than {larger}: the interval leaves out 0."
    if high < margin * at_larger:
        return f"{smaller} is enough: what {larger} adds is surely below {margin:.4g} of its ndcg.".replace(
            f"{margin:.4g} of", f"{100 * margin:.4g}% of"
        )
    if low > 0:
        return f"{larger} is better than {smaller}: the interval leaves out 0."
    return f"These users do not decide between {smaller} and {larger}."


def remarks(sweep: Sweep) -> list[str]:
    """Return what is to be known of how it was measured."""
    setting = sweep.setting
    intervals = (
        f"Intervals: {setting.level:.0%}, paired bootstrap over users ({setting.n_bootstrap:,} resamples), each for "
        "one figure alone; of times over requests. A star marks a difference whose interval leaves out 0."
        if setting.n_bootstrap
        else "No intervals: there are no resamples."
    )
    return [
        f"Protocol: {setting.protocol}; {DEFINITIONS[setting.protocol]}.",
        f"Scorer: {setting.training}.",
        SOURCES,
        intervals,
        *sweep.notes,
    ]


def with_bounds(estimate: Estimate) -> str:
    """Return a figure and its interval.

    >>> from shortlist.experiments.sweep.figures import Estimate
    >>> with_bounds(Estimate(0.25, 0.2, 0.3))
    '0.2500 [0.2000, 0.3000]'
    """
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def gain(estimate: Estimate) -> str:
    """Return a difference, its interval, and a star where that leaves out 0."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.4f}"
    star = " *" if estimate.leaves_out_zero else ""
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]{star}"


def _share(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1%}"
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"


def _negative(estimate: Estimate) -> Estimate:
    low, high = (None if bound is None else -bound for bound in (estimate.high, estimate.low))
    return type(estimate)(-estimate.value, low, high)


def _interval(sweep: Sweep) -> str:
    return f"[{sweep.setting.level:.0%} interval]" if sweep.setting.n_bootstrap else ""
