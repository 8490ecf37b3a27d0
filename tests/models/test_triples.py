"""Triples: negatives come as declared, steps are the paper's, and threads change nothing."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import bpr as oracle
from scipy import stats

from shortlist import threads
from shortlist.kernels import pairwise
from shortlist.models import triples as module
from shortlist.models.triples import (
    Cells,
    Pairs,
    Sampler,
    Scorer,
    Steps,
    cell_table,
    draw,
    run_epoch,
    tournament,
)

UNIFORM = Sampler(np.zeros(0), 1)
STEPS = Steps(0.1, 0.05, 0.01, 0.02, 0.03)


def pairs_of(liked, n_items):
    ptr = np.cumsum([0, *map(len, liked)])
    items = np.array([item for own in liked for item in sorted(own)], np.int32)
    users = np.repeat(np.arange(len(liked), dtype=np.int32), np.diff(ptr))
    return Pairs(ptr, items, users, n_items)


def random_pairs(n_users, n_items, share=0.2, seed=0):
    rng = np.random.default_rng(seed)
    return pairs_of(
        [set(np.flatnonzero(row).tolist()) - {0} for row in rng.random((n_users, n_items)) < share], n_items
    )


def random_scorer(n_users, n_items, dim=5, seed=1, std=0.5):
    rng = np.random.default_rng(seed)
    sizes = ((n_users, dim), (n_items, dim), n_items)
    return Scorer(*(std * rng.standard_normal(size, np.float32) for size in sizes))


def mass_of(weight):
    return np.concatenate([[0.0], np.cumsum(weight)])


def drawn(pairs, sampler, scorer, n, seed=7):
    """Return n triples: of all pairs, at as many seeds as that takes."""
    rounds = -(-n // pairs.item_idx.size)
    parts = [
        draw(pairs, sampler, scorer, first=0, stride=1, seed=np.uint64(seed + 7919 * r))
        for r in range(rounds)
    ]
    return np.concatenate(parts)[:n]


LIKED = [{0, 3, 4}, {1}, {0, 1, 2, 3, 4, 5, 6}, {7, 2}]
WEIGHT = np.array([9.0, 1.0, 4.0, 0.5, 2.0, 2.0, 1.0, 6.0])


def chances(name, scorer):
    for u, own in enumerate(LIKED):
        if name == "dynamic":
            yield oracle.best_of(own, [oracle.score(*lists(scorer), u, i) for i in range(8)], 3)
        else:
            yield oracle.negatives(own, 8, np.ones(8) if name == "uniform" else WEIGHT)


def lists(scorer):
    return [part.astype(float).tolist() for part in (scorer.users, scorer.items, scorer.bias)]


SAMPLERS = {
    "uniform": UNIFORM,
    "popularity": Sampler(mass_of(WEIGHT), 1),
    "dynamic": Sampler(np.zeros(0), 3),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_negatives_are_distributed_as_declared(name):
    """Chi-square at a fixed seed; user 2 has one item left, so that popularity must leave off rejecting."""
    pairs, scorer, n = pairs_of(LIKED, 8), random_scorer(4, 8), 26_000
    found = drawn(pairs, SAMPLERS[name], scorer, n)
    for u, chance in enumerate(chances(name, scorer)):
        count = np.bincount(found[found[:, 0] == u, 2], minlength=8)
        expected = np.array(chance) * count.sum()
        assert (count[expected == 0] == 0).all()
        kept = expected > 0
        if kept.sum() > 1:
            assert stats.chisquare(count[kept], expected[kept]).pvalue > 1e-3


@pytest.mark.parametrize("weight", [[1e9, 1.0, 1.0, 1.0], [1e30, 1.0, 2.0, 1e-30]])
def test_popular_own_items_leave_the_others_their_shares(weight):
    """Nearly every draw hits the user's own item: what is left is weighed without it."""
    pairs = pairs_of([{0}], 4)
    found = drawn(pairs, Sampler(mass_of([1.0, *weight[1:]]), 1), random_scorer(1, 4), 4000)[:, 2]
    heavy = drawn(pairs, Sampler(mass_of(weight), 1), random_scorer(1, 4), 4000)[:, 2]
    assert (found != 0).all()
    assert (heavy != 0).all()
    if weight[0] == 1e9:
        assert stats.chisquare(np.bincount(heavy, minlength=4)[1:]).pvalue > 1e-3


@pytest.mark.parametrize("n_slices", [1, 7])
def test_the_slices_of_an_epoch_visit_every_pair_once(n_slices):
    pairs, scorer = random_pairs(30, 20), random_scorer(30, 20)
    options = {"stride": n_slices, "seed": np.uint64(1)}
    found = np.concatenate(
        [draw(pairs, UNIFORM, scorer, first=first, **options) for first in range(n_slices)]
    )
    positives = list(zip(pairs.user_idx.tolist(), pairs.item_idx.tolist(), strict=True))
    assert sorted(map(tuple, found[:, :2].tolist())) == sorted(positives)
    assert not {tuple(pair) for pair in found[:, [0, 2]].tolist()} & set(positives)


def test_draws_go_by_pair_and_seed_alone():
    pairs, scorer = random_pairs(30, 20), random_scorer(30, 20)
    whole = draw(pairs, UNIFORM, scorer, first=0, stride=1, seed=np.uint64(5))
    assert_array_equal(draw(pairs, UNIFORM, scorer, first=2, stride=3, seed=np.uint64(5)), whole[2::3])
    other = draw(pairs, UNIFORM, scorer, first=0, stride=1, seed=np.uint64(6))
    assert (other[:, 2] != whole[:, 2]).any()


def test_the_step_goes_down_the_gradient_of_the_loss():
    """A small step moves each number by the rate times its finite difference."""
    scorer, rate, reg, h = random_scorer(1, 2, dim=3), 1e-3, (0.3, 0.2, 0.1), 1e-6
    before = lists(scorer)
    pairwise.descend(
        np.array([[0, 0, 1]], np.int32),
        0,
        1,
        scorer.users,
        scorer.items,
        scorer.bias,
        *np.float32([rate, rate, *reg]),
    )
    for part, after in enumerate(lists(scorer)):
        for where in np.ndindex(np.shape(after)):
            sides = []
            for sign in (h, -h):
                point = [np.array(value) for value in before]
                point[part][where] += sign
                sides.append(oracle.triple_loss(*point, (0, 0, 1), *reg))
            slope = (sides[0] - sides[1]) / (2 * h)
            moved = np.array(after)[where] - np.array(before[part])[where]
            assert moved == pytest.approx(-rate * slope, rel=2e-3, abs=1e-7)


def test_steps_and_loss_are_those_of_the_paper():
    pairs, scorer = random_pairs(12, 9), random_scorer(12, 9)
    steps = drawn(pairs, UNIFORM, scorer, 300)
    users, items, bias = lists(scorer)
    expected = oracle.descend(users, items, bias, steps.tolist(), 0.1, 0.05, 0.01, 0.02, 0.03)
    loss = pairwise.descend(
        steps, 0, 300, scorer.users, scorer.items, scorer.bias, *np.float32([0.1, 0.05, 0.01, 0.02, 0.03])
    )
    assert loss == pytest.approx(expected, rel=1e-5)
    for found, wanted in zip((scorer.users, scorer.items, scorer.bias), (users, items, bias), strict=True):
        assert_allclose(found, wanted, atol=2e-5)


def test_the_loss_of_scores_far_apart_is_their_distance():
    scorer = Scorer(
        np.full((1, 1), 100, np.float32), np.array([[-50], [50]], np.float32), np.zeros(2, np.float32)
    )
    triple = np.array([[0, 0, 1]], np.int32)
    loss = pairwise.descend(triple, 0, 1, scorer.users, scorer.items, scorer.bias, *np.zeros(5, np.float32))
    assert loss == 10_000


@pytest.mark.parametrize("n", [2, 4, 16])
def test_in_a_tournament_everybody_meets_everybody_once(n):
    rounds = tournament(n)
    met = [tuple(sorted(pair)) for pairs in rounds for pair in pairs]
    assert sorted(met) == list(itertools.combinations(range(n), 2))
    for pairs in rounds:
        assert sorted(itertools.chain(*pairs)) == list(range(n))


@pytest.mark.parametrize("h", [1, 2, 4, 8])
def test_cells_that_run_at_once_share_no_part(h):
    table = cell_table(h)
    assert sorted(set(table.ravel())) == list(range((2 * h - 1) * h * h))
    users, items = {}, {}
    for one, other, user in np.ndindex(table.shape):
        cell = int(table[one, other, user])
        users.setdefault(cell, set()).add(user)
        items.setdefault(cell, set()).update({one, other})
    for run in range(0, len(users), h):
        for held in (users, items):
            parts = [part for cell in range(run, run + h) for part in held[cell]]
            assert len(parts) == len(set(parts))


@pytest.fixture
def small_cells(monkeypatch):
    """Eight parts of users already for a few thousand triples."""
    monkeypatch.setattr(module, "_TRIPLES_A_CELL", 1)


def test_sorting_into_cells_loses_no_triple_and_keeps_order(small_cells):
    rng = np.random.default_rng(2)
    found = np.unique(rng.integers(0, (60, 40, 40), (2000, 3)).astype(np.int32), axis=0)
    rng.shuffle(found)
    cells = Cells.of(found, 60, 40, rng)
    place = {tuple(triple): n for n, triple in enumerate(found.tolist())}
    order = [place[tuple(triple)] for triple in cells.triples.tolist()]
    assert cells.n_user_parts == 8
    assert sorted(order) == list(range(len(found)))
    for start, stop in itertools.pairwise(cells.ptr):
        assert order[start:stop] == sorted(order[start:stop])


@pytest.mark.parametrize("name", SAMPLERS)
def test_threads_change_nothing_and_the_steps_are_those_of_one_after_the_other(small_cells, name):
    pairs = random_pairs(60, 8)
    before, results = threads.num_threads(), []
    for n in (1, 3):
        threads.set_num_threads(n)
        scorer = random_scorer(60, 8)
        loss = run_epoch(pairs, SAMPLERS[name], scorer, STEPS, np.random.default_rng(4))
        results.append((loss, scorer.users, scorer.items, scorer.bias))
    threads.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        assert_array_equal(one, other)


def test_the_slices_of_an_epoch_cover_it(monkeypatch):
    pairs, seen = random_pairs(30, 20), []
    monkeypatch.setattr(module, "MOST_TRIPLES", 50)
    monkeypatch.setattr(
        Cells,
        "descend",
        lambda self, scorer, steps: seen.extend(map(tuple, self.triples[:, :2].tolist())) or 0.0,
    )
    run_epoch(pairs, UNIFORM, random_scorer(30, 20), STEPS, np.random.default_rng(0))
    assert sorted(seen) == sorted(zip(pairs.user_idx.tolist(), pairs.item_idx.tolist(), strict=True))
