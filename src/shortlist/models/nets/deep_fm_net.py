"""The net of DeepFM and its training: a factorisation machine and layers over the same embeddings.

Symbols: x a row of columns, v embedding and w weight of a column, e_F = Σ v x over the columns of field F.

    score = w₀ + Σ w x + ½ (‖Σ v x‖² − Σ ‖v‖² x²) + w · relu(W_L … relu(W₁ [e_1; e_2; …] + b₁) … + b_L)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from shortlist.errors import NonFiniteError
from shortlist.models.nets.device import device_of
from shortlist.models.nets.flat_parameters import FlatParameters
from shortlist.models.nets.training import DIVERGED, train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from shortlist.models.deep_fm_examples import Examples, Learning
    from shortlist.models.nets.training import History, Schedule

    Values = Mapping[str, NDArray[np.float32]]
    OnTrained = Callable[[int, float, float | None, Callable[[], Values]], object]
# Rows whose validation loss is computed at once.
HELD_A_BATCH = 1 << 14


class DeepFMNet:
    """The score as PyTorch computes it, with gradients.

    `parameters` has "table" [n_columns, dim + 1] (v, then w), "bias" [1], and of each layer k "weights k" [n_in, n_out]
    and "biases k" [n_out]; "output" [n_out of the last] where there are layers.
    """

    def __init__(self, parameters: FlatParameters, examples: Examples) -> None:
        self.parameters = parameters
        self.dim = parameters["table"].shape[1] - 1
        dtype, device = parameters["table"].dtype, parameters.device
        rows = (examples.users, examples.items, examples.moments)
        self.sides = [
            _Side(matrix, fields, dtype, device) for matrix, fields in zip(rows, examples.fields, strict=True)
        ]
        self.n_layers = sum(name.startswith("biases") for name in parameters)

    def parts(self, users: Tensor, items: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
        """Return [b, n_fields, dim + 1] (e and the sum of w x of each field) and Σ ‖v‖² x² [b] of rows int64[b]."""
        table = self.parameters["table"]
        sums, squares = [], []
        for side, rows in zip(self.sides, (users, items, moments), strict=True):
            if side.n_fields:
                column, value, field = side.entries(rows)
                # Rows picked and added one by one: much faster here than sums of bags, backward too.
                brought = table.index_select(0, column) * value[:, None]
                nothing = table.new_zeros(len(rows) * side.n_fields, table.shape[1])
                sums.append(nothing.index_add(0, field, brought).view(len(rows), side.n_fields, -1))
                own = brought[:, : self.dim].square().sum(dim=1)
                row = field.div(side.n_fields, rounding_mode="floor")
                squares.append(table.new_zeros(len(rows)).index_add(0, row, own))
        return torch.cat(sums, dim=1), torch.stack(squares).sum(dim=0)

    def scores(self, parts: tuple[Tensor, Tensor], drop: _Dropout | None = None) -> Tensor:
        """Return the scores [b] of what `parts` returned."""
        sums, own = parts
        embedded, linear = sums[:, :, : self.dim], sums[:, :, self.dim]
        square = embedded.sum(dim=1).square().sum(dim=1)
        score = self.parameters["bias"] + linear.sum(dim=1) + (square - own) / 2
        if not self.n_layers:
            return score
        unit = embedded.flatten(1)
        for layer in range(1, self.n_layers + 1):
            unit = (unit @ self.parameters[f"weights {layer}"] + self.parameters[f"biases {layer}"]).relu()
            unit = unit if drop is None else drop(unit)
        return score + unit @ self.parameters["output"]


class _Side:
    """Encoded rows in the form that sums of embeddings are taken from: the entries of each row, field by field."""

    def __init__(
        self,
        matrix: sparse.csr_array,
        fields: Sequence[tuple[int, int]],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.n_fields = len(fields)
        ends = np.array([end for _, end in fields], np.int64)
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        key = row * self.n_fields + np.searchsorted(ends, matrix.indices, side="right")
        length = np.bincount(key, minlength=matrix.shape[0] * self.n_fields).reshape(
            -1, max(self.n_fields, 1)
        )
        self.length = torch.from_numpy(length).to(device)
        self.start = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)
        self.column = torch.from_numpy(matrix.indices.astype(np.int64)).to(device)
        self.value = torch.from_numpy(matrix.data).to(device, dtype)

    def entries(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return columns [e] and values [e] of the rows, and which of the b · F fields of the rows each is in [e]."""
        length = self.length[rows]
        of_row = length.sum(dim=1)
        before = of_row.cumsum(0) - of_row
        n_entries = int(of_row.sum())
        shift = torch.repeat_interleave(self.start[rows] - before, of_row, output_size=n_entries)
        at = torch.arange(n_entries, device=rows.device) + shift
        field = torch.arange(length.numel(), device=rows.device)
        field = torch.repeat_interleave(field, length.flatten(), output_size=n_entries)
        return self.column[at], self.value[at], field


class _Dropout:
    """Leaves out units at random, by a generator of its own."""

    def __init__(self, share: float, rng: np.random.Generator, device: torch.device) -> None:
        self.share = share
        self.generator = torch.Generator(device=device)
        self.generator.manual_seed(int(rng.integers(2**63)))

    def __call__(self, unit: Tensor) -> Tensor:
        drawn = torch.rand(unit.shape, generator=self.generator, device=unit.device, dtype=unit.dtype)
        return unit * (drawn >= self.share) / (1 - self.share)


class DeepFMLoss:
    """The mean loss of rows of the examples, with what is drawn for them."""

    def __init__(
        self, net: DeepFMNet, examples: Examples, learning: Learning, rng: np.random.Generator
    ) -> None:
        self.net, self.learning, self.rng = net, learning, rng
        device, dtype = net.parameters.device, net.parameters["table"].dtype
        self.user_idx, self.item_idx = examples.user_idx, examples.item_idx
        self.user = torch.from_numpy(examples.user_idx).to(device)
        self.item = torch.from_numpy(examples.item_idx).to(device)
        self.target = torch.from_numpy(examples.target).to(device, dtype)
        self.n_items = examples.items.shape[0]
        self.taken = np.unique(examples.user_idx * self.n_items + examples.item_idx)
        self.drop = _Dropout(learning.dropout, rng, device) if learning.dropout > 0 else None

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the loss of a step on rows int64[b]."""
        return self._loss(*self._with_negatives(rows, self.rng), self.drop)

    def on_held(self, held: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> Validation:
        """Return a function that gives the mean loss, without penalty, of the rows `held`."""
        rows = torch.from_numpy(held).to(self.user.device)
        return Validation(self, [self._with_negatives(part, rng) for part in torch.split(rows, batch_size)])

    def plain(self, users: Tensor, items: Tensor, moments: Tensor, target: Tensor) -> Tensor:
        """Return the loss [b] of each row, without penalty."""
        return self._each(self.net.scores(self.net.parts(users, items, moments)), target)

    def _loss(
        self, users: Tensor, items: Tensor, moments: Tensor, target: Tensor, drop: _Dropout | None
    ) -> Tensor:
        parts = self.net.parts(users, items, moments)
        loss = self._each(self.net.scores(parts, drop), target).mean()
        return loss + self.learning.reg / 2 * parts[0].square().sum(dim=(1, 2)).mean()

    def _each(self, score: Tensor, target: Tensor) -> Tensor:
        if self.learning.objective == "squared":
            return (score - target).square()
        return functional.binary_cross_entropy_with_logits(score, target, reduction="none")

    def _with_negatives(
        self, rows: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return users, items, moments and targets of the rows, with the negatives drawn for them behind."""
        users, items, target = self.user[rows], self.item[rows], self.target[rows]
        if self.learning.objective != "negatives":
            return users, items, rows, target
        again = rows.repeat_interleave(self.learning.n_negatives)
        drawn = rng.choice(self.learning.drawn, again.numel())
        key = self.user_idx[again.cpu().numpy()] * self.n_items + drawn
        at = np.searchsorted(self.taken, key)
        free = torch.from_numpy(np.append(self.taken, -1)[at] != key).to(rows.device)
        others = torch.from_numpy(drawn).to(rows.device)[free]
        again = again[free]
        return (
            torch.cat([users, self.user[again]]),
            torch.cat([items, others]),
            torch.cat([rows, again]),
            torch.cat([target, torch.zeros_like(others, dtype=target.dtype)]),
        )


class Validation:
    """The mean loss of batches (users, items, moments, targets) that stay the same."""

    def __init__(self, loss: DeepFMLoss, batches: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> None:
        self.loss, self.batches = loss, batches

    def __call__(self) -> float:
        """Return the mean loss now."""
        total = sum(float(self.loss.plain(*batch).double().sum()) for batch in self.batches)
        return total / sum(len(batch[0]) for batch in self.batches)


def train_deep_fm(
    values: Values,
    examples: Examples,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    learning: Learning,
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    device: str,
    on_epoch: OnTrained,
) -> tuple[Values, History]:
    """Return what `values`, the first ones, are trained to, and how it went (`train`).

    Trained is on the first of `rows`, with early stopping by the second where it has any. `on_epoch` is also given a
    function that returns the values as the epoch left them. Raises as `train`, and `NonFiniteError` for a mean loss
    beyond ten times that of the first values.
    """
    learned, held = rows
    parameters = FlatParameters(values, device_of(device))
    loss = DeepFMLoss(DeepFMNet(parameters, examples), examples, learning, rng)
    numbers = torch.from_numpy(learned).to(parameters.device)
    with torch.no_grad():
        most = DIVERGED * max(float(loss(numbers[:HELD_A_BATCH])), schedule.negligible)

    def ended(epoch: int, mean: float, check: float | None) -> None:
        # `train` compares with the first epoch, whose own steps may have gone far astray.
        if mean > most:
            raise NonFiniteError(
                f"the mean loss is {mean:g} in epoch {epoch}, more than {DIVERGED:g} times that before the first step. "
                f"Lower learning_rate ({schedule.learning_rate:g}), and look for huge values in the features"
            )
        on_epoch(epoch, mean, check, parameters.arrays)

    history = train(
        parameters,
        lambda batch: loss(numbers[batch]),
        learned.size,
        schedule,
        rng,
        validate=loss.on_held(held, HELD_A_BATCH, rng) if held.size else None,
        on_epoch=ended,
    )
    return parameters.arrays(), history
