"""Draw docs/images/content-based.png: what a profile holds, and what it makes of a film, MovieLens small.

python docs/images/make_content_based.py
"""

from pathlib import Path

import altair as alt  # noqa: TID253 (a script, not the package)
import polars as pl

import shortlist as sl
from shortlist.experiments.charts import png

OUT = Path(__file__).with_name("content-based.png")
USER = 200
N_FEATURES = 14


def bars(parts: list, title: str, axis: str) -> alt.Chart:
    """Return a bar for each part, those against the person in another colour."""
    frame = pl.DataFrame(
        {
            "feature": [name.removeprefix("genres=") for name, _ in parts],
            "part": [part for _, part in parts],
        }
    )
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("part:Q", title=axis),
            y=alt.Y("feature:N", title=None, sort=None),
            color=alt.condition("datum.part < 0", alt.value("#d9702a"), alt.value("#2f7ed8")),
        )
        .properties(width=270, height=alt.Step(18), title=title)
    )


def main() -> None:
    """Fit and draw."""
    data = sl.datasets.movielens_small()
    model = sl.ContentBased(["genres", "year"], weigh="rating").fit(data)
    best = model.recommend(USER, 1).frame
    item, title = best["item_id"][0], best["title"][0]
    score = model.score([USER], [item])[0]
    profile = bars(
        model.profile(USER)[:N_FEATURES], f"What user {USER} likes: the profile", "part of the profile"
    )
    of_item = bars(model.parts_of_score(USER, item), f"{title}: {score:.2f}", "part of the score")
    OUT.write_bytes(png(alt.hconcat(profile, of_item), scale=1.5))


if __name__ == "__main__":
    main()
