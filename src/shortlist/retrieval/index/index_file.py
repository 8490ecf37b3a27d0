"""An index on disk: an artifact (a folder) of the vectors, the ids and what the index derived from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist import artifacts
from shortlist.artifacts import State
from shortlist.errors import ArtifactError
from shortlist.retrieval.index.indexed_items import IndexedItems
from shortlist.retrieval.index.item_ids import ItemIds
from shortlist.retrieval.index.stored_vectors import StoredVectors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

INDEX_VERSION = 1
_OF_ITEMS = ("codes", "scale", "offsets")


def write_index(
    path: str | Path,
    kind: str,
    items: IndexedItems,
    values: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> Path:
    """Save an index of class `kind` with what it has beside its `items`, and return the path.

    Raises `ArtifactError` where it cannot be written.
    """
    vectors = items.vectors
    stored = {name: getattr(vectors, name) for name in _OF_ITEMS if getattr(vectors, name) is not None}
    own = {f"own.{name}": array for name, array in arrays.items()}
    described = {
        "index_version": INDEX_VERSION,
        "measure": vectors.measure,
        "storage": vectors.storage,
        "space": items.space,
    }
    info = {"items": len(items), "dim": vectors.dim, **described}
    state = State(kind, {**values, **described}, {**stored, **own}, {"ids": items.ids.to_state()})
    return artifacts.write(path, state, info)


def read_index(
    path: str | Path, kind: str, *, mapped: bool
) -> tuple[IndexedItems, Mapping[str, Any], dict[str, NDArray[Any]]]:
    """Return the items, values and arrays that `write_index` saved, every checksum verified.

    Raises `ArtifactError` for a missing, truncated, altered or newer index, one of another class, and a model.
    """
    state, _ = artifacts.read(path, mapped=mapped)
    values, arrays = state.values, state.arrays
    version = values.get("index_version")
    if state.type != kind or not isinstance(version, int):
        raise ArtifactError(f"{path} holds a {state.type}, not a {kind}; load it as what it is")
    if version > INDEX_VERSION:
        raise ArtifactError(
            f"{path} has index version {version}, this program reads up to {INDEX_VERSION}: upgrade shortlist"
        )
    try:
        vectors = StoredVectors(
            arrays["codes"],
            arrays.get("scale"),
            arrays.get("offsets"),
            values["measure"],
            values["storage"],
        )
        items = IndexedItems(ItemIds.from_state(state.parts["ids"]), vectors, values["space"])
    except (LookupError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} lacks parts of an index ({error!r}); build it again") from error
    _require_aligned(path, items)
    own = {name.removeprefix("own."): array for name, array in arrays.items() if name.startswith("own.")}
    return items, values, own


def _require_aligned(path: str | Path, items: IndexedItems) -> None:
    sizes = {len(items.ids), len(items.vectors)}
    sizes |= {np.size(part) for part in (items.vectors.scale, items.vectors.offsets) if part is not None}
    if len(sizes) > 1:
        raise ArtifactError(f"{path} has ids and vectors of different numbers of items; build it again")
