"""Draw docs/images/softmax-net.png: what enters the net, and how its answer meets the matrix of the items.

python docs/images/make_softmax_net.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

OUT = Path(__file__).with_name("softmax-net.png")
PERSON, ITEM, BOTH = "#dbe9f6", "#fde8cf", "#e4f1df"
HEIGHT = 0.6
# name: (middle x, middle y, width, text, colour); y grows upwards.
BOXES = {
    "history": (1.2, 0.0, 2.2, "history: mean embedding", PERSON),
    "features": (3.6, 0.0, 2.2, "features · weights", PERSON),
    "id": (6.0, 0.0, 2.2, "embedding of the id", PERSON),
    "sum": (3.6, 1.2, 2.0, "z, their sum", PERSON),
    "layers": (3.6, 2.4, 3.4, "layers with ReLU, or none", PERSON),
    "answer": (3.6, 3.6, 2.6, "ψ(x), at length 1", PERSON),
    "matrix": (7.9, 3.6, 2.4, "V: a row an item", ITEM),
    "scores": (5.75, 4.8, 3.6, "s = V ψ(x) / T + c", BOTH),
    "softmax": (5.75, 6.0, 4.2, "softmax over all items, or a sample", BOTH),
}
ARROWS = [
    ("history", "sum"),
    ("features", "sum"),
    ("id", "sum"),
    ("sum", "layers"),
    ("layers", "answer"),
    ("answer", "scores"),
    ("matrix", "scores"),
    ("scores", "softmax"),
]
X = alt.Scale(domain=[0, 9.2])
Y = alt.Scale(domain=[-0.5, 6.5])


def place(column: str, scale: alt.Scale, channel: type) -> alt.SchemaBase:
    """Return the channel of a column of places, without an axis."""
    return channel(f"{column}:Q", scale=scale, axis=None)


def main() -> None:
    """Draw."""
    boxes = pl.DataFrame(
        [
            {
                "left": x - w / 2,
                "right": x + w / 2,
                "low": y - HEIGHT / 2,
                "high": y + HEIGHT / 2,
                "x": x,
                "y": y,
            }
            | {"text": text, "colour": colour}
            for x, y, w, text, colour in BOXES.values()
        ]
    )
    lines = pl.DataFrame(
        [
            {
                "x": BOXES[a][0],
                "y": BOXES[a][1] + HEIGHT / 2,
                "to_x": BOXES[b][0],
                "to_y": BOXES[b][1] - HEIGHT / 2,
            }
            for a, b in ARROWS
        ]
    )
    rules = (
        alt.Chart(lines)
        .mark_rule(color="#888")
        .encode(place("x", X, alt.X), place("y", Y, alt.Y), x2="to_x:Q", y2="to_y:Q")
    )
    ends = (
        alt.Chart(lines)
        .mark_point(shape="triangle-up", filled=True, color="#888", size=40)
        .encode(place("to_x", X, alt.X), place("to_y", Y, alt.Y))
    )
    frames = (
        alt.Chart(boxes)
        .mark_rect(stroke="#666", cornerRadius=3)
        .encode(
            place("left", X, alt.X),
            place("low", Y, alt.Y),
            x2="right:Q",
            y2="high:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    words = (
        alt.Chart(boxes)
        .mark_text(fontSize=12, color="#222")
        .encode(place("x", X, alt.X), place("y", Y, alt.Y), text="text:N")
    )
    chart = alt.layer(rules, ends, frames, words).properties(width=720, height=380)
    chart.configure_view(stroke=None).save(OUT, scale_factor=1.2)


if __name__ == "__main__":
    main()
