"""Figures of a comparison: values and differences with their intervals, quality beside its cost, and segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.experiments.charts import MUTED, PALETTE, altair_module
from shortlist.experiments.comparing.tables import NONE
from shortlist.experiments.segments import ALL, OF_ITEMS

if TYPE_CHECKING:
    from shortlist.experiments.charts import Chart
    from shortlist.experiments.comparing.comparison import Comparison

ROW = 30
BETTER, WORSE = PALETTE[0], PALETTE[1]
_COSTS = {"fit": "fit, s", "single": "list, ms", "size": "MB"}
_SHAPES = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)


def overview(comparison: Comparison) -> Chart:
    """Return the picture that stands alone: of each protocol values, differences and costs, under a title."""
    alt = altair_module()
    rows = [forest(comparison, protocol, with_costs=True) for protocol in comparison.evaluation.protocols]
    level, parts = comparison.evaluation.level, comparison.parts
    chart: Chart = alt.vconcat(*rows, spacing=28).properties(
        title=alt.TitleParams(
            f"{comparison.label} beside {comparison.baseline}",
            subtitle=[
                f"{parts.name}: {parts.size}",
                *([f"split: {parts.split.partition(':')[0]}"] if parts.split else []),
                f"Lines are {level:.0%} intervals of the paired bootstrap over users, each for one comparison alone.",
                "Differences: blue above 0, orange below, grey where the interval holds 0.",
            ],
        )
    )
    return chart


def overview_alt(comparison: Comparison) -> str:
    """Return in words what `overview` shows."""
    protocol = comparison.evaluation.protocols[0]
    values = ", ".join(
        f"{name} {comparison.evaluation.result(comparison.metric, name, protocol=protocol).value:.4f}"
        for name in comparison.ranked(protocol)
    )
    return f"{comparison.label} of each model and its difference from {comparison.baseline}, with intervals: {values}"


def forest(comparison: Comparison, protocol: str, *, with_costs: bool = False) -> Chart:
    """Return values and differences from the baseline with their intervals, a row a model, the best on top."""
    alt = altair_module()
    frame = _frame(comparison, protocol)
    order = frame["model"].to_list()
    several = len(comparison.evaluation.protocols) > 1
    title = f"{comparison.label}, {protocol}" if several else comparison.label
    panels = [
        _intervals(frame, order, ("value", "low", "high"), title, zero=False),
        _intervals(
            frame.filter(pl.col("difference").is_not_null()),
            order,
            ("difference", "difference_low", "difference_high"),
            f"minus {comparison.baseline}",
            zero=True,
        ),
    ]
    if with_costs:
        panels += [_words(frame, order, column, name) for column, name in _COSTS.items()]
    chart: Chart = alt.hconcat(*panels, spacing=18).resolve_scale(y="shared")
    return chart


def _frame(comparison: Comparison, protocol: str) -> pl.DataFrame:
    def text(column: str, form: str) -> pl.Expr:
        return pl.col(column).map_elements(form.format, pl.String).fill_null(NONE)

    rows = comparison.frame.filter(pl.col("protocol") == protocol)
    # A column of nothing but nulls has no type that a chart could draw.
    numbers = ("low", "high", "difference", "difference_low", "difference_high", "fit_seconds", "size_mb")
    return rows.with_columns(pl.col(numbers).cast(pl.Float64)).with_columns(
        fit=text("fit_seconds", "{:.2f}"),
        single=text("single_ms", "{:.2f}"),
        size=text("size_mb", "{:.1f}"),
    )


def _intervals(
    frame: pl.DataFrame, order: list[str], columns: tuple[str, str, str], title: str, *, zero: bool
) -> Chart:
    alt = altair_module()
    value, low, high = columns
    colour = (
        alt.when(alt.datum.difference_low > 0)
        .then(alt.value(BETTER))
        .when(alt.datum.difference_high < 0)
        .then(alt.value(WORSE))
        .otherwise(alt.value(MUTED))
    )
    base = alt.Chart(frame).encode(
        y=_by_model(order, shown=not zero), color=colour if zero else alt.value(MUTED)
    )
    along = alt.X(
        f"{value}:Q", title=title, scale=alt.Scale(zero=zero), axis=alt.Axis(format="~g", tickCount=5)
    )
    layers = [
        base.mark_rule(strokeWidth=2).encode(x=alt.X(f"{low}:Q", title=title), x2=alt.X2(f"{high}:Q")),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=along),
    ]
    if zero:
        line = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(strokeDash=[4, 3], opacity=0.6)
        layers.insert(0, line.encode(x=alt.X("at:Q", title=title)))
    chart: Chart = alt.layer(*layers).properties(width=270, height=ROW * len(order))
    return chart


def _words(frame: pl.DataFrame, order: list[str], column: str, title: str) -> Chart:
    alt = altair_module()
    chart: Chart = (
        alt.Chart(
            frame, title=alt.TitleParams(title, fontSize=12, fontWeight="normal", offset=4, anchor="end")
        )
        .mark_text(align="right", fontSize=12)
        .encode(y=_by_model(order, shown=False), x=alt.value(56), text=f"{column}:N")
        .properties(width=56, height=ROW * len(order))
    )
    return chart


def _by_model(order: list[str], *, shown: bool) -> Any:
    alt = altair_module()
    axis = alt.Axis(title=None, domain=False, ticks=False, grid=True, labelLimit=260) if shown else None
    return alt.Y("model:N", sort=order, axis=axis, scale=alt.Scale(domain=order))


def quality_and_cost(comparison: Comparison, protocol: str) -> Chart:
    """Return the main metric beside the time of a single list and of the fit, a point a model, on log scales."""
    alt = altair_module()
    frame = _frame(comparison, protocol)
    panels = [
        _scatter(frame, comparison, column, title)
        for column, title in (("single_ms", "one list, ms (median, log)"), ("fit_seconds", "fit, s (log)"))
        if frame.filter(pl.col(column) > 0).height
    ]
    chart: Chart = alt.hconcat(*panels, spacing=28)
    return chart


def _scatter(frame: pl.DataFrame, comparison: Comparison, column: str, title: str) -> Chart:
    alt = altair_module()
    names = [entry.name for entry in comparison.entries]
    known = frame.filter(pl.col(column) > 0)
    base = alt.Chart(known).encode(
        x=alt.X(
            f"{column}:Q",
            title=title,
            scale=alt.Scale(type="log", nice=True),
            axis=alt.Axis(format="~g", tickCount=5),
        ),
        color=_told_apart(alt.Color, names, PALETTE),
    )
    of_metric = alt.Y("value:Q", title=comparison.label, scale=alt.Scale(zero=False))
    bars = base.mark_rule().encode(y=alt.Y("low:Q", title=comparison.label), y2=alt.Y2("high:Q"))
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        y=of_metric, shape=_told_apart(alt.Shape, names, _SHAPES)
    )
    chart: Chart = alt.layer(bars, points).properties(width=300, height=240)
    return chart


def segment_figure(comparison: Comparison, protocol: str) -> Chart:
    """Return the main metric by segment of users and recall by segment of items, with intervals."""
    alt = altair_module()
    results = [r for r in comparison.evaluation.results_of(protocol) if r.segment != ALL]
    panels = []
    for metric, of_items in ((comparison.metric, False), ("recall", True)):
        own = [r for r in results if r.metric == metric and (r.segment in OF_ITEMS) == of_items]
        if own:
            label = f"{metric}@{comparison.evaluation.k}"
            panels.append(_segment_panel(comparison, [_of_result(r) for r in own], label))
    chart: Chart = alt.vconcat(*panels, spacing=20)
    return chart


def _of_result(result: Any) -> dict[str, Any]:
    segment = f"{result.segment} ({result.n_users:,})"
    return {
        "model": result.model,
        "segment": segment,
        "value": result.value,
        "low": result.low,
        "high": result.high,
    }


def _segment_panel(comparison: Comparison, rows: list[dict[str, Any]], label: str) -> Chart:
    alt = altair_module()
    names = [entry.name for entry in comparison.entries]
    segments = list(dict.fromkeys(row["segment"] for row in rows))
    schema = {
        "model": pl.String,
        "segment": pl.String,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
    }
    y = alt.Y("model:N", sort=names, axis=None, scale=alt.Scale(domain=names))
    base = alt.Chart(pl.DataFrame(rows, schema=schema)).encode(
        y=y,
        color=_told_apart(alt.Color, names, PALETTE),
    )
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=label), x2=alt.X2("high:Q"))
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("value:Q", title=label), shape=_told_apart(alt.Shape, names, _SHAPES)
    )
    chart: Chart = (
        alt.layer(bars, points)
        .properties(width=480, height=16 * len(names))
        .facet(
            row=alt.Row(
                "segment:N", sort=segments, title=None, header=alt.Header(labelAngle=0, labelAlign="left")
            )
        )
        .properties(spacing=8)
    )
    return chart


def _told_apart(channel: Any, names: list[str], values: tuple[str, ...]) -> Any:
    # Shapes belong on points alone: a rule with a shape gets a dot at its end.
    scale = altair_module().Scale(domain=names, range=[values[at % len(values)] for at in range(len(names))])
    return channel("model:N", title=None, scale=scale)
