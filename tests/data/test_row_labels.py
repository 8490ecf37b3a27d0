"""Labels of users and items by a column: those of the data, and those said of strangers."""

import numpy as np
import polars as pl
import pytest

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Limits
from shortlist.data.row_labels import RowLabels
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError
from shortlist.stages import Request

KINDS = {"country": "categorical", "likes": "tags", "age": "numeric"}


def people():
    users, items = Vocabulary.of(range(3)), Vocabulary.of(range(2))
    frame = pl.DataFrame(
        {
            "id": users.ids,
            "country": ["NL", None, "BE"],
            "likes": [["b", "a", "b"], [], None],
            "age": [1.0, 2, 3],
        },
        {"id": pl.Int64, "country": pl.String, "likes": pl.List(pl.String), "age": pl.Float64},
    )
    one = np.zeros(1, np.int32)
    log = Interactions.of(one, one, np.ones(1, np.float32), None, 3, 2, Feedback.of("events", None))
    return Dataset(log, users, items, FeatureTable(frame, KINDS))


def asked(users, **features):
    request = people().memory.request(np.array(users, np.int32), 1, Limits())
    features = {name: np.array([*values, None], object)[:-1] for name, values in features.items()}
    return Request(request.user_idx, request.history, request.eligible, 1, None, None, features)


def as_texts(labels):
    return [
        [labels.labels[c] for c in labels.code[a:b]] for a, b in zip(labels.ptr, labels.ptr[1:], strict=False)
    ]


def test_labels_of_rows_are_those_of_the_table():
    labels = RowLabels.of(people(), "user", "likes", "a test")
    assert as_texts(labels) == [["a", "b"], [], []]
    assert as_texts(labels.take(np.array([-1, 0, 2]))) == [[], ["a", "b"], []]
    country = RowLabels.of(people(), "user", "country", "a test")
    assert country.first.tolist() == [1, -1, 0]
    assert country.row.tolist() == [0, 2]


def test_strangers_have_what_the_request_says_and_others_what_the_data_says():
    country = RowLabels.of(people(), "user", "country", "a test")
    request = asked([-1, 2, -1, 0, -1], country=["NL", "NL", None, None, "FR"])
    assert as_texts(country.of_request(request)) == [["NL"], ["BE"], [], ["NL"], []]
    assert as_texts(country.of_request(asked([-1, 0]))) == [[], ["NL"]]
    likes = RowLabels.of(people(), "user", "likes", "a test")
    request = asked([-1, -1, -1], likes=[("b", "z", "a", "b", None), float("nan"), 7])
    assert as_texts(likes.of_request(request)) == [["a", "b"], [], []]


def test_a_column_that_is_not_there_or_a_value_that_is_no_text_is_named():
    with pytest.raises(DataError, match=r"Rule needs the user feature 'town'.*there are: country, likes"):
        RowLabels.of(people(), "user", "town", "Rule")
    with pytest.raises(DataError, match=r"'age'.*here it is numeric"):
        RowLabels.of(people(), "user", "age", "Rule")
    with pytest.raises(DataError, match=r"'genre'.*no item features"):
        RowLabels.of(people(), "item", "genre", "Rule")
    country = RowLabels.of(people(), "user", "country", "a test")
    with pytest.raises(ParameterError, match=r"country must be a text.*got 1.5.*'BE', 'NL'"):
        country.of_request(asked([-1], country=[1.5]))
