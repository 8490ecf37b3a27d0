"""What enters a tower of a user or an item: which columns of the feature tables, and as what numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shortlist.data.feature_encoder import FeatureEncoder, require_encode
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable

    Columns = bool | Sequence[str] | None
    Encoding = dict[str, Any] | None

# As many features of one side have a first layer of 20 MB at 256 units.
MOST_FEATURES = 20_000


def encodings_of(
    dataset: Dataset, user_columns: Columns, item_columns: Columns, encode: Mapping[str, Any] | None
) -> tuple[Encoding, Encoding]:
    """Return the encoders of the features of users and of items as plain values, each None where none enter.

    Columns are a list of names; True for all but free text; None for the same where the data has any; False for none.
    Raises `DataError` where there is no table for columns that are wanted, `ParameterError` for a column that is not
    there, for an `encode` of a column that does not enter, and for more features than a layer can take.
    """
    tables = dataset.user_features, dataset.item_features
    chosen = [
        _chosen(table, columns, side)
        for table, columns, side in zip(tables, (user_columns, item_columns), ("user", "item"), strict=True)
    ]
    said = require_encode(encode, list(dict.fromkeys(name for names in chosen for name in names)))
    user, item = (
        _encoding(table, names, {name: how for name, how in said.items() if name in names}, side)
        for table, names, side in zip(tables, chosen, ("user", "item"), strict=True)
    )
    return user, item


def _chosen(table: FeatureTable | None, columns: Columns, side: str) -> list[str]:
    if columns is False or (columns is None and table is None):
        return []
    if table is None:
        raise DataError(f"this data has no {side} features: leave {side}_features out, or read them with it")
    if columns is None or columns is True:
        # Free text has as many features as words; who wants them names the column.
        return [name for name, kind in table.kinds.items() if kind != "text"]
    return list(columns)


def _encoding(
    table: FeatureTable | None, columns: list[str], encode: Mapping[str, Any], side: str
) -> Encoding:
    if table is None or not columns:
        return None
    encoder = FeatureEncoder.fit(table, columns, encode=encode)
    if encoder.width > MOST_FEATURES:
        widest = max(encoder.encodings, key=lambda name: encoder.encodings[name].width)
        raise ParameterError(
            f"{side} features become {encoder.width} numbers, {MOST_FEATURES} at most can enter a tower; encode "
            f'{widest!r} as {{"as": "hashing", "n_buckets": 1024}}, or leave it out of {side}_features'
        )
    return encoder.to_values() if encoder.width else None


def feature_rows(encoding: Encoding, table: FeatureTable | None, n: int) -> sparse.csr_array:
    """Return float32 CSR [n, f] of the features in `table`, a row each; all missing where there is no table."""
    if encoding is None:
        return _nothing(n, 0)
    encoder = FeatureEncoder.from_values(encoding)
    if table is None:
        return _nothing(n, encoder.width)
    return encoder.transform(table, absent="missing")


def described(rows: sparse.csr_array) -> NDArray[np.bool_]:
    """Return bool[n]: which rows have a feature."""
    has: NDArray[np.bool_] = np.diff(rows.indptr) > 0
    return has


def _nothing(n: int, width: int) -> sparse.csr_array:
    ptr, column = np.zeros(n + 1, np.int32), np.zeros(0, np.int32)
    return sparse.csr_array((np.zeros(0, np.float32), column, ptr), shape=(n, width))
