import numpy as np
import pytest

from shortlist.data import large_arrays


@pytest.mark.parametrize("n", [0, 1, 1000, large_arrays.LARGE // 4 + 1])
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_an_array_can_be_written_and_outlives_its_maker(n, dtype):
    array = large_arrays.empty(n, dtype)
    assert array.shape == (n,)
    assert array.dtype == dtype
    array[:] = np.arange(n)
    np.testing.assert_array_equal(array, np.arange(n, dtype=dtype))
