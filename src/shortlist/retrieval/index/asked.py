"""What may be found: the masks and ids of a search as `Eligible`, and a word where a list is short."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import DataError
from shortlist.stages import Eligible, distinct, offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Id
    from shortlist.retrieval.index.item_ids import ItemIds
    from shortlist.stages import Lists

_NOT_ALLOWED, _FORBIDDEN = 1, 2
RULES = ("not in allowed=", "in forbidden=")


def eligible_of(
    ids: ItemIds,
    n: int,
    allowed: NDArray[np.bool_] | None,
    forbidden: Sequence[Iterable[Id]] | None,
) -> Eligible:
    """Return what `n` queries may find: `allowed` bool[n_items] or bool[n, n_items], without the `forbidden` ids.

    Raises `DataError` for a mask of another shape or kind and another number of forbidden lists, `UnknownIdError` for a
    forbidden id that is not in the index.
    """
    if allowed is None and forbidden is None:
        return all_permitted(n, len(ids))
    mask = _checked(allowed, n, len(ids))
    to_all = np.zeros(len(ids), np.int8)
    pairs, rules = [np.zeros(0, np.int64)], [np.zeros(0, np.int8)]
    if mask is not None and mask.ndim == 1:
        to_all[~mask] = _NOT_ALLOWED
    elif mask is not None:
        pairs.append(np.flatnonzero(~mask.ravel()))
        rules.append(np.full(pairs[-1].size, _NOT_ALLOWED, np.int8))
    if forbidden is not None:
        pairs.append(_forbidden_pairs(ids, n, forbidden))
        rules.append(np.full(pairs[-1].size, _FORBIDDEN, np.int8))
    key, first = np.unique(np.concatenate(pairs), return_index=True)
    row, item = np.divmod(key, max(len(ids), 1))
    ptr = offsets(np.bincount(row, minlength=n))
    return Eligible(RULES, to_all, ptr, item.astype(np.int32), np.concatenate(rules)[first])


@lru_cache(maxsize=4)
def all_permitted(n: int, n_items: int) -> Eligible:
    """Return what `n` queries may find where nothing is forbidden.

    Kept, since making and counting the rules takes as long as a search in a graph.
    """
    none = np.zeros(0, np.int32)
    return Eligible((), np.zeros(n_items, np.int8), np.zeros(n + 1, np.int64), none, none.astype(np.int8))


def shortfalls(lists: Lists, k: int, eligible: Eligible) -> dict[int, str]:
    """Return for each query whose list has fewer than `k` items the reason why."""
    if lists.item_idx.size == len(lists) * k:
        return {}
    length = np.diff(lists.ptr)
    allowed = eligible.n_allowed()
    short = np.flatnonzero(length < k).tolist()
    return {r: _why_short(int(length[r]), eligible, r, int(allowed[r])) for r in short}


def _why_short(length: int, eligible: Eligible, row: int, allowed: int) -> str:
    n_items = eligible.item_rule.size
    if n_items == 0:
        return "the index is empty"
    kept = ", ".join(f"{count} {rule}" for rule, count in eligible.n_forbidden(row).items())
    if allowed == 0:
        return f"none of the {n_items} items may be found ({kept})"
    return f"{length} of {n_items} items may be found ({kept})" if kept else f"there are {n_items} items"


def _checked(allowed: NDArray[np.bool_] | None, n: int, n_items: int) -> NDArray[np.bool_] | None:
    if allowed is None:
        return None
    mask = np.asarray(allowed)
    if mask.dtype != np.bool_ or mask.shape not in {(n_items,), (n, n_items)}:
        raise DataError(
            f"allowed= is a mask bool[{n_items}] or bool[{n}, {n_items}], got {mask.dtype} of shape "
            f"{list(mask.shape)}"
        )
    return mask


def _forbidden_pairs(ids: ItemIds, n: int, forbidden: Sequence[Iterable[Id]]) -> NDArray[np.int64]:
    if len(forbidden) != n:
        raise DataError(f"forbidden= has {len(forbidden)} lists of ids for {n} queries: give one for each")
    positions = [ids.positions(own) for own in forbidden]
    row = np.repeat(np.arange(n), [own.size for own in positions])
    item = np.concatenate([np.zeros(0, np.int64), *positions])
    return distinct((row * max(len(ids), 1) + item).astype(np.int64))
