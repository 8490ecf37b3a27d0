"""Lists chosen as lists: what every one of them keeps to, whatever the terms, caps, pins and rules."""

import numpy as np
import polars as pl
import pytest
from fixed_vectors import FixedVectors
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError, UnknownIdError
from shortlist.registry import class_of
from shortlist.reranking.freshness import Freshness
from shortlist.reranking.group_terms import Calibration, Exposure
from shortlist.reranking.select import Select
from shortlist.reranking.similarity_terms import DPP, MMR

N_USERS, N_ITEMS, K = 4, 14, 6
KNOWN = {"FixedVectors": FixedVectors}


def catalogue(seed):
    """Random events of items with genres (several, or none) and one maker."""
    rng = np.random.default_rng(seed)
    users, items = Vocabulary.of(range(N_USERS)), Vocabulary.of(range(N_ITEMS))
    genres = [rng.choice(["a", "b", "c"], rng.integers(0, 3), replace=False).tolist() for _ in range(N_ITEMS)]
    frame = pl.DataFrame(
        {"id": items.ids, "genres": genres, "maker": rng.choice(["x", "y", "z"], N_ITEMS).tolist()},
        {"id": pl.Int64, "genres": pl.List(pl.String), "maker": pl.String},
    )
    n = 12
    log = Interactions.of(
        rng.integers(0, N_USERS, n).astype(np.int32),
        rng.integers(0, N_ITEMS, n).astype(np.int32),
        np.ones(n, np.float32),
        np.sort(rng.integers(0, 10**15, n)),
        N_USERS,
        N_ITEMS,
        Feedback.of("events", None),
    )
    table = FeatureTable(frame, {"genres": "tags", "maker": "categorical"})
    return Dataset(log, users, items, None, table)


def pipeline(seed, *rerank):
    rng = np.random.default_rng(seed)
    model = FixedVectors(rng.standard_normal((N_USERS, 3)), rng.standard_normal((N_ITEMS, 3)))
    return sl.Pipeline([sl.Nearest(model, k=N_ITEMS)], sl.ModelScorer(model), rerank)


def random_select(seed):
    rng = np.random.default_rng(seed)
    terms = [
        MMR(0.3, on=rng.choice([None, "genres"])),
        DPP(0.2),
        Calibration("genres", 0.2),
        Exposure("maker", 0.2, target=str(rng.choice(["equal", "catalogue"]))),
    ]
    chosen = [term for term in terms if rng.random() < 0.6]
    caps = {"maker": int(rng.integers(1, 4))} if rng.random() < 0.5 else {}
    places = rng.permutation(K)[: rng.integers(0, 3)] + 1
    pins = [(int(i), int(p)) for i, p in zip(rng.permutation(N_ITEMS), places, strict=False)]
    return Select(*chosen, caps=caps, pins=pins, pool=int(rng.choice([3, 500])))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_lists_keep_what_they_promise(seed):
    data, select = catalogue(seed), random_select(seed)
    fitted = pipeline(seed, select).fit(data)
    forbidden = np.random.default_rng(seed).permutation(N_ITEMS)[:3].tolist()
    shown = fitted.recommend(range(N_USERS), K, exclude=forbidden, on_unknown="fallback")
    makers = dict(zip(data.items.ids.to_list(), data.item_features.frame["maker"].to_list(), strict=True))
    for user in range(N_USERS):
        rows = shown.frame.filter(pl.col("user_id") == user)
        items = rows["item_id"].to_list()
        allowed = (
            set(range(N_ITEMS))
            - set(forbidden)
            - set(
                data.memory.history.item_idx[
                    data.memory.history.ptr[user] : data.memory.history.ptr[user + 1]
                ].tolist()
            )
        )
        assert len(items) == len(set(items)) <= K
        assert set(items) <= allowed
        assert rows["rank"].to_list() == list(range(1, len(items) + 1))
        assert rows["score"].is_finite().all()
        assert len(items) == K or user in shown.shortfalls
        if user in shown.fallback:
            continue
        pinned = {item: place for item, place in select.pins if item in allowed}
        if len(items) == K:
            assert all(items[place - 1] == item for item, place in pinned.items())
        for maker in set(makers.values()):
            own = [item for item in items if makers[item] == maker]
            n_pinned = sum(item in pinned for item in own)
            assert len(own) <= max(select.caps.get("maker", K), n_pinned)
        alone = fitted.recommend([user], K, exclude=forbidden).frame
        assert alone.equals(rows)


def test_without_terms_the_order_is_that_of_the_scores():
    data = catalogue(1)
    plain, chosen = pipeline(1).fit(data), pipeline(1, Select()).fit(data)
    users = range(N_USERS)
    assert chosen.recommend(users, K, on_unknown="skip").frame.equals(
        plain.recommend(users, K, on_unknown="skip").frame
    )


def test_what_was_saved_chooses_the_same():
    data = catalogue(2)
    select = Select(
        MMR(0.2),
        DPP(0.1, on="genres"),
        Calibration("genres"),
        Exposure("maker"),
        caps={"genres": 4},
        pins=[(3, 2)],
    )
    fitted = pipeline(2, Freshness(10.0), select).fit(data)
    again = sl.Pipeline.from_state(fitted.to_state(), lambda name: KNOWN.get(name) or class_of(name))
    users = range(N_USERS)
    assert again.recommend(users, K, on_unknown="skip").frame.equals(
        fitted.recommend(users, K, on_unknown="skip").frame
    )


def test_the_trace_says_what_each_item_was_chosen_for():
    shown = (
        pipeline(3, Freshness(10.0), Select(MMR(0.3), Calibration("genres", 0.2)))
        .fit(catalogue(3))
        .recommend(range(N_USERS), K, on_unknown="skip")
    )
    user = shown.frame["user_id"][0]
    trace = shown.trace(user)
    assert {"score after FixedVectors", "score after Freshness", "relevance", "mmr", "calibration"} <= set(
        trace.columns
    )
    on_list = trace["rank"].is_not_null()
    assert trace.filter(on_list)["mmr"].is_not_null().all()
    assert trace.filter(~on_list)["mmr"].is_null().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Select(MMR(0.6), DPP(0.6)), "weights of the terms have the sum 1.2"),
        (lambda: Select(MMR(0.1), MMR(0.2)), "two terms MMR"),
        (lambda: Select(Freshness()), "Select takes terms"),
        (lambda: Select(pins=[(1, 1), (2, 1)]), "two pins name the place 1"),
        (lambda: Select(pins=[(1, 0)]), "the place of pin 1 must be a whole number of at least 1"),
        (lambda: Select(caps={"maker": 0}), r"caps\['maker'\] must be a whole number"),
        (lambda: MMR(-0.1), "weight must be a number at least 0"),
        (lambda: MMR(float("nan")), "weight must be a number"),
        (lambda: DPP(epsilon=0), "epsilon must be a number above 0"),
        (lambda: Exposure("maker", target={"x": 0}), "the shares must have a sum above 0"),
        (lambda: Exposure("maker", target="fair"), "neither catalogue, equal nor shares"),
        (lambda: pipeline(0, Select(), Freshness()), "it is the last step"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_columns_ids_and_groups_that_are_not_there_are_named():
    data = catalogue(0)
    with pytest.raises(UnknownIdError, match="99"):
        pipeline(0, Select(pins=[(99, 1)])).fit(data)
    with pytest.raises(ParameterError, match="no item has maker 'w'; an empty group"):
        pipeline(0, Select(Exposure("maker", target={"w": 1.0}))).fit(data)
    with pytest.raises(DataError, match="there are: genres, maker"):
        pipeline(0, Select(caps={"makr": 1})).fit(data)
