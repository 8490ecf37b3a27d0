"""Draw docs/images/segments.png: segments of users by what they like: how many, and their favourite genres.

python docs/images/make_segments.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import numpy as np
import polars as pl

import shortlist as sl
from shortlist.experiments.charts import png

OUT = Path(__file__).with_name("segments.png")
MODEL = sl.KMeansSegments(6, dim=8)
FEWEST = 1_500  # likes of a genre that is shown


def curves(data: sl.Dataset) -> alt.Chart:
    """Return cost and silhouette over the number of segments, each on an axis of its own."""
    points = pl.DataFrame(MODEL.elbow(data, range(2, 15), rng=0))
    x = alt.X("n_segments:Q", title="segments", axis=alt.Axis(tickMinStep=1))
    base = alt.Chart(points).encode(x=x)
    cost = base.mark_line(point={"color": "#2f7ed8"}, color="#2f7ed8").encode(
        y=alt.Y("cost:Q", title="cost", axis=alt.Axis(titleColor="#2f7ed8"), scale=alt.Scale(zero=False))
    )
    apart = base.mark_line(point={"color": "#d9702a"}, color="#d9702a", strokeDash=[5, 3]).encode(
        y=alt.Y(
            "silhouette:Q",
            title="silhouette",
            axis=alt.Axis(titleColor="#d9702a"),
            scale=alt.Scale(zero=False),
        )
    )
    return (cost + apart).resolve_scale(y="independent").properties(width=240, height=260, title="How many?")


def favourites(data: sl.Dataset) -> alt.Chart:
    """Return, for each segment and genre, the genre's share of the segment's likes over its share of all likes."""
    model = MODEL.fit(data, rng=0)
    genres, names = data.item_features.tags("genres")
    log = data.interactions
    likes = log.where(log.positive)
    segment = model.segments_[likes.user_idx]
    counts = np.stack([genres[likes.item_idx[segment == s]].sum(axis=0) for s in range(model.n_segments)])
    share, overall = counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=0) / counts.sum()
    rows = [
        {"segment": f"{s} ({size} people)", "genre": name, "lift": float(share[s, g] / overall[g])}
        for s, size in enumerate(model.segment_sizes_.tolist())
        for g, name in enumerate(names)
        if counts[:, g].sum() >= FEWEST
    ]
    base = alt.Chart(pl.DataFrame(rows)).encode(
        x=alt.X("segment:N", title="segment", axis=alt.Axis(labelAngle=-30)), y=alt.Y("genre:N", title=None)
    )
    colour = alt.Color(
        "lift:Q",
        title="lift",
        scale=alt.Scale(scheme="blueorange", domainMid=1),
        legend=None,
    )
    cells = base.mark_rect().encode(color=colour)
    on_dark = alt.condition("datum.lift < 0.4 || datum.lift > 2.5", alt.value("white"), alt.value("black"))
    text = base.mark_text(fontSize=11).encode(text=alt.Text("lift:Q", format=".1f"), color=on_dark)
    return (cells + text).properties(width=300, height=260, title="Likes of a genre, relative to everybody's")


def main() -> None:
    """Measure and draw."""
    data = sl.datasets.movielens_small()
    chart = alt.hconcat(curves(data), favourites(data)).resolve_scale(color="independent")
    OUT.write_bytes(png(chart, scale=1.0))


if __name__ == "__main__":
    main()
