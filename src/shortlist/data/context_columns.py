"""Context columns of the event log as features: a feature table of their rows, of one request, and made from times."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shortlist.data.cells import TEXT
from shortlist.data.features import DTYPES, ID, FeatureTable
from shortlist.data.memory import microseconds
from shortlist.data.time_encodings import WORDS, place_of
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureKind


# The context of events, as the layers that know no frames name it.
ContextFrame = pl.DataFrame


def context_kind(column: pl.Series) -> FeatureKind | None:
    """Return the kind of feature that a context column is by its dtype; None where it holds nothing at all.

    Text and true or false are categorical, numbers numeric, dates and times time, lists of text tags.
    Raises `DataError` for another type.
    """
    dtype = column.dtype
    if dtype == pl.Null:
        return None
    if dtype in TEXT or dtype == pl.Boolean:
        return "categorical"
    if dtype.is_numeric():
        return "numeric"
    if dtype in (pl.Date, pl.Datetime):
        return "time"
    if isinstance(dtype, pl.List) and dtype.inner in TEXT:
        return "tags"
    raise DataError(
        f"the context column {column.name!r} is {dtype}, which is no kind of feature; make it text, a number or a time"
    )


def context_table(
    frame: pl.DataFrame, columns: Sequence[str], kinds: Mapping[str, FeatureKind] | None = None
) -> FeatureTable:
    """Return `columns` of the context `frame` as a feature table whose ids are the positions of the rows.

    `kinds` are those of an earlier table: a column that holds nothing takes its kind from it, else it is categorical.
    """
    if ID in columns:
        raise ParameterError(
            f"a context column cannot be called {ID!r} when it is a feature: rename the column"
        )
    found: dict[str, FeatureKind] = {
        name: context_kind(frame[name]) or (kinds or {}).get(name, "categorical") for name in columns
    }
    cells = [_as_kind(frame[name], kind) for name, kind in found.items()]
    rows = pl.Series(ID, np.arange(frame.height))
    return FeatureTable(pl.DataFrame([rows, *cells]), found)


def _as_kind(column: pl.Series, kind: FeatureKind) -> pl.Series:
    if kind == "numeric":
        return column.cast(pl.Float64).fill_nan(None)
    if kind == "time" and getattr(column.dtype, "time_zone", None) is None:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return column.cast(DTYPES[kind])


def request_table(context: Mapping[str, Any], kinds: Mapping[str, FeatureKind]) -> FeatureTable:
    """Return one row of what `context` says of the columns `kinds`; what it does not say, or says as None, is missing.

    A number belongs in a numeric column; a text, a whole number, true or false in a categorical one, where 9 is "9";
    a list of texts in one of tags; a text in one of texts; a datetime, ISO 8601 text or µs since 1970 in one of times.
    Raises `ParameterError` for another value or column, naming the column.
    """
    for name in context:
        if name not in kinds:
            raise ParameterError(f"no context column {name!r}; there are: {', '.join(kinds) or 'none'}")
    cells = [
        pl.Series(name, [_checked(name, kind, context.get(name))], dtype=DTYPES[kind])
        for name, kind in kinds.items()
    ]
    return FeatureTable(pl.DataFrame([pl.Series(ID, [0]), *cells]), kinds)


def _checked(name: str, kind: FeatureKind, value: object) -> Any:
    if value is None:
        return None
    read = {"numeric": _number, "categorical": _label, "tags": _labels, "text": _text, "time": _moment}
    found = read[kind](value)
    if found is None:
        wanted = {
            "numeric": "a finite number",
            "categorical": "a text, a whole number, true or false",
            "tags": "a list of texts",
            "text": "a text",
            "time": "a datetime, ISO 8601 text or microseconds since 1970",
        }[kind]
        raise ParameterError(f"context[{name!r}] is {kind} and must be {wanted}, got {value!r}")
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real) or math.isinf(value):
        return None
    return float(value)


def _label(value: object) -> str | None:
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return str(value) if isinstance(value, str | Integral) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _labels(value: object) -> list[str] | None:
    if isinstance(value, list | tuple) and all(isinstance(label, str) for label in value):
        return list(value)
    return None


def _moment(value: object) -> int | None:
    if not isinstance(value, datetime | str | int | np.integer):
        return None
    try:
        return microseconds(value)
    except ParameterError:
        return None


def with_time_parts(dataset: Dataset, parts: Sequence[str] = tuple(WORDS)) -> Dataset:
    """Return `dataset` with the parts of each event's time, in UTC, as context columns of these names.

    - "hour": "0" to "23"; "weekday": "Monday" to "Sunday"; "month": "January" to "December"

    They are words, so that a model takes each for a category of its own.
    Raises `DataError` for data without timestamps, `ParameterError` for another part and for a context column that is
    there already. O(m).
    """
    if isinstance(parts, str) or not set(parts) <= set(WORDS) or len(set(parts)) < len(parts):
        raise ParameterError(f"parts must be a list of some of {', '.join(WORDS)}, each once; got {parts!r}")
    log = dataset.interactions
    if log.timestamp is None:
        raise DataError(
            "these events have no timestamps, so there is no hour, weekday or month to take from them"
        )
    frame = pl.DataFrame() if log.context is None else log.context
    for part in parts:
        if part in frame.columns:
            raise ParameterError(
                f"there is a context column {part!r} already; rename it or leave the part out"
            )
    moment = pl.Series("moment", log.timestamp).cast(DTYPES["time"])
    added = [pl.Series(part, WORDS[part], dtype=pl.String).gather(place_of(part, moment)) for part in parts]
    columns = pl.DataFrame([*frame.get_columns(), *added]) if added else log.context
    return dataset.with_interactions(replace(log, context=columns))
