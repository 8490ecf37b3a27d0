"""within_rules: a request with the rules of a pipeline put into its mask, so that sources search permitted items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ParameterError
from shortlist.stages import Eligible, offsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from shortlist.stages import EligibilityRule, Forbidden, Request

# Codes of rules stand in an int8: as MOST_CODES − code a smaller code is a larger number, and the largest wins.
MOST_CODES = 127


def within_rules(
    request: Request, rules: Sequence[EligibilityRule]
) -> Iterator[tuple[NDArray[np.int64], Request]]:
    """Yield the request in parts whose users share one mask of items: (rows int64[p] of the request, their part).

    Rules that go by classes of users make one part for each combination of classes that occurs; without such rules
    there is one part. An item that several rules forbid has the name of the first of them: seen, items= and exclude= of
    the request, then `rules` in their order.
    Cost: O(rules · n_items) bytes for each part, plus a sort of the pairs that are forbidden to single users.
    """
    found = [rule.forbids(request) for rule in rules]
    names = (*request.eligible.rules, *(rule.name for rule in rules))
    parts = _alike(found, len(request))
    pairs = _Pairs.of(found, parts, len(request), len(request.eligible.rules) + 1)
    for number, rows in enumerate(parts):
        part = request if len(parts) == 1 else request.rows(rows)
        masks = [_masks(one, rows) for one in found]
        _require_masks(masks, rules, request.eligible.item_rule.size)
        eligible = _masked(part.eligible, masks, names)
        yield rows, replace(part, eligible=_with_pairs(eligible, *pairs.of_part(number)))


def _alike(found: Sequence[Forbidden], n: int) -> list[NDArray[np.int64]]:
    """Return the rows of each combination of user classes, ascending; one part without rows where there are none."""
    classes = [one.user_class for one in found if one.user_class is not None]
    if not classes or n < 2:
        return [np.arange(n)]
    group = np.zeros(n, np.int64)
    for user_class in classes:
        _, group = np.unique(group * (int(user_class.max()) + 1) + user_class, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group))[:-1])


def _masks(one: Forbidden, rows: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Return the masks of a rule that hold for all users of a part."""
    masks = [] if one.to_all is None else [one.to_all]
    if one.user_class is not None and one.by_class is not None and rows.size:
        masks.append(one.by_class[int(one.user_class[rows[0]])])
    return masks


def _require_masks(
    masks: Sequence[Sequence[NDArray[np.bool_]]], rules: Sequence[EligibilityRule], n_items: int
) -> None:
    """Raise `ParameterError` naming the rule whose mask is not bool[n_items]: one of the caller's own, surely."""
    for rule, of_rule in zip(rules, masks, strict=True):
        for mask in of_rule:
            if mask.dtype != np.bool_ or mask.shape != (n_items,):
                raise ParameterError(
                    f"the rule {rule.name!r} gave a mask {mask.dtype}{list(mask.shape)}; there are {n_items} items, "
                    f"so it must be bool[{n_items}]"
                )


def _masked(
    given: Eligible, masks: Sequence[Sequence[NDArray[np.bool_]]], names: tuple[str, ...]
) -> Eligible:
    """Return `given` with what each rule forbids to all its users."""
    item_rule = given.item_rule
    if any(masks):
        first = _reversed(item_rule)
        term = np.empty_like(first)
        for code, of_rule in enumerate(masks, len(given.rules) + 1):
            for mask in of_rule:
                np.multiply(mask.view(np.int8), np.int8(MOST_CODES - code), out=term)
                np.maximum(first, term, out=first)
        item_rule = _reversed(first)
    return Eligible(names, item_rule, given.ptr, given.item_idx, given.rule)


def _reversed(codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return int8: MOST_CODES − code, and 0 for 0; its own inverse.

    In passes over bytes, which the compiler vectorises; `np.where` takes several times as long.
    """
    out = np.subtract(np.int8(MOST_CODES), codes)
    np.multiply(out, np.not_equal(codes, 0).view(np.int8), out=out)
    return out


def _with_pairs(
    given: Eligible, row: NDArray[np.int64], item: NDArray[np.int32], code: NDArray[np.int8]
) -> Eligible:
    """Return `given` with the forbidden pairs (row, item), in the order of their rules' codes."""
    n_items = max(given.item_rule.size, 1)
    by_all = given.item_rule[item]
    news = (by_all == 0) | (by_all > code)
    if not news.any():
        return given
    own = np.repeat(np.arange(len(given)), np.diff(given.ptr)) * n_items + given.item_idx
    key = np.concatenate([own, row[news] * n_items + item[news]])
    key, at = np.unique(key, return_index=True)  # of equal keys the first, which is the first rule's
    rows, items = np.divmod(key, n_items)
    ptr = offsets(np.bincount(rows, minlength=len(given)))
    rule = np.concatenate([given.rule, code[news]])[at]
    return Eligible(given.rules, given.item_rule, ptr, items.astype(np.int32), rule)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The pairs that rules forbid to single users, by part, in the order of the rules within one."""

    ptr: NDArray[np.int64]  # where each part begins
    row: NDArray[np.int64]  # within the part
    item: NDArray[np.int32]
    code: NDArray[np.int8]

    @classmethod
    def of(cls, found: Sequence[Forbidden], parts: Sequence[NDArray[np.int64]], n: int, first: int) -> _Pairs:
        """Return the pairs of all rules, of which the first has the code `first`."""
        rows, items, codes = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)], [np.zeros(0, np.int8)]
        for code, one in enumerate(found, first):
            if one.row is not None and one.item_idx is not None:
                rows.append(one.row)
                items.append(one.item_idx)
                codes.append(np.full(one.row.size, code, np.int8))
        row, item, code_of = np.concatenate(rows), np.concatenate(items), np.concatenate(codes)
        part_of, place = np.zeros(n, np.int64), np.zeros(n, np.int64)
        for number, of_part in enumerate(parts):
            part_of[of_part], place[of_part] = number, np.arange(of_part.size)
        order = np.argsort(part_of[row], kind="stable")
        ptr = offsets(np.bincount(part_of[row], minlength=len(parts)))
        return cls(ptr, place[row[order]], item[order], code_of[order])

    def of_part(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]:
        """Return (row, item, code) of the pairs of one part."""
        part = slice(self.ptr[number], self.ptr[number + 1])
        return self.row[part], self.item[part], self.code[part]
