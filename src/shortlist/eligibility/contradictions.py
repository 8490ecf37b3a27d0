"""Rules that contradict each other are refused before anything is fitted."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from shortlist.eligibility.allow_list import AllowList
from shortlist.eligibility.deny_category import DenyCategory
from shortlist.eligibility.deny_list import DenyList
from shortlist.eligibility.only_category import OnlyCategory
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from shortlist.stages import EligibilityRule

MOST_SHOWN = 5


def require_consistent(rules: Sequence[EligibilityRule]) -> None:
    """Raise `ParameterError` naming both rules and the values where two of `rules` cannot both be meant.

    These are: an item on an allow list and on a deny list; a category that one rule allows alone and another denies;
    two allow lists with nothing in common.
    """
    for one, other in combinations(rules, 2):
        for first, second in ((one, other), (other, one)):
            if isinstance(first, AllowList) and isinstance(second, DenyList):
                _refuse_shared(first, first.items, second, second.items, "item")
            if (
                isinstance(first, OnlyCategory)
                and isinstance(second, DenyCategory)
                and first.column == second.column
            ):
                _refuse_shared(first, first.values or (), second, second.values or (), first.column)
        if isinstance(one, AllowList) and isinstance(other, AllowList) and not {*one.items} & {*other.items}:
            raise ParameterError(
                f"the rules {one.name!r} and {other.name!r} allow no item in common, so nothing could be shown"
            )


def _refuse_shared(
    allows: EligibilityRule,
    allowed: Iterable[object],
    denies: EligibilityRule,
    denied: Collection[object],
    what: str,
) -> None:
    refused = set(denied)
    shared = [value for value in allowed if value in refused]
    if shared:
        shown = ", ".join(map(repr, shared[:MOST_SHOWN])) + (", …" if len(shared) > MOST_SHOWN else "")
        raise ParameterError(
            f"the rule {allows.name!r} allows the {what} {shown} and the rule {denies.name!r} denies it: "
            "take it out of one of them"
        )
