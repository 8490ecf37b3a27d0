import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from shortlist import threads
from shortlist.data import datasets
from shortlist.data.text_encodings import TextSvdEncoding


@pytest.fixture(scope="module")
def titles():
    return datasets.movielens_small().item_features.frame["title"][:1500]


def svd_of(cells, other=None, **options):
    encoding = TextSvdEncoding.fit(pl.Series("x", cells, dtype=pl.String), **options)
    return encoding.transform(pl.Series("x", cells if other is None else other, dtype=pl.String)).toarray()


def test_the_rows_are_those_of_an_exact_decomposition(titles):
    found = svd_of(titles, dim=5)
    theirs = TruncatedSVD(5, algorithm="arpack").fit_transform(
        TfidfVectorizer().fit_transform(titles.to_list())
    )
    assert np.abs(theirs).max(axis=0) == pytest.approx(np.abs(found).max(axis=0), rel=1e-3)
    assert np.abs(np.abs(found) - np.abs(theirs)).max() < 1e-3


def test_texts_of_two_worlds_stand_along_two_directions():
    found = svd_of(["red apple", "apple red", "blue sea", "sea blue", "sea blue"], dim=2)
    assert found == pytest.approx(np.array([[0, 1], [0, 1], [1, 0], [1, 0], [1, 0]]), abs=1e-6)


def test_signs_and_values_do_not_depend_on_threads_or_order(titles):
    one = svd_of(titles, dim=4)
    before = threads.num_threads()
    threads.set_num_threads(1)
    try:
        assert (svd_of(titles, dim=4) == one).all()
    finally:
        threads.set_num_threads(before)
    assert svd_of(titles[::-1], titles, dim=4) == pytest.approx(one, abs=1e-4)


def test_each_row_is_encoded_by_itself(titles):
    encoding = TextSvdEncoding.fit(titles, dim=4)
    together = encoding.transform(titles).toarray()
    assert (encoding.transform(titles[7:8]).toarray() == together[7:8]).all()


def test_what_holds_no_known_word_is_zero_and_a_dim_beyond_the_rank_too():
    found = svd_of(["one two", "two"], [None, "", "three", "one"], dim=4)
    assert (found[:3] == 0).all()
    assert (found[:, 2:] == 0).all()
    assert found[3].any()


@pytest.mark.parametrize("cells", [[], [None], ["", "a"]])
def test_a_column_without_words_is_zero(cells):
    assert (svd_of(cells, ["word", None], dim=3) == np.zeros((2, 3))).all()


def test_no_row_is_longer_than_one(titles):
    length = np.linalg.norm(svd_of(titles, dim=64), axis=1)
    assert 0.1 < length.max() <= 1 + 1e-6
