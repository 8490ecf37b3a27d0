"""Random small datasets and requests, the same for every model and pipeline."""

import numpy as np
import polars as pl
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary

STRANGE_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


@st.composite
def datasets(draw, kinds=("ratings", "binary", "events")):
    """Return a dataset with ties in value and time, repeated pairs, users and items without events."""
    kind = draw(st.sampled_from(kinds))
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    ids = draw(st.sampled_from(["integer", "string"]))
    users, items = draw(vocabularies(n_users, ids)), draw(vocabularies(n_items, ids))
    m = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    value = {
        "ratings": rng.integers(1, 6, m),
        "binary": rng.integers(0, 2, m),
        "events": rng.integers(1, 4, m),
    }[kind]
    feedback = Feedback.of(kind, (1, 5) if kind == "ratings" else None)
    times = rng.integers(0, 5, m) if draw(st.booleans()) else None
    log = Interactions.of(
        rng.integers(0, n_users, m), rng.integers(0, n_items, m), value.astype(np.float32), times,
        n_users, n_items, feedback,
    )  # fmt: skip
    titles = pl.DataFrame([items.ids.rename("id"), pl.Series("title", [f"t{i}" for i in range(n_items)])])
    features = FeatureTable(titles, {"title": "text"}) if draw(st.booleans()) else None
    return Dataset(log, users, items, item_features=features)


@st.composite
def vocabularies(draw, n, kind):
    """Return `n` ids: integers far beyond 2^53 among them, or any text."""
    element = st.integers(-(2**63), 2**63 - 1) if kind == "integer" else STRANGE_TEXT
    return Vocabulary.of(draw(st.lists(element, min_size=n, max_size=n, unique=True)))


@st.composite
def requests(draw, dataset):
    """Return keyword arguments of `recommend`."""
    users, items = dataset.users.ids.to_list(), dataset.items.ids.to_list()
    stranger = 12345 if dataset.users.kind == "integer" else "a stranger"
    some_items = st.lists(st.sampled_from(items), max_size=5, unique=True)
    return {
        "users": draw(st.lists(st.sampled_from([*users, stranger]), min_size=1, max_size=6, unique=True)),
        "k": draw(st.integers(0, len(items) + 2)),
        "exclude_seen": draw(st.booleans()),
        "items": draw(st.none() | some_items),
        "exclude": draw(st.none() | some_items),
        "at": draw(st.none() | st.integers(0, 5)),
        "on_unknown": draw(st.sampled_from(["skip", "fallback"])),
    }
