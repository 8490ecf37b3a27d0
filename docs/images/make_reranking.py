"""Draw docs/images/reranking.png: what each term of Select, and Freshness, loses in NDCG@10 and gains in its own goal.

python docs/images/make_reranking.py

The figures are those of the test part in benchmarks/results/reranking.json; the larger points are the defaults.
"""

import io
import json
from pathlib import Path
from typing import Any

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl
from PIL import Image

from shortlist.experiments.charts import PALETTE, png

OUT = Path(__file__).with_name("reranking.png")
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "reranking.json"
LEARNED = "LambdaMARTScorer"
MARGIN = 0.05
# A panel each: what the goal is called there, and the names of the curves in it.
PANELS = {
    "MMR": ("mean largest similarity: less", ("MMR on genres", "MMR on vectors")),
    "DPP": ("log determinant per item: more", ("DPP on genres", "DPP on vectors")),
    "Calibration": ("KL from the person's mix: less", ("Calibration on genres",)),
    "Exposure": ("distance from the target exposure: less", ("Exposure on genres",)),
    "Freshness": ("mean 2^(−age / 365 days): more", ("Freshness",)),
}
ON = {"genres": PALETTE[0], "vectors": PALETTE[1], "age": PALETTE[2]}


def rows_of(panel: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the points of the curves of one panel, from weight 0 on."""
    rows = []
    for name in PANELS[panel][1]:
        by = name.partition(" on ")[2] or "age"
        rows.append(
            {"by": by, "weight": 0.0, "lost": 0.0, "low": 0.0, "high": 0.0, "gained": 0.0, "default": False}
        )
        rows += [
            {
                "by": by,
                "weight": point["weight"],
                **dict(zip(("lost", "low", "high"), point["lost"], strict=True)),
                "gained": point["gained"][0],
                "default": point["weight"] == found["defaults"][panel],
            }
            for point in found["test"][LEARNED][name]
        ]
    return rows


def chart(panel: str, found: dict[str, Any]) -> alt.LayerChart:
    """Return one panel: loss over gain, a point a weight, with the 90 % interval of the loss."""
    rows = pl.DataFrame(rows_of(panel, found))
    colour = alt.Color(
        "by:N", title="groups, likeness", scale=alt.Scale(domain=list(ON), range=list(ON.values()))
    )
    base = alt.Chart(rows).encode(x=alt.X("gained:Q", title=PANELS[panel][0]), color=colour)
    share = alt.Axis(format=".0%")
    lost = alt.Y("lost:Q", title="NDCG@10 lost", axis=share, scale=alt.Scale(domain=[-0.05, 0.3], clamp=True))
    lines = base.mark_line(opacity=0.7).encode(y=lost, order="weight:Q")
    bars = (
        base.mark_rule(opacity=0.45).encode(y=lost.copy(), y2="high:Q").transform_calculate(lost="datum.low")
    )
    points = base.mark_point(filled=True, opacity=1).encode(
        y=lost, size=alt.condition("datum.default", alt.value(130), alt.value(28))
    )
    text = base.mark_text(dx=6, dy=12, fontSize=10).encode(y=lost, text=alt.Text("weight:Q", format="~g"))
    margin = (
        alt.Chart(pl.DataFrame({"lost": [MARGIN]}))
        .mark_rule(strokeDash=[4, 3], color="#8a9099")
        .encode(y=lost)
    )
    layers = alt.layer(margin, bars, lines, points, text.transform_filter("datum.weight > 0.1"))
    return layers.properties(width=215, height=190, title=panel)


def main() -> None:
    """Draw what was measured."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]["films"]
    drawn = alt.concat(*(chart(panel, found) for panel in PANELS), columns=3)
    picture = Image.open(io.BytesIO(png(drawn, scale=1.3)))
    # A palette is a third of the size, and the picture has a few colours.
    picture.convert("RGB").quantize(96).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
