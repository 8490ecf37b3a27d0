"""Doubtful times: moments in the future, far from all others, or in another unit than the rest of their column."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.ordering import extremes
from shortlist.data.timestamps import MICRO, PER_SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.rejects import Screening
    from shortlist.data.timestamps import Times

MISSING = "missing timestamp"
UNPARSABLE = "unparsable timestamp"
FUTURE = "timestamp in the future"
TOO_LATE = "timestamp after the latest declared"
TOO_EARLY = "timestamp before the earliest declared"
FAR = "timestamp far before all others"

DAY = 86_400 * MICRO
YEAR = 365 * DAY
# Seconds, and no other unit, count moments of before 1973 by fewer digits than this many microseconds have.
SINCE_1973 = 10**14
UNSET_CLOCKS = 11 * YEAR + 3 * DAY  # 1981-01-01
# The line of time is looked at in steps of 2^43 µs, 102 days, of which 36 are ten years.
STEP_BITS = 43
LONELY_STEPS = 36
LEAST_BULK = 3
CHUNK = 1 << 20


@dataclass(frozen=True)
class TimeLimits:
    """Between which moments (µs UTC) events may lie; None where the caller did not say.

    Without `latest`, a day after `clock` is the latest: clocks go wrong, and some name no offset.
    """

    earliest: int | None = None
    latest: int | None = None
    clock: int | None = None

    @property
    def last(self) -> int:
        """Return the last moment that an event may have."""
        if self.latest is not None:
            return self.latest
        return (time.time_ns() // 1000 if self.clock is None else self.clock) + DAY


def screen_times(column: pl.Series, times: Times, limits: TimeLimits, screening: Screening) -> list[str]:
    """Reject the rows whose cell in `column`, read as `times`, is no time that an event can have.

    In this order: a missing one; one in another unit than the rest of the column, which is not converted, since one
    number has one reading in a column; an unreadable one; one outside the limits; one from before 1981 far before the
    bulk of the others (see `bulk_begins`), such as 0 among the times of today.
    Returns what there is to note. Cost: O(n), a few passes over the times.
    """
    screening.reject(times.missing, column.name, column, MISSING)
    _reject_other_units(column, times, limits, screening)
    screening.reject(~times.readable, column.name, column, UNPARSABLE)
    _reject_outside(column, times.microseconds, limits, screening)
    if limits.earliest is None:
        begin = bulk_begins(screening.kept_array(times.microseconds))
        if begin is not None:
            screening.reject(times.microseconds < begin, column.name, column, FAR)
    return _notes(column.name, times, screening)


def bulk_begins(microseconds: NDArray[np.int64]) -> int | None:
    """Return the moment (µs) before which times int64[m] are far before all others; None where none can be.

    The bulk is a run of times without a gap of ten years (in steps of 102 days) that holds more than half of all times
    other than 0, and at least three. An earlier run belongs to it unless the gap between them is also at least half as
    long as the bulk. Far are only times before 1981: clocks that were never set begin at 1970 or 1980, and dates that
    stand for none lie before. O(m).
    """
    if not microseconds.size or (low := extremes(microseconds)[0]) >= UNSET_CLOCKS:
        return None
    counts = _counts(microseconds, low)
    occupied = np.flatnonzero(counts)
    runs = np.split(occupied, 1 + np.flatnonzero(np.diff(occupied) > LONELY_STEPS))
    sizes = [int(counts[run].sum()) for run in runs]
    largest = int(np.argmax(sizes))
    if sizes[largest] < LEAST_BULK or 2 * sizes[largest] <= sum(sizes):
        return None
    return min(low + (_first_step(runs[: largest + 1]) << STEP_BITS), UNSET_CLOCKS)


def _counts(microseconds: NDArray[np.int64], low: int) -> NDArray[np.int64]:
    # Of events in each step from `low` on; 0 says nothing about where the others are.
    n_steps = 1 + ((int(microseconds.max()) - low) >> STEP_BITS)
    counts = np.zeros(n_steps, np.int64)
    for start in range(0, microseconds.size, CHUNK):
        steps = (microseconds[start : start + CHUNK] - low) >> STEP_BITS
        counts += np.bincount(steps, minlength=n_steps)
    if low <= 0 and -low >> STEP_BITS < n_steps:
        counts[-low >> STEP_BITS] -= np.count_nonzero(microseconds == 0)
    return counts


def _first_step(runs: list[NDArray[np.int64]]) -> int:
    # Of the last of `runs` and of those before it that are not far from it.
    first = int(runs[-1][0])
    gap = (int(runs[-1][-1]) - first) // 2
    for run in reversed(runs[:-1]):
        if first - int(run[-1]) > gap:
            break
        first = int(run[0])
    return first


def _reject_outside(
    column: pl.Series, microseconds: NDArray[np.int64], limits: TimeLimits, screening: Screening
) -> None:
    late = FUTURE if limits.latest is None else TOO_LATE
    low, high = extremes(microseconds) if microseconds.size else (0, 0)
    if high > limits.last:
        screening.reject(microseconds > limits.last, column.name, column, late)
    if limits.earliest is not None and low < limits.earliest:
        screening.reject(microseconds < limits.earliest, column.name, column, TOO_EARLY)


def _reject_other_units(column: pl.Series, times: Times, limits: TimeLimits, screening: Screening) -> None:
    if times.unit is None:
        return
    moments = times.microseconds
    doubtful = screening.keep & ~times.readable
    if times.unit != "seconds" and moments.size and moments.min() < SINCE_1973:
        doubtful |= screening.keep & times.readable & (moments != 0) & (np.abs(moments) < SINCE_1973)
    at = np.flatnonzero(doubtful)
    proper = moments[screening.keep & ~doubtful] if at.size else moments[:0]
    proper = proper[(proper <= limits.last) & (proper != 0)]
    if not proper.size:
        return
    bounds = int(proper.min()) - YEAR, int(proper.max()) + YEAR
    numbers = _numbers(column.gather(at))
    for unit, per_second in PER_SECOND.items():
        if unit != times.unit:
            moment = numbers * (MICRO / per_second)
            other = np.zeros(screening.keep.size, bool)
            other[at[(moment >= bounds[0]) & (moment <= bounds[1])]] = True
            reason = f"timestamp in {unit}, where the column counts {times.unit}"
            screening.reject(other, column.name, column, reason)


def _numbers(cells: pl.Series) -> NDArray[np.float64]:
    if cells.dtype == pl.String:
        cells = cells.str.strip_chars()
    return cells.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def _notes(column: str, times: Times, screening: Screening) -> list[str]:
    if times.unit != "seconds":
        return []
    kept = screening.kept_array(times.microseconds)
    first, last = extremes(kept) if kept.size else (-1, -1)
    if first < 0 or last >= SINCE_1973:
        return []
    low, high = first / MICRO, last / MICRO
    note = (
        f"{column}: the times, {low:.15g} to {high:.15g}, look like an order rather than moments; they are kept, "
        "as seconds since 1970: before and after are right, hours and days mean nothing"
    )
    return [note]
