"""Popular: the same well-liked items for everybody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shortlist.data.recommendations import popular_reason
from shortlist.errors import ParameterError
from shortlist.models.popularity import Popularity
from shortlist.models.stage import Stage
from shortlist.parameters import whole
from shortlist.stages import Candidates

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.stages import Request


class Popular(Stage):
    """Proposes the `k` most popular items that the user may be shown, by `model` (default: `Popularity()`, counts).

    In a pipeline it is also what unknown users get with `on_unknown="fallback"`.
    """

    model: Popularity

    def __init__(self, k: int = 20, model: Popularity | None = None, name: str | None = None) -> None:
        chosen = Popularity() if model is None else model
        if not isinstance(chosen, Popularity):
            raise ParameterError(f"Popular(model=…) takes a Popularity, got {model!r}")
        self._set(chosen, name)
        self.k = whole("k", k, least=1)

    def _prepare(self, _dataset: Dataset) -> None:
        """Nothing to derive."""

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, most popular first."""
        return Candidates.from_lists(self.model.most_popular(replace(request, k=self.k)), self.name)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        return popular_reason(n_liked)
