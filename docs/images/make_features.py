"""Draw docs/images/features.png: a person's ratings against three means of that person, MovieLens small.

python docs/images/make_features.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl
from shortlist.experiments.charts import png

OUT = Path(__file__).with_name("features.png")
USER = 18


def panel(title: str, mean: np.ndarray, rating: np.ndarray, noise: np.ndarray) -> alt.Chart:
    """Return the ratings, moved up and down a little so that equal ones can be told apart, against `mean`."""
    frame = pl.DataFrame({"mean": mean, "rating": rating + noise})
    scale = alt.Scale(zero=False, nice=False, padding=12)
    return (
        alt.Chart(frame)
        .mark_circle(size=22, opacity=0.55, color="#2f7ed8")
        .encode(
            x=alt.X("mean:Q", title="mean that the row sees", scale=scale, axis=alt.Axis(tickCount=4)),
            y=alt.Y("rating:Q", title="rating", scale=scale),
        )
        .properties(width=215, height=200, title=title)
    )


def main() -> None:
    """Make the three means and draw."""
    films = sl.datasets.movielens_small()
    log, means = films.interactions, sl.DerivedFeatures(["mean"], shrinkage=0.0)
    own = log.user_idx == films.users.index_of([USER])[0]
    rating = log.value[own].astype(float)
    ways = {
        "without the row itself": (rating.sum() - rating) / (rating.size - 1),
        "out of fold": means.out_of_fold(films, rng=0).values[own, 0],
        "from earlier events": means.earlier(films).values[own, 0],
    }
    noise = np.random.default_rng(0).uniform(-0.12, 0.12, rating.size)
    panels = [panel(title, mean.astype(float), rating, noise) for title, mean in ways.items()]
    OUT.write_bytes(png(alt.hconcat(*panels), scale=1.25))


if __name__ == "__main__":
    main()
