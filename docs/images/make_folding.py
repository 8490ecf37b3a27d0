"""Draw docs/images/folding.png: the items of two kinds of people, with and without negatives, and the folding number.

python docs/images/make_folding.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("folding.png")
N_ITEMS = 60


def ratings(seed: int = 0, n_users: int = 400) -> sl.Dataset:
    """Return ratings by two kinds of people, each of items of their own, by where both stand on a ring."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        taste = rng.uniform(0, 2 * np.pi)
        for item in rng.choice(N_ITEMS, 20, replace=False):
            match = np.cos(taste - 2 * np.pi * item / N_ITEMS)
            rows.append(
                (user, user % 2 * N_ITEMS + int(item), float(np.clip(np.round(3 + 2.4 * match), 1, 5)))
            )
    frame = pl.DataFrame(rows, ["user_id", "item_id", "value"], orient="row")
    return sl.read(frame, kind="ratings", scale=(1, 5))


def on_two_axes(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors along the two directions in which they differ most."""
    centred = vectors - vectors.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


def panel(title: str, model: sl.Model) -> alt.Chart:
    """Return the items of the fitted model, with the folding number in the title."""
    kinds = np.repeat([0, 1], N_ITEMS)
    number = sl.metrics.folding(model.item_factors_, kinds)
    x, y = on_two_axes(model.item_factors_).T
    points = pl.DataFrame({"x": x, "y": y, "items of": np.where(kinds == 0, "one kind", "the other")})
    return (
        alt.Chart(points, title=alt.Title([title, f"folding {number:.2f}"], fontSize=13))
        .mark_point(filled=True, size=45, opacity=0.75)
        .encode(
            x=alt.X("x:Q", title=None, axis=None),
            y=alt.Y("y:Q", title=None, axis=None),
            color=alt.Color("items of:N", scale=alt.Scale(range=["#1b6ca8", "#e07a1f"])),
            shape="items of:N",
        )
        .properties(width=300, height=260)
    )


def main() -> None:
    """Fit and draw."""
    data = ratings()
    shown = sl.MatrixFactorization(2, min_ratings=1).fit(data, rng=0)
    all_items = sl.SoftmaxNet(3, batch_size=32, learning_rate=0.02).fit(data, rng=0)
    both = panel("trained on shown ratings alone", shown) | panel("trained against all items", all_items)
    both.save(OUT, scale_factor=1.0)


if __name__ == "__main__":
    main()
