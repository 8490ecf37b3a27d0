"""Pinned items as candidates: what is to stand on a list has to be among what the list is chosen from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.retrieval.merge import BEYOND_SIZE
from shortlist.stages import KEPT, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import Candidates, Request


def with_pinned(
    merged: Candidates, request: Request, pinned: NDArray[np.int32], people: NDArray[np.bool_] | None = None
) -> Candidates:
    """Return the candidates with the items `pinned` int32[p], which are distinct, among those of every user.

    One that no source proposed has rank 0 from each, and the score 0; what a rule forbids is removed by it. One that
    the size of the merge left out is a candidate again. Where `people` bool[n] is given, only for those of them.
    """
    if not pinned.size:
        return merged
    rows = np.arange(len(merged)) if people is None else np.flatnonzero(people)
    n_items = max(request.eligible.item_rule.size, 1)
    key = merged.row * n_items + merged.item_idx
    wanted = (rows[:, None] * n_items + pinned[None, :]).ravel()
    missing = np.setdiff1d(wanted, key)
    return _with_keys(_readmitted(merged, np.isin(key, wanted)), request, key, missing, n_items)


def _readmitted(merged: Candidates, pinned: NDArray[np.bool_]) -> Candidates:
    if BEYOND_SIZE not in merged.rules:
        return merged
    beyond = merged.removed_by == merged.rules.index(BEYOND_SIZE) + 1
    return replace(merged, removed_by=np.where(pinned & beyond, KEPT, merged.removed_by).astype(np.int8))


def _with_keys(
    merged: Candidates,
    request: Request,
    key: NDArray[np.int64],
    added: NDArray[np.int64],
    n_items: int,
) -> Candidates:
    """Return the candidates with those of the keys `added` (row · n_items + item) put in their places."""
    if not added.size:
        return merged
    row, item = np.divmod(added, n_items)
    item = item.astype(np.int32)
    n_sources = len(merged.sources)
    order = np.argsort(np.concatenate([key, added]), kind="stable")
    arrays: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "item_idx": (merged.item_idx, item),
        "source_rank": (merged.source_rank, np.zeros((item.size, n_sources), np.int32)),
        "source_score": (merged.source_score, np.zeros((item.size, n_sources), np.float32)),
        "anchor": (merged.anchor, np.full(item.size, -1, np.int32)),
        "score": (merged.score, np.zeros(item.size, np.float32)),
        # The rules of the request come first in a merge, so that their codes are the same.
        "removed_by": (merged.removed_by, request.eligible.rule_of(row, item)),
    }
    if merged.source_reason is not None:
        arrays["source_reason"] = merged.source_reason, np.full((item.size, n_sources), -1, np.int32)
    ptr = merged.ptr + offsets(np.bincount(row, minlength=len(merged)))
    together: dict[str, Any] = {name: np.concatenate(two)[order] for name, two in arrays.items()}
    return replace(merged, ptr=ptr, **together)
