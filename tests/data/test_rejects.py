"""Which rows remain when some were rejected, however many."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data import rejects
from shortlist.data.frame_table import FrameTable
from shortlist.data.rejects import Screening


def screening_of(n_rows):
    return Screening(FrameTable.of("frame", pl.LazyFrame({"a": range(n_rows)})), n_rows)


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.sampled_from([0, 2, 1000]))
def test_kept_are_the_rows_that_are_good(good, few):
    before, rejects.FEW = rejects.FEW, few
    try:
        screening, values = screening_of(len(good)), np.arange(len(good))
        screening.reject(~np.array(good), "a", pl.Series("a", values), "bad")
        wanted = values[np.array(good)].tolist()
        assert screening.kept_array(values).tolist() == wanted
        assert screening.kept(pl.Series("a", values)).to_list() == wanted
    finally:
        rejects.FEW = before


def test_a_column_without_rejects_is_not_copied():
    values = np.arange(3)
    assert screening_of(3).kept_array(values) is values
