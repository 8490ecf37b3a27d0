"""Draw docs/images/vector-search.png from benchmarks/results/index.json: recall against queries a second.

python docs/images/make_vector_search.py
"""

import json
from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(__file__).with_name("vector-search.png")
SETS = {"glove": "GloVe, 399,000 × 50, cosine", "wals": "WALS items of Gowalla, 41,000 × 64, dot"}
LEAST_RECALL = 0.7


def points(sides: dict) -> pl.DataFrame:
    """Return one row for each index and effort."""
    rows = [
        (name, one["recall"], one["single"])
        for name, side in sides.items()
        for one in side["points"]
        if one["recall"] >= LEAST_RECALL
    ]
    return pl.DataFrame(rows, ["index", "recall@10", "rate"], orient="row")


def panel(title: str, sides: dict) -> alt.Chart:
    """Return the curves of one set; exact searches are single points."""
    return (
        alt.Chart(points(sides), title=title)
        .mark_line(point=True)
        .encode(
            x=alt.X("recall@10:Q", scale=alt.Scale(domain=[LEAST_RECALL, 1])),
            y=alt.Y("rate:Q", title="queries a second, one at a time", scale=alt.Scale(type="log")),
            color=alt.Color("index:N", title=None, scale=alt.Scale(scheme="tableau10")),
            shape=alt.Shape("index:N", legend=None),
        )
        .properties(width=330, height=280)
    )


def main() -> None:
    """Draw the sets that were measured."""
    file = ROOT / "benchmarks" / "results" / "index.json"
    parts = json.loads(file.read_text(encoding="utf-8"))["results"]["parts"]
    chart = alt.hconcat(
        *(panel(title, parts[name]["sides"]) for name, title in SETS.items() if name in parts)
    )
    chart.save(OUT, scale_factor=1.0)


if __name__ == "__main__":
    main()
