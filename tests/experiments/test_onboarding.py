import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.errors import DataError, ParameterError, UnknownIdError

# What a person of either camp gives each film: "agreed" and "popular" say nothing of the camp, "split" and its twin
# say it, as "rare" would, which few know.
FILMS = {
    1: ("Agreed", (4, 4), 1.0),
    2: ("Popular", (5, 5), 1.0),
    3: ("Split", (5, 1), 0.8),
    4: ("Twin of split", (5, 1), 0.7),
    5: ("Rare", (5, 1), 0.05),
    6: ("Other split", (5, 2), 0.75),
}


def camps(n_people=160, seed=0, kind="ratings"):
    """Return ratings of two camps: films 1–6 as above, 7–16 liked by one camp; 6 and 17–26 split otherwise."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n_people):
        camp, other = int(rng.integers(2)), int(rng.integers(2))
        for film, (_, values, known) in FILMS.items():
            if rng.random() < known:
                rows.append((person, film, values[other if film == 6 else camp]))
        for film in range(7, 27):
            if rng.random() < 0.5:
                likes = (film % 2 == camp) if film < 17 else (film % 2 == other)
                rows.append((person, film, 5 if likes else 1))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "value"], orient="row")
    names = [FILMS[film][0] if film in FILMS else f"Film {film}" for film in range(1, 27)]
    items = pl.DataFrame({"item_id": range(1, 27), "title": names})
    given = {"ratings": {"scale": (1, 5)}, "events": {}}[kind]
    if kind == "events":
        frame = frame.filter(pl.col("value") > 3)
    return sl.read(frame, items=items, features={"items": {"title": "text"}}, kind=kind, **given)


@pytest.fixture(scope="module")
def data():
    return camps()


def test_what_splits_people_is_asked_and_its_twin_is_not(data):
    asked = sl.onboarding_items(data, 2, items=[1, 2, 3, 4, 5, 6], dim=2)
    # One of each split: the second question tells what the first one does not.
    assert len(set(asked.item_ids) & {3, 4}) == 1
    assert 6 in asked.item_ids
    assert sl.onboarding_items(data, 2, items=[1, 2, 3, 4, 5, 6], by="popularity").item_ids == [1, 2]


def test_each_question_is_explained(data):
    asked = sl.onboarding_items(data, 3, items=[1, 2, 3, 4, 5, 6], dim=2).frame
    assert asked.columns == ["rank", "item_id", "title", "known", "liked", "spread", "error"]
    assert asked["rank"].to_list() == [1, 2, 3]
    matrix = data.interactions.matrix("last").toarray()
    for row in asked.iter_rows(named=True):
        values = matrix[:, row["item_id"] - 1]
        values = values[values > 0]
        assert row["title"] == FILMS[row["item_id"]][0]
        assert row["known"] == pytest.approx(values.size / len(data.users))
        assert row["liked"] == pytest.approx((values >= 4).mean())
        assert row["spread"] == pytest.approx(values.std())
    errors = asked["error"].to_list()
    assert 1 > errors[0] > errors[1] > errors[2] > 0


def test_likes_are_asked_about_by_what_is_liked():
    events = camps(kind="events")
    asked = sl.onboarding_items(events, 4, dim=2)
    assert asked.frame["spread"].null_count() == 4
    assert (asked.frame["liked"] == 1).all()
    assert asked.frame["error"].is_sorted(descending=True)


def test_ratings_may_be_asked_about_as_likes(data):
    likes, ratings = (sl.onboarding_items(data, 4, target=target, dim=2) for target in ("likes", "ratings"))
    assert likes.item_ids != ratings.item_ids


def test_popularity_and_entropy_by_hand():
    rows = (
        [(u, 1, 3) for u in range(8)] + [(u, 2, 1 + 4 * (u % 2)) for u in range(4)] + [(0, 3, 5), (1, 3, 1)]
    )
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "value"], orient="row")
    data = sl.read(frame, kind="ratings", scale=(1, 5))
    # All agree on 1; of the others entropy is 1 bit, and four people know 2.
    assert sl.onboarding_items(data, 3, by="popularity_entropy").item_ids == [2, 3, 1]
    assert sl.onboarding_items(data, 3, by="popularity").item_ids == [1, 2, 3]


def test_the_same_seed_asks_the_same(data):
    first, again = (sl.onboarding_items(data, 5, dim=2, n_people=50, rng=3) for _ in range(2))
    assert first.frame.equals(again.frame)
    drawn = {tuple(sl.onboarding_items(data, 5, by="random", rng=seed).item_ids) for seed in range(5)}
    assert len(drawn) > 1


def test_answers_become_a_list(data):
    asked = sl.onboarding_items(data, 3, dim=2)
    model = sl.MatrixFactorization(2).fit(data, rng=0)
    answers = pl.DataFrame({"user_id": ["new"] * 3, "item_id": asked.item_ids, "value": [5, 1, 4]})
    folded = model.fold_in_users(sl.read(answers, kind="ratings", scale=(1, 5)))
    assert model.recommend(folded, 3).frame.height == 3


def test_it_shows_itself(data):
    text = repr(sl.onboarding_items(data, 2, by="popularity"))
    assert "Agreed" in text
    assert "popularity" in text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n": 0}, "n must be a whole number of at least 1"),
        ({"n": 27}, "n=27 items are asked for, and 26 may be asked about"),
        ({"n": 5, "n_candidates": 4}, "4 may be asked about"),
        ({"n": 3, "items": [1, 2]}, "2 may be asked about.* among items"),
        ({"by": "taste"}, "is not one of error, popularity"),
        ({"target": "clicks"}, "is not one of ratings, likes"),
        ({"dim": 0}, "dim must be a whole number"),
        ({"shrinkage": -1}, "shrinkage must be a number"),
        ({"rng": -1}, "rng must be"),
    ],
)
def test_wrong_parameters_are_refused(data, given, words):
    with pytest.raises(ParameterError, match=words):
        sl.onboarding_items(data, **{"n": 2} | given)


def test_an_unknown_item_is_refused(data):
    with pytest.raises(UnknownIdError, match="99"):
        sl.onboarding_items(data, 1, items=[99])


def test_data_that_cannot_tell_is_refused():
    events = camps(kind="events")
    with pytest.raises(DataError, match="predicts ratings"):
        sl.onboarding_items(events, 2, target="ratings")
    with pytest.raises(DataError, match="events all say the same"):
        sl.onboarding_items(events, 2, by="popularity_entropy")
    alone = sl.read(pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1]}), kind="events")
    with pytest.raises(DataError, match="1 people have two likes or more"):
        sl.onboarding_items(alone, 1)
    assert sl.onboarding_items(alone, 2, by="popularity").item_ids == [1, 2]
