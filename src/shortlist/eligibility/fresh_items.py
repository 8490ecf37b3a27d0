"""Newer features of items for rules that are fitted: stock changes by the hour, and a model need not."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from shortlist.data.columns import nearest
from shortlist.data.dataset import Dataset
from shortlist.data.feature_arrays import rows_for
from shortlist.data.features import FeatureTable
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.stages import EligibilityRule


@runtime_checkable
class ItemRule(Protocol):
    """A rule that goes by features of items."""

    @property
    def name(self) -> str:
        """Return the name of the rule."""

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""

    def prepare_items(self, items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""


def with_items(
    rules: Sequence[EligibilityRule], table: FeatureTable | Dataset, memory: Memory
) -> tuple[EligibilityRule, ...]:
    """Return `rules` with those that go by columns of `table` made anew; see `Pipeline.with_items`."""
    given = table.item_features if isinstance(table, Dataset) else table
    if not isinstance(given, FeatureTable):
        raise ParameterError(
            f"with_items takes a FeatureTable of items, or a Dataset that has one, got {table!r}"
        )
    _require_used(rules, given)
    rows = rows_for(given, memory.items)
    return tuple(_renewed(rule, rows, memory) for rule in rules)


def _require_used(rules: Sequence[EligibilityRule], table: FeatureTable) -> None:
    used = sorted({column for rule in rules if isinstance(rule, ItemRule) for column in rule.item_columns})
    if not any(column in table.kinds for column in used):
        raise DataError(
            f"no rule goes by any of these columns: {', '.join(table.kinds) or 'none'}; "
            f"the rules go by {', '.join(used) or 'no item features'}"
        )


def _renewed(rule: EligibilityRule, table: FeatureTable, memory: Memory) -> EligibilityRule:
    if not isinstance(rule, ItemRule):
        return rule
    lacking = [column for column in rule.item_columns if column not in table.kinds]
    if len(lacking) == len(rule.item_columns):
        return rule
    if lacking:
        raise DataError(
            f"the rule {rule.name!r} goes by {', '.join(rule.item_columns)}, and this table has no {lacking[0]!r}"
            f"{nearest(lacking[0], list(table.kinds))}: give all of its columns, or none"
        )
    renewed = copy.copy(rule)
    renewed.prepare_items(memory.items, table)
    return renewed
