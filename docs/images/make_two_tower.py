"""Draw docs/images/two-tower.png: the two networks, what enters them, and where their vectors meet.

python docs/images/make_two_tower.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

OUT = Path(__file__).with_name("two-tower.png")
USER, ITEM, JOINT = "#dbe9f6", "#fde8cf", "#e4f1df"
# x, y, width, text, colour; the middle of each box, y upwards.
BOXES = [
    (0.9, 0.0, 1.7, "user features", USER),
    (2.7, 0.0, 1.5, "user id → 32 numbers", USER),
    (5.4, 0.0, 1.7, "item features", ITEM),
    (7.2, 0.0, 1.5, "item id → 32 numbers", ITEM),
    (1.8, 1.1, 3.4, "256 units, ReLU", USER),
    (6.3, 1.1, 3.4, "256 units, ReLU", ITEM),
    (1.8, 2.1, 2.6, "128 units, ReLU", USER),
    (6.3, 2.1, 2.6, "128 units, ReLU", ITEM),
    (1.8, 3.1, 1.6, "32 units, linear", USER),
    (6.3, 3.1, 1.6, "32 units, linear", ITEM),
    (1.8, 4.1, 1.9, "u = h / ‖h‖", USER),
    (6.3, 4.1, 1.9, "v = h / ‖h‖, kept for all items", ITEM),
    (4.05, 5.2, 2.2, "u · v in [−1, 1]", JOINT),
    (1.35, 6.4, 2.5, "squared: (u·v − t)²", JOINT),
    (4.05, 6.4, 2.5, "labels: σ(a u·v + c)", JOINT),
    (6.75, 6.4, 2.5, "softmax: u·v / T − ln q", JOINT),
]
HALF = 0.28
ARROWS = [
    (0.9, 0.0, 1.5, 1.1),
    (2.7, 0.0, 2.1, 1.1),
    (5.4, 0.0, 6.0, 1.1),
    (7.2, 0.0, 6.6, 1.1),
    *((x, y, x, y + 1.0) for x in (1.8, 6.3) for y in (1.1, 2.1, 3.1)),
    (1.8, 4.1, 3.6, 5.2),
    (6.3, 4.1, 4.5, 5.2),
    (3.6, 5.2, 1.35, 6.4),
    (4.05, 5.2, 4.05, 6.4),
    (4.5, 5.2, 6.75, 6.4),
]


def main() -> None:
    """Draw."""
    width = {"v = h / ‖h‖, kept for all items": 3.0}
    boxes = pl.DataFrame(
        [
            {
                "left": x - width.get(text, w) / 2,
                "right": x + width.get(text, w) / 2,
                "low": y - HALF,
                "high": y + HALF,
                "x": x,
                "y": y,
                "text": text,
                "colour": colour,
            }
            for x, y, w, text, colour in BOXES
        ]
    )
    lines = pl.DataFrame(
        [{"x": x, "y": y + HALF, "x2": x2, "y2": y2 - HALF, "angle": 0} for x, y, x2, y2 in ARROWS]
    )
    plain = {"axis": None, "scale": alt.Scale(domain=[-0.1, 8.2])}
    upright = {"axis": None, "scale": alt.Scale(domain=[-0.4, 6.8])}
    x, y = alt.X("x:Q", **plain), alt.Y("y:Q", **upright)
    rules = alt.Chart(lines).mark_rule(color="#777").encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    heads = (
        alt.Chart(lines)
        .mark_point(shape="triangle-up", filled=True, color="#777", size=45)
        .encode(x=alt.X("x2:Q", **plain), y=alt.Y("y2:Q", **upright))
    )
    rectangles = (
        alt.Chart(boxes)
        .mark_rect(stroke="#555", cornerRadius=4)
        .encode(
            x=alt.X("left:Q", **plain),
            x2="right:Q",
            y=alt.Y("low:Q", **upright),
            y2="high:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    words = alt.Chart(boxes).mark_text(fontSize=12, color="#222").encode(x=x, y=y, text="text:N")
    chart = alt.layer(rules, heads, rectangles, words).properties(width=820, height=430)
    chart.configure_view(stroke=None).save(OUT, scale_factor=1.2)


if __name__ == "__main__":
    main()
