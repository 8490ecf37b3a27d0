import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlist.data.vocabulary import (
    Vocabulary,
    id_series,
    is_canonical_integer,
    pack_strings,
    unpack_strings,
)
from shortlist.errors import DataError, UnknownIdError

INTEGERS = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-20, 20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
IDS = st.lists(INTEGERS, min_size=1) | st.lists(SMALL, min_size=1) | st.lists(TEXT, min_size=1)


@given(IDS)
@example([2**53, 2**53 + 1, -(2**63), 2**63 - 1])
def test_ids_go_there_and_back(ids):
    vocabulary = Vocabulary.of(ids)
    assert vocabulary.ids.to_list() == sorted(set(ids))
    index = vocabulary.index_of(ids)
    assert index.dtype == np.int32
    assert vocabulary.ids_of(index).to_list() == ids


@given(st.data(), st.sampled_from([INTEGERS, SMALL, TEXT]), st.integers(1, 40))
def test_the_position_is_that_in_the_sorted_list(data, ids, n_wanted):
    # Few ids asked of many, and many of few, are found in different ways.
    known = sorted(set(data.draw(st.lists(ids, min_size=1, max_size=40))))
    wanted = data.draw(st.lists(ids | st.sampled_from(known), min_size=n_wanted, max_size=n_wanted))
    index = Vocabulary.of(known).index_of(wanted).tolist()
    assert index == [known.index(i) if i in known else -1 for i in wanted]


def test_few_ids_of_many_and_many_of_few_are_found_alike(rng):
    for step in (1, 10**13):
        known = np.sort(rng.choice(np.arange(100_000), 1000, replace=False)) * step
        wanted = np.concatenate([rng.choice(known, 500), rng.choice(known, 500) + 1])
        position = {value: at for at, value in enumerate(known.tolist())}
        vocabulary = Vocabulary.of(known)
        for part in (wanted, wanted[:3], wanted[-3:]):
            assert vocabulary.index_of(part).tolist() == [position.get(v, -1) for v in part.tolist()]
            text = Vocabulary.of(map(str, known.tolist()))
            at = {value: index for index, value in enumerate(text.ids.to_list())}
            assert text.index_of(list(map(str, part.tolist()))).tolist() == [
                at.get(str(v), -1) for v in part.tolist()
            ]


def test_strings_sort_by_code_point():
    assert Vocabulary.of(["é", "z", "Z", "10", "9", "𝄞", "\uffff"]).ids.to_list() == [
        "10",
        "9",
        "Z",
        "z",
        "é",
        "\uffff",
        "𝄞",
    ]


def test_ids_of_all_columns_are_in_it_once():
    assert Vocabulary.of(
        [3, 1], np.array([2, 3], np.int16), pl.Series([], dtype=pl.String)
    ).ids.to_list() == [1, 2, 3]
    assert len(Vocabulary.of([], [])) == 0


def test_an_id_of_the_other_kind_is_unknown():
    assert Vocabulary.of([1, 2]).index_of(["1"]).tolist() == [-1]
    assert Vocabulary.of(["1"]).index_of([1]).tolist() == [-1]
    assert Vocabulary.of([1]).index_of([]).size == 0


def test_kinds_must_not_be_mixed():
    with pytest.raises(DataError, match="integers in one place and strings in another: 1 and 'a'"):
        Vocabulary.of([1], ["a"])
    with pytest.raises(DataError, match="one kind, got int and str"):
        Vocabulary.of([1, "a"])


@pytest.mark.parametrize(
    "values", [[1.0], [True], [None], [1, None], "ab", b"ab", [2**63], [1.5, 2.5], [b"a"]]
)
def test_this_is_no_column_of_ids(values):
    with pytest.raises(DataError):
        id_series(values)


def test_unknown_ids_are_named_beside_known_ones():
    with pytest.raises(
        UnknownIdError, match=r"unknown users: 7, 8; the 2 known user ids are integers such as 1, 2"
    ):
        Vocabulary.of([1, 2]).require([1, 7, 8], "user")
    assert Vocabulary.of([1, 2]).require([2, 1, 2], "user").tolist() == [1, 0, 1]


def test_typed_text_stands_for_an_id_of_the_right_kind():
    assert Vocabulary.of([1, 2]).parse("2") == 2
    assert Vocabulary.of([1, 2]).parse("02") == "02"
    assert Vocabulary.of(["1", "x"]).parse("1") == "1"


@given(TEXT | INTEGERS.map(str) | st.integers().map(str))
def test_canonical_text_is_what_an_int64_prints(text):
    try:
        number = int(text)
    except ValueError:
        number = None
    fits = number is not None and -(2**63) <= number < 2**63
    assert is_canonical_integer(text) is (fits and str(number) == text)


@given(IDS)
def test_state_brings_it_back(ids):
    vocabulary = Vocabulary.of(ids)
    again = Vocabulary.from_state(vocabulary.to_state())
    assert again.ids.equals(vocabulary.ids)
    assert again.kind == vocabulary.kind


@given(st.lists(st.none() | TEXT))
def test_strings_and_nulls_pack_and_unpack(texts):
    packed = pack_strings(pl.Series(texts, dtype=pl.String))
    assert unpack_strings(packed).to_list() == texts
    assert packed["offsets"].size == len(texts) + 1
