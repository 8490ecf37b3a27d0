"""Ids, titles and values of every kind come back from the disk as they were."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist import artifacts
from shortlist.artifacts import State
from shortlist.data.interactions import Interactions

PLAIN = [
    "",
    " ",
    "..",
    "a/b",
    '"',
    "'",
    "line\nbreak",
    "tab\t",
    "\0",
    "null",
    "NaN",
    "1",
    "01",
    "-0",
    "<script>",
]
STRANGE = [*PLAIN, "é", "e\u0301", "日本語", "🎬", "\U0010ffff", "\ufeffx", "\u202eto the left", "a" * 10_000]
LARGE = [-(2**63), -(2**53) - 1, -1, 0, 2**53, 2**53 + 1, 2**63 - 1]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


def dataset(user_ids, item_ids, titles=None):
    """Return data in which every user has an event with every item."""
    users, items = sl.Vocabulary.of(user_ids), sl.Vocabulary.of(item_ids)
    user, item = (part.ravel().astype(np.int32) for part in np.indices((len(users), len(items))))
    ones = np.ones(user.size, np.float32)
    log = Interactions.of(user, item, ones, None, len(users), len(items), sl.Feedback.events())
    table = None
    if titles is not None:
        frame = pl.DataFrame({"id": items.ids, "title": titles[: len(items)]})
        table = sl.FeatureTable(frame, {"title": "text"})
    return sl.Dataset(log, users, items, item_features=table)


def survives(data, folder):
    saved = sl.Popularity().fit(data).save(folder)
    loaded = sl.load(saved)
    assert loaded.memory_.users.ids.equals(data.users.ids)
    assert loaded.memory_.items.ids.equals(data.items.ids)
    again = loaded.recommend(data.users.ids, 3, exclude_seen=False).frame
    assert again.equals(sl.Popularity().fit(data).recommend(data.users.ids, 3, exclude_seen=False).frame)
    return loaded


@pytest.mark.parametrize("items", [STRANGE, LARGE])
@pytest.mark.parametrize("users", [STRANGE, LARGE])
def test_strange_and_large_ids(tmp_path, users, items):
    loaded = survives(dataset(users, items), tmp_path / "m")
    assert set(loaded.memory_.users.ids) == set(users)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.lists(TEXT, min_size=1, max_size=5), st.lists(INTEGERS, min_size=1, max_size=5)),
    st.one_of(st.lists(TEXT, min_size=1, max_size=5), st.lists(INTEGERS, min_size=1, max_size=5)),
)
def test_any_ids(tmp_path, users, items):
    survives(dataset(users, items), tmp_path / "m")


def test_strange_titles_and_none(tmp_path):
    titles = [*STRANGE[:-1], None]
    data = dataset([1], list(range(len(titles))), titles)
    loaded = survives(data, tmp_path / "m")
    assert loaded.memory_.titles.to_list() == titles


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", *STRANGE, 2**80, -(2**63), 1e-320, 0.1])
def test_values_of_the_manifest(tmp_path, value):
    """A lone surrogate is no character, but a name in Python may hold one."""
    artifacts.write(tmp_path / "x", State("S", {"v": value, "list": [value]}), {"v": value})
    state, info = artifacts.read(tmp_path / "x")
    assert state.values == {"v": value, "list": [value]}
    assert info == {"v": value}
