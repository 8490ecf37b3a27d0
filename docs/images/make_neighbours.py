"""Draw docs/images/neighbours.png: the quality of neighbours against their shrinkage and number, on MovieLens small.

python docs/images/make_neighbours.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("neighbours.png")
SHRINKAGES = (0, 1, 3, 10, 30, 100, 300)
SIZES = (10, 30, 100, 300)


def quality(parts: sl.split.Split) -> pl.DataFrame:
    """Return NDCG@10 on the test part by model, shrinkage and number of neighbours."""
    rows = []
    for model in (sl.ItemNeighbors, sl.UserNeighbors):
        for n in SIZES:
            for shrinkage in SHRINKAGES:
                fitted = model(n, shrinkage=shrinkage).fit(parts.train)
                found = sl.evaluate(fitted, parts.train, parts.test, k=10, n_bootstrap=0)
                rows.append(
                    {
                        "model": model.__name__,
                        "n_neighbors": str(n),
                        "shrinkage": str(shrinkage),
                        "ndcg": found.result("ndcg").value,
                    }
                )
    return pl.DataFrame(rows)


def main() -> None:
    """Measure and draw."""
    curve = quality(sl.split.leave_last_out(sl.datasets.movielens_small()))
    chart = (
        alt.Chart(curve)
        .mark_line(point=True)
        .encode(
            x=alt.X("shrinkage:N", sort=[str(s) for s in SHRINKAGES], title="shrinkage"),
            y=alt.Y("ndcg:Q", title="NDCG@10 on the test part", scale=alt.Scale(zero=False)),
            color=alt.Color("n_neighbors:N", sort=[str(n) for n in SIZES], scale=alt.Scale(scheme="viridis")),
        )
        .properties(width=280, height=220)
        .facet(column=alt.Column("model:N", title=None))
    )
    chart.save(OUT, scale_factor=1.5)


if __name__ == "__main__":
    main()
