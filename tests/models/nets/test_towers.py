import numpy as np
import pytest
import torch
from oracles import two_tower as oracle
from scipy import sparse

from shortlist.models.nets import tower_inputs
from shortlist.models.nets.flat_parameters import FlatParameters
from shortlist.models.nets.tower_losses import CrossEntropy, InBatchSoftmax, SquaredLoss
from shortlist.models.nets.tower_training import ID_TABLES, TowerProblem, fit_towers
from shortlist.models.nets.towers import Towers, random_layers, split_layers
from shortlist.models.tower_parts import Examples, Side, TowerSettings

N_USERS, N_ITEMS, N_PAIRS, ID_DIM = 6, 5, 12, 3
SETTINGS = {
    "layers": (7, 6, 4),
    "id_dim": ID_DIM,
    "id_dropout": 0.0,
    "temperature": 0.3,
    "weight_penalty": 0.0,
    "learning_rate": 0.01,
    "batch_size": 5,
    "n_epochs": 3,
    "patience": None,
    "validation_share": 0.0,
    "device": "cpu",
}
LOSSES = ("squared", "cross_entropy", "softmax")


def settings(loss, **others):
    return TowerSettings(**SETTINGS | {"loss": loss} | others)


class Made:
    """A problem in float64, whose ids and biases are random too, and its parts for an oracle."""

    def __init__(self, rng, loss, *, ids=True, sparse_rows=False, penalty=0.0, **others):
        users, items = rng.standard_normal((N_USERS, 4)), rng.standard_normal((N_ITEMS, 2))
        has = (np.arange(N_USERS) != 2, np.ones(N_ITEMS, bool)) if ids else (None, None)
        self.features = users, items
        make = sparse.csr_array if sparse_rows else np.asarray
        self.sides = tuple(Side(make(x), own) for x, own in zip(self.features, has, strict=True))
        self.examples = Examples(
            rng.integers(0, N_USERS, N_PAIRS),
            rng.integers(0, N_ITEMS, N_PAIRS),
            rng.integers(0, 2, N_PAIRS).astype(np.float32),
        )
        self.settings = settings(loss, weight_penalty=penalty, **others)
        self.n_inputs = [side.n_inputs(ID_DIM) for side in self.sides]
        arrays = random_layers(self.n_inputs, self.settings.layers, rng)
        arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
        for name, array in arrays.items():
            if name.startswith("biases"):
                array += rng.standard_normal(array.shape) * 0.1
        for name, side in zip(ID_TABLES, self.sides, strict=True):
            if side.has_id is not None:
                arrays[name] = rng.standard_normal((side.has_id.size, ID_DIM)) * side.has_id[:, None]
        arrays |= {"log_scale": np.array([0.7]), "shift": np.array([-0.2])}
        self.parameters = FlatParameters(arrays)
        self.problem = TowerProblem(
            self.parameters, self.sides, self.examples, self.settings, np.arange(N_PAIRS), rng
        )

    def loss(self, rows):
        self.parameters.gradient.zero_()
        return self.problem.loss_of(torch.from_numpy(rows)).item()

    def by_oracle(self, rows):
        """Return the loss of `rows` by plain loops, from a copy of the parameters as they are."""
        arrays = self.parameters.arrays()
        networks = []
        for side, n_in in enumerate(self.n_inputs):
            weights = [arrays[f"weights_{at}"][side] for at in range(3)]
            weights[0] = weights[0][:n_in]
            networks.append((weights, [arrays[f"biases_{at}"][side, 0] for at in range(3)]))
        index = self.examples.user_idx[rows], self.examples.item_idx[rows]
        us, vs = (
            [oracle.vector(self._inputs(arrays, side, at), *networks[side]) for at in index[side]]
            for side in (0, 1)
        )
        targets, items = self.examples.targets[rows], index[1]
        if self.settings.loss == "squared":
            loss = oracle.squared(us, vs, targets)
        elif self.settings.loss == "cross_entropy":
            loss = oracle.cross_entropy(us, vs, targets, np.exp(arrays["log_scale"][0]), arrays["shift"][0])
        else:
            shares = np.maximum(np.bincount(self.examples.item_idx, minlength=N_ITEMS), 1) / N_PAIRS
            loss = oracle.in_batch_softmax(us, vs, items, shares, self.settings.temperature)
        return loss + oracle.penalty(self.settings.weight_penalty, *(weights for weights, _ in networks))

    def _inputs(self, arrays, side, at):
        if self.sides[side].has_id is None:
            return self.features[side][at]
        return np.append(self.features[side][at], arrays[ID_TABLES[side]][at])


@pytest.mark.parametrize("penalty", [0.0, 0.02])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("ids", [True, False])
def test_the_loss_is_that_of_plain_loops(loss, ids, penalty, rng):
    made = Made(rng, loss, ids=ids, penalty=penalty)
    rows = np.arange(1, 9)
    assert made.loss(rows) == pytest.approx(made.by_oracle(rows), rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_are_those_of_finite_differences(loss, rng):
    made, rows = Made(rng, loss, penalty=0.02), np.arange(8)
    made.loss(rows)
    slopes = {name: made.parameters.gradient_of(name).numpy().copy() for name in made.parameters}
    unused = {"log_scale", "shift"} if loss != "cross_entropy" else set()
    for name, slope in slopes.items():
        values = made.parameters[name].detach().numpy()
        for at in np.ndindex(values.shape):
            if name == "weights_0" and at[1] >= made.n_inputs[at[0]]:
                continue  # an input that this side does not have
            kept, found = values[at], []
            for step in (1e-6, -1e-6):
                values[at] = kept + step
                found.append(made.by_oracle(rows))
            values[at] = kept
            expected = (found[0] - found[1]) / 2e-6
            if name in ID_TABLES and not made.sides[ID_TABLES.index(name)].has_id[at[0]]:
                expected = 0.0  # no id enters there, whatever the table holds
            assert slope[at] == pytest.approx(expected, rel=1e-4, abs=2e-8), (name, at)
        assert slope.any() or name in unused


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_are_those_of_automatic_differentiation(loss, rng):
    made, rows = Made(rng, loss, ids=False, penalty=0.02), np.arange(N_PAIRS)
    made.loss(rows)
    leaves = {
        name: tensor.detach().clone().requires_grad_()
        for name, tensor in zip(
            made.parameters, (made.parameters[name] for name in made.parameters), strict=True
        )
    }
    vectors, squares = [], 0.0
    for side, index in enumerate((made.examples.user_idx, made.examples.item_idx)):
        h = torch.from_numpy(made.features[side][index])
        for at in range(3):
            weights = leaves[f"weights_{at}"][side]
            weights = weights[: made.n_inputs[side]] if at == 0 else weights
            squares = squares + (weights**2).sum()
            h = h @ weights + leaves[f"biases_{at}"][side]
            h = torch.relu(h) if at < 2 else h
        vectors.append(torch.nn.functional.normalize(h, dim=1))
    u, v = vectors
    targets = torch.from_numpy(made.examples.targets.astype(float))
    dots = (u * v).sum(1)
    if loss == "squared":
        own = torch.nn.functional.mse_loss(dots, targets)
    elif loss == "cross_entropy":
        logits = dots * leaves["log_scale"].exp() + leaves["shift"]
        own = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    else:
        items = torch.from_numpy(made.examples.item_idx)
        shares = torch.bincount(items, minlength=N_ITEMS).double() / N_PAIRS
        logits = u @ v.T / 0.3 - shares.log()[items]
        others = (items[:, None] == items) & ~torch.eye(N_PAIRS, dtype=torch.bool)
        logits = logits.masked_fill(others, -torch.inf)
        own = torch.nn.functional.cross_entropy(logits, torch.arange(N_PAIRS))
    (own + 0.02 * squares).backward()
    for name, leaf in leaves.items():
        expected = 0.0 if leaf.grad is None else leaf.grad.numpy()
        np.testing.assert_allclose(
            made.parameters.gradient_of(name).numpy(), expected, rtol=1e-8, atol=1e-12, err_msg=name
        )


def test_sparse_features_train_as_dense_ones_do(monkeypatch):
    found = []
    for limit in (None, 0):  # kept dense, and made dense batch by batch
        if limit is not None:
            monkeypatch.setattr(tower_inputs, "MOST_DENSE", limit)
        made = Made(np.random.default_rng(5), "squared", sparse_rows=True)
        trained, _ = fit_towers(made.sides, made.examples, made.settings, np.random.default_rng(0))
        found.append(trained.user.to_flat())
    np.testing.assert_array_equal(*found)


def test_vectors_are_of_length_one(rng):
    made = Made(rng, "squared")
    made.loss(np.arange(N_PAIRS))
    unit = made.problem.towers.of(N_PAIRS).unit
    np.testing.assert_allclose(torch.linalg.vector_norm(unit, dim=2).numpy(), 1, rtol=1e-12)


def test_what_has_no_direction_is_zero_and_no_slope_goes_through_it():
    arrays = random_layers((2, 2), (3, 2), np.random.default_rng(0))
    parameters = FlatParameters(arrays)
    batch = Towers(parameters, 2).of(4)  # its inputs are zeros, and so are the first biases
    u, v = batch.forward()
    assert not u.any()
    assert not v.any()
    batch.slopes[-1].fill_(1.0)
    batch.backward(to_inputs=False)
    assert not parameters.gradient.any()


def test_the_trained_arrays_give_the_vectors_of_training(rng):
    made = Made(rng, "squared")
    trained, _ = fit_towers(made.sides, made.examples, made.settings, rng)
    sides = made.sides
    for tower, side, features in zip((trained.user, trained.item), sides, made.features, strict=True):
        found = tower.vectors(features.astype(np.float32), tower.ids)
        assert side.has_id is not None
        expected = [
            oracle.vector(np.append(row, own), tower.layers.weights, tower.layers.biases)
            for row, own in zip(features, tower.ids, strict=True)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_who_has_no_id_keeps_zeros_for_it(rng):
    made = Made(rng, "squared")
    trained, _ = fit_towers(made.sides, made.examples, made.settings, rng)
    assert not trained.user.ids[2].any()
    assert trained.user.ids[[0, 1, 3, 4, 5]].any(axis=1).all()


def test_id_dropout_leaves_out_as_many_ids_as_it_says(rng):
    made = Made(rng, "squared", id_dropout=0.25)
    inputs = made.problem.inputs[1]
    x = torch.zeros(4000, made.n_inputs[1], dtype=torch.float64)
    index = torch.from_numpy(rng.integers(0, N_ITEMS, 4000))
    inputs.fill(x, index, training=True)
    left_out = (x[:, 2:] == 0).all(1).numpy().mean()
    assert left_out == pytest.approx(0.25, abs=0.03)
    inputs.fill(x, index, training=False)
    assert not (x[:, 2:] == 0).all(1).any()


def test_validation_is_without_penalty_and_dropout(rng):
    made = Made(rng, "squared", penalty=5.0, id_dropout=0.9)
    held = np.arange(N_PAIRS)
    plain = Made(np.random.default_rng(20_120_511), "squared")
    assert made.problem.validation(held, 5)() == pytest.approx(plain.by_oracle(held), rel=1e-9)


# The softmax over a batch, as an estimate of the one over the catalogue.


@pytest.mark.parametrize(("log_q", "equal"), [(True, True), (False, False)])
def test_log_q_makes_the_slope_in_a_batch_that_of_the_whole_catalogue(log_q, equal, rng):
    # Every item stands in the batch as often as its share says, the row's own item (3) once: then
    # Σ_c e^(s_c − ln q_c) over the columns is n Σ_i e^(s_i) over the catalogue, and the estimate is exact.
    items = torch.tensor([3] + [0] * 8 + [1] * 4 + [2] * 2 + [4])
    counts = torch.bincount(items)
    vectors = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((5, 4))), dim=1)
    users = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((16, 4))), dim=1)
    shares = counts / counts.sum() if log_q else torch.ones(5)
    slope = torch.zeros(2, 16, 4, dtype=torch.float64)
    InBatchSoftmax(items, shares.double(), 0.5)(users, vectors[items], torch.arange(16), slope)
    expected = oracle.full_softmax_slope(users[0].numpy(), vectors.numpy(), 3, 0.5)
    found = slope[0, 0].numpy() * 16
    assert np.allclose(found, expected, rtol=1e-6) is equal
    assert equal or np.abs(found - expected).max() > 0.1 * np.abs(expected).max()


def test_an_equal_item_elsewhere_in_the_batch_is_no_negative(rng):
    u, v = (torch.from_numpy(rng.standard_normal((3, 4))) for _ in range(2))
    v[2] = v[0]  # the same item
    shares = torch.full((9,), 0.1, dtype=torch.float64)
    slope = torch.zeros(2, 3, 4, dtype=torch.float64)
    loss = InBatchSoftmax(torch.tensor([4, 7, 4]), shares, 1.0)(u, v, torch.arange(3), slope)
    chances = [
        torch.softmax(torch.stack([u[r] @ v[r], u[r] @ v[other]]), 0)[0] for r, other in ((0, 1), (2, 1))
    ]
    middle = torch.softmax(torch.stack([u[1] @ v[1], u[1] @ v[0], u[1] @ v[0]]), 0)[0]
    expected = -(chances[0].log() + chances[1].log() + middle.log()) / 3
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    # Were the hit a negative, row 2 would push its own item away and row 0 pull: its slope shows neither.
    p = chances[0]
    np.testing.assert_allclose(slope[0, 0], ((1 - p) * (v[1] - v[0]) / 3).numpy(), rtol=1e-9)


def test_a_batch_of_one_item_alone_teaches_nothing():
    u, v = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    slope = torch.ones(2, 3, 4)
    loss = InBatchSoftmax(torch.zeros(3, dtype=torch.int64), torch.ones(1), 0.1)(u, v, torch.arange(3), slope)
    assert loss.item() == 0
    assert not slope.any()


@pytest.mark.parametrize("loss", ["squared", "softmax", "cross_entropy"])
def test_training_lowers_the_loss_and_is_reproducible(loss, rng):
    made = Made(rng, loss)
    found = [
        fit_towers(made.sides, made.examples, settings(loss, n_epochs=60), np.random.default_rng(1))
        for _ in range(2)
    ]
    assert found[0][1].losses[-1] < 0.8 * found[0][1].losses[0]
    np.testing.assert_array_equal(found[0][0].user.to_flat(), found[1][0].user.to_flat())
    np.testing.assert_array_equal(found[0][0].item.ids, found[1][0].item.ids)


def test_training_goes_on_where_another_ended(rng):
    made = Made(rng, "cross_entropy")
    first, history = fit_towers(made.sides, made.examples, settings("cross_entropy", n_epochs=60), rng)
    again, later = fit_towers(
        made.sides, made.examples, settings("cross_entropy", n_epochs=1, learning_rate=1e-9), rng, start=first
    )
    np.testing.assert_allclose(again.user.to_flat(), first.user.to_flat(), atol=1e-6)
    np.testing.assert_allclose(again.item.ids, first.item.ids, atol=1e-6)
    assert again.scale == pytest.approx(first.scale, rel=1e-5)
    assert again.shift == pytest.approx(first.shift, abs=1e-5)
    assert later.losses[0] < history.losses[0]


def test_the_towers_of_the_course_have_82240_parameters(rng):
    arrays = random_layers((14, 16), (256, 128, 32), rng)
    sides = split_layers(arrays, (14, 16), 3)
    assert sum(part.size for layers in sides for parts in layers for part in parts) == 82_240
    assert not arrays["weights_0"][0, 14:].any()


def test_squared_and_cross_entropy_take_any_dtype_of_their_data():
    parameters = FlatParameters({"log_scale": np.zeros(1, np.float32), "shift": np.zeros(1, np.float32)})
    u = v = torch.tensor([[1.0, 0.0]])
    rows, labels = torch.zeros(1, dtype=torch.int64), torch.ones(1)
    assert SquaredLoss(labels)(u, v, rows, None).item() == 0
    assert CrossEntropy(labels, parameters)(u, v, rows, None).item() == pytest.approx(np.log1p(np.exp(-1)))
