"""Draw docs/images/linear-item-models.png: what well-known films say of each other, under a cosine and under EASE.

python docs/images/make_linear_item_models.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("linear-item-models.png")
FILMS = {
    260: "Star Wars IV",
    1196: "Star Wars V",
    1210: "Star Wars VI",
    4993: "Lord of the Rings 1",
    5952: "Lord of the Rings 2",
    7153: "Lord of the Rings 3",
    858: "The Godfather",
    1221: "The Godfather II",
    1: "Toy Story",
    3114: "Toy Story 2",
    318: "Shawshank Redemption",
    296: "Pulp Fiction",
}


def cosines(data: sl.Dataset, at: np.ndarray) -> np.ndarray:
    """Return the cosine between the columns of likes of the films at `at`."""
    log = data.interactions
    likes = log.where(log.positive).matrix("count")[:, at].toarray() > 0
    both = likes.T.astype(float) @ likes
    own = np.sqrt(np.diag(both))
    return both / own / own[:, None]


def partial_correlations(data: sl.Dataset, at: np.ndarray) -> np.ndarray:
    """Return what EASE has between the films at `at`."""
    lists = sl.EASE(100.0).fit(data).similar(at, k=len(data.items))
    out = np.zeros((at.size, len(data.items)))
    out[lists.row, lists.item_idx] = lists.score
    return out[:, at]


def heat_map(values: np.ndarray, title: str, *, named: bool) -> alt.Chart:
    """Return a map of all pairs but those of a film with itself; `named`: with the films beside its rows."""
    names = list(FILMS.values())
    cells = [
        {"row": names[i], "column": names[j], "value": float(values[i, j])}
        for i in range(len(names))
        for j in range(len(names))
        if i != j
    ]
    axes = {
        "x": alt.X("column:N", sort=names, title=None, axis=alt.Axis(labelAngle=-45)),
        "y": alt.Y("row:N", sort=names, title=None, axis=alt.Axis(labels=named, ticks=named)),
    }
    color = alt.Color(
        "value:Q", title=None, scale=alt.Scale(scheme="blues", domainMin=0), legend=alt.Legend(tickCount=4)
    )
    size = {"width": 250, "height": 250, "title": title}
    return alt.Chart(pl.DataFrame(cells)).mark_rect().encode(**axes, color=color).properties(**size)


def main() -> None:
    """Fit and draw."""
    data = sl.datasets.movielens_small()
    at = data.items.index_of(list(FILMS))
    left = heat_map(cosines(data, at), "who likes one likes the other (cosine)", named=True)
    right = heat_map(partial_correlations(data, at), "what no other film explains (EASE)", named=False)
    alt.hconcat(left, right).resolve_scale(color="independent").save(OUT, scale_factor=1.0)


if __name__ == "__main__":
    main()
