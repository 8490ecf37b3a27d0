"""The container on disk: named arrays, plain values and checksums. No pickle, nothing executed on loading.

A folder holds `manifest.json` and one safetensors file an array, named by the SHA-256 of its content, so that equal
arrays are stored once. Array files are written first; the manifest, replaced atomically, is the commit point: a
save that fails or is cut off leaves what was there before, and who loads meanwhile gets the old artifact or the new,
whole. Files that the manifest does not name are removed by the save, or by the next one where it was killed. The
manifest has one form only, so that no byte of it can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
from safetensors.numpy import save as to_safetensors

from shortlist.artifacts.folder import (
    ARRAYS,
    MANIFEST,
    alone_in,
    require_writable,
    sync,
    tidy,
    write_whole,
)
from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

FORMAT = "shortlist"
FORMAT_VERSION = 1
_RETRIES = 100
# The names that safetensors has for the types of NumPy.
_DTYPES = {
    "BOOL": "bool",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
}


@dataclass(frozen=True)
class State:
    """What a fitted object is made of: a type name, plain JSON values, arrays, and states of its parts."""

    type: str
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    parts: Mapping[str, State] = field(default_factory=dict)


def write(path: str | Path, state: State, info: Mapping[str, Any]) -> Path:
    """Save `state` under the folder `path` and return it; `info` (JSON values) is for people to read.

    An artifact that is already there is replaced as a whole or, when writing fails, left as it was. Two processes that
    save to one folder take turns; the last one's artifact stays.
    Raises `ArtifactError` when `path` is something else than an artifact or an empty folder, or cannot be written.
    """
    folder = Path(path)
    try:
        require_writable(folder)
        with alone_in(folder):
            _replace(folder, state, info)
    except OSError as error:
        raise ArtifactError(f"cannot save to {folder}: {error.strerror or error}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"cannot save to {folder}: a value is not plain JSON ({error})") from error
    return folder


def _replace(folder: Path, state: State, info: Mapping[str, Any]) -> None:
    try:
        tree = _write_tree(folder, state)
        sync(folder / ARRAYS)
        document = {"format": FORMAT, "version": FORMAT_VERSION, "info": dict(info), "state": tree}
        write_whole(folder / MANIFEST, _text(document | {"checksum": _checksum(document)}))
        sync(folder)
        sync(folder.absolute().parent)
    finally:
        # What the manifest on the disk names, whichever it is: an interruption may come before or after its renewal.
        if not (folder / MANIFEST).exists():
            tidy(folder, set())
        else:
            with suppress(ArtifactError):  # damaged: which files are its own cannot be told
                tidy(folder, set(_files(_manifest(folder)["state"])))


def read(path: str | Path, *, mapped: bool = False) -> tuple[State, dict[str, Any]]:
    """Return the state and the info saved under `path`, every checksum verified.

    mapped: the arrays stay in their files, which must not change while they are used; what is written to such an array
    is this process's own.
    Raises `ArtifactError` for a missing, truncated, altered or newer-format artifact, naming the file.
    """
    folder = Path(path)
    document = _manifest(folder)
    for _ in range(_RETRIES):
        try:
            return _read_tree(folder, document["state"], mapped), document["info"]
        except ArtifactError:
            # A save that ended meanwhile has removed the files of the old manifest: then there is a new one.
            before, document = document, _manifest(folder)
            if document == before:
                raise
    raise ArtifactError(f"{folder} was saved anew {_RETRIES} times while it was read; try again")


def manifest_bytes(path: str | Path) -> bytes:
    """Return the manifest of an artifact, empty where there is none: as long as it is the same, nobody saved anew."""
    manifest = Path(path) / MANIFEST
    return manifest.read_bytes() if manifest.is_file() else b""


def left_behind(path: str | Path) -> list[Path]:
    """Return the files in the folder of an artifact that its manifest does not name; a save removes what it can."""
    folder = Path(path)
    named = set(_files(_manifest(folder)["state"]))
    return sorted(file for file in (folder / ARRAYS).iterdir() if file.name not in named)


def _write_tree(folder: Path, state: State) -> dict[str, Any]:
    arrays = {name: _write_array(folder, array) for name, array in state.arrays.items()}
    parts = {name: _write_tree(folder, part) for name, part in state.parts.items()}
    return {"type": state.type, "values": dict(state.values), "arrays": arrays, "parts": parts}


def _write_array(folder: Path, array: NDArray[Any]) -> dict[str, Any]:
    content = to_safetensors({"data": np.ascontiguousarray(array)})
    digest = hashlib.sha256(content).hexdigest()
    target = folder / ARRAYS / f"{digest}.safetensors"
    # A file of that name from an earlier save is trusted only if it still holds what its name says.
    if not target.exists() or hashlib.sha256(target.read_bytes()).hexdigest() != digest:
        write_whole(target, content)
    return {"sha256": digest, "shape": list(array.shape), "dtype": str(array.dtype)}


def _files(tree: Mapping[str, Any]) -> Iterator[str]:
    for entry in tree["arrays"].values():
        yield f"{entry['sha256']}.safetensors"
    for part in tree["parts"].values():
        yield from _files(part)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"no artifact at {folder}: {MANIFEST} is missing; save one there with `save` or `fit`"
        )
    try:
        content = path.read_bytes()
        document: dict[str, Any] = json.loads(content.decode("utf-8", "surrogatepass"))
        checksum, text = _checksum(document), _text(document)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from error
    except (AttributeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); restore it or fit again") from error
    if document.get("format") != FORMAT:
        raise ArtifactError(f"{path} is not a shortlist artifact")
    version = document.get("version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format version {version}, this program reads up to {FORMAT_VERSION}: upgrade shortlist"
        )
    if document.get("checksum") != checksum or text != content:
        raise ArtifactError(
            f"{path} was altered after it was saved (its checksum differs); restore it or fit again"
        )
    if not (_is_tree(document.get("state")) and isinstance(document.get("info"), dict)):
        raise ArtifactError(f"{path} is not laid out as shortlist lays it out; fit again")
    return document


def _is_tree(tree: object) -> bool:
    match tree:
        case {"type": str(), "values": dict(), "arrays": dict(arrays), "parts": dict(parts)}:
            named = (
                isinstance(entry, dict) and isinstance(entry.get("sha256"), str) for entry in arrays.values()
            )
            return all(named) and all(_is_tree(part) for part in parts.values())
    return False


def _checksum(document: Mapping[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _text(document: Mapping[str, Any]) -> bytes:
    """Return the one form of the manifest."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode(
        "utf-8", "surrogatepass"
    )


def _read_tree(folder: Path, tree: Mapping[str, Any], mapped: bool) -> State:
    arrays = {name: _read_array(folder, entry, mapped) for name, entry in tree["arrays"].items()}
    parts = {name: _read_tree(folder, part, mapped) for name, part in tree["parts"].items()}
    return State(tree["type"], tree["values"], arrays, parts)


def _read_array(folder: Path, entry: Mapping[str, Any], mapped: bool) -> NDArray[Any]:
    path = folder / ARRAYS / f"{entry['sha256']}.safetensors"
    content: bytes | mmap.mmap
    try:
        content = _mapping(path) if mapped and path.stat().st_size else path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; restore it or fit again") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ArtifactError(
            f"{path} was truncated or altered (its checksum differs); restore it or fit again"
        )
    try:
        if isinstance(content, bytes):
            array: NDArray[Any] = safetensors.numpy.load(content)["data"]
            return array
        return _array_in(content)
    except (safetensors.SafetensorError, LookupError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a safetensors file of one array: {error}") from error


def _mapping(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        # Private and writable, for kernels are compiled for writable arrays; nothing is written to the file.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _array_in(content: mmap.mmap) -> NDArray[Any]:
    """Return the array "data" where it lies in a safetensors file: u64 length of the JSON header, header, values."""
    start = 8 + int.from_bytes(content[:8], "little")
    described = json.loads(content[8:start])["data"]
    dtype, shape = np.dtype(_DTYPES[described["dtype"]]), described["shape"]
    first, end = described["data_offsets"]
    if end - first != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{end - first} bytes for {dtype} of shape {shape}")
    if not end - first:
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype, math.prod(shape), start + first).reshape(shape)
