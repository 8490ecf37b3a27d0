"""Again: what a person chose before, for shops and players that people come back to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shortlist.errors import ParameterError
from shortlist.models.buy_again import BuyAgain
from shortlist.models.stage import Stage
from shortlist.parameters import whole
from shortlist.stages import Candidates

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.stages import Request


class Again(Stage):
    """Proposes the `k` items of the user's own past most worth repeating, by `model` (default: `BuyAgain()`).

    Ask with `exclude_seen=False`: what is seen may else not be shown, and nothing is proposed. Each item is its own
    anchor, which the reason says. The past is that of the request, so it serves people who are not in the data.
    """

    model: BuyAgain

    def __init__(self, k: int = 20, model: BuyAgain | None = None, name: str | None = None) -> None:
        chosen = BuyAgain() if model is None else model
        if not isinstance(chosen, BuyAgain):
            raise ParameterError(f"Again(model=…) takes a BuyAgain, got {model!r}")
        self._set(chosen, name)
        self.k = whole("k", k, least=1)

    def _prepare(self, _dataset: Dataset) -> None:
        """Nothing to derive."""

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, most worth repeating first."""
        lists = self.model.best_again(replace(request, k=self.k))
        return Candidates.from_lists(lists, self.name, lists.item_idx)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item; as its own anchor each has a reason that says more."""
        return "again: you chose this before"
