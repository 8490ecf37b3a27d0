"""Draw docs/images/pairwise-ranking.png: two measures of BPR's lists, epoch by epoch, for three ways to draw negatives.

python docs/images/make_pairwise_ranking.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("pairwise-ranking.png")
SAMPLERS = {
    "uniform": {},
    "popularity": {"popularity_exponent": 0.5},
    "dynamic": {"n_candidates": 16},
}
EPOCHS = 60
SHOWN = (1, 2, 3, 5, 8, 12, 18, 25, 35, 45, 60)


def area(model: sl.Model, test: sl.Dataset) -> float:
    """Return the share of test likes that score above an item drawn at random, among users and items known."""
    log = test.interactions.where(test.interactions.positive)
    known = model.known_users_[log.user_idx] & model.known_items_[log.item_idx]
    u, i = log.user_idx[known], log.item_idx[known]
    others = np.random.default_rng(0).choice(np.flatnonzero(model.known_items_), u.size).astype(np.int32)
    return float(np.mean(model.score_pairs(u, i) > model.score_pairs(u, others)))


def measured(train: sl.Dataset, test: sl.Dataset) -> list[dict[str, object]]:
    """Return a row for each sampler, epoch shown and measure."""
    rows: list[dict[str, object]] = []
    for sampler, options in SAMPLERS.items():

        def look(epoch: sl.Epoch, sampler: str = sampler) -> None:
            if epoch.number in SHOWN:
                ndcg = sl.evaluate(epoch.model, train, test, k=10, n_bootstrap=0).result("ndcg").value
                found = {"head of the list: NDCG@10": ndcg, "whole order: AUC": area(epoch.model, test)}
                rows.extend(
                    {"sampler": sampler, "epoch": epoch.number, "measure": name, "value": value}
                    for name, value in found.items()
                )

        model = sl.BPR(
            n_epochs=EPOCHS, sampler=sampler, learning_rate=0.2, user_reg=0.03, item_reg=0.03, **options
        )
        model.fit(train, rng=0, on_epoch=look)
    return rows


def main() -> None:
    """Fit and draw."""
    train, test = sl.split.leave_last_out(sl.datasets.movielens_small())
    rows = pl.DataFrame(measured(train, test))
    lines = (
        alt.Chart(rows)
        .mark_line(point=alt.OverlayMarkDef(size=18), strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q"),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            color=alt.Color("sampler:N", sort=list(SAMPLERS), title="negatives"),
        )
        .properties(width=300, height=220)
        .facet(column=alt.Column("measure:N", title=None))
        .resolve_scale(y="independent")
    )
    lines.save(OUT, scale_factor=1.0)


if __name__ == "__main__":
    main()
