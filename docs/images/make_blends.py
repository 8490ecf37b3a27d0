"""Draw docs/images/blends.png: the quality of a blend of two models against the weight of one, on MovieLens small.

python docs/images/make_blends.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("blends.png")
MODELS = {"taste": sl.WALS(dim=32, reg=0.03, n_epochs=6), "neighbours": sl.ItemNeighbors()}
SHARES = np.arange(0, 1.001, 0.05)


def quality(parts: sl.split.Split) -> pl.DataFrame:
    """Return NDCG@10 on the test part by the weight of the neighbours."""
    fitted = {name: model.fit(parts.train, rng=0) for name, model in MODELS.items()}
    rows = []
    for share in SHARES:
        weights = {"taste": 1 - share, "neighbours": share}
        blend = sl.Blend(fitted, weights=weights).fit(parts.train)
        found = sl.evaluate(blend, parts.train, parts.test, k=10, n_bootstrap=0)
        rows.append({"weight": float(share), "ndcg": found.result("ndcg").value})
    return pl.DataFrame(rows)


def main() -> None:
    """Measure and draw."""
    parts = sl.split.leave_last_out(sl.datasets.movielens_small())
    curve = quality(parts)
    weight = sl.Blend(MODELS).fit(parts.train, rng=0).weights_["neighbours"]
    axes = {
        "x": alt.X(
            "weight:Q", title="weight of ItemNeighbors; the rest is WALS", scale=alt.Scale(domain=[0, 1])
        ),
        "y": alt.Y("ndcg:Q", title="NDCG@10 on the test part", scale=alt.Scale(zero=False)),
    }
    line = alt.Chart(curve).mark_line(point=True, color="#31688e").encode(**axes)
    found = pl.DataFrame({"weight": [weight], "said": [f"found by validation: {weight:.2f}"]})
    rule = alt.Chart(found).mark_rule(color="#d95f02", strokeDash=[6, 4]).encode(x="weight:Q")
    text = (
        alt.Chart(found)
        .mark_text(align="left", dx=6, y=250, color="#d95f02")
        .encode(x="weight:Q", text="said:N")
    )
    title = "Two models, one list: MovieLens small"
    (line + rule + text).properties(width=480, height=260, title=title).save(OUT, scale_factor=1.5)


if __name__ == "__main__":
    main()
