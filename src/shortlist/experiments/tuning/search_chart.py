"""The chart of a search: its history, and the value against each parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.experiments.charts import ACCENT, MUTED, PALETTE, altair_module
from shortlist.experiments.tuning.search_space import Choices

if TYPE_CHECKING:
    import altair as alt

    from shortlist.experiments.tuning.search_space import Dimension, Space
    from shortlist.experiments.tuning.validation import Target

WIDTH, HEIGHT, COLUMNS = 640, 220, 3
BEST, START = PALETTE[1], MUTED
GAP = 24


def search_chart(
    trials: pl.DataFrame, space: Space, target: Target, start: float | None
) -> alt.TopLevelMixin:
    """Return the chart for `trials` as `Tuning.trials` has them; only complete ones have a value and are drawn."""
    done = trials.filter(pl.col("state") == "complete")
    best = pl.col("value").cum_min() if target.is_error else pl.col("value").cum_max()
    rows = done.with_columns(best=best)
    panels = [_panel(rows, address, dimension, target) for address, dimension in space.items()]
    lines = [panels[at : at + COLUMNS] for at in range(0, len(panels), COLUMNS)]
    altair = altair_module()
    chart: alt.TopLevelMixin = altair.vconcat(
        _history(rows, trials, target, start),
        *(altair.hconcat(*line, spacing=GAP) for line in lines),
        spacing=GAP,
    )
    return chart


def _history(rows: pl.DataFrame, trials: pl.DataFrame, target: Target, start: float | None) -> Any:
    altair = altair_module()
    data = altair.Data(values=rows.select("number", "value", "best").to_dicts())
    x = altair.X("number:Q", title="trial", axis=altair.Axis(tickMinStep=1, format="d"))
    y = altair.Y("value:Q", title=target.label, scale=altair.Scale(zero=False))
    tried = altair.Chart(data).mark_circle(size=36, color=ACCENT, opacity=0.7).encode(x, y)
    best = (
        altair.Chart(data)
        .mark_line(interpolate="step-after", color=BEST, strokeWidth=2)
        .encode(x, altair.Y("best:Q", title=target.label, scale=altair.Scale(zero=False)))
    )
    layers = [tried, best]
    if start is not None:
        value = altair.Data(values=[{"value": start}])
        layers.append(altair.Chart(value).mark_rule(strokeDash=[4, 4], color=START).encode(y))
    n_left_out = trials.height - rows.height
    said = "each point a complete trial; line: best so far; dashed: as it stood"
    title = altair.Title(
        f"{target.label} on the validation part",
        subtitle=f"{said}; {n_left_out} pruned or failed not shown" if n_left_out else said,
    )
    return altair.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)


def _panel(rows: pl.DataFrame, address: str, dimension: Dimension, target: Target) -> Any:
    altair = altair_module()
    # Under a plain name: a dot in a field's name is a path to Vega. Choices go by their text.
    at = pl.Series("at", [_at(value, dimension) for value in rows[address].to_list()])
    data = altair.Data(values=rows.select("number", "value").with_columns(at).to_dicts())
    return (
        altair.Chart(data)
        .mark_circle(size=36, opacity=0.7)
        .encode(
            _axis(address, dimension),
            altair.Y("value:Q", title=target.label, scale=altair.Scale(zero=False)),
            # Later trials darker: where the search went.
            altair.Color(
                "number:Q", title="trial", legend=None, scale=altair.Scale(range=["#b9d4f2", "#174a85"])
            ),
        )
        .properties(width=(WIDTH - (COLUMNS - 1) * 3 * GAP) // COLUMNS, height=HEIGHT * 3 // 4)
    )


def _axis(address: str, dimension: Dimension) -> Any:
    altair = altair_module()
    if isinstance(dimension, Choices):
        order = [str(value) for value in dimension.values]
        return altair.X("at:N", title=address, sort=order, axis=altair.Axis(labelAngle=0))
    kind = "log" if dimension.log else "linear"
    # The whole range, so that a best at one end of it is seen to be there.
    scale = altair.Scale(domain=[dimension.low, dimension.high], type=kind, nice=False)
    return altair.X("at:Q", title=address, scale=scale, axis=altair.Axis(tickCount=4))


def _at(value: Any, dimension: Dimension) -> Any:
    return str(value) if isinstance(dimension, Choices) else value
