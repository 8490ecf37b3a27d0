"""Pictures of a sweep: quality, time by stage, and the part of each source, against the size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.experiments.charts import MUTED, PALETTE, altair_module
from shortlist.experiments.sweep.figures import P50, P99
from shortlist.experiments.sweep.measured import CEILING, NDCG, RECALL
from shortlist.experiments.sweep.tables import labels
from shortlist.experiments.sweep.times import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.experiments.charts import Chart
    from shortlist.experiments.sweep.figures import Estimate
    from shortlist.experiments.sweep.outcome import Sweep

WIDTH, HEIGHT = 330, 210
_SCHEMA = {"size": pl.Int64, "what": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}


def overview(sweep: Sweep) -> Chart:
    """Return the picture that stands alone: quality, times and sources, under a title."""
    alt = altair_module()
    setting, parts = sweep.setting, sweep.parts
    rows = alt.vconcat(quality(sweep), times(sweep), sources(sweep), spacing=24)
    chart: Chart = rows.resolve_scale(color="independent").properties(
        title=alt.TitleParams(
            f"How many candidates to retrieve: {parts.name}",
            subtitle=[
                f"{parts.size}; {setting.n_users:,} users measured, lists of {setting.k}",
                _knee_in_words(sweep),
            ],
        )
    )
    return chart


def overview_alt(sweep: Sweep) -> str:
    """Return in words what `overview` shows."""
    said = "; ".join(
        f"{of.size}: recall of candidates {of.figures[RECALL].value:.3f}, "
        f"ndcg@{sweep.setting.k} {of.figures[NDCG].value:.4f}, "
        f"{of.milliseconds[WHOLE][P50].value:.2f} ms"
        for of in sweep.sizes
    )
    return f"Quality, time and the part of each source by the number of candidates. {said}"


def quality(sweep: Sweep) -> Chart:
    """Return recall of the candidates with the ceiling, NDCG, and what of it is lost beside the largest size."""
    alt = altair_module()
    k, largest = sweep.setting.k, sweep.largest.size
    named = labels(k)
    found = [(of.size, named[name], of.figures[name]) for name in (RECALL, CEILING) for of in sweep.sizes]
    panels = [
        _curves(sweep, found, "recall of candidates, ceiling of ndcg", zero=True),
        _curves(
            sweep, [(of.size, named[NDCG], of.figures[NDCG]) for of in sweep.sizes], named[NDCG], zero=False
        ),
    ]
    lost = [(of.size, "lost", of.lost[NDCG]) for of in sweep.sizes[:-1]]
    if lost:
        curve = _curves(sweep, lost, f"{named[NDCG]} lost beside {largest}", zero=True)
        panels.append(alt.layer(_margin(sweep), curve))
    chart: Chart = alt.hconcat(*panels, spacing=30).resolve_scale(color="independent")
    return chart


def _curves(
    sweep: Sweep, rows: Sequence[tuple[int, str, Estimate | None]], title: str, *, zero: bool
) -> Chart:
    alt = altair_module()
    names = list(dict.fromkeys(what for _, what, _ in rows))
    colour = alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=names, range=[PALETTE[at % len(PALETTE)] for at in range(len(names))]),
        legend=alt.Legend(orient="bottom-right") if len(names) > 1 else None,
    )
    base = alt.Chart(_frame(rows)).encode(x=_by_size(sweep), color=colour)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=zero))
    layers = [
        base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q", title=None), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=45, opacity=1).encode(y=y),
    ]
    if sweep.knee is not None:
        rule = alt.Chart(pl.DataFrame({"size": [sweep.knee]}))
        layers.insert(0, rule.mark_rule(strokeDash=[4, 3], opacity=0.6).encode(x=_by_size(sweep)))
    chart: Chart = alt.layer(*layers).properties(
        width=WIDTH, height=HEIGHT, title=alt.TitleParams(title, fontSize=13)
    )
    return chart


def _margin(sweep: Sweep) -> Chart:
    """Return the line below which a loss is within the margin of the knee."""
    alt = altair_module()
    at = sweep.setting.margin * sweep.largest.figures[NDCG].value
    line = alt.Chart(alt.Data(values=[{"at": at}]))
    chart: Chart = line.mark_rule(color=PALETTE[1], strokeWidth=1.5).encode(y=alt.Y("at:Q", title=None))
    return chart


def times(sweep: Sweep) -> Chart:
    """Return the milliseconds of a request by stage: medians stacked, and the 99th percentile of the whole."""
    alt = altair_module()
    stages = [stage for stage in sweep.largest.milliseconds if stage != WHOLE]
    panels = []
    for q, title in ((P50, "median of each stage, ms"), (P99, "99th percentile of each stage, ms")):
        frame = _frame(
            [(of.size, stage, of.milliseconds[stage][q]) for of in sweep.sizes for stage in stages]
        )
        whole = _frame([(of.size, WHOLE, of.milliseconds[WHOLE][q]) for of in sweep.sizes])
        panels.append(_time_panel(sweep, frame, whole, stages, title, stacked=q == P50))
    chart: Chart = alt.hconcat(*panels, spacing=30)
    return chart


def _time_panel(
    sweep: Sweep, frame: pl.DataFrame, whole: pl.DataFrame, stages: list[str], title: str, *, stacked: bool
) -> Chart:
    """Medians are stacked; percentiles do not add up, so they stand side by side as lines."""
    alt = altair_module()
    names = [*stages, WHOLE]
    range_ = [*(PALETTE[at % len(PALETTE)] for at in range(len(stages))), MUTED]
    colour = alt.Color("what:N", title=None, scale=alt.Scale(domain=names, range=range_))
    shape = {"width": 1.55 * WIDTH, "height": HEIGHT, "title": alt.TitleParams(title, fontSize=13)}
    if stacked:
        bars = (
            alt.Chart(frame)
            .mark_bar()
            .encode(
                x=_ordinal(sweep),
                y=alt.Y("value:Q", title=None, stack="zero"),
                color=colour,
                order=alt.Order("place:Q"),
            )
            .transform_calculate(place=f"indexof({stages!r}, datum.what)")
        )
        points = alt.Chart(whole).encode(x=_ordinal(sweep), color=colour)
        middle = points.mark_tick(thickness=3, size=34, opacity=1).encode(y=alt.Y("value:Q", title=None))
        return alt.layer(bars, middle).properties(**shape)  # type: ignore[no-any-return]
    lines = alt.Chart(pl.concat([frame, whole])).encode(
        x=_by_size(sweep), y=alt.Y("value:Q", title=None), color=colour
    )
    chart: Chart = alt.layer(
        lines.mark_line(strokeWidth=2), lines.mark_point(filled=True, size=40, opacity=1)
    ).properties(**shape)
    return chart


def sources(sweep: Sweep) -> Chart:
    """Return the part of each source in the shown and in the hits, and what is lost without each."""
    alt = altair_module()
    panels = [
        _shares(
            sweep, [(of.size, one.name, one.shown) for of in sweep.sizes for one in of.sources], "shown items"
        ),
        _shares(sweep, [(of.size, one.name, one.hits) for of in sweep.sizes for one in of.sources], "hits"),
    ]
    lost = [(of.size, one.name, one.ndcg_lost) for of in sweep.sizes for one in of.sources]
    if any(estimate is not None for _, _, estimate in lost):
        panels.append(_lost(sweep, lost))
    chart: Chart = alt.hconcat(*panels, spacing=30)
    return chart


def _shares(sweep: Sweep, rows: Sequence[tuple[int, str, Estimate | None]], of: str) -> Chart:
    alt = altair_module()
    chart: Chart = (
        alt.Chart(_frame(rows))
        .mark_bar()
        .encode(
            x=_ordinal(sweep),
            y=alt.Y(
                "value:Q", title=None, stack="zero", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
            ),
            color=_by_source(sweep),
        )
        .properties(
            width=0.92 * WIDTH,
            height=HEIGHT,
            title=alt.TitleParams(f"part of each source in the {of}", fontSize=13),
        )
    )
    return chart


def _lost(sweep: Sweep, rows: Sequence[tuple[int, str, Estimate | None]]) -> Chart:
    alt = altair_module()
    base = alt.Chart(_frame(rows)).encode(x=_ordinal(sweep), xOffset="what:N", color=_by_source(sweep))
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(strokeDash=[4, 3], opacity=0.6).encode(y="at:Q")
    title = f"ndcg@{sweep.setting.k} lost without a source"
    chart: Chart = alt.layer(
        zero,
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=None), y2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(y=alt.Y("value:Q", title=None)),
    ).properties(width=WIDTH, height=HEIGHT, title=alt.TitleParams(title, fontSize=13))
    return chart


def _frame(rows: Sequence[tuple[int, str, Estimate | None]]) -> pl.DataFrame:
    given = [
        {
            "size": size,
            "what": what,
            "value": one.value,
            # Without resamples a line has no band: it is as wide as the line.
            "low": one.value if one.low is None else one.low,
            "high": one.value if one.high is None else one.high,
        }
        for size, what, one in rows
        if one is not None
    ]
    return pl.DataFrame(given, schema=_SCHEMA)


def _by_size(sweep: Sweep) -> Any:
    alt = altair_module()
    sizes = [of.size for of in sweep.sizes]
    return alt.X(
        "size:Q",
        title="candidates retrieved (log)",
        scale=alt.Scale(type="log", domain=[0.9 * sizes[0], 1.1 * sizes[-1]], nice=False),
        axis=alt.Axis(values=sizes, format="d", grid=False),
    )


def _ordinal(sweep: Sweep) -> Any:
    alt = altair_module()
    return alt.X(
        "size:O",
        title="candidates retrieved",
        sort=[of.size for of in sweep.sizes],
        axis=alt.Axis(labelAngle=0, grid=False),
    )


def _by_source(sweep: Sweep) -> Any:
    alt = altair_module()
    names = [one.name for one in sweep.largest.sources]
    return alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=names, range=[PALETTE[at % len(PALETTE)] for at in range(len(names))]),
    )


def _knee_in_words(sweep: Sweep) -> str:
    level = f"Bands and lines: {sweep.setting.level:.0%} intervals, paired bootstrap over users."
    if sweep.knee is None:
        return f"{level} No smaller size is surely as good as {sweep.largest.size}."
    return (
        f"{level} Dashed: {sweep.knee}, the smallest size surely within {100 * sweep.setting.margin:.4g}% (orange) of "
        f"the ndcg of {sweep.largest.size}."
    )
