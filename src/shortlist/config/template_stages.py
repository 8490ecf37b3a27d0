"""Sources, merge and rules of the configuration file that `shortlist init` writes: those that the data supports."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shortlist.config import key_meanings as meanings
from shortlist.config.commented_table import CommentedTable
from shortlist.eligibility.deny_category import DenyCategory
from shortlist.eligibility.deny_list import DenyList
from shortlist.eligibility.disliked import Disliked
from shortlist.retrieval.again import Again
from shortlist.retrieval.bought_together import BoughtTogether
from shortlist.retrieval.fresh import Fresh
from shortlist.retrieval.merge import Merge
from shortlist.retrieval.nearest import Nearest
from shortlist.retrieval.next_item import NextItem
from shortlist.retrieval.popular import Popular
from shortlist.retrieval.related import RelatedToRecent
from shortlist.retrieval.top_in_group import TopInGroup
from shortlist.retrieval.top_in_user_group import TopInUserGroup
from shortlist.retrieval.trending import Trending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.data.discovery import Discovery
    from shortlist.data.features import FeatureKind, FeatureTable

# Similar items are found for every item beforehand, which takes n_items² products.
MOST_ITEMS_TO_RELATE = 200_000
# The size of a merge that the file shows; the weight and the quota are examples.
SIZE, WEIGHTS, QUOTAS = 200, {"Nearest": 2.0}, {"Popular": [5, 20]}


def source_tables(found: Discovery) -> list[CommentedTable]:
    """Return [[sources]] that the data has what it takes for, and [merge], commented out."""
    data = found.data
    tables = [
        _source(
            Nearest,
            meanings.NEAREST_KEYS,
            {"model": "taste", "k": _default(Nearest, "k")},
            "close to the user's taste",
        ),
        *_related(data),
    ]
    if (column := column_of(data.item_features, ("tags", "categorical"))) is not None:
        given = {"column": column, "groups": _default(TopInGroup, "groups"), "k": _default(TopInGroup, "k")}
        tables.append(
            _source(TopInGroup, meanings.TOP_IN_GROUP_KEYS, given, "the best of the user's top groups")
        )
    if (column := column_of(data.user_features, ("categorical", "tags"))) is not None:
        given = {"column": column, "k": _default(TopInUserGroup, "k")}
        tables.append(
            _source(
                TopInUserGroup, meanings.TOP_IN_USER_GROUP_KEYS, given, "liked by the same group of users"
            )
        )
    if data.interactions.timestamp is not None:
        tables += _by_time(found)
    if found.repeats:
        given = {"model": "again", "k": _default(Again, "k")}
        tables.append(
            _source(Again, meanings.AGAIN_KEYS, given, "chosen before; shown where seen items may be")
        )
    popular = {"k": _default(Popular, "k"), "model": "popular"}
    tables.append(_source(Popular, meanings.POPULAR_KEYS, popular, "liked by most"))
    about = ("Fewer candidates for the scorer, and from which source:",)
    example = {"size": SIZE, "weights": WEIGHTS, "quotas": QUOTAS}
    return [
        *tables,
        CommentedTable("[merge]", Merge, meanings.MERGE_KEYS, example, about=about, is_active=False),
    ]


def rule_tables(found: Discovery) -> list[CommentedTable]:
    """Return examples of [[rules]], commented out; their ids and labels are of the data."""
    data = found.data
    tables = []
    if data.feedback.kind != "events":
        tables.append(_rule(Disliked, meanings.DISLIKED_KEYS, {}, "what the user rated as not liked"))
    table, column = data.item_features, column_of(data.item_features, ("tags", "categorical"))
    if table is not None and column is not None and (labels := table.tags(column)[1]):
        given = {"column": column, "values": labels[:1]}
        tables.append(_rule(DenyCategory, meanings.DENY_CATEGORY_KEYS, given, "items of a category"))
    given = {"items": data.items.ids.head(1).to_list()}
    tables.append(_rule(DenyList, meanings.DENY_LIST_KEYS, given, "single items"))
    tables[0] = replace(tables[0], about=("What may not be shown, whatever proposes it:",))
    return tables


def column_of(table: FeatureTable | None, kinds: Sequence[FeatureKind]) -> str | None:
    """Return the first column of the first of `kinds` that `table` has, None where it has none."""
    columns = {} if table is None else table.kinds
    return next((name for kind in kinds for name, own in columns.items() if own == kind), None)


def can_relate(data: Dataset) -> bool:
    """Return whether all pairs of items can be compared in a fit that people wait for."""
    return len(data.items) <= MOST_ITEMS_TO_RELATE


def _related(data: Dataset) -> list[CommentedTable]:
    few = can_relate(data)
    slow = () if few else ("Takes long to fit with so many items:",)
    near = {"model": "neighbours", "k": _default(Nearest, "k"), "name": "Neighbours"}
    return [
        _source(
            RelatedToRecent,
            meanings.RELATED_KEYS,
            {"model": "taste"},
            "similar to what was liked last",
            about=slow,
            is_active=few,
        ),
        _source(
            Nearest,
            meanings.NEAREST_KEYS,
            near,
            "chosen by the people who chose what the user did",
            about=slow,
            is_active=few,
        ),
    ]


def _by_time(found: Discovery) -> list[CommentedTable]:
    """Return the sources of data with times."""
    half_life = {"half_life_days": _default(Trending, "half_life_days"), "k": _default(Trending, "k")}
    appeared = column_of(found.data.item_features, ("time",))
    newest = {"k": _default(Fresh, "k")} | ({} if appeared is None else {"column": appeared})
    tables = [
        _source(Trending, meanings.TRENDING_KEYS, half_life, "liked by many lately"),
        _source(Fresh, meanings.FRESH_KEYS, newest, "the newest items"),
    ]
    baskets = {"gap_minutes": _default(BoughtTogether, "gap_minutes")}
    after = {"window": _default(NextItem, "window")}
    return [
        *tables,
        _source(
            BoughtTogether,
            meanings.BOUGHT_TOGETHER_KEYS,
            baskets,
            "in one basket, or one session, with what was chosen last",
            shown=meanings.BASKETS_SHOWN,
        ),
        _source(NextItem, meanings.NEXT_ITEM_KEYS, after, "what people chose after it"),
    ]


def _source(
    cls: type,
    keys: dict[str, str],
    values: dict[str, Any],
    meaning: str,
    *,
    about: tuple[str, ...] = (),
    shown: dict[str, Any] | None = None,
    is_active: bool = True,
) -> CommentedTable:
    examples = {"name": cls.__name__} | meanings.SOURCES_SHOWN | (shown or {})
    named = {"type": (cls.__name__, meaning)}
    return CommentedTable("[[sources]]", cls, keys, values, examples, named, about, is_active)


def _rule(cls: type, keys: dict[str, str], values: dict[str, Any], meaning: str) -> CommentedTable:
    examples = {"name": cls.__name__} | meanings.RULES_SHOWN
    named = {"type": (cls.__name__, meaning)}
    return CommentedTable("[[rules]]", cls, keys, values, examples, named, is_active=False)


def _default(target: type, name: str) -> Any:
    return inspect.signature(target).parameters[name].default
