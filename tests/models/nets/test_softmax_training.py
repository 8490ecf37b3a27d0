"""The net as PyTorch trains it: gradients of every parameter, what a history is, and samples against all items."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import softmax_net as oracle
from scipy import sparse

from shortlist.models.nets.flat_parameters import FlatParameters
from shortlist.models.nets.softmax_training import Entries, Objective, People, SoftmaxTraining

N, N_ITEMS, DIM, WIDTH, N_FEATURES = 6, 8, 3, 4, 2
PLAIN = Objective(
    cosine=True,
    temperature=0.3,
    negatives="all",
    n_negatives=4,
    popularity_exponent=0.7,
    logq=True,
    target_fraction=0.5,
    batch_size=4,
    history=None,
    row_exponent=0.5,
)
ROWS = torch.tensor([4, 0, 5, 2])


@pytest.fixture
def people(rng):
    """Return people of whom each likes one item at least, with features."""
    table = rng.random((N, N_ITEMS)) < 0.4
    table[np.arange(N), rng.integers(0, N_ITEMS, N)] = True
    features = sparse.csr_array(rng.normal(size=(N, N_FEATURES)).astype(np.float32))
    return People(sparse.csr_array(table.astype(np.float32)), features)


def net_of(people, rng, objective=PLAIN, **shapes):
    """Return a net in float64 with these parameters beside the constant and the items."""
    width = next(iter(shapes.values()))[1] if shapes else DIM
    shapes = {"constant": (1, width), "items": (N_ITEMS, DIM), **shapes}
    parameters = FlatParameters({name: rng.normal(size=shape) for name, shape in shapes.items()})
    return SoftmaxTraining(parameters, people, objective, np.random.default_rng(3))


def loss_and_slope(net):
    """Return the loss of ROWS and its gradient by all parameters, each call with the same random numbers."""
    net.rng = np.random.default_rng(3)
    net.parameters.gradient.zero_()
    loss = float(net.loss_of(ROWS))
    return loss, net.parameters.gradient.numpy().copy()


FORMS = {
    "ids": ({"ids": (N, DIM)}, PLAIN),
    "dot products": ({"ids": (N, DIM), "offsets": (N_ITEMS,)}, replace(PLAIN, cosine=False)),
    "history": ({"history": (N_ITEMS, DIM)}, replace(PLAIN, history="history")),
    "tied history": ({"ids": (N, DIM)}, replace(PLAIN, history="items")),
    "features and layers": (
        {
            "features": (N_FEATURES, WIDTH),
            "history": (N_ITEMS, WIDTH),
            "weights 1": (WIDTH, 5),
            "biases 1": (5,),
            "weights 2": (5, DIM),
            "biases 2": (DIM,),
        },
        replace(PLAIN, history="history"),
    ),
}


@pytest.mark.parametrize("negatives", ["all", "uniform", "popularity", "in_batch"])
@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_of_every_parameter_is_that_of_finite_differences(form, negatives, people, rng):
    shapes, objective = FORMS[form]
    net = net_of(people, rng, replace(objective, negatives=negatives), **shapes)
    _, slope = loss_and_slope(net)
    assert np.count_nonzero(slope) > 20
    flat = net.parameters.flat.detach()
    for at in rng.permutation(np.flatnonzero(flat.numpy()))[:25]:
        before, sides = float(flat[at]), []
        for moved in (before + 1e-6, before - 1e-6):
            flat[at] = moved
            sides.append(loss_and_slope(net)[0])
        flat[at] = before
        assert_allclose(slope[at], (sides[0] - sides[1]) / 2e-6, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("negatives", ["uniform", "popularity", "in_batch"])
def test_a_sample_of_everything_is_full_softmax(negatives, people, rng):
    shapes, objective = FORMS["dot products"]
    everything = replace(objective, negatives=negatives, n_negatives=N_ITEMS, batch_size=N)
    full = net_of(people, np.random.default_rng(0), objective, **shapes)
    sampled = net_of(people, np.random.default_rng(0), everything, **shapes)
    losses, slopes = zip(*(_of_all(net) for net in (full, sampled)), strict=True)
    if negatives == "in_batch":  # items that nobody here likes are in no batch
        assert set(people.liked.indices) == set(range(N_ITEMS))
    assert_allclose(losses[1], losses[0], rtol=1e-12)
    assert_allclose(slopes[1], slopes[0], rtol=1e-9, atol=1e-12)


def _of_all(net):
    loss = float(net.loss_of(torch.arange(N)))
    return loss, net.parameters.gradient.numpy().copy()


def test_no_target_is_in_its_own_history_and_all_items_are_one_or_the_other(people, rng):
    net = net_of(people, rng, replace(PLAIN, history="items", target_fraction=0.3))
    row, column = people.liked.nonzero()
    entries = Entries(row.astype(np.int64), column.astype(np.int64))
    n_targets = []
    for _ in range(300):
        history, targets = net.parted(entries)
        parts = [
            set(zip(part.row.tolist(), part.column.tolist(), strict=True)) for part in (history, targets)
        ]
        assert not parts[0] & parts[1]
        assert parts[0] | parts[1] == set(zip(row.tolist(), column.tolist(), strict=True))
        assert_array_equal(np.unique(targets.row), np.arange(N))  # everybody has a target
        n_targets.append(len(parts[1]))
    # Of n items a binomial number, but one at least: n p + (1 - p)^n in the mean.
    length = np.diff(people.liked.indptr)
    assert_allclose(np.mean(n_targets), (0.3 * length + 0.7**length).sum(), rtol=0.05)


def test_without_a_history_everything_is_a_target(people, rng):
    net = net_of(people, rng, ids=(N, DIM))
    entries = Entries(np.array([0, 0]), np.array([1, 2]))
    history, targets = net.parted(entries)
    assert history.row.size == 0
    assert targets is entries


def test_the_validation_loss_is_that_of_plain_loops(people, rng):
    net = net_of(people, rng, replace(PLAIN, history="items", cosine=False), ids=(N, DIM))
    held = np.zeros((N, N_ITEMS), np.float32)
    held[1, 2] = held[1, 3] = held[4, 0] = 1
    table = {name: net.parameters[name].tolist() for name in net.parameters}
    scores, own = [], []
    for row in (1, 4):
        mine = people.liked.indices[people.liked.indptr[row] : people.liked.indptr[row + 1]]
        mean = oracle.mean([table["items"][i] for i in mine], DIM)
        vector = oracle.person([table["constant"][0], table["ids"][row], mean], [], False, 0.3)
        scores.append([oracle.dot(vector, item) for item in table["items"]])
        own.append(np.flatnonzero(held[row]).tolist())
    weight = [np.diff(people.liked.indptr)[row] ** -0.5 for row in (1, 4)]
    wanted = oracle.full_loss(scores, own, weight) / (2 * weight[0] + weight[1])
    assert_allclose(net.validation_loss(sparse.csr_array(held)), wanted, rtol=1e-6)
