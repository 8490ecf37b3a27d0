"""Draw docs/images/unobserved.png: scores of liked and of untouched pairs with and without a weight on the latter.

python docs/images/make_unobserved.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("unobserved.png")
MODELS = {
    "WALS, w0 = 0: the unobserved say nothing": sl.WALS(32, unobserved_weight=0.0),
    "WALS, w0 = 0.1": sl.WALS(32, unobserved_weight=0.1),
    "PureSVD: the unobserved are zeros": sl.PureSVD(32),
}
BINS = np.linspace(-0.3, 1.3, 65)


def shares(name: str, model: sl.Model, data: sl.Dataset) -> pl.DataFrame:
    """Return the share of liked and of untouched pairs in each bin of the score."""
    rng, history = np.random.default_rng(0), data.memory.history
    liked = history.where(history.positive)
    pairs = {"liked": (liked.row.astype(np.int32), liked.item_idx)}
    users, items = np.flatnonzero(model.known_users_), np.flatnonzero(model.known_items_)
    drawn = tuple(rng.choice(side, 200_000).astype(np.int32) for side in (users, items))
    untouched = np.asarray(data.interactions.matrix("count")[drawn[0], drawn[1]]).ravel() == 0
    pairs["untouched"] = (drawn[0][untouched], drawn[1][untouched])
    parts = []
    for kind, (user_idx, item_idx) in pairs.items():
        scores = np.clip(model.score_pairs(user_idx, item_idx), BINS[0], BINS[-1])
        count = np.histogram(scores, BINS)[0]
        parts.append(
            pl.DataFrame({"model": name, "pairs": kind, "score": BINS[:-1], "share": count / count.max()})
        )
    return pl.concat(parts)


def main() -> None:
    """Fit, count and draw."""
    data = sl.datasets.movielens_small()
    frame = pl.concat([shares(name, model.fit(data, rng=0), data) for name, model in MODELS.items()])
    colours = alt.Color(
        "pairs:N",
        scale=alt.Scale(range=["#d95f02", "#31688e"]),
        legend=alt.Legend(title="pairs of a person and a film"),
    )
    area = (
        alt.Chart(frame)
        .mark_area(opacity=0.6, interpolate="step-after")
        .encode(
            x=alt.X("score:Q", title="score"),
            y=alt.Y("share:Q", title="", axis=alt.Axis(labels=False, ticks=False), stack=None),
            color=colours,
        )
        .properties(width=420, height=110)
    )
    chart = area.facet(
        row=alt.Row(
            "model:N",
            sort=list(MODELS),
            title=None,
            header=alt.Header(labelAngle=0, labelAnchor="start", labelOrient="top"),
        )
    )
    chart.properties(title="Likes on MovieLens small: what each model predicts").save(OUT, scale_factor=1.3)


if __name__ == "__main__":
    main()
