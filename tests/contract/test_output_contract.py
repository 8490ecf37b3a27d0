"""What `recommend` promises, of every class of recommender: random cases, and a few plain ones by hand."""

import polars as pl
import pytest
from contract import fuzz, recipes
from contract.worlds import run

import shortlist as sl
from shortlist import registry
from shortlist.errors import UnknownIdError
from shortlist.stages import Eligible

SEED = 20_120_511
LEAST_CASES = 10_000
# Pipelines have the most ways to be composed. A class that is new gets as many worlds as a model.
WORLDS = {recipes.PIPELINE: 70, recipes.LEARNED: 3}
WORLDS_OF_A_MODEL = 8
PART = 12
PARTS = [
    (family, start)
    for family in fuzz.FAMILIES
    for start in range(0, WORLDS.get(family, WORLDS_OF_A_MODEL), PART)
]


@pytest.mark.parametrize(("family", "start"), PARTS)
def test_random_cases_keep_every_promise(family, start):
    numbers = range(start, min(start + PART, WORLDS.get(family, WORLDS_OF_A_MODEL)))
    assert sum(fuzz.run_world(family, n, SEED) for n in numbers) == len(numbers) * fuzz.CASES_A_WORLD


def test_there_are_ten_thousand_random_cases():
    n_worlds = sum(WORLDS.get(family, WORLDS_OF_A_MODEL) for family in fuzz.FAMILIES)
    assert n_worlds * fuzz.CASES_A_WORLD >= LEAST_CASES
    assert set(registry.MODELS) < set(fuzz.FAMILIES)


def test_every_class_that_can_be_named_has_a_maker():
    assert set(recipes.MODELS) == set(registry.MODELS)
    assert set(recipes.SOURCES) == set(registry.SOURCES)
    assert set(recipes.SCORERS) | set(recipes.LEARNING_SCORERS) == set(registry.SCORERS)
    assert set(registry.RERANK) == {"Boost", "Freshness", "Select"}
    assert set(registry.TERMS) == {"Calibration", "DPP", "Exposure", "MMR"}


def test_a_broken_promise_is_printed_as_a_small_script_that_breaks_it(monkeypatch):
    honest = Eligible.of.__func__

    def forgetful(cls, n_items, history, **limits):
        return honest(cls, n_items, history, **{**limits, "exclude_seen": False})

    monkeypatch.setattr(Eligible, "of", classmethod(forgetful))
    with pytest.raises(
        fuzz.BrokenPromiseError, match=r"only_permitted_items_are_shown: .* is shown"
    ) as broken:
        fuzz.run_world("Popularity", 0, SEED)
    script = str(broken.value).split("\n\n", 1)[1]
    assert f"--seed {SEED} --only Popularity:0" in script
    names = run(script)
    assert len(names["data"].interactions) <= 2
    assert names["shown"].frame.height == 1


def small_pipeline():
    wals = sl.WALS(dim=2, n_epochs=1)
    sources = [sl.Nearest(wals, k=4), sl.RelatedToRecent(wals, recent=2, per_item=2), sl.Popular(k=3)]
    return sl.Pipeline(sources, sl.ModelScorer(wals))


MAKERS = {
    "BuyAgain": sl.BuyAgain,
    "Popularity count": sl.Popularity,
    "Popularity mean": lambda: sl.Popularity("mean"),
    "MatrixFactorization": lambda: sl.MatrixFactorization(dim=3, n_epochs=2, min_ratings=1),
    "MatrixFactorization min_ratings": lambda: sl.MatrixFactorization(dim=2, n_epochs=1, min_ratings=3),
    "WALS": lambda: sl.WALS(dim=3, n_epochs=2),
    "Pipeline": small_pipeline,
}


@pytest.mark.parametrize("name", MAKERS)
def test_unknown_users_raise_are_skipped_or_get_what_is_popular(name):
    dataset = sl.read(FRAME, kind="ratings", scale=(1, 5))
    model = MAKERS[name]().fit(dataset, rng=0)
    with pytest.raises(UnknownIdError, match=r"'nobody'.*on_unknown"):
        model.recommend(["ann", "nobody"])
    skipped = model.recommend(["nobody"], 2, on_unknown="skip")
    assert skipped.frame.height == 0
    assert skipped.shortfalls == {"nobody": "unknown user, skipped"}
    given_popular = model.recommend(["nobody"], 2, on_unknown="fallback")
    assert given_popular.frame["item_id"].to_list() == ["x", "y"]
    assert given_popular.fallback == {"nobody"}
    assert given_popular.reasons["reason"].to_list() == [
        "popular: liked by fewer than 5 people",
        "popular: liked by fewer than 5 people",
    ]
    with pytest.raises(sl.errors.ParameterError, match="on_unknown='quiet'"):
        model.recommend(["ann"], on_unknown="quiet")


FRAME = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "bob", "bob", "cy", "cy", "cy"],
        "item_id": ["x", "y", "x", "z", "x", "y", "z"],
        "value": [5, 4, 5, 1, 4, 5, 4],
    }
)


@pytest.mark.parametrize("name", MAKERS)
def test_wrong_requests_say_what_is_wrong(name):
    model = MAKERS[name]().fit(sl.read(FRAME, kind="ratings", scale=(1, 5)), rng=0)
    wrong = sl.errors.ParameterError
    for k in (-1, 2.5, "10", True):
        with pytest.raises(wrong, match="k must be a whole number"):
            model.recommend("ann", k)
    with pytest.raises(UnknownIdError, match="unknown item: 'q'"):
        model.recommend("ann", items=["q"])
    with pytest.raises(wrong, match="ISO 8601"):
        model.recommend("ann", at="yesterday")
    with pytest.raises(wrong, match="context"):
        model.recommend("ann", context={"day": "Monday"})
    with pytest.raises(sl.errors.NotFittedError, match="fit"):
        MAKERS[name]().recommend("ann")


@pytest.mark.parametrize("name", MAKERS)
def test_fitting_changes_neither_the_data_nor_what_was_given(name):
    dataset = sl.read(FRAME, kind="ratings", scale=(1, 5))
    before, model = dataset.fingerprint, MAKERS[name]()
    given = {key: repr(value) for key, value in vars(model).items()}
    model.fit(dataset, rng=0)
    del dataset.__dict__["fingerprint"]
    assert dataset.fingerprint == before
    assert {key: repr(value) for key, value in vars(model).items() if key in given} == given


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_gives_the_same_lists(name, rng):
    dataset = sl.read(FRAME, kind="ratings", scale=(1, 5))
    first, second = (MAKERS[name]().fit(dataset, rng=3).recommend(["ann", "bob"]).frame for _ in range(2))
    assert first.equals(second)


def test_a_scorer_of_past_items_knows_no_event_after_the_moment_asked_for():
    log = pl.DataFrame({"user_id": [1, 1, 1], "item_id": [1, 2, 2], "timestamp": [1e9, 1e9 + 1, 1e9 + 9]})
    again = sl.BuyAgain(None, repeat_rates=False)
    pipeline = sl.Pipeline([sl.Nearest(again)], sl.ModelScorer(again)).fit(sl.read(log, kind="events"))
    then = pipeline.recommend(1, exclude_seen=False, at="2001-09-09T01:46:45")
    assert then.frame.select("item_id", "score").rows() == [(1, 1.0), (2, 1.0)]
    now = pipeline.recommend(1, exclude_seen=False)
    assert now.frame.select("item_id", "score").rows() == [(2, 2.0), (1, 1.0)]
