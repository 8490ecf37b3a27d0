"""Numbers read straight from the bytes of a CSV, so that no text is made of the cells that hold them.

A cell is *clean* when it is the plain text of a number whose value is certain:

- WHOLE: how an int64 prints itself: "7" and "-7", not "07", "+7", "7.0", "-0", " 7"
- DECIMAL: digits, with at most one point between digits, and "-" before them; 15 digits at most. Their number is below
  2^53 and the power of ten below 10^22, so both are float64 exactly and one division rounds the value correctly
  (Clinger, "How to read floating point numbers accurately", 1990, section 3)

- TIME: an ISO 8601 time in a form that `iso_times` knows
- TEXT: what holds no quote in itself and is not overly long; where it stands is noted, as a span of `text_codes`

Every other cell is reported with its place, for a slower reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.csv_records import CR, LF, QUOTE, close_quotes
from shortlist.kernels.iso_times import NO_TIME, iso_time
from shortlist.kernels.jit import kernel
from shortlist.kernels.text_codes import LENGTH_BITS, LONGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

SKIP, WHOLE, DECIMAL, TIME, TEXT = range(5)
ZERO, NINE, MINUS, POINT, TEN = np.uint8(48), np.uint8(9), 45, 46, np.uint64(10)
MOST_DIGITS = 15
SAFE_DIGITS = 18  # a whole number of so many digits is an int64
LARGEST = 2**63 - 1
POWERS = 10.0 ** np.arange(MOST_DIGITS + 1)


@kernel
def parse_rows(  # noqa: PLR0915 - one function: what a call would return for each cell costs half as much again
    data: NDArray[np.uint8],
    at: int,
    stop: int,
    delimiter: int,
    gaps: NDArray[np.int64],
    kinds: NDArray[np.int64],
    slots: NDArray[np.int64],
    row: int,
    values: NDArray[np.int64],
    unclean: NDArray[np.int64],
    n_unclean: NDArray[np.int64],
) -> None:
    """Write the cells of the rows in [at, stop), of which the first is number `row`, to `values` int64[slots, rows].

    All records there are rows, but for those from gaps[g, 0] to gaps[g, 1] (int64[m, 2], ascending); the last one ends
    with a line feed or another delimiter. `kinds` int64[fields] says what to read of each field, `slots` int64[fields]
    where it goes. A DECIMAL stands in `values` as the bits of its float64. Cells that are not clean are listed in
    `unclean` int64[slots, m, 3]: row, start, end (quotes included); `n_unclean` int64[slots] counts them. A field of
    which more than m are found is abandoned: its kind becomes SKIP, and so does that of a WHOLE field with a cell that
    is neither clean nor empty, and of a TEXT field with any that is not clean.
    """
    gap, decimals = 0, values.view(np.float64)
    while at < stop:
        if gap < gaps.shape[0] and gaps[gap, 0] == at:
            at = gaps[gap, 1]
            gap += 1
            continue
        for field in range(kinds.size):
            kind, slot, start = kinds[field], slots[field], at
            quoted = data[at] == QUOTE
            if kind >= TIME:
                begin = at + quoted
                end, after = _plain(data, begin, quoted, delimiter)
                value: int = NO_TIME
                if end >= 0 and kind == TIME:
                    value = iso_time(data, begin, end)
                elif end >= 0 and end - begin <= LONGEST:
                    value = begin << LENGTH_BITS | (end - begin)
                if value != NO_TIME:
                    values[slot, row] = value
                    at = after
                    continue
            elif kind != SKIP:
                at += quoted
                negative = data[at] == MINUS
                at += negative
                first = at
                at, number = _digits(data, at, np.uint64(0))
                n_digits, n_decimals = at - first, 0
                clean = n_digits > 0
                if kind == WHOLE:
                    value = np.int64(number)  # type: ignore[assignment] # int would stay unsigned when compiled
                    values[slot, row] = -value if negative else value
                    if n_digits > SAFE_DIGITS:
                        # 19 digits fit in 64 bits without a sign; the largest int64 is 2^63 - 1.
                        limit = np.uint64(LARGEST) + np.uint64(negative)
                        clean = n_digits == SAFE_DIGITS + 1 and bool(number <= limit)
                    if data[first] == ZERO:
                        clean = n_digits == 1 and not negative
                else:
                    if data[at] == POINT:
                        point = at + 1
                        at, number = _digits(data, point, number)
                        n_decimals = at - point
                        clean = clean and n_decimals > 0
                    clean = clean and n_digits + n_decimals <= MOST_DIGITS
                    if clean:
                        magnitude = np.float64(number) / POWERS[n_decimals]
                        decimals[slot, row] = -magnitude if negative else magnitude
                if quoted:
                    clean = clean and data[at] == QUOTE
                    at += clean
                if clean:
                    last = data[at]
                    if last == CR:
                        at += 1
                    if data[at] == LF or last == delimiter:
                        at += 1
                        continue
            end, at = _skip(data, start, quoted, delimiter)
            if kind == SKIP:
                continue
            hopeless = kind == TEXT or (kind == WHOLE and end - start > 2 * quoted)
            if hopeless or n_unclean[slot] == unclean.shape[1]:
                kinds[field] = SKIP
                continue
            found = unclean[slot, n_unclean[slot]]
            found[0], found[1], found[2] = row, start, end
            n_unclean[slot] += 1
        row += 1


@kernel
def _digits(data: NDArray[np.uint8], at: int, number: np.uint64) -> tuple[int, np.uint64]:
    # The position of the next byte that is no digit, and `number` with the digits before it appended, modulo 2^64.
    i = np.uint64(at)  # of which NumPy's negative positions need no test
    digit = data[i] - ZERO
    while digit <= NINE:
        number = number * TEN + np.uint64(digit)
        i += np.uint64(1)
        digit = data[i] - ZERO
    return np.int64(i), number  # type: ignore[return-value] # int(i) would stay unsigned when compiled


@kernel
def _plain(data: NDArray[np.uint8], at: int, quoted: bool, delimiter: int) -> tuple[int, int]:
    # The end of the text that begins at `at`, behind the quote if it is quoted, and where the next field begins; −1
    # where a quote stands in it.
    i = np.uint64(at)
    while data[i] != QUOTE and data[i] != LF and (quoted or data[i] != delimiter):
        i += np.uint64(1)
    end = np.int64(i)
    if quoted:
        if data[i] != QUOTE:  # a line end within
            return -1, -1
        i += np.uint64(1)
        i += np.uint64(data[i] == CR)
    elif data[i] == LF and end > at and data[end - 1] == CR:
        end -= 1
    return end if data[i] == LF or data[i] == delimiter else -1, np.int64(i) + 1  # type: ignore[return-value]


@kernel
def _skip(data: NDArray[np.uint8], at: int, quoted: bool, delimiter: int) -> tuple[int, int]:
    # The end of the field that begins at `at`, and where the next one begins.
    end = at
    if quoted:
        end, _ = close_quotes(data, at + 1, delimiter)
    while data[end] != delimiter and data[end] != LF:
        end += 1
    after = end + 1
    if data[end] == LF and end > at and data[end - 1] == CR:
        end -= 1
    return end, after
