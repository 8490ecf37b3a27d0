import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from shortlist.data import datasets
from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.data.feature_encodings import ENCODINGS
from shortlist.data.features import DTYPES, FeatureTable
from shortlist.data.number_encodings import FURTHEST
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError

KINDS = tuple(DTYPES)
DAY = 86_400_000_000


def table(ids=None, **columns):
    """Return a table of columns named for their kind: number, category, tags, text, time."""
    of = {"number": "numeric", "category": "categorical", "tags": "tags", "text": "text", "time": "time"}
    kinds = {name: of[name.rstrip("2")] for name in columns}
    rows = len(next(iter(columns.values()), []))
    ids = pl.Series("id", list(range(rows)) if ids is None else ids, dtype=pl.Int64)
    cells = [pl.Series(name, cells, dtype=DTYPES[kinds[name]]) for name, cells in columns.items()]
    return FeatureTable(pl.DataFrame([ids, *cells]), kinds)


def encoded(fitted_on, other=None, columns=None):
    encoder = FeatureEncoder.fit(fitted_on, columns)
    return encoder.names, encoder.transform(fitted_on if other is None else other).toarray().tolist()


def test_every_kind_is_by_hand():
    found = table(
        number=[1.0, 3.0, None],
        category=["b", None, "a"],
        tags=[["y", "x", "y"], [], None],
        time=[0, None, 2 * DAY],
    )
    names, rows = encoded(found)
    assert names == ["number", "category=a", "category=b", "tags=x", "tags=y", "time"]
    assert rows == [[-1, 0, 1, 1, 1, -1], [1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 1]]


def test_text_weighs_words_by_rarity_at_length_one():
    # idf of toy, in both texts: ln(3/3) + 1 = 1; of story, in one: ln(3/2) + 1.
    names, rows = encoded(table(text=["Toy story, a STORY", "toy", None]))
    story = 2 * (np.log(3 / 2) + 1)
    length = np.hypot(1, story)
    assert names == ["text:story", "text:toy"]
    assert np.array(rows) == pytest.approx(np.array([[story / length, 1 / length], [0, 1], [0, 0]]))


def test_text_is_what_scikit_learn_gives():
    titles = datasets.movielens_small().item_features
    encoder = FeatureEncoder.fit(titles, ["title"])
    theirs = TfidfVectorizer().fit(titles.frame["title"].to_list())
    assert encoder.names == [f"title:{word}" for word in theirs.get_feature_names_out()]
    expected = theirs.transform(titles.frame["title"].to_list())
    assert abs(encoder.transform(titles) - expected).max() < 1e-6


@given(st.lists(st.one_of(st.none(), st.floats(-1e300, 1e300)), max_size=8))
def test_numbers_are_what_scikit_learn_gives_where_it_can(numbers):
    known = np.array([x for x in numbers if x is not None])
    _, rows = encoded(table(number=numbers))
    found = np.array([row[0] for row, x in zip(rows, numbers, strict=True) if x is not None])
    assert np.isfinite(rows).all()
    assert not any(row[0] for row, x in zip(rows, numbers, strict=True) if x is None)
    if known.size and 1e-100 < np.abs(known).max() < 1e100 and known.std() > 1e-3 * np.abs(known).max():
        expected = StandardScaler().fit_transform(known[:, None])[:, 0]
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("numbers", [[0.1] * 7, [None, None], [], [float("nan"), 4.0], [5e-324, 0.0]])
def test_a_column_without_variation_is_zero(numbers):
    names, rows = encoded(table(number=numbers))
    assert names == ["number"]
    assert rows == [[0.0]] * len(numbers)


def test_extreme_numbers_stay_finite():
    fitted_on = table(number=[-1.7e308, 1.7e308])
    assert encoded(fitted_on)[1] == [[-1], [1]]
    far = encoded(table(number=[0.0, 1e-200]), table(number=[1e308, -1e308]))[1]
    assert far == [[FURTHEST], [-FURTHEST]]


def test_an_infinite_number_is_refused_by_column_and_row():
    with pytest.raises(DataError, match="'number' is infinite in row 1"):
        FeatureEncoder.fit(table(number=[1.0, float("inf")]))
    encoder = FeatureEncoder.fit(table(number=[1.0, 2.0]))
    with pytest.raises(DataError, match="'number' is infinite in row 0"):
        encoder.transform(table(number=[float("-inf")]))


def test_what_was_not_in_the_table_sets_nothing():
    fitted_on = table(category=["a", "b"], tags=[["x"], ["y"]], text=["one word", "two"])
    other = table(category=["c", "a"], tags=[["z"], ["z", "x"]], text=["three", "word three"])
    assert encoded(fitted_on, other)[1] == [[0] * 7, [1, 0, 1, 0, 0, 0, 1]]


def test_no_words_and_no_labels_give_no_features():
    assert encoded(table(text=["a", "", None], tags=[[], None, [None]], category=[None] * 3)) == (
        [],
        [[], [], []],
    )


def test_words_of_any_script_and_fractions_count():
    assert encoded(table(text=["Ärger 8½ देवनागरी x"]))[0] == ["text:8½", "text:ärger", "text:देवनागरी"]


def test_only_the_words_in_most_rows_are_kept():
    found = table(text=["cc bb", "cc aa", "dd dd dd"])
    encoder = FeatureEncoder.fit(found, encode={"text": {"max_words": 2}})
    assert encoder.names == ["text:aa", "text:cc"]


def test_columns_are_those_chosen_in_their_order():
    found = table(number=[1.0, 2.0], category=["a", "b"], number2=[4.0, 3.0])
    assert encoded(found, columns=["number2", "category"])[0] == ["number2", "category=a", "category=b"]
    encoder = FeatureEncoder.fit(found)
    assert encoder.slices == {"number": slice(0, 1), "category": slice(1, 3), "number2": slice(3, 4)}
    assert encoder.transform(found).shape == (2, 4)
    nothing = FeatureEncoder.fit(found, [])
    assert nothing.transform(found).shape == (2, 0)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["year"], "no feature 'year'; there are: number"),
        (["number"] * 2, "twice"),
        ("number", "list of names"),
    ],
)
def test_wrong_columns_are_refused(columns, says):
    with pytest.raises(ParameterError, match=says):
        FeatureEncoder.fit(table(number=[1.0]), columns)


def test_a_table_without_a_needed_column_is_refused():
    encoder = FeatureEncoder.fit(table(number=[1.0], category=["a"]))
    with pytest.raises(DataError, match=r"no column 'category'.*it has: number, tags"):
        encoder.transform(table(number=[1.0], tags=[["a"]]))
    other = FeatureTable(
        pl.DataFrame({"id": [1], "number": ["1"], "category": ["a"]}), {"number": "text", "category": "text"}
    )
    with pytest.raises(DataError, match="'number' is text here and was numeric before"):
        encoder.transform(other)


def test_an_absent_column_is_missing_where_that_is_asked_for():
    encoder = FeatureEncoder.fit(table(number=[1.0, 3.0], category=["a", "b"], tags=[["x"], []]))
    rows = encoder.transform(table(category=["b"]), absent="missing")
    assert rows.toarray().tolist() == [[0, 0, 1, 0]]
    with pytest.raises(ParameterError, match="absent='no' is not one of raise, missing"):
        encoder.transform(table(category=["b"]), absent="no")


def test_more_columns_and_other_rows_are_fine():
    encoder = FeatureEncoder.fit(table(number=[1.0, 3.0]))
    assert encoder.transform(table(category=["q"], number=[5.0])).toarray().tolist() == [[3.0]]
    assert encoder.transform(table(number=[])).shape == (0, 1)


def test_rows_that_alignment_adds_change_nothing():
    found = table([3, 5], number=[1.0, 4.0], text=["one two", "two"], tags=[["x"], ["y"]], time=[0, DAY])
    aligned = found.align(Vocabulary.of([1, 3, 5, 9]))
    assert FeatureEncoder.fit(aligned) == FeatureEncoder.fit(found)
    rows = FeatureEncoder.fit(found).transform(aligned).toarray()
    assert rows[1:3].tolist() == encoded(found)[1]
    assert not rows[[0, 3]].any()


def test_times_are_read_in_utc():
    moments = [datetime(2000, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)]
    encoder = FeatureEncoder.fit(table(time=moments))
    assert encoder.to_values()["columns"][0]["mean"] == (946_684_800 + 1_577_836_800) / 2 * 1e6


# Texts that JSON, sorting and words could stumble over.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
CELLS = {
    "number": st.floats(allow_infinity=False),
    "category": TEXTS,
    "tags": st.lists(st.one_of(st.none(), TEXTS), max_size=3),
    "text": TEXTS,
    "time": st.integers(-(2**62), 2**62),
}
# Of each kind, an encoding that is not the first, or one with an option.
OTHERWISE = {
    "number": st.sampled_from(
        ["quantile", {"as": "quantile", "shape": "normal", "missing": True}, {"missing": True}]
    ),
    "category": st.sampled_from(["hashing", {"unknown": True, "min_count": 2}]),
    "tags": st.sampled_from([{"as": "hashing", "n_buckets": 3, "signed": True}, {"unknown": True}]),
    "text": st.just({"as": "svd", "dim": 2}),
    "time": st.sampled_from(["parts", {"as": "parts", "cyclic": False, "parts": ["hour", "year"]}]),
}


@st.composite
def tables(draw):
    n = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from(list(CELLS)), unique=True))
    if not names:
        return table(number=[None] * n) if n else table()
    return table(**{name: draw(st.lists(st.none() | CELLS[name], min_size=n, max_size=n)) for name in names})


@settings(max_examples=50)
@given(tables(), st.data())
def test_an_encoder_survives_json_and_keeps_its_form(found, data):
    otherwise = data.draw(st.sets(st.sampled_from(list(found.kinds)))) if found.kinds else set()
    encode = {name: data.draw(OTHERWISE[name]) for name in otherwise if name in OTHERWISE}
    encoder = FeatureEncoder.fit(found, encode=encode)
    again = FeatureEncoder.from_values(json.loads(json.dumps(encoder.to_values())))
    assert again == encoder
    assert (again.names, again.slices) == (encoder.names, encoder.slices)
    matrix = encoder.transform(found)
    assert isinstance(matrix, sparse.csr_array)
    assert matrix.dtype == np.float32
    assert matrix.shape == (len(found), len(encoder.names)) == (len(found), encoder.width)
    assert matrix.has_canonical_format
    assert np.isfinite(matrix.data).all()
    assert (matrix.data != 0).all()
    # Each row depends on nothing but itself, and the encoder not on the order of the rows.
    order = data.draw(st.permutations(range(len(found))))
    shuffled = FeatureTable(found.frame[order], found.kinds)
    assert (again.transform(shuffled).toarray() == matrix.toarray()[order]).all()
    assert FeatureEncoder.fit(shuffled, encode=encode).names == encoder.names


def test_every_kind_of_column_has_an_encoding():
    assert set(ENCODINGS) == set(KINDS)


def test_an_encoder_saved_before_there_was_a_choice_is_read():
    found = table(
        number=[1.0, 3.0], category=["a", "b"], tags=[["x"], []], text=["one", "two"], time=[0, DAY]
    )
    values = FeatureEncoder.fit(found).to_values()
    for column in values["columns"]:
        del column["as"]
    assert FeatureEncoder.from_values(values) == FeatureEncoder.fit(found)


@pytest.mark.parametrize(
    ("encode", "says"),
    [
        ({"yeer": "quantile"}, r"encode names 'yeer', which is no column .*; there are: number, category"),
        ({"numbre": "quantile"}, "did you mean 'number'"),
        ("quantile", "encode must say of columns how"),
        (
            {"number": "quantiles"},
            r"encode\['number'\]: a numeric column .* 'quantiles', did you mean 'quantile'",
        ),
        ({"number": "hashing"}, "which is for categorical and tags columns; there are: standard, quantile"),
        ({"number": 3}, r"encode\['number'\] must be the name of an encoding, or a table"),
        (
            {"category": {"as": "hashing", "buckets": 3}},
            r"encode\['category'\]: no option 'buckets'.*n_buckets, signed",
        ),
        (
            {"category": {"as": "hashing", "n_buckets": 0}},
            r"encode\['category'\]: n_buckets must be a whole number",
        ),
        (
            {"category": {"as": "hashing", "signed": 1}},
            r"encode\['category'\]: signed must be true or false, got 1",
        ),
        ({"category": {"min_count": 0}}, r"encode\['category'\]: min_count must be a whole number"),
        ({"number": {"as": "quantile", "shape": "bell"}}, r"encode\['number'\]: shape='bell' is not one of"),
        ({"number": {"as": "quantile", "n_quantiles": 1}}, r"encode\['number'\]: n_quantiles must be"),
        (
            {"time": {"as": "parts", "parts": ["day"]}},
            r"encode\['time'\]: parts must be a list of some of year, month",
        ),
        ({"text": {"as": "svd", "dim": 1.5}}, r"encode\['text'\]: dim must be a whole number"),
    ],
)
def test_a_wrong_choice_of_encoding_names_the_column(encode, says):
    found = table(number=[1.0], category=["a"], text=["word"], time=[0])
    with pytest.raises(ParameterError, match=says):
        FeatureEncoder.fit(found, encode=encode)


def test_an_absent_column_is_what_a_missing_cell_is():
    found = table(number=[1.0, 3.0], category=["a", "b"], time=[0, DAY])
    encode = {"number": {"missing": True}, "category": {"unknown": True}, "time": "parts"}
    encoder = FeatureEncoder.fit(found, encode=encode)
    cells = encoder.transform(table(number=[None], category=[None], time=[None]))
    columns = encoder.transform(table([7], number2=[1.0]), absent="missing")
    assert cells.toarray().tolist() == columns.toarray().tolist() == [[0, 1, 0, 0, 1] + [0] * 7]
