"""What a learned scorer knows of repeats: how a person chose the very item before, and candidates that include it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scoring.learning_data import N_EARLY, N_ITEMS, N_USERS, events, proposing

import shortlist as sl
from shortlist.data.memory import Limits
from shortlist.scoring.candidate_features import candidate_features
from shortlist.scoring.item_facts import ItemFacts
from shortlist.scoring.user_facts import UserFacts
from shortlist.stages import Candidates, Lists

DAY = 86_400_000_000


def test_times_share_and_days_are_those_of_the_pair() -> None:
    log = pl.DataFrame(
        {
            "user_id": ["u", "u", "u", "u", "v"],
            "item_id": ["a", "a", "b", "a", "c"],
            "timestamp": [0, 0, 2 * DAY, 3 * DAY, 4 * DAY],  # the two lines of one moment count once
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us")))
    data = sl.read(log, kind="events")
    request = data.memory.request(np.array([0, 1], np.int32), 3, Limits(exclude_seen=False))
    every = np.array([0, 1, 2, 0, 1, 2], np.int32)
    candidates = Candidates.from_lists(Lists(np.array([0, 3, 6]), every, np.zeros(6, np.float32)), "all")
    rows = candidate_features(request, candidates, ItemFacts.of(data, ""), UserFacts.of(data, ""))
    found = {name: rows.values[:, at].tolist() for at, name in enumerate(rows.names)}
    assert found["times chosen"] == [2, 1, 0, 0, 0, 1]
    assert found["share of moments"] == pytest.approx([2 / 3, 1 / 3, 0, 0, 0, 1])
    assert found["days since chosen"] == pytest.approx([1, 2, np.nan, np.nan, np.nan, 0], nan_ok=True)


def test_data_with_repeats_teaches_them() -> None:
    first, rng = events(), np.random.default_rng(2)
    own = first.interactions.item_idx[first.interactions.user_idx.argsort(kind="stable")].reshape(N_USERS, -1)
    late = rng.permuted(own[:, :N_EARLY], axis=1)[:, :2]
    again = replace(events(late=late), repeats=True)  # two of their own items once more
    fitted = proposing(sl.LambdaMARTScorer(n_trees=20, min_rows=5)).fit(again, rng=0)
    lists = fitted.recommend(again.users.ids, N_EARLY, exclude_seen=False).lists
    seen = np.zeros((N_USERS, N_ITEMS), bool)
    seen[again.interactions.user_idx, again.interactions.item_idx] = True
    assert seen[lists.row, lists.item_idx].mean() > 0.9
