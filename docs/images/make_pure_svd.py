"""Draw docs/images/pure-svd.png: the singular values of the likes of MovieLens small, and lists by how many are kept.

python docs/images/make_pure_svd.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

import shortlist as sl

OUT = Path(__file__).with_name("pure-svd.png")
DIMS = (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
EXPONENTS = (1.0, 0.75, 0.5)


def main() -> None:
    """Fit and draw."""
    train, test = sl.split.leave_last_out(sl.datasets.movielens_small())
    rows = []
    for exponent in EXPONENTS:
        for dim in DIMS:
            model = sl.PureSVD(dim, item_exponent=exponent).fit(train, rng=0)
            ndcg = sl.evaluate(model, train, test, k=10, n_bootstrap=0).result("ndcg").value
            rows.append({"dim": dim, "item_exponent": str(exponent), "ndcg": ndcg})
    values = sl.PureSVD(max(DIMS)).fit(train, rng=0).singular_values_
    spectrum = pl.DataFrame({"number": range(1, len(values) + 1), "value": values})
    left = (
        alt.Chart(spectrum, title="singular values")
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("number:Q", title="direction", scale=alt.Scale(type="log", domain=[1, 200])),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(type="log", domain=[4, 120])),
        )
    )
    right = (
        alt.Chart(pl.DataFrame(rows), title="NDCG@10 of the lists")
        .mark_line(point=alt.OverlayMarkDef(size=18), strokeWidth=2)
        .encode(
            x=alt.X(
                "dim:Q", title="directions kept (dim)", scale=alt.Scale(type="log", base=2, domain=[2, 200])
            ),
            y=alt.Y("ndcg:Q", title=None, scale=alt.Scale(zero=False)),
            color=alt.Color("item_exponent:N", sort=[str(e) for e in EXPONENTS], title="item_exponent"),
        )
    )
    sized = (chart.properties(width=300, height=220) for chart in (left, right))
    alt.hconcat(*sized).save(OUT, scale_factor=1.0)


if __name__ == "__main__":
    main()
