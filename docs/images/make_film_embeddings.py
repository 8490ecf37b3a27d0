"""Draw docs/images/film-embeddings.png: where a factorisation with one and with two factors puts well-known films.

python docs/images/make_film_embeddings.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("film-embeddings.png")
# Name, and on which side of its point it stands in the plane.
FILMS = {
    780: ("Independence Day", "right"),
    2628: ("Star Wars I", "left"),
    500: ("Mrs. Doubtfire", "left"),
    597: ("Pretty Woman", "right"),
    3793: ("X-Men", "right"),
    595: ("Beauty and the Beast", "right"),
    356: ("Forrest Gump", "left"),
    588: ("Aladdin", "left"),
    1270: ("Back to the Future", "right"),
    260: ("Star Wars IV", "right"),
    1196: ("Star Wars V", "left"),
    1: ("Toy Story", "right"),
    2571: ("The Matrix", "left"),
    3578: ("Gladiator", "left"),
    2762: ("The Sixth Sense", "right"),
    593: ("Silence of the Lambs", "right"),
    527: ("Schindler's List", "right"),
    4226: ("Memento", "right"),
    608: ("Fargo", "right"),
    858: ("The Godfather", "right"),
    2858: ("American Beauty", "right"),
    296: ("Pulp Fiction", "left"),
}
LINE = (780, 597, 356, 1, 2571, 260, 593, 4226, 858, 296)
RIGHT, UP = 296, 1270  # vectors may be turned and mirrored at will: Pulp Fiction right, Back to the Future up


def positions(data: sl.Dataset, dim: int) -> np.ndarray:
    """Return the vectors of FILMS [n, dim], turned so that they spread most along the first axis."""
    model = sl.MatrixFactorization(dim, n_epochs=30).fit(data, rng=0)
    vectors = model.item_factors_[model.memory_.items.index_of(list(FILMS))].astype(float)
    axes = np.linalg.svd(vectors - vectors.mean(axis=0))[2]
    turned = vectors @ axes.T
    for axis, film in enumerate((RIGHT, UP)[:dim]):
        turned[:, axis] *= np.sign(turned[list(FILMS).index(film), axis])
    return turned


def line(place: np.ndarray) -> alt.LayerChart:
    """Return the films of LINE along one axis, their names slanted above it."""
    rows = [
        {"film": FILMS[film][0], "x": float(place[list(FILMS).index(film), 0]), "y": 0.0} for film in LINE
    ]
    base = alt.Chart(pl.DataFrame(rows)).encode(x=alt.X("x:Q", title="x of a film, dim=1"), y=_hidden_axis())
    names = base.mark_text(align="left", dx=6, dy=-4, angle=300, fontSize=12).encode(text="film:N")
    return (base.mark_point(filled=True, size=60) + names).properties(width=680, height=110)


def _hidden_axis() -> alt.Y:
    return alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, 1]))


def plane(place: np.ndarray) -> alt.LayerChart:
    """Return all films in the plane, each name beside its point."""
    rows = [
        {"film": name, "side": side, "x": float(x), "y": float(y)}
        for (name, side), (x, y) in zip(FILMS.values(), place, strict=True)
    ]
    base = alt.Chart(pl.DataFrame(rows)).encode(
        x=alt.X("x:Q", title="first coordinate, dim=2"), y=alt.Y("y:Q", title="second coordinate")
    )
    sides = {"right": {"align": "left", "dx": 7}, "left": {"align": "right", "dx": -7}}
    names = [
        base.transform_filter(alt.datum.side == side).mark_text(fontSize=12, **at).encode(text="film:N")
        for side, at in sides.items()
    ]
    return alt.layer(base.mark_point(filled=True, size=60), *names).properties(width=680, height=380)


def main() -> None:
    """Fit and draw."""
    data = sl.datasets.movielens_small()
    chart = alt.vconcat(line(positions(data, 1)), plane(positions(data, 2)))
    chart.configure_axis(grid=False).save(OUT, scale_factor=1.0)


if __name__ == "__main__":
    main()
