"""Where the records of a CSV begin and end, in one pass over its bytes.

The grammar is RFC 4180's, with LF or CRLF line ends, and lenient in one point: a quote inside a field that does not
begin with one is an ordinary character. A field that begins with a quote ends with a quote; what stands between may
hold delimiters, line ends, and quotes that are doubled.

A record that breaks the grammar, or that has another number of fields than the header, is cut off at the end of the
physical line on which it began. So a stray quote costs one line, not everything up to the next quote. The early stop
at one field too many keeps that restart linear in the size of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUOTE, CR, LF = 34, 13, 10

PLAIN = 0  # any RFC 4180 reader reads it
UNUSUAL = 1  # an ordinary quote or carriage return in an unquoted field, which other readers take otherwise
RAGGED = 2  # another number of fields than the header
UNBALANCED = 3  # quotes that do not close, or close before the end of the field
BLANK = 4  # nothing on the line


@kernel
def next_record(data: NDArray[np.uint8], at: int, delimiter: int, n_fields: int) -> tuple[int, int, int, int]:
    """Return (end, after, form, lines) of the record that begins at `at` < len(data).

    Its text is data[at:end], the next record begins at `after`, and it takes up `lines` physical lines.
    `n_fields` is how many fields it must have; 0 takes any number.
    """
    n, i, begin, fields, lines, form = data.size, at, at, 1, 1, PLAIN
    while i < n:
        c = data[i]
        if c == LF:
            break
        if c == delimiter:
            fields += 1
            if fields > n_fields > 0:
                break
            begin = i + 1
        elif c == QUOTE:
            if i > begin:
                form = UNUSUAL
            else:
                i, newlines = _close(data, i + 1, delimiter)
                if i < 0:
                    end, after = _line(data, at)
                    return end, after, UNBALANCED, 1
                lines += newlines
                continue
        elif c == CR and (i + 1 == n or data[i + 1] != LF):
            form = UNUSUAL
        i += 1
    if n_fields > 0 and fields != n_fields:
        end, after = _line(data, at)
        if end == at:
            return end, after, BLANK, 1
        return end, after, RAGGED if lines == 1 else UNBALANCED, 1
    end, after = _end(data, at, i)
    return end, after, BLANK if end == at else form, lines


@kernel
def _close(data: NDArray[np.uint8], i: int, delimiter: int) -> tuple[int, int]:
    # The position after the closing quote, and the line ends before it; -1 where the field does not end there.
    n, newlines = data.size, 0
    while i < n:
        c = data[i]
        if c == LF:
            newlines += 1
        elif c == QUOTE:
            i += 1
            if (
                i == n
                or data[i] == delimiter
                or data[i] == LF
                or (data[i] == CR and i + 1 < n and data[i + 1] == LF)
            ):
                return i, newlines
            if data[i] != QUOTE:
                return -1, 0
        i += 1
    return -1, 0


@kernel
def _line(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    i = at
    while i < data.size and data[i] != LF:
        i += 1
    return _end(data, at, i)


@kernel
def _end(data: NDArray[np.uint8], at: int, i: int) -> tuple[int, int]:
    # `i` is at the line feed, or at the end of the file.
    if i == data.size:
        return i, i
    return (i - 1 if i > at and data[i - 1] == CR else i), i + 1


@kernel
def survey(
    data: NDArray[np.uint8],
    at: int,
    line: int,
    delimiter: int,
    n_fields: int,
    irregular: NDArray[np.int64],
) -> tuple[int, int]:
    """Return (records, irregular ones) from `at` on, which is on physical line `line`; blank lines are no records.

    The first rows of `irregular` int64[m, 6] are filled, as far as there are rows, with what is not plain:
    form, start, end, start of the next record, record number (from 1; of a blank line, the last one's), line.
    """
    n_records, n_irregular = 0, 0
    while at < data.size:
        end, after, form, lines = next_record(data, at, delimiter, n_fields)
        if form != BLANK:
            n_records += 1
        if form != PLAIN:
            if n_irregular < irregular.shape[0]:
                found = irregular[n_irregular]
                found[0], found[1], found[2], found[3], found[4], found[5] = (
                    form,
                    at,
                    end,
                    after,
                    n_records,
                    line,
                )
            n_irregular += 1
        at, line = after, line + lines
    return n_records, n_irregular


@kernel
def find_lines(
    data: NDArray[np.uint8],
    at: int,
    line: int,
    delimiter: int,
    n_fields: int,
    rows: NDArray[np.int64],
    lines: NDArray[np.int64],
) -> None:
    """Write to `lines` int64[n] the physical line on which each of the record numbers `rows` (ascending) begins."""
    row, wanted = 0, 0
    while at < data.size and wanted < rows.size:
        _, after, form, length = next_record(data, at, delimiter, n_fields)
        if form != BLANK:
            row += 1
        while wanted < rows.size and rows[wanted] == row:
            lines[wanted] = line
            wanted += 1
        at, line = after, line + length
