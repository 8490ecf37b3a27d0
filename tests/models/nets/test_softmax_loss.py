"""The softmax loss and its gradients: by plain loops, by finite differences, and a sample against all items."""

import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from oracles import softmax_net as oracle

from shortlist.models.nets import softmax_loss
from shortlist.models.nets.softmax_loss import Targets, loss_among, loss_beside, summed_loss
from shortlist.models.nets.softmax_sampling import inclusion

N_PEOPLE, N_ITEMS, DIM = 5, 7, 3
IMPORTANCE = [1.0, 0.5, 2.0, 1.0, 0.7]
OWN = [[2], [0, 4, 6], [1, 2], [5], [0, 3]]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(softmax_loss, "BLOCK_SCORES", 2 * N_ITEMS)


@pytest.fixture
def net(rng):
    """Return people, items and offsets in float64."""
    shapes = (N_PEOPLE, DIM), (N_ITEMS, DIM), (N_ITEMS,)
    return [torch.from_numpy(rng.normal(0, 1.5, shape)) for shape in shapes]


def targets_at(place):
    """Return the targets of OWN, item i being column place[i]."""
    items = [i for own in OWN for i in own]
    row = np.repeat(np.arange(N_PEOPLE), [len(own) for own in OWN])
    ptr = [0, *np.cumsum([len(own) for own in OWN]).tolist()]
    importance = torch.tensor(IMPORTANCE, dtype=torch.float64)
    return items, Targets(ptr, torch.from_numpy(row), torch.tensor([place[i] for i in items]), importance)


def among(people, items, offsets):
    return loss_among(people, items, offsets, targets_at(range(N_ITEMS))[1])


def beside(people, items, offsets, sample, q=None):
    """Return the loss against a sample of items, log q taken off."""
    place = [list(sample).index(i) if i in sample else -1 for i in range(N_ITEMS)]
    own, targets = targets_at(place)
    log_q = torch.from_numpy(np.log(np.ones(N_ITEMS) if q is None else q))
    columns, shifted = items[list(sample)], (offsets - log_q)[list(sample)]
    return loss_beside(people, columns, shifted, targets, items[own], offsets[own]), own


def all_gradients(people, items, offsets, sample, q=None):
    """Return the loss against a sample and its gradients by people, items and offsets."""
    loss, own = beside(people, items, offsets, sample, q)
    of_items, of_offsets = torch.zeros_like(items), torch.zeros_like(offsets)
    for index, rows, values in (
        (list(sample), loss.columns, loss.offsets),
        (own, loss.beside, loss.beside_offsets),
    ):
        of_items.index_add_(0, torch.tensor(index, dtype=torch.int64), rows)
        of_offsets.index_add_(0, torch.tensor(index, dtype=torch.int64), values)
    return float(loss.total), [loss.people.numpy(), of_items.numpy(), of_offsets.numpy()]


def scores(people, items, offsets):
    return (people @ items.T + offsets).tolist()


def test_the_full_loss_is_that_of_plain_loops(net):
    wanted = oracle.full_loss(scores(*net), OWN, IMPORTANCE)
    assert_allclose(float(among(*net).total), wanted, rtol=1e-12)
    assert_allclose(float(summed_loss(*net, targets_at(range(N_ITEMS))[1])), wanted, rtol=1e-12)


@pytest.mark.parametrize("sample", [[], [3], [0, 2, 5], [1, 2, 3, 4, 6]])
def test_the_sampled_loss_is_that_of_plain_loops(net, sample, rng):
    q = rng.uniform(0.2, 1.0, N_ITEMS)
    wanted = oracle.sampled_loss(scores(*net), OWN, IMPORTANCE, sample, q)
    assert_allclose(float(beside(*net, sample, q)[0].total), wanted, rtol=1e-12)


def test_the_whole_catalogue_as_the_sample_is_full_softmax(net):
    full = among(*net)
    total, gradients = all_gradients(*net, range(N_ITEMS))
    assert_allclose(total, float(full.total), rtol=1e-12)
    wanted = [full.people.numpy(), full.columns.numpy(), full.offsets.numpy()]
    for found, exact in zip(gradients, wanted, strict=True):
        assert_allclose(found, exact, rtol=1e-10, atol=1e-12)


def test_without_the_mask_accidental_hits_count_twice(net, monkeypatch):
    masked = float(beside(*net, range(N_ITEMS))[0].total)
    monkeypatch.setattr(softmax_loss, "hide_hits", lambda *_: None)
    assert float(beside(*net, range(N_ITEMS))[0].total) > masked + 0.1


def slopes(function, tensors, step=1e-6):
    """Return the central differences of function(*tensors) by each entry of each tensor."""
    found = []
    for tensor in tensors:
        slope = np.zeros(tensor.numel())
        for at in range(tensor.numel()):
            flat = tensor.view(-1)
            before = float(flat[at])
            sides = []
            for moved in (before + step, before - step):
                flat[at] = moved
                sides.append(function(*tensors))
            flat[at] = before
            slope[at] = (sides[0] - sides[1]) / (2 * step)
        found.append(slope.reshape(tensor.shape))
    return found


def test_gradients_are_those_of_finite_differences(net):
    full = among(*net)
    wanted = slopes(lambda *tensors: float(among(*tensors).total), net)
    for found, slope in zip((full.people, full.columns, full.offsets), wanted, strict=True):
        assert_allclose(found.numpy(), slope, rtol=1e-6, atol=1e-8)


def test_sampled_gradients_are_those_of_finite_differences(net, rng):
    q = rng.uniform(0.2, 1.0, N_ITEMS)
    wanted = slopes(lambda *tensors: float(beside(*tensors, [0, 2, 5], q)[0].total), net)
    for found, slope in zip(all_gradients(*net, [0, 2, 5], q)[1], wanted, strict=True):
        assert_allclose(found, slope, rtol=1e-6, atol=1e-8)


def expected(net, q):
    """Return the expectation of the gradient by people over all samples, and that of every Z."""
    gradient, z = np.zeros((N_PEOPLE, DIM)), np.zeros(N_PEOPLE)
    table = np.exp(np.array(scores(*net)))
    for drawn in itertools.product([False, True], repeat=N_ITEMS):
        sample = np.flatnonzero(drawn).tolist()
        chance = np.prod(np.where(drawn, q, 1 - q))
        gradient += chance * all_gradients(*net, sample, q)[1][0]
        for r, own in enumerate(OWN):
            z[r] += chance * (table[r, own].sum() + sum(table[r, j] / q[j] for j in sample if j not in own))
    return gradient, z


def test_the_bias_shrinks_as_the_sample_grows_and_z_has_none(net):
    weights = np.arange(1.0, N_ITEMS + 1)
    full = among(*net).people.numpy()
    bias = []
    for n in (1, 3, 5, N_ITEMS):
        gradient, z = expected(net, inclusion(weights, n))
        bias.append(np.linalg.norm(gradient - full))
        assert_allclose(z, np.exp(scores(*net)).sum(axis=1), rtol=1e-10)
    assert bias[0] > 1.3 * bias[1] > 1.3 * 1.3 * bias[2] > 0.01
    assert bias[3] < 1e-10


def test_scores_of_any_size_are_summed(net):
    people, items, offsets = net
    assert np.isfinite(float(among(people * 1e3, items, offsets).total))
    total, gradients = all_gradients(people * 1e3, items, offsets, [0, 2])
    assert np.isfinite(total)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
