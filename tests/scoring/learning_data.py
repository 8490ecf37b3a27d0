"""Events whose next item is known beforehand, and a pipeline that proposes it among others."""

import numpy as np
import polars as pl
from fixed_vectors import FixedVectors

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary

N_USERS, N_ITEMS, N_EARLY = 60, 24, 8
PRICE = np.arange(1.0, N_ITEMS + 1)


def events(seed=0, *, late=None, price=PRICE):
    """Each user has 8 events with random items, then takes 2: of the genre that most of theirs have, unless given.

    `late` int[n_users, 2] are the items of these.
    """
    rng = np.random.default_rng(seed)
    genre = np.arange(N_ITEMS) % 3
    early = np.stack([rng.permutation(N_ITEMS)[:N_EARLY] for _ in range(N_USERS)])
    if late is None:
        late = np.stack([_next(early[u], genre, rng) for u in range(N_USERS)])
    items = np.concatenate([early, late], axis=1).astype(np.int32)
    users = np.repeat(np.arange(N_USERS, dtype=np.int32), items.shape[1])
    time = np.tile(np.arange(items.shape[1]), N_USERS) * 10**12
    order = np.argsort(time, kind="stable")
    ones = np.ones(order.size, np.float32)
    feedback = Feedback.of("events", None)
    log = Interactions.of(users[order], items.ravel()[order], ones, time[order], N_USERS, N_ITEMS, feedback)
    ids = Vocabulary.of(range(N_ITEMS))
    frame = pl.DataFrame({"id": ids.ids, "genre": [["a", "b", "c"][g] for g in genre], "price": price})
    table = FeatureTable(frame, {"genre": "categorical", "price": "numeric"})
    return Dataset(log, Vocabulary.of(range(N_USERS)), ids, None, table)


def _next(early, genre, rng):
    favourite = np.bincount(genre[early], minlength=3).argmax()
    fitting = np.setdiff1d(np.flatnonzero(genre == favourite), early)
    others = np.setdiff1d(np.arange(N_ITEMS), early)
    pool = fitting if fitting.size >= 2 else others
    return rng.permutation(pool)[:2]


def proposing(scorer, **stages):
    """A pipeline whose only source proposes all items in an order that says nothing."""
    rng = np.random.default_rng(1)
    model = FixedVectors(rng.standard_normal((N_USERS, 4)), rng.standard_normal((N_ITEMS, 4)))
    return sl.Pipeline([sl.Nearest(model, k=N_ITEMS)], scorer, **stages)
