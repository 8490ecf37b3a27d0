import numpy as np
import pytest
from scipy import sparse

from shortlist.models.mean_normalisation import centred, item_means

# Three users, four items; the last item has no rating and a rating of 0 is stored, not missing.
RATINGS = sparse.csr_array(
    (np.array([5, 1, 4, 0, 2], np.float32), ([0, 0, 1, 2, 2], [0, 1, 0, 1, 2])), shape=(3, 4)
)


def test_plain_means_are_those_of_the_rated_entries():
    np.testing.assert_allclose(item_means(RATINGS, 0.0), [4.5, 0.5, 2.0, 12 / 5])


def test_shrinkage_counts_as_ratings_at_the_global_mean():
    mean = 12 / 5
    expected = [(9 + 2 * mean) / 4, (1 + 2 * mean) / 4, (2 + 2 * mean) / 3, mean]
    np.testing.assert_allclose(item_means(RATINGS, 2.0), expected)


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 5.0, np.inf])
def test_an_item_without_ratings_takes_the_global_mean(shrinkage):
    assert item_means(RATINGS, shrinkage)[3] == pytest.approx(12 / 5)


def test_infinite_shrinkage_leaves_the_global_mean_only():
    np.testing.assert_allclose(item_means(RATINGS, np.inf), 12 / 5)


def test_one_five_star_rating_tops_plain_means_but_not_shrunk_ones():
    rng = np.random.default_rng(0)
    loved = rng.choice([4.0, 5.0], size=50)  # fifty ratings of about 4.5
    so_so = np.full(60, 3.0)
    data = np.concatenate([loved, so_so, [5.0]]).astype(np.float32)
    item = np.repeat([0, 1, 2], [50, 60, 1])
    ratings = sparse.csr_array((data, (np.arange(111), item)), shape=(111, 3))
    assert np.argmax(item_means(ratings, 0.0)) == 2
    assert np.argmax(item_means(ratings, 5.0)) == 0


def test_no_ratings_at_all_give_zero_means():
    np.testing.assert_array_equal(item_means(sparse.csr_array((2, 3), dtype=np.float32), 1.0), np.zeros(3))


def test_centred_ratings_add_up_to_zero_within_each_item():
    ratings = centred(RATINGS, item_means(RATINGS, 0.0), np.float64)
    np.testing.assert_allclose(ratings.sum(axis=0), 0, atol=1e-15)
    assert ratings.nnz == RATINGS.nnz
    assert ratings.dtype == np.float64
