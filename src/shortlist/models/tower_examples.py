"""What two towers learn of a dataset: the loss that its values allow, and the pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import DataError
from shortlist.models.tower_parts import Examples

if TYPE_CHECKING:
    from shortlist.data.feedback import Feedback
    from shortlist.data.interactions import Interactions
    from shortlist.models.tower_pairs import TargetScale
    from shortlist.models.tower_parts import TowerLoss

LOSS_OF: dict[str, TowerLoss] = {"ratings": "squared", "binary": "cross_entropy", "events": "softmax"}


def loss_of(chosen: TowerLoss | None, feedback: Feedback) -> TowerLoss:
    """Return the loss for values of that kind; raise `DataError` where the chosen one needs values that differ."""
    loss = chosen or LOSS_OF[feedback.kind]
    if feedback.kind == "events" and loss != "softmax":
        raise DataError(
            f'loss="{loss}" needs values that differ, ratings or labels, and these are events: loss="softmax"'
        )
    return loss


def examples_of(log: Interactions, loss: TowerLoss, scale: TargetScale) -> Examples:
    """Return the pairs to train on, the last of several values of one counting; raise `DataError` for none."""
    pairs = (log.where(log.positive) if loss == "softmax" else log).matrix("last").tocoo()
    if pairs.nnz == 0:
        raise DataError(f"none of the {len(log)} {log.feedback.kind} is positive")
    targets = scale.to_unit(pairs.data.astype(np.float64))
    if loss == "cross_entropy":
        targets = log.feedback.is_positive(pairs.data).astype(np.float32)
    return Examples(pairs.row.astype(np.int64), pairs.col.astype(np.int64), targets)
