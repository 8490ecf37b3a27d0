import subprocess
import sys
import time
from hashlib import blake2b

import numpy as np
import polars as pl
import pytest

from shortlist.data.label_encodings import HashingEncoding, LabelEncoding, label_hashes

TAGS = pl.List(pl.String)
FRANCE, EMPTY = 11_957_707_512_617_845_057, 13_020_603_013_274_838_756


def one_hot(cells, other=None, dtype=pl.String, **options):
    encoding = LabelEncoding.fit(pl.Series("x", cells, dtype=dtype), **options)
    rows = encoding.transform(pl.Series("x", cells if other is None else other, dtype=dtype))
    assert rows.shape[1] == encoding.width == len(encoding.names("x"))
    return encoding.names("x"), rows.toarray().tolist()


def test_an_unknown_category_has_a_column_where_that_is_asked_for():
    names, rows = one_hot(["b", None, "a"], ["a", "c", None, "b"], unknown=True)
    assert names == ["x=a", "x=b", "x=<unknown>"]
    assert rows == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]]


def test_rare_categories_fall_into_the_unknown():
    names, rows = one_hot(["a", "b", "a", "c", None], min_count=2, unknown=True)
    assert names == ["x=a", "x=<unknown>"]
    assert rows == [[1, 0], [0, 1], [1, 0], [0, 1], [0, 1]]
    assert one_hot(["a", "b", "a"], min_count=2) == (["x=a"], [[1], [0], [1]])


def test_a_tag_is_counted_once_a_row_and_a_row_without_a_known_one_is_unknown():
    cells = [["a", "a", None], ["b"], ["b", "a"], [], None]
    assert one_hot(cells, dtype=TAGS, min_count=2) == (
        ["x=a", "x=b"],
        [[1, 0], [0, 1], [1, 1], [0, 0], [0, 0]],
    )
    assert one_hot(cells, dtype=TAGS, min_count=3)[0] == []
    names, rows = one_hot(cells, [["b", "q"], ["q"], [], None], dtype=TAGS, unknown=True)
    assert names == ["x=a", "x=b", "x=<unknown>"]
    assert rows == [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]


def test_an_empty_column_has_nothing_or_the_unknown_alone():
    assert one_hot([None, None]) == ([], [[], []])
    assert one_hot([None, None], unknown=True) == (["x=<unknown>"], [[1], [1]])
    assert one_hot([], unknown=True) == (["x=<unknown>"], [])


def by_hand(label, n_buckets):
    number = int.from_bytes(blake2b(label.encode(), digest_size=8).digest(), "little")
    return number // 2 % n_buckets, -1 if number % 2 else 1


def hashed(cells, dtype=pl.String, **options):
    column = pl.Series("x", cells, dtype=dtype)
    rows = HashingEncoding.fit(column, **options).transform(column)
    assert rows.has_canonical_format
    return rows.toarray()


@pytest.mark.parametrize("signed", [False, True])
def test_a_label_falls_into_the_bucket_of_its_hash(signed):
    labels = ["France", "Österreich", "", "🎬", None]
    expected = np.zeros((5, 7))
    for row, label in enumerate(labels[:-1]):
        bucket, sign = by_hand(label, 7)
        expected[row, bucket] = sign if signed else 1
    assert (hashed(labels, n_buckets=7, signed=signed) == expected).all()


@pytest.mark.parametrize("signed", [False, True])
def test_tags_in_one_bucket_are_summed_and_repeats_are_not(signed):
    tags = [f"tag{n}" for n in range(9)]
    expected = np.zeros((3, 4))
    for tag in tags:
        bucket, sign = by_hand(tag, 4)
        expected[1, bucket] += sign if signed else 1
    found = hashed([None, [*tags, *tags], []], TAGS, n_buckets=4, signed=signed)
    assert (found == expected).all()


def test_hashes_do_not_change():
    # Saved models rely on them: a change here breaks every one.
    assert label_hashes(pl.Series(["France", ""])).tolist() == [FRANCE, EMPTY]
    code = """
import polars as pl
from shortlist.data.label_encodings import label_hashes
print(label_hashes(pl.Series(["France"]))[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == FRANCE


def test_signs_make_dot_products_right_on_average(rng):
    # 300 tags a row in 64 buckets: unsigned collisions add some 300·300/64 to each product, signed ones nothing.
    rows = [[f"row{row} tag{n}" for n in range(300)] for row in range(40)]
    products = {signed: hashed(rows, TAGS, n_buckets=64, signed=signed) for signed in (False, True)}
    mean = {signed: (m @ m.T)[np.triu_indices(40, 1)].mean() for signed, m in products.items()}
    assert mean[False] > 1000
    assert abs(mean[True]) < 30


@pytest.mark.parametrize("encoding", [LabelEncoding, HashingEncoding])
def test_a_hundred_thousand_categories_take_a_moment(encoding, rng):
    cells = pl.Series("x", [f"category {n}" for n in rng.integers(0, 100_000, 300_000)])
    start = time.process_time()
    fitted = encoding.fit(cells)
    rows = fitted.transform(cells)
    assert time.process_time() - start < 4
    assert rows.nnz == 300_000
    assert fitted.width == (cells.n_unique() if encoding is LabelEncoding else 1024)
