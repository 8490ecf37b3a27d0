"""People who are not in the data: their events and features as one dataset, and the request that asks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.models.newcomers import can_place, new_users
from shortlist.models.vectors import FoldsPeopleIn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from shortlist.data.features import FeatureKind, FeatureTable
    from shortlist.data.memory import Limits, Memory
    from shortlist.models.model import Model
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import Request


def people_of(
    events: Dataset | None,
    features: FeatureTable | None,
    memory: Memory,
    kinds: Mapping[str, FeatureKind],
) -> Dataset:
    """Return the users of `events` and of `features` with both, at the items of `memory`; other items are left out.

    Columns of `kinds`, those of the users in the data, that are not there are missing of everybody. Raises `DataError`
    unless the values mean what they do in `memory`, `ParameterError` where both are None.
    """
    people = new_users(events, features, memory)
    table = None if people.table is None else people.table.with_columns(kinds)
    return Dataset(people.log, people.ids, memory.items, table, name="people who are not in the data")


def request_for(
    people: Dataset,
    models: Iterable[Model],
    memory: Memory,
    k: int,
    limits: Limits,
    context: Mapping[str, Any] | None,
) -> Request:
    """Return the request for lists of all users of `people`, as each of the fitted `models` that can folds them in."""
    nobody = np.full(len(people.users), -1, np.int32)
    request = memory.request(nobody, k, limits, people.interactions.history(), context)
    table = people.user_features
    return replace(request, features={} if table is None else table.cells(), people=_folded(people, models))


def _folded(people: Dataset, models: Iterable[Model]) -> dict[str, UserVectors]:
    """Return the people by the `space` of each model that can place some of them by what is known of them."""
    return {
        model.space: model.fold_in_users(people)
        for model in models
        if isinstance(model, FoldsPeopleIn) and can_place(model.folds_in, people)
    }
