"""Pictures of a report: each figure with and without re-ranking, the exposure of groups, and the Lorenz curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.experiments.charts import ACCENT, MUTED, PALETTE, altair_module
from shortlist.experiments.report.wording import WORDS, number, title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.experiments.charts import Chart
    from shortlist.experiments.report.measured import Figure, GroupFigure
    from shortlist.experiments.report.outcome import Report
    from shortlist.experiments.sweep.figures import Estimate

SHOWN, BY_SCORE = "shown", "by score alone"
OWN, CATALOGUE, TARGET = "of what people like", "of the catalogue", "target"
WIDTH, ROW, NAMES = 360, 26, 230  # of a panel, of a row, and of the names beside it
_COLOURS = {SHOWN: ACCENT, BY_SCORE: PALETTE[1]}
_MIDDLE = "between"
_DASHES = {SHOWN: [1, 0], BY_SCORE: [6, 4]}
_MARKS = {OWN: "diamond", CATALOGUE: "stroke", TARGET: "cross"}


def overview(report: Report) -> Chart:
    """Return the picture that stands alone: figures, the groups of the first column, and the curves, under a title."""
    alt = altair_module()
    left = alt.vconcat(figures(report), curves(report), spacing=24).resolve_scale(color="independent")
    columns = list(report.groups)
    parts = [left, exposure(report, columns[0])] if columns else [left]
    chart: Chart = (
        alt.hconcat(*parts, spacing=36)
        .resolve_scale(color="independent", shape="independent")
        .properties(
            title=alt.TitleParams(
                f"What the lists are like: {report.setting.recommender}",
                subtitle=f"{report.setting.n_people:,} people, lists of {report.setting.k}",
            )
        )
    )
    return chart


def figures(report: Report) -> Chart:
    """Return a row a figure on a scale of its own: its value shown and by score alone, with intervals."""
    alt = altair_module()
    rows = [_figure(figure, is_first=not at) for at, figure in enumerate(report.figures)]
    chart: Chart = alt.vconcat(*rows, spacing=6).resolve_scale(x="independent", color="shared")
    return chart


def figures_alt(report: Report) -> str:
    """Return in words what `figures` shows."""
    said = []
    for figure in report.figures:
        words = WORDS[figure.name]
        before = "" if figure.by_score is None else f" ({words.number(figure.by_score.value)} by score)"
        said.append(f"{title_of(figure)} {words.number(figure.shown.value)}{before}")
    return "; ".join(said)


def _figure(figure: Figure, *, is_first: bool) -> Chart:
    alt = altair_module()
    both = {SHOWN: figure.shown} | ({} if figure.by_score is None else {BY_SCORE: figure.by_score})
    rows = [{"figure": title_of(figure), **_row(what, found)} for what, found in both.items()]
    axis = alt.Axis(domain=False, ticks=False, minExtent=NAMES, maxExtent=NAMES, labelLimit=NAMES)
    base = alt.Chart(pl.DataFrame(rows)).encode(
        y=alt.Y("figure:N", title=None, axis=axis),
        yOffset=alt.YOffset("what:N", sort=[SHOWN, BY_SCORE]),
        color=_colour(is_shown=is_first and len(rows) > 1),
    )
    ticks = alt.Axis(tickCount=4, format="~%" if WORDS[figure.name].is_share else "~g")
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=False, padding=12), axis=ticks)
    chart: Chart = alt.layer(
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=None), x2="high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(x=x),
    ).properties(width=WIDTH, height=ROW)
    return chart


def exposure(report: Report, column: str) -> Chart:
    """Return the share of the exposure of each group, beside its share of what people like and of the catalogue."""
    alt = altair_module()
    groups = report.groups[column]
    order = [group.label for group in groups]
    rows = [
        {"group": group.label, "line": what, **_row(what, found)}
        for group in groups
        for what, found in ((SHOWN, group.shown), (BY_SCORE, group.by_score))
        if found is not None
    ]
    y = alt.Y("group:N", title=column, sort=order, axis=alt.Axis(grid=True, labelLimit=220))
    base = alt.Chart(pl.DataFrame(rows)).encode(
        y=y, yOffset=_between(), color=_colour(is_shown=report.compares)
    )
    title = "share of the exposure"
    x = alt.X("value:Q", title=title, axis=alt.Axis(format="~%", tickCount=6))
    chart: Chart = alt.layer(
        _references(groups, order, column),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(x=x),
    ).properties(width=WIDTH, height=ROW * len(order))
    return chart


def exposure_alt(report: Report, column: str) -> str:
    """Return in words what `exposure` shows."""
    return "; ".join(
        f"{group.label} {number(group.shown.value, is_share=True)}" for group in report.groups[column]
    )


def _references(groups: Sequence[GroupFigure], order: Sequence[str], column: str) -> Chart:
    """Return marks where the shares of what people like, of the catalogue and of the target lie."""
    alt = altair_module()
    rows = [
        {"group": group.label, "line": _MIDDLE, "what": what, "value": value}
        for group in groups
        for what, value in ((OWN, group.own), (CATALOGUE, group.catalogue), (TARGET, group.target))
        if value is not None
    ]
    there = [what for what in _MARKS if any(row["what"] == what for row in rows)]
    shape = alt.Shape(
        "what:N",
        title=None,
        scale=alt.Scale(domain=there, range=[_MARKS[what] for what in there]),
        legend=alt.Legend(orient="bottom", symbolStrokeColor=MUTED),
    )
    chart: Chart = (
        alt.Chart(pl.DataFrame(rows))
        .mark_point(size=60, color=MUTED, strokeWidth=1.5, opacity=0.9)
        .encode(
            y=alt.Y("group:N", title=column, sort=list(order)), yOffset=_between(), x="value:Q", shape=shape
        )
    )
    return chart


def curves(report: Report) -> Chart:
    """Return the Lorenz curves: the share of exposure of the least exposed share of items."""
    alt = altair_module()
    rows = [
        {"what": what, "items": items, "share": share}
        for what, points in report.curves.items()
        for items, share in points
    ]
    x = alt.X("items:Q", title="share of the items, the least shown first", axis=alt.Axis(format="~%"))
    y = alt.Y("share:Q", title="share of the exposure", axis=alt.Axis(format="~%"))
    dashes = alt.StrokeDash(
        "what:N", scale=alt.Scale(domain=list(_DASHES), range=list(_DASHES.values())), legend=None
    )
    even = alt.Chart(alt.Data(values=[{"items": 0, "share": 0}, {"items": 1, "share": 1}]))
    lines = alt.Chart(pl.DataFrame(rows)).mark_line(strokeWidth=2, clip=True)
    chart: Chart = alt.layer(
        even.mark_line(strokeDash=[4, 3], color=MUTED, strokeWidth=1).encode(x=x, y=y),
        lines.encode(x=x, y=y, color=_colour(is_shown=report.compares), strokeDash=dashes),
    ).properties(width=WIDTH, height=200)
    return chart


def _between() -> Any:
    """Return where in the row of a group a mark stands: what is shown above, by score below, references between."""
    alt = altair_module()
    return alt.YOffset("line:N", scale=alt.Scale(domain=[SHOWN, _MIDDLE, BY_SCORE], paddingOuter=0.2))


def _colour(*, is_shown: bool) -> Any:
    alt = altair_module()
    scale = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    return alt.Color("what:N", title=None, scale=scale, legend=alt.Legend(orient="top") if is_shown else None)


def _row(what: str, found: Estimate) -> dict[str, Any]:
    low, high = found.low, found.high
    return {
        "what": what,
        "value": found.value,
        "low": found.value if low is None else low,
        "high": found.value if high is None else high,
    }
