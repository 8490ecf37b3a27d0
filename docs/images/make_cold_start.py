"""Draw docs/images/cold-start.png: predictions and lists for new people by the number of questions they answered.

python docs/images/make_cold_start.py

The figures are those of benchmarks/results/questionnaire.json.
"""

import json
from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(__file__).with_name("cold-start.png")
RESULTS = ROOT / "benchmarks" / "results" / "questionnaire.json"
COLORS = {
    "random": "#999999",
    "popularity": "#d95f02",
    "error, of likes": "#35b779",
    "error, of ratings": "#31688e",
}
PANELS = {"rmse": "RMSE of ratings (less is better)", "ndcg": "NDCG@10 of lists (more is better)"}


def curve(rows: list[list[object]]) -> pl.DataFrame:
    """Return one row a choice and number of questions; without a question all are alike."""
    start = next(row for row in rows if row[1] == 0)
    found = [{"chosen by": choice, "questions": 0, "value": start[3]} for choice in COLORS]
    found += [{"chosen by": row[0], "questions": row[1], "value": row[3]} for row in rows if row[0] in COLORS]
    return pl.DataFrame(found)


def panel(values: pl.DataFrame, title: str) -> alt.Chart:
    """Return a line for each way of choosing."""
    color = alt.Color(
        "chosen by:N",
        scale=alt.Scale(domain=list(COLORS), range=list(COLORS.values())),
        legend=alt.Legend(title="questions chosen by", orient="bottom"),
    )
    return (
        alt.Chart(values)
        .mark_line(point=True)
        .encode(
            x=alt.X("questions:Q", title="questions", axis=alt.Axis(values=[0, 5, 10, 20])),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=color,
        )
        .properties(width=290, height=230)
    )


def main() -> None:
    """Draw."""
    tables = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]["tables"]
    panels = [panel(curve(tables[name]["rows"]), title) for name, title in PANELS.items()]
    chart = alt.hconcat(*panels).properties(title="New people of MovieLens small after some questions")
    chart.save(OUT, scale_factor=1.3)


if __name__ == "__main__":
    main()
