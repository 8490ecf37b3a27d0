"""The record of what safety rules refuse, as a frame that can be written as CSV or JSON lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory

Frame = pl.DataFrame
MISSING = "missing"  # the value of an attribute that is not known


@dataclass(frozen=True, eq=False)
class Refusals:
    """The items that a safety rule refuses to everybody, ascending: item_idx int32[m], and why.

    - column: where it stands, of each item; value: what stands there, or `MISSING`
    """

    item_idx: NDArray[np.int32]
    column: Sequence[str]
    value: Sequence[str]


def audit_frame(memory: Memory, records: Sequence[tuple[str, Refusals]]) -> Frame:
    """Return one row for each item that a rule refuses: item_id, title where known, rule, column, value.

    `records` are (name of the rule, what it refuses). Rows in the order of the rules, then of the items; without any
    the frame is empty and has its columns. All but item_id are String.
    """
    item_idx = np.concatenate([np.zeros(0, np.int32), *(one.item_idx for _, one in records)])
    names = [name for name, one in records for _ in range(one.item_idx.size)]
    columns = [memory.items.ids_of(item_idx).rename("item_id")]
    if memory.titles is not None:
        columns.append(memory.titles.gather(item_idx).rename("title"))
    texts = {
        "rule": names,
        "column": [column for _, one in records for column in one.column],
        "value": [value for _, one in records for value in one.value],
    }
    columns += [pl.Series(name, values, dtype=pl.String) for name, values in texts.items()]
    return pl.DataFrame(columns)
