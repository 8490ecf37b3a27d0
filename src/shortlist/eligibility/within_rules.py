"""within_rules: a request with the rules of a pipeline put into its mask, so that sources search permitted items."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist.stages import Eligible, offsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from shortlist.stages import EligibilityRule, Forbidden, Request


def within_rules(
    request: Request, rules: Sequence[EligibilityRule]
) -> Iterator[tuple[NDArray[np.int64], Request]]:
    """Yield the request in parts whose users share one mask of items: (rows int64[p] of the request, their part).

    Rules that go by classes of users make one part for each combination of classes that occurs; without such rules
    there is one part. An item that several rules forbid has the name of the first of them, those of the request
    (seen, items=, exclude=) before the rules, single users' before everybody's.
    Cost: O(rules · n_items) for each part, plus the pairs that rules forbid to single users.
    """
    found = [rule.forbids(request) for rule in rules]
    names = (*request.eligible.rules, *(rule.name for rule in rules))
    for rows in _alike(found, len(request)):
        part = request.rows(rows)
        place = np.full(len(request), -1)
        place[rows] = np.arange(rows.size)
        pairs = [_own(one, place) for one in found]
        yield (
            rows,
            replace(
                part, eligible=_narrowed(part.eligible, [_masks(one, rows) for one in found], pairs, names)
            ),
        )


def _alike(found: Sequence[Forbidden], n: int) -> list[NDArray[np.int64]]:
    """Return the rows of each combination of user classes."""
    classes = [one.user_class for one in found if one.user_class is not None]
    if not classes or n == 0:
        return [np.arange(n)]
    _, group = np.unique(np.stack(classes, axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    return np.split(order, np.cumsum(np.bincount(group.ravel()))[:-1])


def _narrowed(
    given: Eligible,
    masks: Sequence[Sequence[NDArray[np.bool_]]],
    pairs: Sequence[tuple[NDArray[np.int64], NDArray[np.int32]]],
    names: tuple[str, ...],
) -> Eligible:
    """Return `given` with what each rule forbids to all its users (masks) and to single ones (row, item)."""
    first = len(given.rules) + 1
    item_rule = given.item_rule.copy()
    for code, of_rule in enumerate(masks, first):
        for mask in of_rule:
            item_rule[mask & (item_rule == 0)] = code
    n_items = max(item_rule.size, 1)
    kept = np.repeat(np.arange(len(given)), np.diff(given.ptr)) * n_items + given.item_idx
    key = np.concatenate([kept, *(row * n_items + item for row, item in pairs)])
    code_of = np.repeat(np.arange(first, first + len(pairs)), [row.size for row, _ in pairs])
    key, at = np.unique(key, return_index=True)  # of equal keys the first, which is the first rule's
    row, item = np.divmod(key, n_items)
    ptr = offsets(np.bincount(row, minlength=len(given)))
    rule = np.concatenate([given.rule, code_of])[at].astype(np.int8)
    return Eligible(names, item_rule, ptr, item.astype(np.int32), rule)


def _masks(one: Forbidden, rows: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    masks = [] if one.to_all is None else [one.to_all]
    if one.user_class is not None and one.by_class is not None and rows.size:
        masks.append(one.by_class[one.user_class[rows[0]]])
    return masks


def _own(one: Forbidden, place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return (row of the part, item) of the pairs that a rule forbids; `place` is the row of each user there, or −1."""
    if one.row is None or one.item_idx is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    mine = place[one.row] >= 0
    return place[one.row[mine]], one.item_idx[mine]
