import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from shortlist.data.number_encodings import NumericEncoding, QuantileEncoding
from shortlist.errors import DataError


def encoded(numbers, other=None, **options):
    encoding = QuantileEncoding.fit(pl.Series("x", numbers, dtype=pl.Float64), **options)
    cells = numbers if other is None else other
    rows = encoding.transform(pl.Series("x", cells, dtype=pl.Float64))
    assert rows.shape == (len(cells), encoding.width)
    assert len(encoding.names("x")) == encoding.width
    return rows.toarray().tolist()


def test_quantiles_are_ranks_from_minus_one_to_one_by_hand():
    assert encoded([10.0, 1e9, 30.0]) == [[-1], [1], [0]]
    # Ranks 0, 1.5, 1.5, 3 of 3; the missing one is the median.
    assert encoded([1.0, 2.0, 2.0, None, 9.0]) == [[-1], [0], [0], [0], [1]]
    # Between 10 and 30 it is linear, beyond the ends constant.
    assert encoded([10.0, 30.0], [15.0, -5.0, 99.0]) == [[-0.5], [-1], [1]]


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=60))
def test_with_a_knot_a_value_the_quantile_is_the_mean_rank(numbers):
    found = np.array(encoded(numbers))[:, 0]
    ranks = (rankdata(numbers) - 1) / (len(numbers) - 1)
    assert found == pytest.approx(2 * ranks - 1, abs=1e-6)


def test_few_quantiles_come_near_the_distribution_and_never_fall(rng):
    numbers = rng.lognormal(0, 2, 5000)
    found = np.array(encoded(numbers.tolist(), n_quantiles=50))[:, 0]
    ranks = 2 * (rankdata(numbers) - 1) / (numbers.size - 1) - 1
    assert np.abs(found - ranks).max() < 2 / 49
    assert (np.diff(found[np.argsort(numbers)]) >= 0).all()


def test_a_normal_shape_is_the_normal_quantile_cut_at_the_ends():
    found = encoded([1.0, 2.0, 3.0, 4.0, 5.0], shape="normal", n_quantiles=5)
    assert np.array(found)[:, 0] == pytest.approx(norm.ppf([0.1, 0.25, 0.5, 0.75, 0.9]), abs=1e-6)


@pytest.mark.parametrize("shape", ["uniform", "normal"])
@pytest.mark.parametrize("numbers", [[], [None, None], [7.0, 7.0, None], [float("nan"), 4.0]])
def test_a_column_without_variation_has_no_ranks(numbers, shape):
    assert encoded(numbers, [1.0, 7.0, 9.0, None], shape=shape) == [[0]] * 4


def test_extreme_numbers_keep_their_ranks():
    assert encoded([-1.7e308, 0.0, 1.7e308]) == [[-1], [0], [1]]
    assert encoded([-1.7e308, 1.7e308], [0.0])[0] == pytest.approx([0], abs=1e-9)


def test_a_missing_number_may_have_a_feature():
    assert encoded([1.0, None, 3.0], missing=True) == [[-1, 0], [0, 1], [1, 0]]
    column = pl.Series("x", [1.0, None, 3.0])
    standard = NumericEncoding.fit(column, missing=True)
    assert standard.names("x") == ["x", "x=<missing>"]
    assert standard.transform(column).toarray().tolist() == [[-1, 0], [0, 1], [1, 0]]
    constant = pl.Series("x", [2.0, None])
    assert NumericEncoding.fit(constant, missing=True).transform(constant).toarray().tolist() == [
        [0, 0],
        [0, 1],
    ]


def test_an_infinite_number_is_refused_by_column_and_row():
    with pytest.raises(DataError, match="'x' is infinite in row 1"):
        QuantileEncoding.fit(pl.Series("x", [1.0, float("inf")]))
