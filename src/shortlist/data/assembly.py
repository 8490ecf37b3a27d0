"""Assembly: checked events and feature rows become one Dataset with its import report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.cells import one_kind
from shortlist.data.dataset import Dataset
from shortlist.data.features import ID, FeatureTable
from shortlist.data.import_report import ImportReport
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.events import Events
    from shortlist.data.feature_reading import FeatureRows


def assemble(
    name: str, events: Events, items: FeatureRows | None, users: FeatureRows | None
) -> tuple[Dataset, ImportReport]:
    """Return the dataset called `name` and its report, which it also carries.

    The vocabularies are the ids of the events and of the feature tables together. Where an id column is text in one
    table and integers in the other, both become text.
    """
    user_ids, user_vocabulary, user_table = _join(events.user_id, users)
    item_ids, item_vocabulary, item_table = _join(events.item_id, items)
    log = Interactions.of(
        user_vocabulary.index_of(user_ids),
        item_vocabulary.index_of(item_ids),
        events.value,
        events.timestamp,
        len(user_vocabulary),
        len(item_vocabulary),
        events.feedback,
        events.context,
    )
    report = _report(events, log, user_vocabulary, item_vocabulary, items, users)
    return Dataset(log, user_vocabulary, item_vocabulary, user_table, item_table, report, name), report


def _join(ids: pl.Series, rows: FeatureRows | None) -> tuple[pl.Series, Vocabulary, FeatureTable | None]:
    if rows is None:
        return ids, Vocabulary.of(ids), None
    ids, feature_ids = one_kind(ids, rows.ids)
    vocabulary = Vocabulary.of(ids, feature_ids)
    frame = pl.DataFrame([feature_ids.rename(ID), *rows.features.get_columns()])
    return ids, vocabulary, FeatureTable(frame, rows.kinds).align(vocabulary)


def _report(
    events: Events,
    log: Interactions,
    users: Vocabulary,
    items: Vocabulary,
    item_rows: FeatureRows | None,
    user_rows: FeatureRows | None,
) -> ImportReport:
    sides = (
        ("users", log.user_idx, len(users), user_rows),
        ("items", log.item_idx, len(items), item_rows),
    )
    seen = {side: _n_distinct(index, n) for side, index, n, _ in sides}
    tables = (events.report, *(rows.report for rows in (item_rows, user_rows) if rows is not None))
    return ImportReport(
        tables=tables,
        feedback=events.feedback,
        n_events=len(log),
        n_users=len(users),
        n_items=len(items),
        repeats=_n_repeats(log),
        first=None if log.timestamp is None else int(log.timestamp[0]),
        last=log.now,
        id_kinds={"users": users.kind, "items": items.kind},
        without_events={side: n - seen[side] for side, _, n, rows in sides if rows is not None},
        without_features={side: n - rows.ids.len() for side, _, n, rows in sides if rows is not None},
        assumed=events.assumed,
    )


def _n_distinct(index: NDArray[np.int32], n: int) -> int:
    seen = np.zeros(n, bool)
    seen[index] = True
    return int(seen.sum())


def _n_repeats(log: Interactions) -> int:
    pairs = pl.Series(log.user_idx).cast(pl.Int64) * log.n_items + pl.Series(log.item_idx).cast(pl.Int64)
    return len(log) - pairs.n_unique()
