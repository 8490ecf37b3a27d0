"""One file as a table: Parquet, JSON Lines or CSV by what its first bytes and its name say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.data.csv_file import CsvTable
from shortlist.data.frame_table import FrameTable
from shortlist.data.json_lines import JsonTable
from shortlist.data.text_bytes import as_utf8, bytes_at
from shortlist.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

PARQUET_MAGIC = b"PAR1"
PACKED_SUFFIXES = (".gz", ".zst")
PARQUET_SUFFIXES = (".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TAB_SUFFIXES = (".tsv", ".tab")
CSV_SUFFIXES = (".csv", *TAB_SUFFIXES)
# First bytes of files that are easily mistaken for text.
FOREIGN = {
    b"PK\x03\x04": "is a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"BZh": "is compressed with bzip2: unpack it, or pack it with gzip or zstd",
    b"\xfd7zXZ": "is compressed with xz: unpack it, or pack it with gzip or zstd",
    b"ARROW1": "is an Arrow file: read it with polars.read_ipc and give the frame",
    b"SQLite format 3": "is an SQLite database: give a Query, as in "
    'Query("sqlite:///shop.db", "SELECT …"), or { url = "…", query = "…" } in a configuration',
}


def open_file(path: Path, delimiter: str | None, encoding: str | None) -> CsvTable | FrameTable | JsonTable:
    """Return the table in the file at `path`.

    Parquet by its first bytes; JSON Lines by its suffix, or a first line that begins an object; else CSV, separated by
    `delimiter`: None means a tab in .tsv and .tab files, else a comma. Text may be packed by gzip or zstd.
    Raises `DataError` for a file that is missing, damaged or of another kind, and what `as_utf8` raises.
    """
    name, suffix = str(path), suffix_of(path)
    packed, same = bytes_at(path)
    start = packed[:16].tobytes()
    if start.startswith(PARQUET_MAGIC) and same:
        return FrameTable.open(path)
    for magic, what_to_do in FOREIGN.items():
        if start.startswith(magic):
            raise DataError(f"{name} {what_to_do}")
    text = as_utf8(name, packed, encoding)
    if suffix in JSON_SUFFIXES or (suffix not in CSV_SUFFIXES and _begins_object(text)):
        return JsonTable.of(name, text)
    default = "\t" if suffix in TAB_SUFFIXES else ","
    return CsvTable.of(name, text, delimiter or default, path if same and text is packed else None)


def suffix_of(path: Path) -> str:
    """Return what the name of the file says of its contents, in small letters: ".csv" of events.CSV.gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED_SUFFIXES:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _begins_object(text: NDArray[np.uint8]) -> bool:
    return text[:64].tobytes().removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
