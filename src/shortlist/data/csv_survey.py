"""The survey of a CSV: where its records stand and which of them are no rows, found by all cores at once.

The file is cut behind line feeds into chunks, and each is surveyed as if a record began there. That may be wrong, for
a line feed may stand inside quotes; but where the survey of one chunk ends exactly at the beginning of the next, it
was right, since records are read alike whatever stands before them. From a place where it does not, the file is
surveyed again until a record ends at the end of a chunk. So the result is that of one pass from the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist import threads
from shortlist.kernels.csv_records import UNUSUAL, after_line, find_rows, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHUNK = 1 << 22  # bytes that one thread takes at a time
FORM, START, END, AFTER, ROW, LINE = range(6)  # columns of `irregular`
EXPECTED_IRREGULAR = 256


class Segment(NamedTuple):
    """Consecutive records, the first of which begins at `start`, the last ends at `stop`.

    first_record, first_row and first_line are the numbers of records, rows and lines that come before.
    """

    start: int
    stop: int
    first_record: int
    first_row: int
    first_line: int


@dataclass(frozen=True, eq=False)
class Survey:
    """Where the records of a CSV stand.

    - data uint8[bytes]: all of it; n_fields: of a row
    - segments: all records below the header, in their order
    - irregular int64[m, 6]: what is no plain row: form (see `kernels.csv_records`), start, end, start of the next
      record, record number (from 1; of a blank line, the last one's), physical line
    - n_records, n_rows: blank lines are no records, and only records with n_fields fields are rows
    - not_ascii: (start, stop) of the parts of the file that hold bytes above 127
    """

    data: NDArray[np.uint8]
    delimiter: int
    n_fields: int
    segments: list[Segment]
    irregular: NDArray[np.int64]
    n_records: int
    n_rows: int
    not_ascii: list[tuple[int, int]]

    @classmethod
    def of(cls, data: NDArray[np.uint8], body: int, line: int, delimiter: int, n_fields: int) -> Survey:
        """Return the survey of `data` uint8[bytes] from `body` on, where physical line `line` begins.

        The records and rows do not depend on CHUNK, which is what one thread takes at a time, nor on threads.
        Cost: O(bytes); a line feed inside quotes at the end of a chunk costs that chunk a second, serial survey.
        """
        surveyor = _Surveyor(data, delimiter, n_fields)
        segments: list[Segment] = []
        irregular, not_ascii, records, rows = [np.zeros((0, 6), np.int64)], [], 0, 0
        for part in surveyor.parts(body):
            segments.append(Segment(part.start, part.after, records, rows, line))
            part.irregular[:, ROW] += records
            part.irregular[:, LINE] += line
            irregular.append(part.irregular)
            if not part.ascii:
                not_ascii.append((part.start, part.after))
            records, rows, line = records + part.n_records, rows + part.n_rows, line + part.n_lines
        return cls(data, delimiter, n_fields, segments, np.concatenate(irregular), records, rows, not_ascii)

    def gaps(self, segment: Segment) -> NDArray[np.int64]:
        """Return int64[m, 2]: where the records of `segment` that are no rows begin, and where the next ones do."""
        begin, end = np.searchsorted(self.irregular[:, START], [segment.start, segment.stop])
        irregular = self.irregular[begin:end]
        gaps: NDArray[np.int64] = irregular[irregular[:, FORM] != UNUSUAL][:, [START, AFTER]]
        return gaps

    def find(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64[n, 4]: record number and physical line (from 1), start and end of `rows` int64[n] (ascending).

        Cost: O(bytes of the segments that hold them).
        """
        found = np.zeros((rows.size, 4), np.int64)
        first_rows = [segment.first_row for segment in self.segments]
        ends = np.searchsorted(rows, [*first_rows[1:], self.n_rows]).tolist()
        begin = 0
        for segment, end in zip(self.segments, ends, strict=True):
            if begin < end:
                wanted, part = rows[begin:end] - segment.first_row, found[begin:end]
                find_rows(self.data, segment.start, self.delimiter, self.n_fields, wanted, part)
                part[:, 0] += segment.first_record + 1
                part[:, 1] += segment.first_line
            begin = end
        return found


class _Part(NamedTuple):
    # What the kernel says of the records from `start` to `after`, counted from there on.
    start: int
    after: int
    n_records: int
    n_rows: int
    n_lines: int
    ascii: bool
    irregular: NDArray[np.int64]


class _Surveyor:
    def __init__(self, data: NDArray[np.uint8], delimiter: int, n_fields: int) -> None:
        self._data = data
        self._words = data[: data.size // 8 * 8].view(np.uint64)
        self._delimiter = delimiter
        self._n_fields = n_fields

    def parts(self, body: int) -> Iterator[_Part]:
        """Yield the parts of the file from `body` on, each beginning where the one before ends."""
        bounds = self._bounds(body)
        stops = [*bounds[1:], self._data.size]
        guesses: list[_Part | None] = [None] * len(bounds)

        def guess(begin: int, end: int) -> None:
            for at in range(begin, end):
                guesses[at] = self._survey(bounds[at], stops[at], self._data[: stops[at]])

        threads.run_blocks(guess, len(bounds), block=1)
        at = body
        for start, stop, part in zip(bounds, stops, guesses, strict=True):
            if part is not None and start == at and part.after > at:
                yield part
                at = part.after
            if at < stop:
                part = self._survey(at, stop, self._data)
                yield part
                at = part.after

    def _bounds(self, body: int) -> list[int]:
        bounds = [body]
        for at in range(body + CHUNK, self._data.size, CHUNK):
            bound = after_line(self._data, max(at, bounds[-1]))
            if bounds[-1] < bound < self._data.size:
                bounds.append(bound)
        return bounds

    def _survey(self, start: int, stop: int, data: NDArray[np.uint8]) -> _Part:
        complete = data.size == self._data.size
        where = (data, self._words, start, stop, complete, self._delimiter, self._n_fields)
        irregular = np.empty((EXPECTED_IRREGULAR, 6), np.int64)
        records, rows, n_irregular, lines, after, ascii_only = survey(*where, irregular)
        if n_irregular > irregular.shape[0]:
            irregular = np.empty((n_irregular, 6), np.int64)
            survey(*where, irregular)
        # What a record holds beyond `stop` has not been looked at.
        ascii_only = ascii_only and data[stop:after].tobytes().isascii()
        return _Part(start, after, records, rows, lines, ascii_only, irregular[:n_irregular].copy())
