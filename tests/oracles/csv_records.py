"""RFC 4180 by one regular expression a record, with the restart after a broken one: slow and plain.

A field is quoted, or anything without delimiter and line feed that does not begin with a quote. A record is exactly
`n_fields` fields; where that does not match, the physical line on which it would begin is no record.
"""

import re


def parse(text, delimiter, n_fields):
    """Return rows [(row, line, cells)] and rejects [(row, line, text)]; rows count from 1 after the header."""
    d = re.escape(delimiter)
    field = rf'(?:"(?:[^"]|"")*"|(?!")[^{d}\n]*)'
    record = re.compile(rf"{field}(?:{d}{field}){{{n_fields - 1}}}(?=\n|\Z)")
    rows, rejects, at, line, row = [], [], 0, 1, -1
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        first_line = text[at:stop]
        if stop < len(text) and first_line.endswith("\r"):
            first_line = first_line[:-1]
        if first_line == "":
            at, line = stop + 1, line + 1
            continue
        row += 1
        found = _match(record, text, at)
        if found is None:
            rejects.append((row, line, first_line))
            at, line = stop + 1, line + 1
            continue
        body, after = found
        if row > 0:
            rows.append((row, line, _cells(body, d, field)))
        at, line = after, line + text.count("\n", at, after)
    return rows, rejects


def _match(record, text, at):
    # The record with LF, or with CRLF, of which the CR belongs to the line end.
    crlf = re.compile(record.pattern.replace(r"(?=\n|\Z)", r"(?=\r\n)")).match(text, at)
    if crlf:
        return crlf.group(), crlf.end() + 2
    lf = record.match(text, at)
    return (lf.group(), lf.end() + 1) if lf else None


def _cells(body, d, field):
    cells = re.findall(rf"(?:\A|{d})({field})", body)
    return [c[1:-1].replace('""', '"') if c.startswith('"') else c for c in cells]
