import signal

import numpy as np
import pytest
import torch
from oracles import two_tower as oracle

import shortlist as sl
from shortlist.errors import DataError, ParameterError
from shortlist.models.nets import training
from shortlist.models.tower_pairs import Standardised, TargetScale

SMALL = {"layers": (16, 8), "batch_size": 16, "learning_rate": 0.01, "n_epochs": 4}


@pytest.fixture
def pairs(rng):
    """Return users [80, 3], items [80, 2] and targets from 0 to 10 that depend on both."""
    users, items = rng.standard_normal((80, 3)) * 5 + 2, rng.standard_normal((80, 2))
    return users, items, 5 + 5 * np.tanh((users[:, 0] - 2) / 5 * items[:, 1])


def small(**parameters):
    return sl.TwoTower(**SMALL | parameters)


def test_the_course_has_82240_parameters(rng):
    model = sl.TwoTower.course()
    model = sl.TwoTower(**model.params() | {"n_epochs": 1})
    model.fit_pairs(rng.standard_normal((40, 14)), rng.standard_normal((40, 16)), rng.random(40), rng=0)
    assert model.n_parameters_ == 82_240
    assert model.layers == (256, 128, 32)


def test_it_learns_and_predicts_in_the_unit_of_the_targets(pairs):
    users, items, targets = pairs
    model = small(n_epochs=200, validation_share=0.0).fit_pairs(users, items, targets, rng=0)
    predicted = model.predict_pairs(users, items)
    assert predicted.dtype == np.float32
    assert np.mean((predicted - targets) ** 2) < 0.1 * targets.var()
    assert targets.min() - 1e-3 <= predicted.min() <= predicted.max() <= targets.max() + 1e-3


def test_predictions_are_those_of_the_equations(pairs):
    users, items, targets = pairs
    model = small().fit_pairs(users, items, targets, rng=0)
    net, low, high = model.pairs_, targets.min(), targets.max()
    for n in range(5):
        u = oracle.vector(
            (users[n] - users.mean(0)) / users.std(0), net.user.layers.weights, net.user.layers.biases
        )
        v = oracle.vector(
            (items[n] - items.mean(0)) / items.std(0), net.item.layers.weights, net.item.layers.biases
        )
        expected = (low + high) / 2 + (high - low) / 2 * oracle.dot(u, v)
        assert model.predict_pairs(users, items)[n] == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_an_epoch_without_steps_is_that_of_the_equations(pairs):
    users, items, targets = pairs
    penalty, tiny = 0.003, 1e-12
    model = small(n_epochs=1, learning_rate=tiny, weight_penalty=penalty, validation_share=0.0)
    net = model.fit_pairs(users, items, targets, rng=0).pairs_
    low, high = targets.min(), targets.max()
    scaled = (2 * targets - low - high) / (high - low)
    us, vs = (
        [oracle.vector(row, t.layers.weights, t.layers.biases) for row in (x - x.mean(0)) / x.std(0)]
        for x, t in ((users, net.user), (items, net.item))
    )
    expected = oracle.squared(us, vs, scaled)
    expected += oracle.penalty(penalty, net.user.layers.weights, net.item.layers.weights)
    assert net.loss_history[0] == pytest.approx(expected, rel=1e-4)


def test_units_and_shifts_of_the_tables_do_not_matter(pairs):
    users, items, targets = pairs
    one = small().fit_pairs(users, items, targets, rng=0).predict_pairs(users, items)
    moved = small().fit_pairs(1000 * users - 7, items / 3, 2 * targets + 1, rng=0)
    np.testing.assert_allclose(moved.predict_pairs(1000 * users - 7, items / 3), 2 * one + 1, rtol=1e-3)


def test_a_constant_column_changes_nothing_it_says(pairs):
    users, items, targets = pairs
    constant = np.column_stack([users, np.full(80, 0.1)])
    model = small().fit_pairs(constant, items, targets, rng=0)
    other = constant.copy()
    other[:, 3] = 99.0
    np.testing.assert_array_equal(model.predict_pairs(constant, items), model.predict_pairs(other, items))


def test_equal_targets_are_predicted(pairs):
    users, items, _ = pairs
    model = small().fit_pairs(users, items, np.full(80, 4.0), rng=0)
    np.testing.assert_array_equal(model.predict_pairs(users, items), 4)


def test_labels_give_probabilities(pairs):
    users, items, targets = pairs
    labels = (targets > 5).astype(int)
    model = small(loss="cross_entropy", n_epochs=150, validation_share=0.0)
    chance = model.fit_pairs(users, items, labels, rng=0).predict_pairs(users, items)
    assert 0 < chance.min() < chance.max() < 1
    assert np.mean((chance > 0.5) == labels) > 0.9


def test_a_pair_alone_gives_bit_for_bit_what_it_gives_in_a_batch(pairs):
    users, items, targets = pairs
    model = small().fit_pairs(users, items, targets, rng=0)
    together = model.predict_pairs(users, items)
    alone = [model.predict_pairs(users[n : n + 1], items[n : n + 1])[0] for n in range(80)]
    np.testing.assert_array_equal(alone, together)


def test_the_same_seed_gives_the_same_towers(pairs):
    found = [small().fit_pairs(*pairs, rng=seed).predict_pairs(*pairs[:2]) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_threads_change_nothing_where_steps_are_large(pairs, monkeypatch):
    monkeypatch.setattr(training, "SMALL_STEP", 0)
    users, items, targets = (np.repeat(part, 4, axis=0) for part in pairs)
    before, found = sl.num_threads(), []
    try:
        for n in (1, 3):
            sl.set_num_threads(n)
            model = sl.TwoTower(n_epochs=1).fit_pairs(users, items, targets, rng=0)
            found.append(model.predict_pairs(users, items))
    finally:
        sl.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_the_best_epoch_is_kept(pairs):
    model = small(n_epochs=300, patience=3, learning_rate=0.03)
    model.fit_pairs(*pairs, validation_share=0.3, rng=0)
    checks = model.pairs_.validation_history
    assert checks.size < 300
    assert checks.argmin() == checks.size - 4
    assert model.pairs_.loss_history.size == checks.size


def test_a_share_of_none_trains_on_all(pairs):
    model = small().fit_pairs(*pairs, validation_share=0.0, rng=0)
    assert model.pairs_.validation_history.size == 0
    assert model.pairs_.loss_history.size == 4


def test_epochs_are_told_of(pairs):
    told = []
    small().fit_pairs(
        *pairs,
        rng=0,
        on_epoch=lambda e: told.append((e.number, e.n_epochs, e.model.predict_pairs(*pairs[:2])[0])),
    )
    assert [(number, of) for number, of, _ in told] == [(n, 4) for n in (1, 2, 3, 4)]
    assert len({value for _, _, value in told}) == 4


def test_ctrl_c_leaves_the_pairs_and_the_threads_of_torch_as_they_were(pairs):
    model = small().fit_pairs(*pairs, rng=0)
    before, threads = model.predict_pairs(*pairs[:2]), torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        model.fit_pairs(*pairs, rng=1, on_epoch=lambda epoch: signal.raise_signal(signal.SIGINT))
    np.testing.assert_array_equal(model.predict_pairs(*pairs[:2]), before)
    assert torch.get_num_threads() == threads


def test_a_batch_beyond_the_data_and_a_single_pair_are_trained(pairs):
    users, items, targets = pairs
    assert small(batch_size=10**6).fit_pairs(*pairs, rng=0).pairs_.loss_history.size == 4
    one = small().fit_pairs(users[:1], items[:1], targets[:1], rng=0)
    assert one.predict_pairs(users[:1], items[:1]) == pytest.approx(targets[0])


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda u, i, t: (u[:70], i, t), ParameterError, "70 user_rows and 80 item_rows"),
        (lambda u, i, t: (u, i, t[:70]), DataError, r"80 pairs, and targets of the shape \(70,\)"),
        (
            lambda u, i, t: (u, i, np.where(np.arange(80) == 17, np.nan, t)),
            DataError,
            r"targets\[17\] is nan",
        ),
        (lambda u, i, t: (np.where(u == u[5, 2], np.inf, u), i, t), DataError, r"user_rows\[5, 2\] is inf"),
        (lambda u, i, t: (u[:, 0], i, t), DataError, r"user_rows must be a table.*\(80,\)"),
        (lambda u, i, t: (u, [["red"]] * 80, t), DataError, "item_rows must hold numbers alone"),
        (lambda u, i, t: (u[:0], i[:0], t[:0]), DataError, "no pairs"),
        (lambda u, i, t: (u * 1e300, i, t), DataError, "too large"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change, error, said, pairs):
    with pytest.raises(error, match=said):
        small().fit_pairs(*change(*pairs), rng=0)


def test_labels_other_than_0_and_1_are_refused(pairs):
    with pytest.raises(DataError, match="takes 0 and 1"):
        small(loss="cross_entropy").fit_pairs(*pairs, rng=0)


def test_softmax_needs_ids(pairs):
    with pytest.raises(ParameterError, match="which items are the same"):
        small(loss="softmax").fit_pairs(*pairs, rng=0)


def test_tables_of_other_columns_are_refused(pairs):
    users, items = pairs[:2]
    model = small().fit_pairs(*pairs, rng=0)
    with pytest.raises(DataError, match="user_rows has 2 columns, the towers were fitted on 3"):
        model.predict_pairs(users[:, :2], items)
    with pytest.raises(ParameterError, match="call fit_pairs first"):
        small().predict_pairs(users, items)


def test_scaling_of_one_value_is_zero():
    assert TargetScale(3.0, 3.0).to_unit(np.array([3.0])).tolist() == [0]
    assert Standardised.of(np.array([[0.1], [0.1], [0.1]])).apply(np.array([[5.0]])).tolist() == [[0]]
