"""What people read about their lists: sentences, places after each step, notes of what could not be done."""

import re

import numpy as np
import polars as pl
import pytest
from fixed_vectors import FixedVectors
from retrieval.test_sources import DISLIKE, LIKE, dataset_of

import shortlist as sl
from shortlist.contributions import Contributions
from shortlist.data.explanation import Part, because_of
from shortlist.errors import NonFiniteError, ParameterError, UnknownIdError

USERS = [36, 1, 7, 414, 600]


@pytest.fixture(scope="module")
def films():
    return sl.datasets.movielens_small()


@pytest.fixture(scope="module")
def wals(films):
    return sl.WALS(dim=8, n_epochs=2).fit(films, rng=0)


def pipeline_of(wals, *rerank, scorer=None, **rest):
    sources = [sl.Nearest(wals, k=60), sl.RelatedToRecent(wals), sl.Popular()]
    return sl.Pipeline(sources, scorer or sl.ModelScorer(wals), rerank, **rest)


@pytest.fixture(scope="module")
def ranked(films, wals):
    """Return a pipeline of everything: a boost, a freshness, terms, a cap, a pin that few have seen, and a rule."""
    steps = (
        sl.Freshness(half_life_days=1000, weight=0.3),
        sl.Boost("genres", {"Western": 0.5, "Horror": -0.2}, name="house choice"),
        sl.Select(
            sl.MMR(0.1, on="genres"),
            sl.Calibration("genres", 0.2),
            caps={"genres": 6},
            pins=[(8, 1), (318, 3)],
        ),
    )
    return pipeline_of(wals, *steps, rules=[sl.DenyCategory("genres", ["Children"])]).fit(films)


def titles_of(sentence):
    """Return the titles that a sentence says were liked."""
    found = re.match(r"because you liked (.*?)(?:, and of |; |$)", sentence)
    return [] if found is None else re.split(r"(?<=\)) and ", found[1])


def liked(films, user, until=None):
    log = films.interactions
    mine = (films.users.ids.gather(log.user_idx) == user).to_numpy() & log.positive
    if until is not None:
        mine &= log.timestamp <= until
    return set(log.item_idx[mine].tolist())


@pytest.mark.parametrize("of", ["single", "pipeline"])
def test_sentences_cite_what_that_very_person_liked(films, wals, ranked, of):
    """The items cited are worked out anew: the largest positive amounts among the person's own positive events."""
    recommender = wals if of == "single" else ranked
    shown, n_cited = recommender.recommend(USERS, 6), 0
    for user in USERS:
        own = {films.memory.title_of(item) for item in liked(films, user)}
        seen = set(films.items.ids_of(films.memory.history.take(films.users.index_of([user])).item_idx))
        for explanation in shown.explain(user):
            cited = titles_of(explanation.sentence)
            n_cited += len(cited)
            speaking = [part.name for part in explanation.past if part.amount > 0 and part.name in own]
            assert cited == speaking[: len(cited)]
            assert set(cited) <= own
            assert {part.item_id for part in explanation.past} <= seen
    assert n_cited > 30


def test_what_came_later_is_not_cited(films, wals):
    user, now = 414, int(np.median(films.interactions.timestamp))
    early = {films.memory.title_of(item) for item in liked(films, user, now)}
    late = {films.memory.title_of(item) for item in liked(films, user)} - early
    cited = {
        title
        for recommender in (wals, pipeline_of(wals).fit(films))
        for explanation in recommender.recommend(user, 20, at=now).explain(user)
        for title in titles_of(explanation.sentence)
    }
    assert late
    assert cited
    assert not cited & late


def test_exact_parts_have_the_score_as_their_sum(wals):
    shown = wals.recommend([1], 8)
    scores = shown.frame["score"].to_list()
    for explanation, score in zip(shown.explain(1), scores, strict=True):
        assert explanation.adds_up
        total = explanation.base + sum(part.amount for part in (*explanation.past, *explanation.features))
        assert total == pytest.approx(score, rel=1e-4)
        assert [part.amount for part in explanation.past] == sorted(
            (part.amount for part in explanation.past), reverse=True
        )


def test_places_are_those_of_the_scores(ranked):
    shown = ranked.recommend(USERS, 6)
    steps = ("WALS", "Freshness", "house choice")
    for user in USERS:
        trace = shown.trace(user)
        kept = trace.filter(pl.col("removed_by").is_null())
        for step in steps:
            order = kept.sort(f"score after {step}", "item_id", descending=[True, False])
            assert order[f"place after {step}"].to_list() == list(range(1, kept.height + 1))
        removed = trace.filter(pl.col("removed_by").is_not_null())
        assert removed.select(pl.col("^place after .*$").is_null().all()).row(0) == (True, True, True)
        assert kept.filter(pl.col("rank").is_not_null()).sort("rank")["item_id"].to_list() == (
            shown.frame.filter(pl.col("user_id") == user)["item_id"].to_list()
        )


def test_places_of_a_plain_pipeline_are_the_list(films, wals):
    trace = pipeline_of(wals).fit(films).recommend(36, 5).trace(36)
    assert trace.filter(pl.col("rank").is_not_null())["place after WALS"].to_list() == [1, 2, 3, 4, 5]
    assert "score after WALS" not in trace.columns


def test_a_boost_is_said_with_its_label_and_only_where_it_changed_something(films, ranked):
    genres = dict(films.item_features.frame.select(films.item_features.frame.columns[0], "genres").rows())
    said = {"boosted: house choice": "Western", "lowered: house choice": "Horror"}
    found = set()
    for user in USERS:
        for explanation in ranked.recommend(user, 10).explain(user):
            labels = set(genres[explanation.item_id] or ())
            amount = 0.5 * ("Western" in labels) - 0.2 * ("Horror" in labels)
            expected = [] if not amount else [f"{'boosted' if amount > 0 else 'lowered'}: house choice"]
            assert [remark for remark in explanation.remarks if remark in said] == expected
            assert all(remark in explanation.sentence for remark in expected)
            found.update(expected)
    assert "boosted: house choice" in found


def test_a_pin_works_without_a_source_and_a_forbidden_one_is_said(films, ranked, wals):
    """Item 8, a film for children, is forbidden by the rule; item 318 has been seen by some."""
    shown = ranked.recommend(USERS, 6)
    for user in USERS:
        notes = shown.notes[user]
        said, rule = notes[0].rsplit(" ", 1)
        assert said == (
            "Tom and Huck (1995) is not pinned at place 1: forbidden goes before pinned, and it is removed by"
        )
        assert rule == ("'seen'" if user == 414 else "'DenyCategory'")
        listed = shown.frame.filter(pl.col("user_id") == user)["item_id"].to_list()
        assert 8 not in listed
        seen = (
            films.items.index_of([318])[0]
            in ranked.memory_.history.take(films.users.index_of([user])).item_idx
        )
        assert (listed[2] == 318) is not seen
        assert ("removed by 'seen'" in notes[-1]) is seen
    taken = ranked.memory_.history.take(films.users.index_of([36, 1])).item_idx
    free = wals.listed_items_ & ~np.isin(np.arange(len(films.items)), taken)
    nobody_proposes = films.items.ids[int(np.argmin(np.where(free, films.memory.n_positive, 10**6)))]
    alone = pipeline_of(wals, sl.Select(pins=[(nobody_proposes, 2)])).fit(films).recommend([36, 1], 4)
    for user in (36, 1):
        explanation = alone.explain(user)[1]
        assert (explanation.item_id, explanation.sources) == (nobody_proposes, {})
        assert explanation.sentence == "pinned at place 2"
        assert alone.reasons.filter(pl.col("user_id") == user)["reason"][1] == "pinned at place 2"
    assert alone.notes == {}
    unscored = films.items.ids[int(np.argmin(wals.listed_items_))]
    notes = pipeline_of(wals, sl.Select(pins=[(unscored, 2)])).fit(films).recommend(36, 4).notes
    assert notes[36][0].endswith("is not pinned at place 2: no score from WALS")


def test_a_pin_goes_through_the_merge_and_strangers_are_told(films, wals):
    """The pinned item is one that a source proposed and the merge left out; everybody else's place stays."""
    plain = pipeline_of(wals, merge=sl.Merge(5)).fit(films).recommend(36, 5)
    left_out = plain.trace(36).filter(pl.col("removed_by") == "beyond the merge size")["item_id"][0]
    fitted = pipeline_of(wals, sl.Select(pins=[(left_out, 1)]), merge=sl.Merge(5)).fit(films)
    shown = fitted.recommend([36, -1], 5, on_unknown="fallback")
    listed = shown.frame.filter(pl.col("user_id") == 36)["item_id"].to_list()
    assert listed == [left_out, *plain.frame["item_id"].to_list()[:4]]
    assert shown.explain(36)[0].sources
    assert "whose list is the popular one" in shown.notes[-1][0]
    session = fitted.recommend_session([], 5)
    assert session.frame["item_id"][0] == left_out
    assert session.explain("session")[0].sentence == "pinned at place 1"
    assert "place after turns" in session.trace("session").columns


def test_caps_that_make_a_list_short_are_named():
    data = sl.datasets.movielens_small()
    model = sl.Popularity()
    fitted = sl.Pipeline(
        [sl.Nearest(sl.WALS(dim=4, n_epochs=1), k=40)], sl.ModelScorer(model), [sl.Select(caps={"genres": 1})]
    ).fit(data, rng=0)
    shown = fitted.recommend(36, 20)
    n, kept = shown.frame.height, int(shown.trace(36)["removed_by"].is_null().sum())
    assert n < 20
    assert shown.shortfalls[36] == f"Select left {n} of {kept} candidates (caps: at most 1 of one genres)"


def test_what_is_ranked_for_its_worth_says_so_and_never_best_for_you(films, wals):
    worth = sl.Objective(sl.ModelScorer(wals), "watch_time", duration="year")
    shown = pipeline_of(wals, scorer=worth).fit(films, rng=0).recommend([36, -1], 5, on_unknown="fallback")
    words = "ranked for expected watch time: probability of watching × year"
    assert shown.objective == words.removeprefix("ranked for ")
    mine = shown.reasons.filter(pl.col("user_id") == 36)["reason"].to_list()
    for text in (*mine, *(explanation.sentence for explanation in shown.explain(36))):
        assert text.endswith(f"; {words}")
        assert text.count("ranked for") == 1
        assert "best" not in text
    assert all(text.startswith("popular") for text in shown.reasons["reason"].to_list()[5:])
    assert all(e.sentence.startswith("popular") for e in shown.explain(-1))


def test_without_contributions_the_reason_of_the_source_stays():
    model = FixedVectors(
        [[1, 0.2], [0.2, 1], [0, 0]], [[1, 0], [1, 0.1], [0, 1], [0.1, 1], [0.5, 0.5], [0, 0]]
    )
    data = dataset_of([(0, 0, LIKE), (0, 2, DISLIKE), (1, 2, LIKE), (1, 4, LIKE), (2, 0, DISLIKE)], 3, 6)

    class Silent(FixedVectors):
        def _contributions(self, request, item_idx):
            return Contributions(item_idx, np.array([2], np.int32), np.full((item_idx.size, 1), 3.0))

    silent = Silent(model.users, model.items)
    fitted = sl.Pipeline([sl.Nearest(silent, k=3)], sl.ModelScorer(silent)).fit(data)
    for explanation in fitted.recommend([0], 3).explain(0):  # item 2 adds most, and is disliked: not cited
        assert explanation.sentence == "close to your taste as a whole"
        assert [part.amount for part in explanation.past] == [3.0]


def test_effects_state_loss_and_gain(ranked, films):
    shown = ranked.recommend(USERS, 8)
    effects = shown.effects(36)
    assert effects["term"].to_list() == ["MMR", "Calibration"]
    assert effects["weight"].to_list() == [0.1, 0.2]
    assert effects.equals(ranked.recommend(36, 8).effects(36))
    assert effects["relevance_with"].is_between(0, 1).all()
    assert sl.Popularity().fit(films).recommend(36, 3).effects(36).height == 0


def test_one_user_is_explained_as_in_a_batch(ranked):
    shown = ranked.recommend(USERS, 4)
    for user in USERS[:2]:
        assert shown.explain(user) == ranked.recommend(user, 4).explain(user)
    with pytest.raises(UnknownIdError):
        shown.explain(2)


def test_scores_that_are_nan_stop_with_the_name_of_scorer_and_model(films, wals):
    class Broken(FixedVectors):
        def _score(self, user_idx, _item_idx):
            return np.full(user_idx.size, np.nan, np.float32)

    broken = Broken(np.ones((len(films.users), 2)), np.ones((len(films.items), 2)))
    fitted = pipeline_of(wals, scorer=sl.ModelScorer(broken, name="house")).fit(films)
    with pytest.raises(NonFiniteError, match=r"house \(ModelScorer, Broken\) gave \d+ scores that are NaN"):
        fitted.recommend(36)


def test_two_steps_of_one_name_are_refused(wals):
    with pytest.raises(ParameterError, match="two steps are called 'Freshness'"):
        pipeline_of(wals, sl.Freshness(), sl.Freshness(30.0))


def test_the_larger_kind_comes_first_and_small_parts_are_not_cited():
    past, year = [Part("Alien", 1.0), Part("Brazil", 0.1)], [Part("year 1979", 3.0)]
    assert because_of(past, []) == "because you liked Alien"
    assert because_of(past, year) == "because of year 1979"
    assert because_of([Part("Alien", 2.0)], year) == "because of year 1979, and you liked Alien"
    assert because_of([], [], "Alien") == "because you liked Alien"
