"""Draw docs/images/deepfm.png: what a score is made of, and where the two sides of a pair part.

python docs/images/make_deepfm.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

from shortlist.experiments.charts import png

OUT = Path(__file__).with_name("deepfm.png")
USER, ITEM, MOMENT, PART = "#2f7ed8", "#d9702a", "#5a9e5a", "#777777"
# left, width, bottom, text, colour
FIELDS = [
    (0.0, 1.5, 0.0, "user id", USER),
    (1.7, 1.5, 0.0, "country", USER),
    (3.6, 1.5, 0.0, "item id", ITEM),
    (5.3, 1.5, 0.0, "price", ITEM),
    (7.2, 1.5, 0.0, "pair events", MOMENT),
    (8.9, 1.5, 0.0, "recency", MOMENT),
]
EMBEDDINGS = [
    (x, width, 1.5, f"e{n} = Σ v x", colour) for n, (x, width, _, _, colour) in enumerate(FIELDS, 1)
]
PARTS = [
    (0.0, 4.6, 3.2, "FM: w₀ + Σ w x + ½ (‖Σ v x‖² − Σ ‖v‖² x²)", PART),
    (5.2, 5.2, 3.2, "W₁ [e1; …; e6] + b₁: a sum over the sides", PART),
    (5.9, 3.8, 4.5, "relu, 64 → 32 units", PART),
    (4.0, 2.4, 6.0, "score", PART),
]
HEIGHT = 0.75
ARROWS = [
    *((x + width / 2, 0.0 + HEIGHT, x + width / 2, 1.5) for x, width, *_ in FIELDS),
    *((x + width / 2, 1.5 + HEIGHT, min(x + width / 2, 4.2), 3.2) for x, width, *_ in FIELDS),
    *((x + width / 2, 1.5 + HEIGHT, max(x + width / 2, 5.6), 3.2) for x, width, *_ in FIELDS),
    (7.8, 3.2 + HEIGHT, 7.8, 4.5),
    (7.8, 4.5 + HEIGHT, 6.0, 6.0),
    (2.3, 3.2 + HEIGHT, 4.4, 6.0),
]


def main() -> None:
    """Draw."""
    names = ["left", "width", "bottom", "text", "colour"]
    boxes = pl.DataFrame([*FIELDS, *EMBEDDINGS, *PARTS], schema=names, orient="row").with_columns(
        right=pl.col("left") + pl.col("width"),
        top=pl.col("bottom") + HEIGHT,
        middle=pl.col("left") + pl.col("width") / 2,
        centre=pl.col("bottom") + HEIGHT / 2,
    )
    arrows = pl.DataFrame(ARROWS, schema=["x", "y", "x2", "y2"], orient="row")
    x, y = alt.X("left:Q", axis=None, scale=alt.Scale(domain=[-0.1, 10.6])), alt.Y("bottom:Q", axis=None)
    rectangles = (
        alt.Chart(boxes)
        .mark_rect(cornerRadius=5, opacity=0.18, strokeWidth=1.5)
        .encode(x=x, x2="right", y=y, y2="top", color=alt.Color("colour:N", scale=None))
    )
    texts = (
        alt.Chart(boxes)
        .mark_text(fontSize=12, color="#222222")
        .encode(x=alt.X("middle:Q", axis=None), y=alt.Y("centre:Q", axis=None), text="text:N")
    )
    lines = (
        alt.Chart(arrows)
        .mark_rule(color="#aaaaaa")
        .encode(x=alt.X("x:Q", axis=None), x2="x2", y=alt.Y("y:Q", axis=None), y2="y2")
    )
    chart = (lines + rectangles + texts).properties(width=760, height=330)
    OUT.write_bytes(png(chart.configure_view(strokeWidth=0), scale=1.5))


if __name__ == "__main__":
    main()
