"""Disliked: what the user rated badly is not shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.models.stage import Stage
from shortlist.stages import Forbidden

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.stages import Request


@final
class Disliked(Stage):
    """Forbids what the user's last event with an item says they did not like: below the positive threshold.

    Goes by the history of the request, so also for people who were folded in, and also with `exclude_seen=False`,
    where lists may hold what the user knows. Who came to like an item later may be shown it again; events at the same
    time count in the order of the log. Cost: a sort of the user's events.
    """

    goes_by_history: ClassVar[bool] = True

    def __init__(self, name: str | None = None) -> None:
        self._set(None, name)

    def _prepare(self, _dataset: Dataset) -> None:
        """Nothing to derive: the history of the request says it."""

    def forbids(self, request: Request) -> Forbidden:
        """Return the pairs of users and items they disliked."""
        past = request.history
        newest_first = np.arange(past.item_idx.size)[::-1]
        key = (past.row * max(request.eligible.item_rule.size, 1) + past.item_idx)[newest_first]
        _, first = np.unique(key, return_index=True)
        last = newest_first[first]
        disliked = last[~past.positive[last]]
        return Forbidden(row=past.row[disliked], item_idx=past.item_idx[disliked])
