"""Dataset: interactions, features and both vocabularies, together and immutable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.memory import Memory
from shortlist.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from shortlist.data.features import FeatureTable
    from shortlist.data.feedback import Feedback
    from shortlist.data.import_report import ImportReport
    from shortlist.data.interactions import Interactions
    from shortlist.data.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a model is fitted on.

    The vocabularies hold every user and item of the events and of the feature tables: an item that nobody has
    touched yet is in the catalogue. `user_features` and `item_features` have one row for each id of their
    vocabulary, in its order, or are None. `report` says what was rejected when the data was read. `repeats` declares
    that people come back to the same items (groceries, songs), so that lists of seen items are measured too.
    """

    interactions: Interactions
    users: Vocabulary
    items: Vocabulary
    user_features: FeatureTable | None = None
    item_features: FeatureTable | None = None
    report: ImportReport | None = None
    name: str = "data"
    repeats: bool = False

    def __post_init__(self) -> None:
        log = self.interactions
        if (log.n_users, log.n_items) != (len(self.users), len(self.items)):
            raise DataError(
                f"interactions of {log.n_users} users × {log.n_items} items do not belong to vocabularies "
                f"of {len(self.users)} users and {len(self.items)} items"
            )
        for table, ids in ((self.user_features, self.users), (self.item_features, self.items)):
            if table is not None and not table.frame["id"].equals(ids.ids, check_names=False):
                raise DataError(
                    "a feature table is not aligned with its vocabulary; call FeatureTable.align first"
                )

    @property
    def feedback(self) -> Feedback:
        """Return what the values mean."""
        return self.interactions.feedback

    @property
    def titles(self) -> pl.Series | None:
        """Return the name of each item for people, String[n_items], None where the data has none."""
        if self.item_features is None or (column := self.item_features.title_column) is None:
            return None
        return self.item_features.frame[column]

    def with_interactions(self, interactions: Interactions) -> Dataset:
        """Return this dataset with other events of the same users and items (a part of a split, say)."""
        return replace(self, interactions=interactions)

    @cached_property
    def memory(self) -> Memory:
        """Return what a fitted model keeps of this data; one object however many models are fitted on it."""
        return Memory(
            users=self.users,
            items=self.items,
            history=self.interactions.history(),
            feedback=self.feedback,
            titles=self.titles,
            now=self.interactions.now,
            fingerprint=self.fingerprint,
            repeats=self.repeats,
        )

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of ids, events, meaning of the values and features."""
        digest = hashlib.sha256()
        log = self.interactions
        for array in (log.user_idx, log.item_idx, log.value, log.timestamp):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        digest.update(repr(log.feedback).encode())
        if self.repeats:  # data without the declaration keeps the fingerprint it always had
            digest.update(b"repeats")
        for frame in (
            self.users.ids.to_frame(),
            self.items.ids.to_frame(),
            log.context,
            *self._feature_frames(),
        ):
            digest.update(b"none" if frame is None else _frame_bytes(frame))
        return digest.hexdigest()

    def _feature_frames(self) -> list[pl.DataFrame | None]:
        return [None if table is None else table.frame for table in (self.user_features, self.item_features)]

    def __repr__(self) -> str:
        log = self.interactions
        size = f"{len(self.users)} users × {len(self.items)} items"
        return f"Dataset({self.name}: {len(log)} {log.feedback.kind} of {size})"


def _frame_bytes(frame: pl.DataFrame) -> bytes:
    # JSON text, not Polars' row hashes: those differ between Polars versions.
    return repr(frame.columns).encode() + frame.write_ndjson().encode()
