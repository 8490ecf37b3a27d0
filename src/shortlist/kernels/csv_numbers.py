"""Numbers read straight from the bytes of a CSV, so that no text is made of the cells that hold them.

A cell is *clean* when it is the plain text of a number whose value is certain:

- WHOLE: how an int64 prints itself: "7" and "-7", not "07", "+7", "7.0", "-0", " 7"
- DECIMAL: digits, with at most one point between digits, and "-" before them; 15 digits at most. Their number is below
  2^53 and the power of ten below 10^22, so both are float64 exactly and one division rounds the value correctly
  (Clinger, "How to read floating point numbers accurately", 1990, section 3)

Every other cell is reported with its place, for a slower reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.csv_records import CR, LF, PLAIN, QUOTE, UNUSUAL, close_quotes, next_record
from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

SKIP, WHOLE, DECIMAL = 0, 1, 2
ZERO, MINUS, POINT, TEN = np.uint8(48), 45, 46, np.uint64(10)
MOST_DIGITS = 15
SAFE_DIGITS = 18  # a whole number of so many digits is an int64
POWERS = 10.0 ** np.arange(MOST_DIGITS + 1)


@kernel
def parse_rows(
    data: NDArray[np.uint8],
    at: int,
    stop: int,
    plain: bool,
    delimiter: int,
    kinds: NDArray[np.int64],
    slots: NDArray[np.int64],
    row: int,
    values: NDArray[np.int64],
    unclean: NDArray[np.int64],
    n_unclean: NDArray[np.int64],
) -> None:
    """Write the numbers of the rows in [at, stop), of which the first is number `row`, to `values` int64[slots, rows].

    `kinds` int64[fields] says what to read of each field, `slots` int64[fields] where it goes. A DECIMAL stands in
    `values` as the bits of its float64. `plain` says that every line is a row and none has quotes. Cells that are not
    clean have the value 0, and are listed in `unclean` int64[slots, m, 3]: row, start, end (quotes included);
    `n_unclean` int64[slots] counts them. A field of which more than m are found is abandoned: its kind becomes SKIP,
    and so does that of a WHOLE field with a cell that is neither clean nor empty.
    """
    n, decimals = data.size, values.view(np.float64)
    while at < stop:
        after = at
        if not plain:
            _, after, form, _ = next_record(data, at, delimiter, kinds.size)
            if form not in (PLAIN, UNUSUAL):
                at = after
                continue
        i = at
        for field in range(kinds.size):
            kind, start = kinds[field], i
            quoted = not plain and i < n and data[i] == QUOTE
            if kind == SKIP:
                end, i = _skip(data, i, quoted, delimiter)
                continue
            i += quoted
            slot = slots[field]
            if kind == WHOLE:
                i, clean, values[slot, row] = _whole(data, i)
            else:
                i, clean, decimals[slot, row] = _decimal(data, i)
            if quoted:
                clean = clean and i < n and data[i] == QUOTE
                i += clean
            if clean and i < n and data[i] != delimiter:
                i += data[i] == CR
                clean = i < n and data[i] == LF
            if clean:
                i += 1
                continue
            end, i = _skip(data, start, quoted, delimiter)
            values[slot, row] = 0
            if n_unclean[slot] == unclean.shape[1] or (kind == WHOLE and end - start > 2 * quoted):
                kinds[field] = SKIP
                continue
            found = unclean[slot, n_unclean[slot]]
            found[0], found[1], found[2] = row, start, end
            n_unclean[slot] += 1
        at = i if plain else after
        row += 1


@kernel
def _skip(data: NDArray[np.uint8], i: int, quoted: bool, delimiter: int) -> tuple[int, int]:
    # The end of the field that begins at `i`, and where the next one begins.
    start = i
    if quoted:
        i, _ = close_quotes(data, i + 1, delimiter)
    while i < data.size and data[i] != delimiter and data[i] != LF:
        i += 1
    return_before = i < data.size and data[i] == LF and i > start and data[i - 1] == CR
    return i - return_before, i + 1


@kernel
def _whole(data: NDArray[np.uint8], i: int) -> tuple[int, bool, int]:
    # The position after the number, whether it is canonical, the number.
    negative = i < data.size and data[i] == MINUS
    i += negative
    first, magnitude = i, np.uint64(0)
    i, magnitude = _digits(data, i, magnitude)
    n_digits = i - first
    clean = 0 < n_digits <= SAFE_DIGITS
    if n_digits == SAFE_DIGITS + 1:
        # 19 digits fit in 64 bits without a sign; the largest int64 is 2^63 - 1.
        clean = magnitude < np.uint64(1 << 63) + np.uint64(negative)
    if n_digits and data[first] == ZERO:
        clean = n_digits == 1 and not negative
    value = np.int64(magnitude)
    return i, clean, -value if negative else value


@kernel
def _decimal(data: NDArray[np.uint8], i: int) -> tuple[int, bool, float]:
    negative = i < data.size and data[i] == MINUS
    i += negative
    first, mantissa, n_decimals = i, np.uint64(0), 0
    i, mantissa = _digits(data, i, mantissa)
    n_digits = i - first
    clean = n_digits > 0
    if i < data.size and data[i] == POINT:
        point = i
        i, mantissa = _digits(data, point + 1, mantissa)
        n_decimals = i - point - 1
        n_digits += n_decimals
        clean = clean and n_decimals > 0
    if not clean or n_digits > MOST_DIGITS:
        return i, False, 0.0
    value = np.float64(mantissa) / POWERS[n_decimals]
    return i, True, -value if negative else value


@kernel
def _digits(data: NDArray[np.uint8], i: int, number: np.uint64) -> tuple[int, np.uint64]:
    # The position of the first byte from `i` on that is no digit, and `number` with the digits appended, modulo 2^64.
    while i < data.size:
        digit = data[i] - ZERO
        if digit > 9:
            break
        number = number * TEN + np.uint64(digit)
        i += 1
    return i, number
