"""A session: somebody of whom nothing is known but a few items and perhaps features, as a dataset of one person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shortlist.data.columns import nearest
from shortlist.data.dataset import Dataset
from shortlist.data.features import DTYPES, ID, FeatureKind, FeatureTable
from shortlist.data.interactions import Interactions
from shortlist.data.memory import microseconds
from shortlist.data.vocabulary import Vocabulary, id_series
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shortlist.data.memory import Memory, Moment
    from shortlist.data.vocabulary import Id

# The id of the one person.
SESSION = "session"


def session_of(
    items: Iterable[Id],
    features: Mapping[str, Any] | None,
    memory: Memory,
    kinds: Mapping[str, FeatureKind],
    *,
    at: Moment | None = None,
    skip_unknown: bool = False,
) -> Dataset:
    """Return a dataset of one person, `SESSION`, who likes `items`, the oldest first, each a positive event of now.

    - features: by the name of a column, of those in `kinds`
    - at: now; the last event of `memory` where None
    - skip_unknown: leave out items that `memory` does not know

    The value of an event is the least that is positive. Raises `UnknownIdError` naming unknown items,
    `ParameterError` for a column that there is not (with the nearest) and for a value of another kind.
    """
    item_idx = (
        memory.items.index_of(id_series(items)) if skip_unknown else memory.items.require(items, "item")
    )
    item_idx = item_idx[item_idx >= 0]
    value = 1.0 if memory.feedback.positive_from is None else memory.feedback.positive_from
    now = memory.now if at is None else microseconds(at)
    times = None if memory.history.timestamp is None or now is None else np.full(item_idx.size, now, np.int64)
    log = Interactions.of(
        np.zeros(item_idx.size, np.int32),
        item_idx,
        np.full(item_idx.size, value, np.float32),
        times,
        1,
        len(memory.items),
        memory.feedback,
    )
    table = None if features is None else _table(features, kinds)
    return Dataset(log, Vocabulary.of([SESSION]), memory.items, table, name=SESSION)


def _table(features: Mapping[str, Any], kinds: Mapping[str, FeatureKind]) -> FeatureTable:
    """Return the one row of `features`, with the columns of `kinds`, null where nothing is given."""
    for name in features:
        if name not in kinds:
            raise ParameterError(
                f"features: the users in the data have no {name!r}{nearest(name, list(kinds))}; "
                f"there are: {', '.join(kinds) or 'none'}"
            )
    cells = {name: _cell(name, features.get(name), kind) for name, kind in kinds.items()}
    columns = [pl.Series(name, [cell], dtype=DTYPES[kinds[name]]) for name, cell in cells.items()]
    return FeatureTable(pl.DataFrame([pl.Series(ID, [SESSION]), *columns]), kinds)


def _cell(name: str, value: object, kind: FeatureKind) -> object:
    """Return `value` as a cell of a column of `kind`."""
    if value is None:
        return None
    if kind == "numeric" and isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return float(value)
    if kind == "time" and isinstance(value, str | datetime):
        return datetime.fromtimestamp(microseconds(value) / 1e6, UTC)
    if kind == "tags" and isinstance(value, list | tuple | set | frozenset):
        return [_text(name, one) for one in value]
    if kind == "tags":
        return [_text(name, value)]
    if kind in ("categorical", "text"):
        return _text(name, value)
    raise ParameterError(f"features: {name} is {kind}, and {value!r} is none")


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    raise ParameterError(f"features: {name} must be a text, got {value!r}")
