"""The container on disk: named arrays, plain values and checksums. No pickle, nothing executed on loading.

A folder holds `manifest.json` and one safetensors file an array, named by the SHA-256 of its content, so that equal
arrays are stored once. Array files are written first; the manifest, replaced atomically, is the commit point: a
save that is cut off leaves what was there before. Files that no manifest names any more are removed afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
from safetensors.numpy import save as to_safetensors

from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

FORMAT = "shortlist"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
ARRAYS = "arrays"


@dataclass(frozen=True)
class State:
    """What a fitted object is made of: a type name, plain JSON values, arrays, and states of its parts."""

    type: str
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    parts: Mapping[str, State] = field(default_factory=dict)


def write(path: str | Path, state: State, info: Mapping[str, Any]) -> Path:
    """Save `state` under the folder `path` and return it; `info` (JSON values) is for people to read.

    An artifact that is already there is replaced as a whole or, when writing fails, left as it was.
    Raises `ArtifactError` when `path` is something else than an artifact or an empty folder, or cannot be written.
    """
    folder = Path(path)
    _refuse_foreign(folder)
    try:
        (folder / ARRAYS).mkdir(parents=True, exist_ok=True)
        tree = _write_tree(folder, state)
        document = {"format": FORMAT, "version": FORMAT_VERSION, "info": dict(info), "state": tree}
        document["checksum"] = _checksum(document)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
        _write_atomically(folder / MANIFEST, text.encode("utf-8", "surrogatepass"))
        _remove_unnamed(folder, set(_files(tree)))
    except OSError as error:
        raise ArtifactError(f"cannot save to {folder}: {error.strerror or error}") from error
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"cannot save to {folder}: a value is not plain JSON ({error})") from error
    return folder


def read(path: str | Path) -> tuple[State, dict[str, Any]]:
    """Return the state and the info saved under `path`, every checksum verified.

    Raises `ArtifactError` for a missing, truncated, altered or newer-format artifact, naming the file.
    """
    folder = Path(path)
    document = _manifest(folder)
    return _read_tree(folder, document["state"]), document["info"]


def _refuse_foreign(folder: Path) -> None:
    if folder.is_file():
        raise ArtifactError(f"{folder} is a file; an artifact is a folder: give another path")
    if folder.is_dir() and not (folder / MANIFEST).exists():
        foreign = [
            entry.name
            for entry in folder.iterdir()
            if entry.name != ARRAYS and not entry.name.startswith(".")
        ]
        if foreign:
            raise ArtifactError(
                f"{folder} holds other files ({foreign[0]}) and no {MANIFEST}; give a new or empty folder"
            )


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
        _write_atomically(target, content)
    return {"sha256": digest, "shape": list(array.shape), "dtype": str(array.dtype)}


def _write_atomically(target: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_unnamed(folder: Path, named: set[str]) -> None:
    for entry in (folder / ARRAYS).iterdir():
        if entry.name not in named:
            entry.unlink(missing_ok=True)


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
        document = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged ({error}); restore it or fit again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArtifactError(f"{path} is not a shortlist artifact")
    version = document.get("version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format version {version}, this program reads up to {FORMAT_VERSION}: upgrade shortlist"
        )
    if document.get("checksum") != _checksum(document):
        raise ArtifactError(
            f"{path} was altered after it was saved (its checksum differs); restore it or fit again"
        )
    return document


def _checksum(document: Mapping[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read_tree(folder: Path, tree: Mapping[str, Any]) -> State:
    arrays = {name: _read_array(folder, entry) for name, entry in tree["arrays"].items()}
    parts = {name: _read_tree(folder, part) for name, part in tree["parts"].items()}
    return State(tree["type"], tree["values"], arrays, parts)


def _read_array(folder: Path, entry: Mapping[str, Any]) -> NDArray[Any]:
    path = folder / ARRAYS / f"{entry['sha256']}.safetensors"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; restore it or fit again") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ArtifactError(
            f"{path} was truncated or altered (its checksum differs); restore it or fit again"
        )
    try:
        array: NDArray[Any] = safetensors.numpy.load(content)["data"]
    except (safetensors.SafetensorError, KeyError) as error:
        raise ArtifactError(f"{path} is not a safetensors file of one array: {error}") from error
    return array
