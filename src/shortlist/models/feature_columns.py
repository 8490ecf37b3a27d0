"""Which columns of a feature table a model factorises, and the encoder it keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from shortlist.data.features import FeatureTable


def checked_columns(name: str, chosen: object) -> bool | list[str]:
    """Return `chosen`: True, False or a list of names; raise `ParameterError` that names the parameter otherwise."""
    if isinstance(chosen, bool):
        return chosen
    if not isinstance(chosen, Sequence) or isinstance(chosen, str) or not chosen:
        raise ParameterError(f"{name} must be True, False or a list of columns, got {chosen!r}")
    if not all(isinstance(column, str) for column in chosen):
        raise ParameterError(f"{name} must be names of columns, got {list(chosen)!r}")
    return list(chosen)


def encoding_of(table: FeatureTable | None, chosen: bool | Sequence[str], what: str) -> dict[str, Any] | None:
    """Return the encoder of the chosen columns as plain values, None where none are; True is all but free text.

    `what` is user or item. Raises `DataError` where there is no table, or nothing to encode in it, `ParameterError` for
    a column that it does not have.
    """
    if chosen is False:
        return None
    if table is None:
        raise DataError(
            f"this data has no {what} features: leave {what}_features out, or read them with the data"
        )
    if chosen is True:
        # Free text has as many features as words; who wants them names the column.
        chosen = [name for name, kind in table.kinds.items() if kind != "text"]
    encoder = FeatureEncoder.fit(table, chosen)
    if not encoder.names:
        raise DataError(
            f"the {what} features hold nothing to encode in {chosen}; name another column in {what}_features "
            f"({', '.join(table.kinds) or 'there is none'})"
        )
    return encoder.to_values()
