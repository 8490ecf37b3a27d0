"""Which columns of item features a report goes by, and the labels of the items in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shortlist.data.columns import nearest
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.row_labels import RowLabels
from shortlist.eligibility.deny_category import DenyCategory
from shortlist.eligibility.kept_labels import kept
from shortlist.eligibility.only_category import OnlyCategory
from shortlist.errors import DataError, ParameterError
from shortlist.models.bound_stages import flat
from shortlist.pipeline import Pipeline
from shortlist.reranking.group_mix import groups_of
from shortlist.reranking.group_terms import Calibration, Exposure
from shortlist.reranking.select import Select
from shortlist.reranking.similarity_terms import DPP, MMR
from shortlist.retrieval.top_in_group import TopInGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.experiments.recommender import Recommender

_KINDS = ("categorical", "tags")


@dataclass(frozen=True, eq=False)
class GroupColumn:
    """A column by which items are in groups.

    groups: of each item, those without a label in one of their own at the end; target float64[n_groups]: the share of
    the exposure that the pipeline's own `Exposure` aims at, None where it has no such term.
    """

    column: str
    groups: RowLabels
    target: NDArray[np.float64] | None


def group_columns(
    recommender: Recommender, names: Sequence[str], items: FeatureTable | Dataset | None
) -> tuple[list[GroupColumn], list[str]]:
    """Return the columns of a report, and in sentences which were left out and what to do.

    - names: the columns asked for; where there are none, those of the terms and caps of `Select`, and where it has
      none, all whose labels are at hand
    - items: where the labels come from; else the labels that the stages of a pipeline keep

    Raises `ParameterError` or `DataError` for a column that was asked for and whose labels are nowhere.
    """
    kept_ones = _kept_labels(recommender)
    table = _table_of(items, recommender.memory_)
    wanted = list(dict.fromkeys(names)) or _of_select(recommender)
    if not wanted:
        wanted = list(kept_ones) if table is None else _label_columns(table)
    found: dict[str, RowLabels] = {}
    missing = []
    for column in wanted:
        if table is not None and table.kinds.get(column) in _KINDS:
            found[column] = RowLabels.of_table(table, "item", column, "the report")
        elif column in kept_ones:
            found[column] = kept_ones[column]
        elif names:
            raise _not_at_hand(column, table, list(kept_ones))
        else:
            missing.append(f"{column!r} is left out: {_why_not(column, table)}")
    targets = _targets(recommender)
    return [GroupColumn(name, groups_of(its), targets.get(name)) for name, its in found.items()], missing


def _of_select(recommender: Recommender) -> list[str]:
    """Return the columns of the terms and caps of the pipeline's `Select`, in their order."""
    found: list[str] = []
    for select in _steps(recommender):
        found += [
            term.on
            for term in select.parts
            if isinstance(term, MMR | DPP | Calibration | Exposure) and term.on
        ]
        found += list(select.caps)
    return list(dict.fromkeys(found))


def _steps(recommender: Recommender) -> list[Select]:
    steps: Sequence[Any] = recommender.rerank_ if isinstance(recommender, Pipeline) else ()
    return [step for step in steps if isinstance(step, Select)]


def _targets(recommender: Recommender) -> dict[str, NDArray[np.float64]]:
    terms = [term for select in _steps(recommender) for term in select.parts]
    return {term.on: term.target_ for term in terms if isinstance(term, Exposure)}


def _kept_labels(recommender: Recommender) -> dict[str, RowLabels]:
    """Return the labels of items that the stages of a pipeline hold, with their names, by column."""
    if not isinstance(recommender, Pipeline):
        return {}
    found: dict[str, RowLabels] = {}
    for stage in flat((*recommender.rerank_, *recommender.sources_, *recommender.rules_)):
        if isinstance(stage, Calibration | Exposure):
            found[stage.on] = RowLabels(stage.on, stage.labels_, stage.label_ptr_, stage.label_code_)
        elif isinstance(stage, TopInGroup):
            found[stage.column] = RowLabels(stage.column, stage.labels_, stage.label_ptr_, stage.label_code_)
        elif isinstance(stage, DenyCategory | OnlyCategory):
            found[stage.column] = kept(stage, "item", stage.column)
    return found


def _table_of(items: FeatureTable | Dataset | None, memory: Memory) -> FeatureTable | None:
    """Return what `items` says of the items of the data, a row for each; what it says of others is left out."""
    if items is None:
        return None
    table = items.item_features if isinstance(items, Dataset) else items
    if not isinstance(table, FeatureTable):
        raise ParameterError(f"items takes a FeatureTable of items, or a Dataset that has one, got {items!r}")
    if not (memory.items.index_of(table.frame["id"]) >= 0).any():
        raise DataError(
            "none of the ids in items= is an item of the data that this was fitted on: give the features of those items"
        )
    return table.align(memory.items)


def _label_columns(table: FeatureTable) -> list[str]:
    return [name for name, kind in table.kinds.items() if kind in _KINDS]


def _not_at_hand(column: str, table: FeatureTable | None, kept_ones: list[str]) -> DataError:
    known = list(dict.fromkeys([*kept_ones, *([] if table is None else _label_columns(table))]))
    return DataError(
        f"no labels of {column!r}: {_why_not(column, table)}. "
        f"At hand: {', '.join(known) or 'none'}{nearest(column, known)}"
    )


def _why_not(column: str, table: FeatureTable | None) -> str:
    if table is None:
        return (
            "what was fitted does not keep these labels; hand the item features in (items= in Python, "
            "--items CONFIG.toml on the command line)"
        )
    if column in table.kinds:
        return f"in the item features it is {table.kinds[column]}, and groups are categorical or tags"
    return "the item features have no such column"
