"""Training of a two-tower model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from shortlist.models.dense_layers import DenseLayers
from shortlist.models.held_out_rows import held_out_rows
from shortlist.models.nets.device import device_of
from shortlist.models.nets.flat_parameters import FlatParameters
from shortlist.models.nets.tower_inputs import TowerInputs
from shortlist.models.nets.tower_losses import CrossEntropy, InBatchSoftmax, SquaredLoss, TowerLoss
from shortlist.models.nets.towers import Towers, random_layers, split_layers
from shortlist.models.nets.training import History, Schedule, train
from shortlist.models.tower_parts import Examples, Side, Tower, TowerSettings, TrainedTowers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from shortlist.models.nets.training import Validate

ID_TABLES = ("user_ids", "item_ids")
# The scale that cross-entropy begins with: cosines of ±.5 are then odds of 12 to 1.
FIRST_SCALE = 5.0


def fit_towers(
    sides: tuple[Side, Side],
    examples: Examples,
    settings: TowerSettings,
    rng: np.random.Generator,
    *,
    start: TrainedTowers | None = None,
    on_epoch: Callable[[TrainedTowers, int, float, float | None], object] | None = None,
) -> tuple[TrainedTowers, History]:
    """Return the towers of users and items (`sides`) trained on `examples`, from `start` on where it is given."""
    arrays = _first(sides, settings, rng) if start is None else _taken_over(start)
    parameters = FlatParameters(arrays, device_of(settings.device))
    kept, held = held_out_rows(len(examples), settings.validation_share, rng)
    problem = TowerProblem(parameters, sides, examples, settings, kept, rng)
    widths = [side.n_inputs(settings.id_dim) for side in sides]

    def told(epoch: int, loss: float, check: float | None) -> None:
        if on_epoch is not None:
            on_epoch(_trained(parameters, widths, settings), epoch, loss, check)

    schedule = Schedule(settings.n_epochs, settings.batch_size, settings.learning_rate, settings.patience)
    history = train(
        parameters,
        problem.loss_of,
        kept.size,
        schedule,
        rng,
        validate=problem.validation(held, settings.batch_size) if held.size else None,
        on_epoch=told,
        work=_work(parameters, min(kept.size, settings.batch_size)),
    )
    return _trained(parameters, widths, settings), history


def _work(parameters: FlatParameters, batch_size: int) -> float:
    """Return how many products a step takes: every weight with every row, and the optimiser's over all parameters."""
    weights = sum(parameters[name].numel() for name in parameters if name not in ID_TABLES)
    return weights * batch_size + 16 * parameters.n_parameters


class TowerProblem:
    """The loss of rows of the examples, with its slopes in the gradient of `parameters`.

    kept int64[n]: which of the examples are trained on; rows are counted among them.
    """

    def __init__(
        self,
        parameters: FlatParameters,
        sides: tuple[Side, Side],
        examples: Examples,
        settings: TowerSettings,
        kept: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        device = parameters.device
        self.kept = torch.from_numpy(kept).to(device)
        self.index = tuple(torch.from_numpy(idx).to(device) for idx in (examples.user_idx, examples.item_idx))
        self.towers = Towers(parameters, len(settings.layers))
        self.inputs = [
            TowerInputs(side, parameters, name, settings.id_dropout, rng)
            for side, name in zip(sides, ID_TABLES, strict=True)
        ]
        self.loss = _loss(parameters, sides, examples, settings, kept)
        self.penalty = settings.weight_penalty

    def loss_of(self, rows: Tensor) -> Tensor:
        """Return the mean loss of `rows` int64[b] with the penalty, its slopes added to the gradient."""
        return self._at(self.kept[rows], training=True)

    def validation(self, held: NDArray[np.int64], batch_size: int) -> Validate:
        """Return what gives the mean loss of the examples `held` int64[n], without the penalty."""
        batches = torch.split(torch.from_numpy(held).to(self.kept.device), batch_size)

        def validate() -> float:
            total = sum(float(self._at(rows, training=False)) * rows.numel() for rows in batches)
            return total / held.size

        return validate

    def _at(self, examples: Tensor, *, training: bool) -> Tensor:
        batch = self.towers.of(examples.numel())
        index = [of_side[examples] for of_side in self.index]
        for inputs, x, own in zip(self.inputs, batch.of_side, index, strict=True):
            inputs.fill(x, own, training=training)
        u, v = batch.forward()
        loss = self.loss(u, v, examples, batch.slopes[-1] if training else None)
        if not training:
            return loss
        with_ids = any(inputs.has_ids for inputs in self.inputs)
        batch.backward(to_inputs=with_ids)
        for inputs, slope, own in zip(self.inputs, batch.x_slope, index, strict=True) if with_ids else ():
            inputs.take_back(slope, own)
        return loss + self._penalise() if self.penalty > 0 else loss

    def _penalise(self) -> Tensor:
        """Return λ (‖W_u‖² + ‖W_m‖²), its slopes added."""
        squares = torch.zeros_like(self.towers.weights[0][0, 0, 0])
        for weights, slopes in zip(self.towers.weights, self.towers.weight_slopes, strict=True):
            slopes.add_(weights, alpha=2 * self.penalty)
            squares += torch.dot(weights.view(-1), weights.view(-1))
        return squares * self.penalty


def _loss(
    parameters: FlatParameters,
    sides: tuple[Side, Side],
    examples: Examples,
    settings: TowerSettings,
    kept: NDArray[np.int64],
) -> TowerLoss:
    like = parameters.flat.detach()
    targets = torch.from_numpy(examples.targets).to(like)
    if settings.loss == "squared":
        return SquaredLoss(targets)
    if settings.loss == "cross_entropy":
        return CrossEntropy(targets, parameters)
    counts = np.bincount(examples.item_idx[kept], minlength=sides[1].features.shape[0])
    # An item that only held-out examples have counts as met once.
    shares = torch.from_numpy(np.maximum(counts, 1) / kept.size).to(like)
    return InBatchSoftmax(torch.from_numpy(examples.item_idx).to(like.device), shares, settings.temperature)


def _first(
    sides: tuple[Side, Side], settings: TowerSettings, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    arrays = random_layers([side.n_inputs(settings.id_dim) for side in sides], settings.layers, rng)
    for side, name in zip(sides, ID_TABLES, strict=True):
        if side.has_id is not None:
            ids = rng.standard_normal((side.has_id.size, settings.id_dim), np.float32)
            arrays[name] = ids * np.float32(1 / np.sqrt(settings.id_dim)) * side.has_id[:, None]
    if settings.loss == "cross_entropy":
        arrays |= _scale_and_shift(FIRST_SCALE, 0.0)
    return arrays


def _scale_and_shift(scale: float, shift: float) -> dict[str, NDArray[np.float32]]:
    return {"log_scale": np.log(np.array([scale], np.float32)), "shift": np.array([shift], np.float32)}


def _taken_over(start: TrainedTowers) -> dict[str, NDArray[np.float32]]:
    arrays: dict[str, NDArray[np.float32]] = {}
    both = [start.user.layers, start.item.layers]
    for at in range(len(both[0].weights)):
        own = [layers.weights[at] for layers in both]
        stacked = np.zeros((2, max(map(len, own)), own[0].shape[1]), np.float32)
        for side, weights in enumerate(own):
            stacked[side, : len(weights)] = weights
        arrays[f"weights_{at}"] = stacked
        arrays[f"biases_{at}"] = np.stack([layers.biases[at][None] for layers in both])
    ids = {name: tower.ids for name, tower in zip(ID_TABLES, (start.user, start.item), strict=True)}
    arrays |= {name: table for name, table in ids.items() if table is not None}
    return arrays | _scale_and_shift(start.scale, start.shift)


def _trained(parameters: FlatParameters, n_inputs: list[int], settings: TowerSettings) -> TrainedTowers:
    arrays = parameters.arrays()
    sides = split_layers(arrays, n_inputs, len(settings.layers))
    user, item = (
        Tower(DenseLayers(*layers), arrays.get(name)) for layers, name in zip(sides, ID_TABLES, strict=True)
    )
    if settings.loss != "cross_entropy":
        return TrainedTowers(user, item, 1.0, 0.0)
    return TrainedTowers(user, item, float(np.exp(arrays["log_scale"][0])), float(arrays["shift"][0]))
