"""Draw docs/images/filtered-search.png: lists of 10 when only some items may be shown, sifted after and during search.

python docs/images/make_filtered_search.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("filtered-search.png")
N_ITEMS, N_QUERIES, K, SIFTED = 40_000, 100, 10, 100
SHARES = (0.0005, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SIFT = f"{SIFTED} found, then sifted"
MASK = "an index that knows the mask"


def clustered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return item vectors around 300 centres, and queries of the same kind."""
    centres = rng.normal(size=(300, 16))
    drawn = centres[rng.integers(300, size=N_ITEMS + N_QUERIES)]
    drawn = drawn + 0.5 * rng.normal(size=drawn.shape)
    return drawn[:N_ITEMS], drawn[N_ITEMS:]


def measured() -> pl.DataFrame:
    """Return how many of the 10 best permitted items are on a list, by the share permitted and how that is seen to."""
    rng = np.random.default_rng(0)
    items, queries = clustered(rng)
    index = sl.ApproximateIndex("cosine", exact_up_to=1000).build(items, queries=queries)
    exact = sl.ExactIndex("cosine").build(items)
    nearest = index.search(queries, SIFTED).lists.padded(SIFTED)
    rows = []
    for share in SHARES:
        mask = rng.random(N_ITEMS) < share
        sifted = np.minimum(mask[nearest].sum(axis=1), K).mean()
        found, right = (one.search(queries, K, allowed=mask).lists.padded(K) for one in (index, exact))
        hits = np.mean([np.isin(a, b).sum() for a, b in zip(right, found, strict=True)])
        rows += [(share, SIFT, sifted), (share, MASK, hits)]
    return pl.DataFrame(rows, ["share", "how", "items"], orient="row")


def main() -> None:
    """Measure and draw."""
    ticks = alt.Axis(format="~%", values=[0.001, 0.01, 0.1, 1], grid=False)
    scale = alt.Scale(type="log", domain=[SHARES[0], 1])
    colours = alt.Scale(domain=[MASK, SIFT], range=["#1b6ca8", "#e07a1f"])
    chart = (
        alt.Chart(measured())
        .mark_line(point=True)
        .encode(
            x=alt.X("share:Q", title="share of the items that may be shown", scale=scale, axis=ticks),
            y=alt.Y("items:Q", title="of the 10 best of them, on the list"),
            color=alt.Color("how:N", title=None, scale=colours),
            shape=alt.Shape("how:N", title=None, scale=alt.Scale(domain=[MASK, SIFT])),
        )
        .properties(width=420, height=220)
    )
    chart.save(OUT, scale_factor=1.0)


if __name__ == "__main__":
    main()
