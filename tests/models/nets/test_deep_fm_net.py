"""The net of DeepFM in PyTorch: against NumPy, its gradient against differences, and the negatives it draws."""

import numpy as np
import pytest
import torch
from scipy import sparse

from shortlist.models.deep_fm_examples import Examples, Learning
from shortlist.models.deep_fm_parameters import (
    DeepFMParameters,
    deep_part,
    deep_size,
    first_values,
    take_deep_part,
)
from shortlist.models.nets.deep_fm_net import DeepFMLoss, DeepFMNet
from shortlist.models.nets.flat_parameters import FlatParameters

FIELDS = ([(0, 4), (4, 6)], [(6, 10), (10, 13)], [(13, 15)])
LAYERS = (5, 3)


def examples(seed=0, m=30, targets=2):
    rng = np.random.default_rng(seed)

    def rows(n, columns):
        dense = np.zeros((n, 15), np.float32)
        dense[:, columns] = rng.normal(size=(n, len(columns))) * (rng.random((n, len(columns))) < 0.6)
        return sparse.csr_array(dense)

    return Examples(
        rows(6, range(6)),
        rows(7, range(6, 13)),
        rows(m, range(13, 15)),
        rng.integers(0, 6, m),
        rng.integers(0, 7, m),
        rng.integers(0, targets, m).astype(np.float32),
        FIELDS,
    )


def values(layers=LAYERS, dtype=np.float32):
    rng = np.random.default_rng(1)
    drawn = first_values(15, 5, 4, layers, 0.5, rng)
    return {name: (value + 0.1 * rng.normal(size=value.shape)).astype(dtype) for name, value in drawn.items()}


def learning(objective="binary", reg=0.0, dropout=0.0):
    return Learning(objective, reg, dropout, 3, np.arange(7))


def loss_of(given, data, rules, rng=0):
    parameters = FlatParameters(given)
    return parameters, DeepFMLoss(DeepFMNet(parameters, data), data, rules, np.random.default_rng(rng))


@pytest.mark.parametrize("layers", [(), (5,), LAYERS])
def test_numpy_computes_what_torch_does(layers):
    data, given = examples(), values(layers)
    net = DeepFMNet(FlatParameters(given), data)
    rows = torch.arange(30)
    index = torch.from_numpy(data.user_idx), torch.from_numpy(data.item_idx)
    expected = net.scores(net.parts(*index, rows)).detach().numpy()
    field_of = np.repeat(np.arange(5), [4, 2, 4, 3, 2])
    table = given["table"]
    ours = DeepFMParameters(
        np.ascontiguousarray(table[:, :-1]),
        table[:, -1],
        float(given["bias"][0]),
        deep_part(given),
        field_of,
        5,
        layers,
    )
    left = ours.sides(data.users)[data.user_idx] + ours.sides(data.moments) + ours.constant
    found = ours.scores(left, ours.sides(data.items), np.arange(30), data.item_idx.astype(np.int32))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-5)
    assert ours.deep.size == deep_size(5, 4, layers)


@pytest.mark.parametrize("objective", ["squared", "binary", "negatives"])
def test_the_gradient_is_that_of_finite_differences(objective):
    data, given = examples(), values(dtype=np.float64)
    rows = torch.arange(30)

    def at(changed):
        _, loss = loss_of(changed, data, learning(objective, reg=0.3))  # the same negatives each time
        return loss(rows)

    parameters, loss = loss_of(given, data, learning(objective, reg=0.3))
    torch.autograd.backward(loss(rows))
    rng = np.random.default_rng(2)
    for name, value in given.items():
        step = rng.normal(size=value.shape)
        plus, minus = ({**given, name: value + sign * 1e-6 * step} for sign in (1, -1))
        expected = (at(plus) - at(minus)).item() / 2e-6
        found = float((parameters.gradient_of(name).numpy() * step).sum())
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-8), name


def test_negatives_are_no_example_of_their_user():
    data = examples(targets=1)
    data.target[:] = 1
    _, loss = loss_of(values(), data, learning("negatives"))
    users, items, moments, target = loss._with_negatives(torch.arange(30), np.random.default_rng(0))
    assert target[:30].eq(1).all()
    assert target[30:].eq(0).all()
    taken = set(zip(data.user_idx.tolist(), data.item_idx.tolist(), strict=True))
    drawn = list(zip(users[30:].tolist(), items[30:].tolist(), strict=True))
    assert drawn
    assert not taken & set(drawn)
    assert torch.equal(torch.from_numpy(data.user_idx)[moments[30:]], users[30:])


def test_dropout_keeps_the_mean_and_is_of_its_own_generator():
    state = torch.random.get_rng_state()
    _, loss = loss_of(values(), examples(), learning(dropout=0.4))
    unit = torch.ones(200, 500)
    dropped = loss.drop(unit)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_deep_part_goes_there_and_back():
    given = values()
    flat = deep_part(given)
    emptied = {name: np.zeros_like(value) for name, value in given.items()}
    take_deep_part(emptied, flat)
    for name in set(given) - {"table", "bias"}:
        assert np.array_equal(emptied[name], given[name])
