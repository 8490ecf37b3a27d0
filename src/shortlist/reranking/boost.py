"""Boost: items with a label are raised or lowered, and the trace says by how much and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.data.row_labels import RowLabels
from shortlist.errors import ParameterError
from shortlist.models.stage import Stage
from shortlist.reranking.score_spread import spread_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.stages import Candidates, Request


class Boost(Stage):
    """Adds an amount for each label that an item has in `column`, times the spread of the user's scores.

    - on: a categorical or tags feature of items
    - amounts: label → amount, a finite number; below 0 lowers. 1 puts the last candidate level with the first
    - name: what the trace calls it ("sponsored", "own brand"): a boost is never silent

    Raises `ParameterError` for a label that no item has.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("amount_",)

    amount_: NDArray[np.float64]

    def __init__(self, on: str, amounts: Mapping[str, float], *, name: str | None = None) -> None:
        self._set(None, name)
        self.on = on
        self.amounts = {str(label): _amount(label, amount) for label, amount in amounts.items()}
        if not self.amounts:
            raise ParameterError("Boost(amounts=…) names no label")

    @property
    def label(self) -> str:
        """Return what people are told of the boost: its name, or what it goes by."""
        return f"by its {self.on}" if self.name == type(self).__name__ else self.name

    def _prepare(self, dataset: Dataset) -> None:
        labels = RowLabels.of(dataset, "item", self.on, f"{self.name}(on={self.on!r})")
        unknown = [label for label in self.amounts if label not in labels.labels]
        if unknown:
            raise ParameterError(f"{self.name}: no item has {self.on} {unknown[0]!r}; {_some(labels.labels)}")
        amount = np.array([self.amounts.get(label, 0.0) for label in labels.labels])
        self.amount_ = np.bincount(labels.row, amount[labels.code], len(labels)).astype(np.float64)

    def adjust(self, _request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return the new scores float32[m]."""
        added = self.amount_[candidates.item_idx] * spread_of(candidates)[candidates.row]
        return (candidates.score + added).astype(np.float32)


def _amount(label: object, amount: object) -> float:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not np.isfinite(amount):
        raise ParameterError(f"amounts[{label!r}] must be a finite number, got {amount!r}")
    return float(amount)


def _some(labels: Sequence[str]) -> str:
    return f"there are {', '.join(map(repr, labels[:10]))}{' and more' if len(labels) > 10 else ''}"
