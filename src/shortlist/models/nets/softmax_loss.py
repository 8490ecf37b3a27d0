"""The softmax cross-entropy of a block of people against many items, with its gradients, a few products and no graph.

| symbol | meaning |
|---|---|
| P | [b, d] vectors of the people, already divided by the temperature |
| C | [c, d] vectors of the columns: all items, or a sample |
| s | [b, c] = P Cᵀ + a, with a [c] the offsets less what the sample's log q takes off |
| T_r | the targets of row r: the items that are to have a large probability |
| n_r, a_r | how many there are, and how much each counts |

    loss = Σ_r a_r (n_r ln Z_r − Σ_{i∈T_r} s_ri),    Z_r = Σ_c e^{s_rc}

The targets stand among the columns, or beside them: then Z_r = Σ_{i∈T_r} e^{s_ri} + Σ_{c∉T_r} e^{s_rc}, which takes the
columns that are targets of their row out of the sum (accidental hits), so that none counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

# Scores of one block: 16 MiB, far less than b rows of a large catalogue.
BLOCK_SCORES = 1 << 22


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of b rows, flat: row r has those from ptr[r] to ptr[r + 1], at least one.

    ptr: b + 1 whole numbers; row int64[p] that of each target; at int64[p] its column, −1 where it is none;
    importance [b]: a.
    """

    ptr: list[int]
    row: Tensor
    at: Tensor
    importance: Tensor

    def blocks(self, n_columns: int) -> Iterator[tuple[slice, slice]]:
        """Return blocks of rows and their targets, each of about `BLOCK_SCORES` scores."""
        n_rows, size = len(self.ptr) - 1, max(1, BLOCK_SCORES // max(n_columns, 1))
        for start in range(0, n_rows, size):
            stop = min(start + size, n_rows)
            yield slice(start, stop), slice(self.ptr[start], self.ptr[stop])


@dataclass(frozen=True, eq=False)
class Loss:
    """The summed loss, and its gradient by P, C and a; by the vectors and offsets of targets beside, where they are."""

    total: Tensor
    people: Tensor
    columns: Tensor
    offsets: Tensor
    beside: Tensor | None = None
    beside_offsets: Tensor | None = None


def loss_among(people: Tensor, columns: Tensor, offsets: Tensor, targets: Targets) -> Loss:
    """Return the loss where every target is a column. Cost: 6 b c d operations, `BLOCK_SCORES` numbers of memory."""
    weight, importance = _weights(targets), targets.importance[targets.row]
    of_people, of_columns, of_offsets = _no_gradients(people, columns, offsets)
    own = (people[targets.row] * columns[targets.at]).sum(dim=1) + offsets[targets.at]
    total = -(own @ importance)
    for rows, _ in targets.blocks(len(columns)):
        scores = torch.addmm(offsets, people[rows], columns.T)
        top = scores.amax(dim=1, keepdim=True)
        share = scores.sub_(top).exp_()
        z = share.sum(dim=1, keepdim=True)
        total += (weight[rows] * (z.log() + top)[:, 0]).sum()
        share.mul_(weight[rows, None] / z)
        _add_products(share, people[rows], columns, of_people[rows], of_columns, of_offsets)
    each = importance[:, None]
    of_people.index_add_(0, targets.row, columns[targets.at] * each, alpha=-1)
    of_columns.index_add_(0, targets.at, people[targets.row] * each, alpha=-1)
    of_offsets.index_add_(0, targets.at, importance, alpha=-1)
    return Loss(total, of_people, of_columns, of_offsets)


def loss_beside(
    people: Tensor,
    columns: Tensor,
    offsets: Tensor,
    targets: Targets,
    vectors: Tensor,
    own_offsets: Tensor,
) -> Loss:
    """Return the loss where the targets' `vectors` [p, d] and `own_offsets` [p] stand beside a sample of columns."""
    weight, importance = _weights(targets), targets.importance[targets.row]
    of_people, of_columns, of_offsets = _no_gradients(people, columns, offsets)
    own = (people[targets.row] * vectors).sum(dim=1) + own_offsets
    slope = torch.empty_like(own)
    total = -(own @ importance)
    for rows, pairs in targets.blocks(len(columns)):
        scores = torch.addmm(offsets, people[rows], columns.T)
        row = targets.row[pairs] - rows.start
        hide_hits(scores, row, targets.at[pairs])
        top = _largest(scores).scatter_reduce(0, row, own[pairs], "amax")[:, None]
        share = scores.sub_(top).exp_()
        own_share = (own[pairs] - top[row, 0]).exp()
        z = share.sum(dim=1, keepdim=True)
        z[:, 0].index_add_(0, row, own_share)
        total += (weight[rows] * (z.log() + top)[:, 0]).sum()
        factor = weight[rows, None] / z
        slope[pairs] = own_share * factor[row, 0] - importance[pairs]
        _add_products(share.mul_(factor), people[rows], columns, of_people[rows], of_columns, of_offsets)
    of_people.index_add_(0, targets.row, vectors * slope[:, None])
    return Loss(total, of_people, of_columns, of_offsets, people[targets.row] * slope[:, None], slope)


def summed_loss(people: Tensor, columns: Tensor, offsets: Tensor, targets: Targets) -> Tensor:
    """Return the summed loss of `loss_among` alone, at a third of its cost."""
    weight = _weights(targets)
    own = (people[targets.row] * columns[targets.at]).sum(dim=1) + offsets[targets.at]
    total = -(own @ targets.importance[targets.row])
    for rows, _ in targets.blocks(len(columns)):
        log_z = torch.addmm(offsets, people[rows], columns.T).logsumexp(dim=1)
        total += (weight[rows] * log_z).sum()
    return total


def hide_hits(scores: Tensor, row: Tensor, at: Tensor) -> None:
    """Set the scores [b, c] of columns `at` int64[p], targets of their `row` int64[p], to −∞; −1 is no column."""
    if scores.shape[1]:  # a sample can be empty
        hit = at >= 0
        scores[row[hit], at[hit]] = -torch.inf


def _largest(scores: Tensor) -> Tensor:
    """Return the largest score [b] of each row, −∞ where there are no columns."""
    return scores.amax(dim=1) if scores.shape[1] else scores.new_full((len(scores),), -torch.inf)


def _weights(targets: Targets) -> Tensor:
    """Return how much each row counts, [b]: as often as it has targets."""
    ptr = torch.tensor(targets.ptr, device=targets.row.device)
    return (ptr[1:] - ptr[:-1]) * targets.importance


def _no_gradients(people: Tensor, columns: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.zeros_like(people), torch.zeros_like(columns), torch.zeros_like(offsets)


def _add_products(
    slope: Tensor, people: Tensor, columns: Tensor, of_people: Tensor, of_columns: Tensor, of_offsets: Tensor
) -> None:
    """Add what the slopes of the scores [b, c] make of the gradients."""
    of_people.addmm_(slope, columns)
    of_columns.addmm_(slope.T, people)
    of_offsets.add_(slope.sum(dim=0))
