"""UserLabelSets: which of the items' labels the users of a request have, as sets that users share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.row_labels import RowLabels
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.stages import Request


class UserLabelSets:
    """The labels of the users of the data, as labels of items.

    A label of a user that no item has matches nothing; that is not the same as a user of whom no label is known.
    """

    def __init__(self, users: RowLabels, item_labels: Sequence[str]) -> None:
        self._said: NDArray[np.bool_] = np.diff(users.ptr) > 0
        self._labels = relabelled(users, item_labels)

    def of(self, request: Request) -> tuple[NDArray[np.int32], list[NDArray[np.int32] | None]]:
        """Return int32[n], the position of each user's set, and the distinct sets: codes of items' labels, ascending.

        None is the set of those of whom nothing is known. Cost: O(n) plus the labels of the users.
        """
        labels = self._labels.of_request(request)
        said, ptr = self._said_by(request).tolist(), labels.ptr.tolist()
        place: dict[bytes | None, int] = {}
        sets: list[NDArray[np.int32] | None] = []
        user_class = np.empty(len(request), np.int32)
        for row, known in enumerate(said):
            codes = labels.code[ptr[row] : ptr[row + 1]] if known else None
            key = None if codes is None else codes.tobytes()
            if key not in place:
                place[key] = len(sets)
                sets.append(codes)
            user_class[row] = place[key]
        return user_class, sets

    def _said_by(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: of whom a label is known, be it one that no item has."""
        inside = request.user_idx >= 0
        said = np.zeros(len(request), bool)
        said[inside] = self._said[request.user_idx[inside]]
        given = request.features.get(self._labels.column)
        if given is not None:
            for row in np.flatnonzero(~inside).tolist():
                said[row] = _says_something(given[row])
        return said


def relabelled(rows: RowLabels, labels: Sequence[str]) -> RowLabels:
    """Return `rows` with codes in `labels` (sorted as theirs are); labels that are not there are left out."""
    place = {label: at for at, label in enumerate(labels)}
    moved = np.array([place.get(label, -1) for label in rows.labels], np.int32)
    code = moved[rows.code] if rows.code.size else rows.code
    kept = code >= 0
    ptr = offsets(np.bincount(rows.row[kept], minlength=len(rows)))
    return RowLabels(rows.column, labels, ptr, code[kept])


def _says_something(value: object) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_says_something, value))
    return value is not None and not (isinstance(value, float | np.floating) and bool(np.isnan(value)))
