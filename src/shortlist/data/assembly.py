"""Assembly: checked events and feature rows become one Dataset with its import report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.cells import is_text, one_kind
from shortlist.data.dataset import Dataset
from shortlist.data.duplicate_rows import count_duplicates
from shortlist.data.features import ID, FeatureTable
from shortlist.data.id_collisions import find_collisions
from shortlist.data.import_report import SHOWN_IDS, ImportReport
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
        ("users", log.user_idx, users, user_rows, events.user_id),
        ("items", log.item_idx, items, item_rows, events.item_id),
    )
    unseen = {
        side: np.flatnonzero(~_seen(index, len(ids)))
        for side, index, ids, rows, _ in sides
        if rows is not None
    }
    without = list(unseen)
    vocabularies = {side: ids for side, _, ids, _, _ in sides}
    reports = (events.report, events.impressions, *(rows.report for rows in (item_rows, user_rows) if rows))
    return ImportReport(
        tables=tuple(report for report in reports if report is not None),
        feedback=events.feedback,
        n_events=len(log),
        n_users=len(users),
        n_items=len(items),
        repeats=log.n_repeats,
        first=None if log.timestamp is None else int(log.timestamp[0]),
        last=log.now,
        id_kinds={side: ids.kind for side, ids in vocabularies.items()},
        without_events={side: unseen[side].size for side in without},
        without_features={
            side: len(ids) - rows.ids.len() for side, _, ids, rows, _ in sides if rows is not None
        },
        assumed=events.assumed,
        duplicates=count_duplicates(log) if log.n_repeats else 0,
        examples={
            side: tuple(vocabularies[side].ids_of(unseen[side][:SHOWN_IDS]).to_list()) for side in without
        },
        collisions=tuple(found for side, ids in vocabularies.items() for found in find_collisions(side, ids)),
        mixed_ids=tuple(
            side for side, _, _, rows, ids in sides if rows is not None and is_text(rows.ids) != is_text(ids)
        ),
        labelling=events.labelling,
    )


def _seen(index: NDArray[np.int32], n: int) -> NDArray[np.bool_]:
    seen = np.zeros(n, bool)
    seen[index] = True
    return seen
