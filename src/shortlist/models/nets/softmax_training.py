"""The net of SoftmaxNet as PyTorch trains it: people's vectors from sums of embeddings and layers, against the items.

    z = constant + id + mean over the history's items of their embeddings + features · weights
    ψ = z, or W_k relu(… relu(W_1 relu(z) + b_1) …) + b_k;    s_i = ψ · v_i + c_i

with ψ and v at length 1 and ψ divided by the temperature where scores are cosines. What is learnt of a person is either
all their items, or, where the history enters, a part drawn anew in each epoch: the others are the history then, so that
no item is in its own input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from shortlist.models.nets.softmax_loss import Loss, Targets, loss_among, loss_beside, summed_loss
from shortlist.models.nets.softmax_sampling import inclusion, inclusion_in_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from shortlist.models.nets.flat_parameters import FlatParameters

Negatives = Literal["all", "uniform", "popularity", "in_batch"]


@dataclass(frozen=True, eq=False)
class People:
    """The rows to learn from: what each likes, CSR [n, n_items], at least one; their features CSR [n, f], or None."""

    liked: sparse.csr_array
    features: sparse.csr_array | None = None


@dataclass(frozen=True)
class Objective:
    """What is learnt, as the parameters of `SoftmaxNet` of the same names say; `cosine` for similarity="cosine".

    history: the table that embeds the items of a history, "history" or "items"; None where there is none.
    """

    cosine: bool
    temperature: float
    negatives: Negatives
    n_negatives: int
    popularity_exponent: float
    logq: bool
    target_fraction: float
    batch_size: int
    history: str | None
    row_exponent: float


class Entries(NamedTuple):
    """The entries of some rows of a sparse matrix: row int64[m] among them, column int64[m], value float32[m] or 1s."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float32] | None = None


class SoftmaxTraining:
    """The loss of rows of people, and its gradient.

    `parameters` has "constant" [1, w], "items" [n_items, dim] and, where they are used, "ids" [n, w], "history"
    [n_items, w], "features" [f, w], "offsets" [n_items], and of each layer k from 1 "weights k" and "biases k".
    """

    def __init__(
        self, parameters: FlatParameters, people: People, objective: Objective, rng: np.random.Generator
    ) -> None:
        self.parameters, self.people, self.objective, self.rng = parameters, people, objective, rng
        self.n_items = parameters["items"].shape[0]
        self.n_layers = sum(name.startswith("biases") for name in parameters)
        self.q = self._inclusion()
        length = np.diff(people.liked.indptr).astype(np.float64)
        importance = self._tensor(length**-objective.row_exponent)
        self.importance = importance.to(parameters["items"].dtype)

    def _inclusion(self) -> NDArray[np.float64]:
        """Return how likely each item is in the sample of a step."""
        counts = np.bincount(self.people.liked.indices, minlength=self.n_items)
        goal = self.objective
        if goal.negatives == "all":
            return np.ones(self.n_items)
        if goal.negatives == "in_batch":
            return inclusion_in_batch(counts, self.people.liked.shape[0], goal.batch_size)
        exponent = goal.popularity_exponent if goal.negatives == "popularity" else 0.0
        return inclusion(np.maximum(counts, 1).astype(np.float64) ** exponent, goal.n_negatives)

    def loss_of(self, rows: Tensor) -> Tensor:
        """Return the mean loss of the targets of `rows` int64[b], and add its gradient to that of the parameters."""
        history, targets = self.parted(_entries(self.people.liked, rows))
        people = self.vectors(rows, history)
        columns, loss = self._against_sample(people, targets, rows)
        scale = 1 / float(self.importance[rows][self._tensor(targets.row)].sum())
        given = [(people, loss.people), *columns]
        torch.autograd.backward(
            [tensor for tensor, _ in given if tensor.requires_grad],
            [gradient * scale for tensor, gradient in given if tensor.requires_grad],
        )
        return loss.total * scale

    def parted(self, entries: Entries) -> tuple[Entries, Entries]:
        """Return the history and the targets among what people like; without a history all are targets.

        Of each row a share of about `target_fraction` are targets, drawn with `rng`, at least one.
        """
        if self.objective.history is None:
            return Entries(*np.zeros((2, 0), np.int64)), entries
        draw = self.rng.random(entries.row.size)
        least = np.minimum.reduceat(draw, np.flatnonzero(np.diff(entries.row, prepend=-1)))
        is_target = (draw < self.objective.target_fraction) | (draw == least[entries.row])
        return tuple(Entries(entries.row[at], entries.column[at]) for at in (~is_target, is_target))  # type: ignore[return-value]

    def vectors(self, rows: Tensor, history: Entries) -> Tensor:
        """Return the vectors [b, dim] of rows of people, at the temperature, with these events as their history."""
        n, table = len(rows), self.parameters
        z = table["constant"].expand(n, -1)
        if "ids" in table:
            z = z + self._rows("ids", rows)
        if "features" in table:
            z = z + self._sums("features", _entries(self.people.features, rows), n)
        if self.objective.history is not None:
            length = np.bincount(history.row, minlength=n)
            share = (1 / np.maximum(length, 1))[history.row].astype(np.float32)
            z = z + self._sums(self.objective.history, history._replace(value=share), n)
        for layer in range(1, self.n_layers + 1):
            z = z.relu() @ table[f"weights {layer}"] + table[f"biases {layer}"]
        return self._unit(z) / self.objective.temperature

    @torch.no_grad()
    def validation_loss(self, held_back: sparse.csr_array) -> float:
        """Return the mean full softmax loss of items held back, CSR [n, n_items], all that was learnt from as history.

        Cost: 2 n n_items dim operations.
        """
        rows = np.flatnonzero(np.diff(held_back.indptr))
        columns, offsets = self._unit(self.parameters["items"]), self._offsets(None)
        total = weight = 0.0
        for start in range(0, rows.size, self.objective.batch_size):
            batch = torch.from_numpy(rows[start : start + self.objective.batch_size]).to(columns.device)
            people = self.vectors(batch, _entries(self.people.liked, batch))
            targets = _entries(held_back, batch)
            weight += float(self.importance[batch][self._tensor(targets.row)].sum())
            total += float(
                summed_loss(people, columns, offsets, self._targets(targets, targets.column, batch))
            )
        return total / weight

    def _against_sample(
        self, people: Tensor, targets: Entries, rows: Tensor
    ) -> tuple[list[tuple[Tensor, Tensor]], Loss]:
        """Return tensors beside `people` with the gradients that the loss has by them, and the loss."""
        p = people.detach()
        if self.objective.negatives in ("uniform", "popularity"):
            return self._against_drawn(p, targets, rows)
        chosen, at = None, targets.column
        if self.objective.negatives == "in_batch":  # each item once, however many have it
            chosen, at = np.unique(targets.column, return_inverse=True)
        vectors, offsets = self._columns(chosen)
        loss = loss_among(p, vectors.detach(), offsets.detach(), self._targets(targets, at, rows))
        return [(vectors, loss.columns), (offsets, loss.offsets)], loss

    def _against_drawn(
        self, p: Tensor, targets: Entries, rows: Tensor
    ) -> tuple[list[tuple[Tensor, Tensor]], Loss]:
        chosen = np.flatnonzero(self.rng.random(self.n_items) < self.q)
        place = np.full(self.n_items, -1, np.int64)
        place[chosen] = np.arange(chosen.size)
        vectors, offsets = self._columns(chosen)
        index = self._tensor(targets.column)
        own, own_offsets = self._unit(self._rows("items", index)), self._offsets(index)
        found = self._targets(targets, place[targets.column], rows)
        loss = loss_beside(p, vectors.detach(), offsets.detach(), found, own.detach(), own_offsets.detach())
        assert loss.beside is not None
        assert loss.beside_offsets is not None
        given = [(vectors, loss.columns), (offsets, loss.offsets)]
        return [*given, (own, loss.beside), (own_offsets, loss.beside_offsets)], loss

    def _columns(self, chosen: NDArray[np.int64] | None) -> tuple[Tensor, Tensor]:
        """Return vectors and offsets of the chosen items, log q taken off where it is to be; None: of all items."""
        if chosen is None:
            return self._unit(self.parameters["items"]), self._offsets(None)
        index = self._tensor(chosen)
        offsets = self._offsets(index)
        if self.objective.logq:
            offsets = offsets - self._tensor(np.log(self.q[chosen])).to(offsets.dtype)
        return self._unit(self._rows("items", index)), offsets

    def _offsets(self, index: Tensor | None) -> Tensor:
        if "offsets" in self.parameters:
            offsets = self.parameters["offsets"]
            return offsets if index is None else offsets[index]
        n = self.n_items if index is None else len(index)
        return self.parameters["items"].new_zeros(n)

    def _targets(self, entries: Entries, at: NDArray[np.int64], rows: Tensor) -> Targets:
        ptr = np.searchsorted(entries.row, np.arange(entries.row[-1] + 2))
        return Targets(ptr.tolist(), self._tensor(entries.row), self._tensor(at), self.importance[rows])

    def _unit(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors, dim=1) if self.objective.cosine else vectors

    def _rows(self, name: str, index: Tensor) -> Tensor:
        table, gradient = self.parameters[name], self.parameters.gradient_of(name)
        return _Rows.apply(table, gradient, index)  # type: ignore[no-any-return, no-untyped-call]

    def _sums(self, name: str, entries: Entries, n: int) -> Tensor:
        """Return the sum [n, w] over the entries of each row of value · row of the table."""
        gathered = self._rows(name, self._tensor(entries.column))
        if entries.value is not None:
            gathered = gathered * self._tensor(entries.value)[:, None].to(gathered.dtype)
        return gathered.new_zeros(n, gathered.shape[1]).index_add(0, self._tensor(entries.row), gathered)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.parameters.device)


class _Rows(torch.autograd.Function):
    """Rows of a large table, whose gradient is added to that of these rows alone, not made for the whole table."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, gradient: Tensor, index: Tensor) -> Tensor:
        """Return table[index]; `gradient` is where the table's gradient is gathered."""
        ctx.save_for_backward(index)
        ctx.gradient = gradient
        return table.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None]:
        """Add the gradient of the rows."""
        (index,) = ctx.saved_tensors
        ctx.gradient.index_add_(0, index, gradients[0])
        return None, None, None


def _entries(matrix: sparse.csr_array | None, rows: Tensor) -> Entries:
    """Return the entries of `rows` of the matrix, row by row in the stored order."""
    assert matrix is not None
    index = rows.cpu().numpy()
    start = matrix.indptr[index].astype(np.int64)
    length = matrix.indptr[index + 1] - start
    end = np.cumsum(length)
    at = np.arange(end[-1] if end.size else 0) + np.repeat(start - end + length, length)
    row = np.repeat(np.arange(index.size), length)
    return Entries(row, matrix.indices[at].astype(np.int64), matrix.data[at])
