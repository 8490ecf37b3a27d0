"""Draw docs/images/factorization-machines.png: an event as columns, its factors, and the two sides of its score.

python docs/images/make_factorization_machines.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

OUT = Path(__file__).with_name("factorization-machines.png")
SIDES = ("user and moment", "item")
COLUMNS = [
    ("user 7", "1", 0),
    ("age", "0.4", 0),
    ("evening", "1", 0),
    ("film 42", "1", 1),
    ("Comedy", "1", 1),
    ("year", "−1.2", 1),
]
WIDTH, GAP = 96, 14
COLOURS = ["#4c78a8", "#e45756"]


def place(n: int) -> float:
    """Return the middle of column `n`; the two sides stand apart."""
    return 70 + n * (WIDTH + GAP) + (50 if COLUMNS[n][2] else 0)


def boxes() -> list[dict]:
    """Return every box: its middle, its size, its text and its side (2: of both)."""
    found = []
    for n, (name, value, side) in enumerate(COLUMNS):
        found.append(
            {"x": place(n), "y": 40, "w": WIDTH, "h": 34, "text": f"{name}: x = {value}", "side": side}
        )
        found.append({"x": place(n), "y": 120, "w": WIDTH, "h": 34, "text": "v x   and   w x", "side": side})
    for side, middle in ((0, place(1)), (1, place(4))):
        letter = "u" if side == 0 else "i"
        text = f"vector V{letter} = Σ v x,  offset O{letter} = Σ w x + pairs within"
        found.append({"x": middle, "y": 200, "w": 3 * WIDTH + 2 * GAP, "h": 34, "text": text, "side": side})
    middle = (place(1) + place(4)) / 2
    text = "ŷ  =  w₀  +  Ou  +  Oi  +  Vu · Vi"
    found.append({"x": middle, "y": 284, "w": 300, "h": 38, "text": text, "side": 2})
    return found


def lines() -> list[dict]:
    """Return what leads from box to box."""
    found = []
    for n, (_, _, side) in enumerate(COLUMNS):
        found.append({"x": place(n), "y": 57, "x2": place(n), "y2": 103})
        found.append({"x": place(n), "y": 137, "x2": place(n), "y2": 183})
        middle = place(1) if side == 0 else place(4)
        if n in (1, 4):
            found.append({"x": middle, "y": 217, "x2": (place(1) + place(4)) / 2, "y2": 265})
    return found


def across(name: str) -> alt.X:
    """Return the place from the left."""
    return alt.X(f"{name}:Q", scale=alt.Scale(domain=[0, 780], nice=False), axis=None)


def down(name: str) -> alt.Y:
    """Return the place from the top."""
    return alt.Y(f"{name}:Q", scale=alt.Scale(domain=[310, 0], nice=False), axis=None)


def main() -> None:
    """Draw."""
    frame = pl.DataFrame(boxes()).with_columns(
        left=pl.col("x") - pl.col("w") / 2,
        right=pl.col("x") + pl.col("w") / 2,
        top=pl.col("y") - pl.col("h") / 2,
        bottom=pl.col("y") + pl.col("h") / 2,
        colour=pl.col("side").replace_strict({0: COLOURS[0], 1: COLOURS[1], 2: "#666666"}),
    )
    rectangles = (
        alt.Chart(frame)
        .mark_rect(fillOpacity=0.13, strokeWidth=1.5, cornerRadius=4)
        .encode(
            x=across("left"),
            x2="right:Q",
            y=down("top"),
            y2="bottom:Q",
            fill=alt.Fill("colour:N", scale=None),
            stroke=alt.Stroke("colour:N", scale=None),
        )
    )
    texts = alt.Chart(frame).mark_text(fontSize=11).encode(x=across("x"), y=down("y"), text="text:N")
    rules = (
        alt.Chart(pl.DataFrame(lines()))
        .mark_rule(color="#888888")
        .encode(x=across("x"), x2="x2:Q", y=down("y"), y2="y2:Q")
    )
    heads = pl.DataFrame({"x": [place(1), place(4)], "y": [10, 10], "text": list(SIDES), "colour": COLOURS})
    titles = (
        alt.Chart(heads)
        .mark_text(fontSize=13, fontWeight="bold")
        .encode(x=across("x"), y=down("y"), text="text:N", color=alt.Color("colour:N", scale=None))
    )
    chart = (rules + rectangles + texts + titles).properties(width=780, height=310)
    chart.configure_view(stroke=None).save(OUT, scale_factor=1.4)


if __name__ == "__main__":
    main()
