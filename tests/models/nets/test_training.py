import signal

import numpy as np
import pytest
import torch

from shortlist import threads
from shortlist.errors import DataError, NonFiniteError, ParameterError
from shortlist.models.nets import training
from shortlist.models.nets.adam import Adam
from shortlist.models.nets.device import device_of
from shortlist.models.nets.flat_parameters import ALIGNMENT, FlatParameters
from shortlist.models.nets.training import Schedule, denormals_flushed, train

TRUE_W = np.array([1.5, -2.0, 0.5])


@pytest.fixture
def line(rng):
    """Return x float64[40, 3] and y = x · TRUE_W + 3."""
    x = rng.standard_normal((40, 3))
    return torch.from_numpy(x), torch.from_numpy(x @ TRUE_W + 3)


def fresh(dtype=np.float64):
    return FlatParameters({"w": np.zeros(3, dtype), "b": np.zeros(1, dtype)})


def squares(parameters, line):
    x, y = line
    return lambda rows: ((x[rows] @ parameters["w"] + parameters["b"] - y[rows]) ** 2).mean()


def by_hand(parameters, line):
    """Return the same loss without a graph, its gradient written in place."""
    x, y = line

    def loss_of(rows):
        with torch.no_grad():
            error = x[rows] @ parameters["w"] + parameters["b"] - y[rows]
            parameters.gradient_of("w").copy_(2 * error @ x[rows] / len(rows))
            parameters.gradient_of("b").fill_(2 * error.mean())
            return (error**2).mean()

    return loss_of


def test_it_finds_the_line(line, rng):
    parameters = fresh()
    history = train(parameters, squares(parameters, line), 40, Schedule(300, 40, 0.1), rng)
    np.testing.assert_allclose(parameters.arrays()["w"], TRUE_W, atol=1e-3)
    np.testing.assert_allclose(parameters.arrays()["b"], 3, atol=1e-3)
    assert history.losses.shape == (300,)
    assert history.best_epoch == 300


def test_steps_are_those_of_adam_on_the_batches_of_the_shuffle(line):
    parameters = fresh()
    train(parameters, squares(parameters, line), 40, Schedule(2, 16, 0.1), np.random.default_rng(3))
    w, b = (torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in (3, 1))
    adam = torch.optim.Adam([w, b], lr=0.1)
    shuffle = np.random.default_rng(3)
    for _ in range(2):
        order = torch.from_numpy(shuffle.permutation(40))
        for batch in (order[:16], order[16:32], order[32:]):
            adam.zero_grad()
            squares({"w": w, "b": b}, line)(batch).backward()
            adam.step()
    np.testing.assert_allclose(parameters.arrays()["w"], w.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(parameters.arrays()["b"], b.detach().numpy(), rtol=1e-10)


def test_a_gradient_written_by_hand_gives_the_same_training(line):
    results = []
    for loss_of in (squares, by_hand):
        parameters = fresh()
        history = train(
            parameters, loss_of(parameters, line), 40, Schedule(5, 16, 0.1), np.random.default_rng(1)
        )
        results.append((parameters.arrays()["w"], history.losses))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-10)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-10)


def test_the_loss_of_an_epoch_is_the_mean_over_rows_each_before_its_step(line):
    parameters, seen = fresh(), []
    own = squares(parameters, line)

    def loss_of(rows):
        loss = own(rows)
        seen.append((len(rows), loss.item()))
        return loss

    history = train(parameters, loss_of, 40, Schedule(1, 12, 0.1), np.random.default_rng(0))
    assert [n for n, _ in seen] == [12, 12, 12, 4]
    assert history.losses[0] == pytest.approx(sum(n * loss for n, loss in seen) / 40, rel=1e-12)


def test_every_row_is_visited_once_an_epoch_in_an_order_of_its_own(line, rng):
    parameters, seen = fresh(), []
    own = squares(parameters, line)

    def loss_of(rows):
        seen.extend(rows.tolist())
        return own(rows)

    train(parameters, loss_of, 40, Schedule(2, 7, 0.1), rng)
    first, second = seen[:40], seen[40:]
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second


def test_a_batch_larger_than_the_data_is_all_of_it(line, rng):
    sizes, parameters = [], fresh()
    own = squares(parameters, line)

    def loss_of(rows):
        sizes.append(len(rows))
        return own(rows)

    train(parameters, loss_of, 40, Schedule(3, 10**6, 0.1), rng)
    assert sizes == [40, 40, 40]


def test_no_rows_are_refused(line, rng):
    parameters = fresh()
    with pytest.raises(DataError, match="no rows"):
        train(parameters, squares(parameters, line), 0, Schedule(1, 1, 0.1), rng)


def test_the_best_validated_parameters_are_kept_and_it_stops_after_patience(line, rng):
    parameters, states = fresh(), []
    checks = iter([5.0, 3.0, 4.0, 3.0, 9.0, 1.0])

    def validate():
        states.append(parameters.arrays()["w"])
        return next(checks)

    history = train(
        parameters, squares(parameters, line), 40, Schedule(20, 8, 0.01, patience=3), rng, validate=validate
    )
    assert history.validation_losses.tolist() == [5, 3, 4, 3, 9]
    assert history.best_epoch == 2
    np.testing.assert_array_equal(parameters.arrays()["w"], states[1])
    assert not np.array_equal(states[1], states[-1])


def test_validation_sees_no_gradients(line, rng):
    parameters, enabled = fresh(), []

    def validate():
        enabled.append(torch.is_grad_enabled())
        return 1.0

    train(parameters, squares(parameters, line), 40, Schedule(1, 8, 0.1), rng, validate=validate)
    assert enabled == [False]


def test_each_epoch_is_told_of_with_its_losses(line, rng):
    parameters, told = fresh(), []
    checks = iter([2.0, 1.0])
    history = train(
        parameters,
        squares(parameters, line),
        40,
        Schedule(2, 8, 0.1),
        rng,
        validate=lambda: next(checks),
        on_epoch=lambda *epoch: told.append(epoch),
    )
    assert told == [(1, history.losses[0], 2.0), (2, history.losses[1], 1.0)]


def test_the_same_seed_gives_the_same_parameters_and_another_seed_others(line):
    def trained(seed):
        parameters = fresh()
        train(parameters, squares(parameters, line), 40, Schedule(3, 8, 0.1), np.random.default_rng(seed))
        return parameters.arrays()["w"]

    np.testing.assert_array_equal(trained(1), trained(1))
    assert not np.array_equal(trained(1), trained(2))


def test_the_generator_of_torch_is_neither_used_nor_changed(line):
    def trained(torch_seed):
        torch.manual_seed(torch_seed)
        before, parameters = torch.get_rng_state(), fresh()
        train(parameters, squares(parameters, line), 40, Schedule(2, 8, 0.1), np.random.default_rng(0))
        assert torch.equal(before, torch.get_rng_state())
        return parameters.arrays()["w"]

    np.testing.assert_array_equal(trained(1), trained(2))


def test_a_loss_that_is_no_number_stops_it_and_says_where(line, rng):
    parameters, calls = fresh(), []
    own = squares(parameters, line)

    def loss_of(rows):
        calls.append(len(rows))
        return own(rows) * (float("nan") if len(calls) == 7 else 1)

    with pytest.raises(NonFiniteError, match=r"loss is nan in epoch 2\. Lower learning_rate \(0\.1\)"):
        train(parameters, loss_of, 40, Schedule(9, 10, 0.1), rng)
    assert len(calls) == 8


def test_a_loss_ten_times_that_of_the_first_epoch_stops_it(rng):
    parameters, script = FlatParameters({"w": np.zeros(1)}), iter([2.0, 0.1, 19.0, 21.0, 1.0])
    with pytest.raises(
        NonFiniteError, match="mean loss is 21 in epoch 4 and was 2 in the first: the steps diverge"
    ):
        train(parameters, lambda rows: torch.tensor(next(script)), 4, Schedule(5, 4, 0.1), rng)


def test_a_loss_at_rounding_is_no_divergence(rng):
    parameters, epochs = FlatParameters({"w": np.zeros(1)}), []

    def loss_of(rows):
        return (parameters["w"] * 0).sum() + 10.0 ** (len(epochs) - 12)

    train(parameters, loss_of, 4, Schedule(4, 4, 0.1), rng, on_epoch=lambda *epoch: epochs.append(epoch))
    assert len(epochs) == 4


def test_parameters_that_are_no_numbers_stop_it_although_the_loss_is_one(rng):
    parameters = FlatParameters({"w": np.zeros(1)})
    with pytest.raises(NonFiniteError, match="parameters became NaN or infinite in epoch 1"):
        train(parameters, lambda rows: parameters["w"].abs().sqrt().sum(), 1, Schedule(1, 1, 0.1), rng)


def test_a_validation_loss_that_is_no_number_stops_it(line, rng):
    parameters = fresh()
    with pytest.raises(NonFiniteError, match="validation loss is nan after epoch 1"):
        train(
            parameters,
            squares(parameters, line),
            40,
            Schedule(3, 8, 0.1),
            rng,
            validate=lambda: float("nan"),
        )


@pytest.fixture
def torch_has_three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("torch_has_three_threads")
@pytest.mark.parametrize("end", ["done", "ctrl-c", "error"])
@pytest.mark.parametrize(("small_step", "expected_threads"), [(0, 2), (None, 1)])
def test_torch_has_its_threads_back(line, rng, end, small_step, expected_threads, monkeypatch):
    parameters, during = fresh(), []
    if small_step is not None:
        monkeypatch.setattr(training, "SMALL_STEP", small_step)

    def on_epoch(*epoch):
        during.append(torch.get_num_threads())
        if end == "ctrl-c":
            signal.raise_signal(signal.SIGINT)
        if end == "error":
            raise ValueError

    before = threads.num_threads()
    threads.set_num_threads(2)
    expected = {"done": (), "ctrl-c": KeyboardInterrupt, "error": ValueError}[end]
    try:
        if expected:
            with pytest.raises(expected):
                train(
                    parameters,
                    squares(parameters, line),
                    40,
                    Schedule(2, 8, 0.1),
                    rng,
                    on_epoch=on_epoch,
                )
        else:
            train(parameters, squares(parameters, line), 40, Schedule(2, 8, 0.1), rng, on_epoch=on_epoch)
    finally:
        threads.set_num_threads(before)
    assert set(during) == {expected_threads}
    assert torch.get_num_threads() == 3


def test_callbacks_compute_with_denormals_as_ever(line, rng):
    parameters, kept = fresh(), []

    def look(*epoch):
        kept.append(np.float32(1e-45) * np.float32(1) > 0)

    train(parameters, squares(parameters, line), 40, Schedule(2, 8, 0.1), rng, on_epoch=look)
    assert all(kept)
    assert np.float32(1e-45) * np.float32(1) > 0


def test_the_mean_of_a_slope_that_is_gone_becomes_zero():
    parameters = FlatParameters({"w": np.ones(1, np.float32)})
    adam = Adam(parameters, 1e-3)
    parameters.gradient.fill_(1e-3)
    with denormals_flushed():
        adam.step()
        parameters.gradient.zero_()
        for _ in range(1000):
            adam.step()
    assert adam._mean[0].item() == 0


def test_parameters_share_one_buffer_and_begin_at_lines_of_the_cache():
    parameters = FlatParameters({"w": np.arange(6.0).reshape(2, 3), "b": np.arange(2.0)})
    assert parameters.n_parameters == 8
    assert parameters.flat.numel() == 2 * ALIGNMENT
    with torch.no_grad():
        parameters.flat.mul_(2)
    np.testing.assert_array_equal(parameters.arrays()["w"], 2 * np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(parameters.arrays()["b"], 2 * np.arange(2.0))
    assert list(parameters) == ["w", "b"]


def test_a_backward_pass_writes_to_the_one_gradient():
    parameters = FlatParameters({"w": np.ones(3), "b": np.ones(1)})
    (parameters["w"].sum() * 2 + parameters["b"].sum() * 5).backward()
    assert parameters.gradient[:3].tolist() == [2, 2, 2]
    assert parameters.gradient_of("b").tolist() == [5]
    assert parameters.gradient[ALIGNMENT].item() == 5


def test_the_arrays_are_copies():
    given = {"w": np.ones(3)}
    parameters = FlatParameters(given)
    taken = parameters.arrays()["w"]
    with torch.no_grad():
        parameters["w"].zero_()
    assert given["w"].tolist() == taken.tolist() == [1, 1, 1]


def test_a_state_is_restored():
    parameters = FlatParameters({"w": np.arange(3.0)})
    state = torch.empty_like(parameters.flat)
    parameters.copy_to(state)
    with torch.no_grad():
        parameters["w"].fill_(9)
    parameters.copy_from(state)
    assert parameters["w"].tolist() == [0, 1, 2]


def test_parameters_of_several_dtypes_are_refused():
    with pytest.raises(ParameterError, match="one dtype"):
        FlatParameters({"w": np.ones(3), "b": np.ones(3, np.float32)})


def test_auto_is_a_device_that_is_there():
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device_of("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["nonsense", "cuda:99", "xpu"])
def test_a_device_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(ParameterError, match=f"device='{name}' cannot be used"):
        device_of(name)


def test_a_falling_rate_takes_equal_parts_off_with_each_step():
    flat = FlatParameters({"w": np.zeros(1)})
    seen = []

    def loss_of(rows):
        seen.append(flat["w"].item())
        return flat["w"].sum()  # a gradient of 1: Adam's step is the rate

    train(flat, loss_of, 6, Schedule(2, 2, 0.6, falling=True), np.random.default_rng(0))
    seen.append(flat["w"].item())
    np.testing.assert_allclose(-np.diff(seen), 0.6 * np.arange(6, 0, -1) / 6, rtol=1e-6)
