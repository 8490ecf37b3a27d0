"""The values that a rule on a column names, and what they are among the labels of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.columns import nearest
from shortlist.data.row_labels import RowLabels
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.id_lists import OnUnknownId


def one_choice(
    who: str, values: Sequence[str] | None, user_column: str | None
) -> tuple[list[str] | None, str | None]:
    """Return `values` as a list, and `user_column`. Raises `ParameterError` unless just one of them is given."""
    if (values is None) == (user_column is None):
        raise ParameterError(f"{who} needs values= or user_column=, and not both")
    if values is None:
        return None, user_column
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise ParameterError(f"{who}: values must be a list of texts, got {values!r}")
    if not values:
        raise ParameterError(f"{who}: values is empty; leave the rule out")
    return list(dict.fromkeys(values)), None


def codes_of(values: Sequence[str], labels: Sequence[str]) -> NDArray[np.int32]:
    """Return int32[m], ascending: the positions in `labels` of the values that are there."""
    place = {label: at for at, label in enumerate(labels)}
    return np.array(sorted(place[value] for value in values if value in place), np.int32)


def require_values(
    values: Sequence[str] | None, labels: Sequence[str], column: str, on_unknown: OnUnknownId, who: str
) -> None:
    """Raise `DataError` naming the values that no item has, unless `on_unknown` is "skip"."""
    known = set(labels)
    unknown = [value for value in values or () if value not in known]
    if unknown and on_unknown == "raise":
        raise DataError(
            f"{who}: no item has the {column} {', '.join(map(repr, unknown))}{nearest(unknown[0], labels)}; "
            f"there are {len(labels)}, such as {', '.join(map(repr, labels[:5])) or 'none'}; "
            'on_unknown="skip" takes it for a category without items'
        )


def users_by(dataset: Dataset, user_column: str | None, who: str) -> RowLabels:
    """Return the labels of all users in `user_column`; none of anybody where the rule goes by no such column."""
    if user_column is not None:
        return RowLabels.of(dataset, "user", user_column, who)
    return RowLabels("", [], np.zeros(len(dataset.users) + 1, np.int64), np.zeros(0, np.int32))
