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

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUOTE, CR, LF = 34, 13, 10

PLAIN = 0  # any RFC 4180 reader reads it
UNUSUAL = 1  # an ordinary quote or carriage return in an unquoted field, which other readers take otherwise
RAGGED = 2  # another number of fields than the header
UNBALANCED = 3  # quotes that do not close, or close before the end of the field
BLANK = 4  # nothing on the line
UNCLOSED = 5  # the data ends inside quotes: UNBALANCED, unless there is more data

BROKEN, OPEN = -1, -2

EACH_BYTE = np.uint64(0x0101010101010101)
HIGH_BITS = np.uint64(0x8080808080808080)
LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)


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
                i, newlines = close_quotes(data, i + 1, delimiter)
                if i < 0:
                    end, after = _line(data, at)
                    return end, after, UNCLOSED if i == OPEN else UNBALANCED, 1
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
def close_quotes(data: NDArray[np.uint8], i: int, delimiter: int) -> tuple[int, int]:
    """Return the position after the quote that closes the field whose text begins at `i`, and its line ends.

    The position is BROKEN where the field does not end there, OPEN where there is no such quote.
    """
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
                return BROKEN, 0
        i += 1
    return OPEN, 0


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
def after_line(data: NDArray[np.uint8], at: int) -> int:
    """Return the position after the line feed at or after `at`; the end of the data where there is none."""
    return _line(data, at)[1]


@kernel
def survey(
    data: NDArray[np.uint8],
    words: NDArray[np.uint64],
    at: int,
    stop: int,
    complete: bool,
    delimiter: int,
    n_fields: int,
    irregular: NDArray[np.int64],
) -> tuple[int, int, int, int, int, bool]:
    """Survey the records that begin in [at, stop); `at` is where one begins, `data` and `words` are the same bytes.

    Return (records, rows, irregular ones, lines, after, ascii). Rows are records with the right number of
    fields; blank lines are no records. `after` is where the next record begins. Where `data` is not `complete`,
    which it may be after a line feed, `after` can also be a record before `stop` whose end is not in `data`.
    `ascii` says that there is no byte above 127 before `stop`.

    The first rows of `irregular` int64[m, 6] are filled, as far as there are rows, with what is not PLAIN:
    form, start, end, start of the next record, record number (from 1; of a blank line, the last record's) and line
    (from 0), both counted from `at` on.
    """
    ordinary, ascii_only = _screen(data, words, at, stop)
    n_records, n_rows, n_irregular, line = 0, 0, 0, 0
    if ordinary:
        n_records, n_rows, n_irregular, line, at = _survey_words(
            data, words, at, stop, delimiter, n_fields, irregular
        )
    while at < stop:
        end, after, form, lines = next_record(data, at, delimiter, n_fields)
        if form == UNCLOSED:
            if not complete:
                break
            form = UNBALANCED
        n_records += form != BLANK
        n_rows += form in (PLAIN, UNUSUAL)
        if form != PLAIN:
            _note(irregular, n_irregular, form, at, end, after, n_records, line)
            n_irregular += 1
        at, line = after, line + lines
    return n_records, n_rows, n_irregular, line, at, ascii_only


@kernel
def _survey_words(
    data: NDArray[np.uint8],
    words: NDArray[np.uint64],
    at: int,
    stop: int,
    delimiter: int,
    n_fields: int,
    irregular: NDArray[np.int64],
) -> tuple[int, int, int, int, int]:
    # Records are lines here, eight bytes are looked at in one go; as far as whole words and whole lines reach.
    # In the masks, bit 8 b + 7 stands for byte b.
    ends, marks = EACH_BYTE * np.uint64(LF), EACH_BYTE * np.uint64(delimiter)
    n_records, n_irregular, n_blank, line, fields = 0, 0, 0, 0, 1
    inside = ~np.uint64(0) << np.uint64(8 * (at & 7))
    for k in range(at >> 3, min(stop >> 3, words.size)):
        end_mask, mark_mask = _equal(words[k], ends) & inside, _equal(words[k], marks) & inside
        inside = ~np.uint64(0)
        while end_mask:
            before = (end_mask & (~end_mask + np.uint64(1))) - np.uint64(1)
            fields += _count(mark_mask & before)
            after = 8 * k + _count(before & HIGH_BITS) + 1
            n_records += 1
            if fields != n_fields or after - at < 3:
                end, _, form, _ = next_record(data, at, delimiter, n_fields)
                if form != PLAIN:
                    n_records -= form == BLANK
                    n_blank += form == BLANK
                    _note(irregular, n_irregular, form, at, end, after, n_records, line)
                    n_irregular += 1
            at, line, fields = after, line + 1, 1
            mark_mask &= ~before
            end_mask &= end_mask - np.uint64(1)
        fields += _count(mark_mask)
    return n_records, n_records - (n_irregular - n_blank), n_irregular, line, at


@kernel
def _screen(data: NDArray[np.uint8], words: NDArray[np.uint64], at: int, stop: int) -> tuple[bool, bool]:
    # Whether there are neither quotes nor carriage returns away from a line end in [at, stop); whether all is ASCII.
    # Of the words at both ends all bytes are looked at, so that "no" may be said too often; of the bytes after the last
    # word only the second question is asked, since no record that ends there is taken for a line.
    quotes, returns = EACH_BYTE * np.uint64(QUOTE), EACH_BYTE * np.uint64(CR)
    quoted, returned, high = np.uint64(0), np.uint64(0), np.uint64(0)
    for k in range(at >> 3, min((stop + 7) >> 3, words.size)):
        word = words[k]
        high |= word
        quoted |= _any(word ^ quotes)
        returned |= _any(word ^ returns)
    ordinary, ascii_only = quoted == 0, (high & HIGH_BITS) == 0
    for i in range(max(at, 8 * words.size), stop):
        ascii_only = ascii_only and data[i] < 128
    if ordinary and returned:
        for i in range(at, min(stop, 8 * words.size)):
            if data[i] == CR and (i + 1 == data.size or data[i + 1] != LF):
                ordinary = False
    return ordinary, ascii_only


@kernel
def _any(word: np.uint64) -> np.uint64:
    # Not 0 where a byte of the word is 0; which one, it does not say.
    return (word - EACH_BYTE) & ~word & HIGH_BITS


@kernel
def _equal(word: np.uint64, pattern: np.uint64) -> np.uint64:
    # The high bit of each byte of the word that is the pattern's.
    different = word ^ pattern
    return ~(((different & LOW_BITS) + LOW_BITS) | different | LOW_BITS)


@kernel
def _count(high_bits: np.uint64) -> int:
    # int() would keep it unsigned when compiled.
    return np.int64(((high_bits >> np.uint64(7)) * EACH_BYTE) >> np.uint64(56))  # type: ignore[return-value]


@kernel
def _note(
    irregular: NDArray[np.int64], n: int, form: int, at: int, end: int, after: int, record: int, line: int
) -> None:
    if n < irregular.shape[0]:
        found = irregular[n]
        found[0], found[1], found[2], found[3], found[4], found[5] = form, at, end, after, record, line


@kernel
def find_rows(
    data: NDArray[np.uint8],
    at: int,
    delimiter: int,
    n_fields: int,
    rows: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:
    """Fill `found` int64[n, 4] with record number, line, start and end of `rows` int64[n] (ascending).

    Rows, records and lines are counted from `at` on, where a record begins, as 0.
    """
    record, row, line, wanted = 0, 0, 0, 0
    while at < data.size and wanted < rows.size:
        end, after, form, lines = next_record(data, at, delimiter, n_fields)
        if form in (PLAIN, UNUSUAL):
            if rows[wanted] == row:
                place = found[wanted]
                place[0], place[1], place[2], place[3] = record, line, at, end
                wanted += 1
            row += 1
        record += form != BLANK
        at, line = after, line + lines
