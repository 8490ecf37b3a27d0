"""Columns of ids that are text, read from a surveyed CSV without making a string of each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist import threads
from shortlist.data import large_arrays
from shortlist.data.ordering import read_only
from shortlist.kernels.id_tables import look_up
from shortlist.kernels.text_codes import LENGTH_BITS, LONGEST, number_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Beyond so many distinct texts, strings of all cells are made faster.
MOST_DISTINCT, ROWS_A_DISTINCT = 1 << 16, 8


def as_enum(data: NDArray[np.uint8], spans: NDArray[np.int64]) -> pl.Series | None:
    """Return the texts in `data` at `spans` int64[n] (see `kernels.text_codes`) as Enum of those that occur, sorted.

    None where too many are distinct. `spans` is overwritten. Whatever the number of threads, the result is the same.
    Cost: O(bytes of the texts), 4 bytes a row.
    """
    most = MOST_DISTINCT + spans.size // ROWS_A_DISTINCT
    # Every thread has a table of its own; they are joined by numbering the texts that each has met.
    block = -(-spans.size // threads.num_threads())
    found: dict[int, tuple[NDArray[np.uint8], NDArray[np.int64]]] = {}

    def number(start: int, stop: int) -> None:
        found[start] = number_texts(data, spans, start, stop, most)

    threads.run_blocks(number, spans.size, block)
    if any(texts.size > most for _, texts in found.values()):
        return None
    parts = sorted(found.items())
    copies, met = _joined([part for _, part in parts])
    copies, distinct = number_texts(copies, met, 0, met.size, most)
    if distinct.size > most:
        return None
    content = copies.tobytes()
    texts = pl.Series([_text(content, span) for span in distinct.tolist()], dtype=pl.String)
    order = texts.arg_sort()
    rank = np.empty(order.len(), np.int32)
    rank[order.to_numpy()] = np.arange(order.len())
    codes, begin = large_arrays.empty(spans.size, np.int32), 0
    for start, (_, known) in parts:
        ranks = rank[met[begin : begin + known.size]]
        begin += known.size
        _translate(spans[start : start + block], ranks, codes[start : start + block])
    return enum_of(texts.gather(order), codes.view(np.uint32))


def _joined(
    parts: list[tuple[NDArray[np.uint8], NDArray[np.int64]]],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    # The texts of all parts behind one another.
    begins = np.cumsum([0, *(copies.size for copies, _ in parts)])[:-1]
    spans = [spans + (begin << LENGTH_BITS) for (_, spans), begin in zip(parts, begins, strict=True)]
    return read_only(np.concatenate([copies for copies, _ in parts])), np.concatenate(spans)


def enum_of(texts: pl.Series, codes: NDArray[np.uint32]) -> pl.Series:
    """Return Enum[n] of `texts`, all different: those at `codes` uint32[n]."""
    return pl.Series(texts, dtype=pl.Enum(texts)).gather(codes)


def codes_of(column: pl.Series) -> NDArray[np.uint32]:
    """Return uint32[n]: where in the categories of an Enum `column` without nulls each cell stands."""
    return column.to_physical().to_numpy().astype(np.uint32, copy=False)


def texts_of(column: pl.Series) -> pl.Series:
    """Return String: the categories of an Enum `column`, whether they occur or not."""
    categories: pl.Series = getattr(column.dtype, "categories")  # noqa: B009 - of the Enum alone
    return categories


def _translate(codes: NDArray[np.int64], table: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    codes, high = read_only(codes), table.size - 1
    threads.run_blocks(lambda start, stop: look_up(codes, start, stop, 0, high, table, out), codes.size)


def _text(content: bytes, span: int) -> str:
    start = span >> LENGTH_BITS
    return content[start : start + (span & LONGEST)].decode()
