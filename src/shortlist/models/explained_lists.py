"""Explained lists: why each item is on a list of a single model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.explanation import Explanation, Told, explained, liked_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.recommendations import Recommendations
    from shortlist.stages import Request

    Contribute = Callable[[Request, NDArray[np.int32]], Contributions | None]


def explained_list(
    contribute: Contribute, request: Request, shown: Recommendations, row: int
) -> tuple[Explanation, ...]:
    """Return why each item is on the list at `row`; `contribute` says what scores are made of (`Model.contributions`).

    Popular lists, of people of whom nothing is known, are explained by their reasons.
    """
    part = slice(int(shown.lists.ptr[row]), int(shown.lists.ptr[row + 1]))
    told = [Told(reason) for reason in shown.reasons_of(row)]
    said = None
    if told and shown.user_ids[row] not in shown.fallback:
        said = contribute(request.rows(np.array([row])), shown.lists.item_idx[part])
    return explained(shown, row, liked_by(request, row), told, said)
