"""Draw docs/images/reliability.png: what probabilities say, and what share of candidates came true.

python docs/images/make_reliability.py

The figures are those of benchmarks/results/reliability.json: bins of equally many candidates of held-out people.
"""

import io
import json
from pathlib import Path
from typing import Any

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl
from PIL import Image

from shortlist.experiments.charts import MUTED, PALETTE, png

OUT = Path(__file__).with_name("reliability.png")
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "reliability.json"
TITLES = {"films": "MovieLens small: a top rating", "retail": "Online retail: bought within 30 days"}
NAMES = {"platt": "Platt", "isotonic": "isotonic", "score, scaled 0 … 1": "score, scaled 0 … 1"}


def rows_of(points: dict[str, Any]) -> pl.DataFrame:
    """Return a row a bin, with the 95 % interval of the observed share as if candidates were independent."""
    rows = []
    for name, shown in NAMES.items():
        bins = points[name]
        for predicted, observed, n in zip(bins["predicted"], bins["observed"], bins["n"], strict=True):
            error = 1.96 * float(np.sqrt(max(observed * (1 - observed), 1 / n) / n))
            row = {"by": shown, "predicted": predicted, "observed": observed}
            rows.append({**row, "low": max(observed - error, 0.0), "high": min(observed + error, 1.0)})
    return pl.DataFrame(rows)


def chart(part: str, points: dict[str, Any]) -> alt.LayerChart:
    """Return one panel. Axes are those of square roots, which open up the small probabilities."""
    rows = rows_of(points)
    scale, up_to = alt.Scale(type="sqrt", domain=[0, 1]), alt.Scale(type="sqrt", domain=[0, 0.16])
    ticks = alt.Axis(format=".0%", values=[0, 0.01, 0.02, 0.04, 0.08, 0.12, 0.16, 0.3, 0.5, 1])
    colour = alt.Color(
        "by:N", title=None, scale=alt.Scale(domain=list(NAMES.values()), range=list(PALETTE[:3]))
    )
    base = alt.Chart(rows).encode(
        x=alt.X("predicted:Q", title="said", scale=scale, axis=ticks),
        color=colour,
    )
    observed = alt.Y("observed:Q", title="came true", scale=up_to, axis=ticks)
    ideal = alt.Chart(pl.DataFrame({"predicted": [0.0, 1.0], "observed": [0.0, 1.0]}))
    diagonal = ideal.mark_line(color=MUTED, strokeDash=[4, 3], clip=True).encode(x="predicted:Q", y=observed)
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", scale=up_to), y2="high:Q")
    lines = base.mark_line(point=alt.OverlayMarkDef(filled=True, size=40)).encode(y=observed)
    return alt.layer(diagonal, bars, lines).properties(width=300, height=300, title=TITLES[part])


def main() -> None:
    """Draw what was measured."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]
    drawn = alt.hconcat(*(chart(part, found[part]["points"]["people and time"]) for part in TITLES))
    picture = Image.open(io.BytesIO(png(drawn, scale=1.2)))
    # A palette is a third of the size, and the picture has a few colours.
    picture.convert("RGB").quantize(96).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
