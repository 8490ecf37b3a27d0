"""The bytes of a text file: unpacked where it is compressed, and in UTF-8 whatever its encoding is."""

from __future__ import annotations

import codecs
import gzip
import io
import mmap
import zlib
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Content = mmap.mmap | bytes

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# A frame of zstd that holds no data, as parallel writers put before each of theirs: 50 to 5F 2A 4D 18.
SKIPPABLE_MAGIC = b"\x2a\x4d\x18"
CHUNK = 1 << 20
LARGEST_WINDOW = 1 << 31  # zstd --long=31
LF = 10
# UTF-32 first: its mark for little endian begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def bytes_at(path: Path) -> tuple[NDArray[np.uint8], bool]:
    """Return uint8[n], the bytes of the file at `path`, and whether another reader finds the same bytes there.

    A file whose first bytes say gzip or zstd is unpacked; a plain one is mapped, not read; a pipe is read, once.
    Raises `DataError` for a file that is missing, unreadable, or damaged.
    Cost: what is unpacked or comes from a pipe is held in memory.
    """
    content = _content(path)
    start = content[:4]
    if start.startswith(GZIP_MAGIC):
        return _unpacked(path, content, _from_gzip, "gzip"), False
    if start == ZSTD_MAGIC or (start[1:] == SKIPPABLE_MAGIC and start[0] >> 4 == 5):
        return _unpacked(path, content, _from_zstd, "zstd"), False
    return np.frombuffer(content, np.uint8), isinstance(content, mmap.mmap)


def _content(path: Path) -> Content:
    try:
        with path.open("rb") as file:
            # A pipe cannot be mapped, and an empty file neither.
            mapped = path.is_file() and path.stat().st_size > 0
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if mapped else file.read()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _unpacked(
    path: Path, content: Content, unpack: Callable[[Content], Iterator[bytes]], packing: str
) -> NDArray[np.uint8]:
    # Growing in place: large blocks of memory are moved by their addresses, not copied.
    data = bytearray()
    try:
        for piece in unpack(content):
            data += piece
    except EOFError as error:
        raise DataError(
            f"{path}: the {packing} file ends too early, after {len(data):,} bytes of text; was it copied whole?"
        ) from error
    except (OSError, zlib.error, zstandard.ZstdError) as error:
        raise DataError(f"{path}: the {packing} file is damaged: {error}") from error
    return np.frombuffer(data, np.uint8)


def _from_gzip(content: Content) -> Iterator[bytes]:
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:  # a map reads as a file does
        while piece := unpacked.read(CHUNK):
            yield piece


def _from_zstd(content: Content) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    frame = decompressor.decompressobj()
    for start in range(0, len(content), CHUNK):
        piece = content[start : start + CHUNK]
        while piece:
            if frame.eof:
                frame = decompressor.decompressobj()
            yield frame.decompress(piece)
            piece = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError


def as_utf8(name: str, data: NDArray[np.uint8], encoding: str | None) -> NDArray[np.uint8]:
    """Return the text `data` uint8[n] in UTF-8: `data` itself where it says nothing else.

    A byte order mark goes before `encoding`, the caller's word; without either, the text is taken for UTF-8, which
    `require_utf8` checks. Raises `DataError` for bytes that the encoding has no character for, `ParameterError` for
    an encoding that does not exist.
    """
    declared = "utf-8" if encoding is None else _known(encoding)
    start = data[:4].tobytes()
    chosen = next((marked for mark, marked in MARKS.items() if start.startswith(mark)), declared)
    if chosen in ("utf-8", "utf-8-sig", "ascii"):
        return data
    text, decoder = bytearray(), codecs.getincrementaldecoder(chosen)()
    for begin in range(0, data.size, CHUNK):
        piece = data[begin : begin + CHUNK].tobytes()
        try:
            text += decoder.decode(piece, final=begin + CHUNK >= data.size).encode()
        except UnicodeError as error:
            line = 1 + text.count(b"\n")
            raise DataError(
                f"{name}, line {line} or soon after: not {chosen}: {error}; is the encoding right?"
            ) from error
    return np.frombuffer(text, np.uint8)


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # some codecs are no encodings of text
    except (LookupError, TypeError, ValueError) as error:
        raise ParameterError(
            f"encoding={encoding!r} is no encoding; write one such as utf-8, utf-16, latin-1 or windows-1252"
        ) from error
    return name


def require_utf8(name: str, data: NDArray[np.uint8], start: int, stop: int) -> None:
    """Raise `DataError` unless data[start:stop] is UTF-8; both stand at the end of a line, so no character is cut."""
    try:
        data[start:stop].tobytes().decode()
    except UnicodeDecodeError as error:
        at = start + error.start
        line = 1 + int(np.count_nonzero(data[:at] == LF))
        raise DataError(
            f"{name}, line {line}: byte 0x{data[at]:02x} is not UTF-8; name the encoding of the file, "
            'such as encoding="windows-1252" or "latin-1" (--encoding windows-1252)'
        ) from error
