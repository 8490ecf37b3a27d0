"""The effect of a term against its definition: goals by plain loops, the list without it by exhaustive selection."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from fixed_vectors import FixedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import greedy_selection as naive
from oracles import list_goals as oracle

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Limits
from shortlist.data.vocabulary import Vocabulary
from shortlist.reranking.effects import effects, without_term

N_USERS, N_ITEMS, K = 3, 9, 5
ALPHA, EPSILON = 0.01, 0.05
GENRES = ["a", "b", "c", None]  # the last is of items without one


def world(seed):
    """A fitted pipeline with every term over random items, some without genres, one person without a past."""
    rng = np.random.default_rng(seed)
    users, items = Vocabulary.of(range(N_USERS)), Vocabulary.of(range(N_ITEMS))
    genres = [
        sorted(rng.choice(["a", "b", "c"], rng.integers(0, 3), replace=False).tolist())
        for _ in range(N_ITEMS)
    ]
    genres[0] = ["a", "b", "c"]
    frame = pl.DataFrame({"id": items.ids, "genres": genres}, {"id": pl.Int64, "genres": pl.List(pl.String)})
    log = Interactions.of(
        rng.integers(0, N_USERS - 1, 6).astype(np.int32),
        rng.integers(0, N_ITEMS, 6).astype(np.int32),
        np.ones(6, np.float32),
        np.arange(6),
        N_USERS,
        N_ITEMS,
        Feedback.of("events", None),
    )
    data = Dataset(log, users, items, None, FeatureTable(frame, {"genres": "tags"}))
    vectors = rng.standard_normal((N_ITEMS, 3)).astype(np.float32)
    on = "genres" if rng.random() < 0.5 else None  # what items are alike by
    model = FixedVectors(rng.standard_normal((N_USERS, 3)), vectors)
    weights = rng.dirichlet(np.ones(5))[:4].tolist()
    terms = [
        sl.MMR(weights[0], on=on),
        sl.DPP(weights[1], on=on, epsilon=EPSILON),
        sl.Calibration("genres", weights[2], alpha=ALPHA),
        sl.Exposure("genres", weights[3], target="equal"),
    ]
    pins = [(int(rng.integers(N_ITEMS)), 2)] if rng.random() < 0.5 else []
    pipeline = sl.Pipeline(
        [sl.Nearest(model, k=N_ITEMS)], sl.ModelScorer(model), [sl.Select(*terms, pins=pins)]
    ).fit(data)
    hot = np.array([[g in own for g in GENRES[:3]] for own in genres])
    return pipeline, genres, (hot if on else vectors).astype(float)


def asked(pipeline):
    request = pipeline.memory_.request(np.arange(N_USERS, dtype=np.int32), K, Limits(False, None, None, None))
    return request, pipeline.candidates(request)


def naive_list(pipeline, genres, vectors, request, candidates, row, weight):
    """The list of one person by exhaustive selection with the given weights, as items; and r of all candidates."""
    own = slice(candidates.ptr[row], candidates.ptr[row + 1])
    items = np.sort(candidates.item_idx[own])
    score = candidates.score[own][np.argsort(candidates.item_idx[own])].astype(float)
    relevance = (score - score.min()) / (score.max() - score.min())
    liked = liked_items(request, row)
    p = oracle.mix(genres, liked, [1.0] * len(liked)) if liked else {}
    pins = {place - 1: int(np.flatnonzero(items == i)[0]) for i, place in pipeline.rerank_[0].pins}
    groups_of = [[GENRES.index(g) for g in genres[i] or [None]] for i in items]
    similarity = np.array([[oracle.cosine(a, b) for b in vectors[items]] for a in vectors[items]])
    chosen = naive.select(
        K,
        similarity=similarity,
        relevance=relevance,
        weight=weight,
        epsilon=EPSILON,
        groups_of=groups_of,
        target=np.array([p.get(g, 0.0) for g in GENRES]),
        alpha=ALPHA,
        exposure_target=np.array([equal_target(genres).get(g, 0.0) for g in GENRES]),
        discount=np.array(oracle.discounts(K)),
        capped=[[] for _ in items],
        limit=[],
        pinned=pins,
    )
    return items[chosen].tolist(), dict(zip(items.tolist(), relevance.tolist(), strict=True))


def liked_items(request, row):
    own = slice(request.history.ptr[row], request.history.ptr[row + 1])
    return sorted(set(request.history.item_idx[own].tolist()))


def equal_target(genres):
    groups = {g for own in genres for g in own or [None]}
    return dict.fromkeys(groups, 1 / len(groups))


def goal_of(term, items, genres, vectors, liked):
    if term == "MMR":
        return oracle.mean_largest_similarity([vectors[i] for i in items])
    if term == "DPP":
        return oracle.log_determinant_per_item([vectors[i] for i in items], EPSILON)
    if term == "Calibration":
        p = oracle.mix(genres, liked, [1.0] * len(liked)) if liked else {}
        return oracle.divergence(p, oracle.mix(genres, items, [1.0] * len(items)), ALPHA)
    return oracle.squared_distance(
        oracle.mix(genres, items, oracle.discounts(len(items))), equal_target(genres)
    )


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_effects_are_those_of_the_definitions(seed):
    pipeline, genres, vectors = world(seed)
    request, candidates = asked(pipeline)
    select = pipeline.rerank_[0]
    found = effects(select, request, candidates)
    assert [effect.term for effect in found] == ["MMR", "DPP", "Calibration", "Exposure"]
    for number, effect in enumerate(found, start=1):
        bare = select.weight.copy()
        bare[0], bare[number] = bare[0] + bare[number], 0.0
        for row in range(N_USERS):
            liked = liked_items(request, row)
            for weight, goal, relevance in (
                (select.weight, effect.goal_with, effect.relevance_with),
                (bare, effect.goal_without, effect.relevance_without),
            ):
                items, r = naive_list(pipeline, genres, vectors, request, candidates, row, weight)
                assert goal[row] == pytest.approx(
                    goal_of(effect.term, items, genres, vectors, liked), abs=1e-6, nan_ok=True
                )
                assert relevance[row] == pytest.approx(np.mean([r[i] for i in items]), abs=1e-6)


def test_a_gain_is_towards_the_goal_whichever_way_that_is():
    pipeline, _, _ = world(3)
    for effect in effects(pipeline.rerank_[0], *asked(pipeline)):
        towards = effect.goal_with - effect.goal_without
        np.testing.assert_array_equal(effect.gained, towards if effect.term == "DPP" else -towards)
        np.testing.assert_array_equal(effect.lost, effect.relevance_without - effect.relevance_with)


def test_people_without_a_past_have_no_mix_and_people_without_candidates_no_list():
    pipeline, _, _ = world(4)
    request, candidates = asked(pipeline)
    gone = dataclasses.replace(candidates, removed_by=(candidates.row == 0).astype(np.int8), rules=("gone",))
    by_term = {effect.term: effect for effect in effects(pipeline.rerank_[0], request, gone)}
    assert np.isnan(by_term["Calibration"].goal_with).tolist() == [True, False, True]
    for effect in by_term.values():
        assert np.isnan([effect.relevance_with[0], effect.goal_with[0], effect.goal_without[0]]).all()
        assert not effect.changed[0]


def test_a_term_that_changes_no_list_has_no_effect():
    pipeline, _, _ = world(5)
    request, candidates = asked(pipeline)
    select = pipeline.rerank_[0]
    for term in select.parts:
        select = without_term(select, term)
    assert effects(select, request, candidates) == []
