"""Times in ISO 8601 read from bytes, in the forms that nearly all data has; a slower reader knows the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZERO, NINE = np.uint8(48), np.uint8(9)
PLUS, DASH, POINT, COLON, SPACE, LETTER_T, LETTER_Z = 43, 45, 46, 58, 32, 84, 90
DATE, MINUTE, SECOND = 10, 16, 19  # bytes of 2018-09-24, 2018-09-24T14:27 and 2018-09-24T14:27:00
MOST_DECIMALS = 9
MICRO = 1_000_000
NO_TIME = -(2**63)


@kernel
def iso_time(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Return the time that stands in data[at:end], in µs since 1970 UTC; NO_TIME where it is none of these forms.

    YYYY-MM-DD, alone or with T or a space and HH:MM, :SS, a point and one to nine decimals; then Z, ±HH, ±HHMM or
    ±HH:MM. What names no offset is UTC; decimals beyond the sixth are dropped. Years from 1 to 9999, no leap seconds.
    """
    n = end - at
    if n < DATE or data[at + 4] != DASH or data[at + 7] != DASH:
        return NO_TIME
    year, month, day = _number(data, at, 4), _number(data, at + 5, 2), _number(data, at + 8, 2)
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= _days_in(year, month):
        return NO_TIME
    midnight = _days_since_1970(year, month, day) * 86_400 * MICRO
    if n == DATE:
        return midnight
    separator = data[at + DATE]
    if n < MINUTE or separator not in (LETTER_T, SPACE) or data[at + 13] != COLON:
        return NO_TIME
    hour, minute, second, micro = _number(data, at + 11, 2), _number(data, at + 14, 2), 0, 0
    i = at + MINUTE
    if n >= SECOND and data[i] == COLON:
        second = _number(data, at + 17, 2)
        i = at + SECOND
        if i < end and data[i] == POINT:
            i, micro = _decimals(data, i + 1, end)
    offset = _offset(data, i, end)
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60) or micro < 0 or offset == NO_TIME:
        return NO_TIME
    return midnight + ((hour * 60 + minute - offset) * 60 + second) * MICRO + micro


@kernel
def _number(data: NDArray[np.uint8], at: int, n: int) -> int:
    # Of `n` digits; negative where there is something else.
    number = 0
    for i in range(at, at + n):
        digit = data[i] - ZERO
        if digit > NINE:
            return -1
        number = number * 10 + np.int64(digit)  # type: ignore[assignment]
    return number


@kernel
def _decimals(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    # The position behind the digits, and the microseconds they say; −1 where there are none or too many.
    micro, unit, i = 0, MICRO // 10, at
    while i < end:
        digit = data[i] - ZERO
        if digit > NINE:
            break
        micro += np.int64(digit) * unit  # type: ignore[assignment]
        unit //= 10
        i += 1
    return i, micro if 0 < i - at <= MOST_DECIMALS else -1


@kernel
def _offset(data: NDArray[np.uint8], at: int, end: int) -> int:
    # Minutes east of UTC of the offset that takes up data[at:end]; NO_TIME where it is none.
    n = end - at
    if n == 0 or (n == 1 and data[at] == LETTER_Z):
        return 0
    if n not in (3, 5, 6) or data[at] not in (PLUS, DASH):
        return NO_TIME
    hour, minute = _number(data, at + 1, 2), 0
    if n > 3:
        minute = _number(data, end - 2, 2)
    if not (0 <= hour < 24 and 0 <= minute < 60) or (n == 6 and data[at + 3] != COLON):
        return NO_TIME
    east = hour * 60 + minute
    return -east if data[at] == DASH else east


@kernel
def _days_in(year: int, month: int) -> int:
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


@kernel
def _days_since_1970(year: int, month: int, day: int) -> int:
    # Years that begin in March end with the day that leap years add; 153 days are five months of 31, 30, 31, 30, 31.
    year -= month < 3
    month = (month + 9) % 12
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719_469
