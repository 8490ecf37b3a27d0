"""What a two-tower model is trained on: each a function of a batch's vectors, with its slopes by hand.

u, v [b, d] are the vectors of users and items of the batch's rows, s_r = u_r · v_r. A loss writes ∂ loss / ∂ u and
∂ loss / ∂ v to `slope` [2, b, d] and adds those of its own parameters to their gradient; it returns the mean loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from shortlist.models.nets.flat_parameters import FlatParameters


class TowerLoss(Protocol):
    """The mean loss of some rows, and its slopes where `slope` is given."""

    def __call__(self, u: Tensor, v: Tensor, rows: Tensor, slope: Tensor | None) -> Tensor:
        """Return the mean loss of `rows` int64[b], a scalar."""


class SquaredLoss:
    """(s − t)², for `targets` t [m] that are scaled to [−1, 1]."""

    def __init__(self, targets: Tensor) -> None:
        self.targets = targets

    def __call__(self, u: Tensor, v: Tensor, rows: Tensor, slope: Tensor | None) -> Tensor:
        """Return the mean over `rows` of (s − t)²."""
        error = (u * v).sum(1) - self.targets[rows]
        if slope is not None:
            of_dot = (error * (2 / rows.numel()))[:, None]
            torch.mul(v, of_dot, out=slope[0])
            torch.mul(u, of_dot, out=slope[1])
        return torch.dot(error, error) / rows.numel()


class CrossEntropy:
    """−y ln p − (1 − y) ln(1 − p) with p = σ(e^a s + c), for `labels` y [m] of 0 and 1.

    a and c are the parameters "log_scale" and "shift" [1]: a cosine in [−1, 1] is no log-odds by itself, and a scale
    that stays above 0 leaves the order of the items to the vectors.
    """

    def __init__(self, labels: Tensor, parameters: FlatParameters) -> None:
        self.labels, self.parameters = labels, parameters
        self.log_scale, self.shift = parameters["log_scale"].detach(), parameters["shift"].detach()

    def __call__(self, u: Tensor, v: Tensor, rows: Tensor, slope: Tensor | None) -> Tensor:
        """Return the mean over `rows` of the cross-entropy."""
        labels = self.labels[rows]
        scaled = (u * v).sum(1).mul_(self.log_scale.exp())
        logit = scaled + self.shift
        if slope is not None:
            of_logit = (torch.sigmoid(logit) - labels) / rows.numel()
            self.parameters.gradient_of("log_scale").add_(torch.dot(of_logit, scaled))
            self.parameters.gradient_of("shift").add_(of_logit.sum())
            of_dot = of_logit.mul_(self.log_scale.exp())[:, None]
            torch.mul(v, of_dot, out=slope[0])
            torch.mul(u, of_dot, out=slope[1])
        return functional.binary_cross_entropy_with_logits(logit, labels)


class InBatchSoftmax:
    """−ln softmax of a row's own item among the items of the batch, its scores being s / temperature − ln q.

    q `shares` [n_items] is how often an item is drawn into a batch: without it popular items, which stand in most
    batches, would be pushed down as much as their rows pull them up (logQ; Bengio and Senécal 2008, Yi et al. 2019).
    It is taken off after the temperature, of the row's own item too, which is drawn like the others. An item that
    stands in another row of the batch as well is no negative of itself there: such hits are left out.
    """

    def __init__(self, item_idx: Tensor, shares: Tensor, temperature: float) -> None:
        self.item_idx, self.log_shares, self.temperature = item_idx, shares.log(), temperature

    def __call__(self, u: Tensor, v: Tensor, rows: Tensor, slope: Tensor | None) -> Tensor:
        """Return the mean over `rows` of the loss."""
        items = self.item_idx[rows]
        logits = torch.mm(u, v.T).div_(self.temperature).sub_(self.log_shares[items])
        hits = items[:, None] == items
        hits.fill_diagonal_(fill_value=False)
        logits.masked_fill_(hits, -torch.inf)
        log_chances = torch.log_softmax(logits, 1)
        loss = -log_chances.diagonal().mean()
        if slope is not None:
            chances = log_chances.exp_()
            chances.diagonal().sub_(1)
            chances.div_(self.temperature * rows.numel())
            torch.mm(chances, v, out=slope[0])
            torch.mm(chances.T, u, out=slope[1])
        return loss
