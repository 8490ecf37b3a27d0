import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import adjusted_rand_score, silhouette_score

import shortlist as sl
from shortlist.errors import DataError, ParameterError
from shortlist.models.k_means import elbow, nearest_centroids, segment_vectors, silhouette


def clusters(rng, sizes=(40, 30, 20, 10), spread=0.1):
    """Return vectors around the corners of a square, and the corner of each."""
    corners = np.array([[0, 0], [5, 0], [0, 5], [5, 5]], float)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return corners[labels] + spread * rng.standard_normal((labels.size, 2)), labels


def cost_of(vectors, labels, centroids):
    return sum(float(((v - centroids[s]) ** 2).sum()) for v, s in zip(vectors, labels, strict=True))


@pytest.mark.parametrize("form", [np.asarray, lambda v: v.astype(np.float32), sparse.csr_array])
def test_planted_clusters_are_found_largest_first(rng, form):
    vectors, planted = clusters(rng)
    found = segment_vectors(form(vectors), 4, rng=1)
    assert adjusted_rand_score(planted, found.labels) == 1
    assert found.labels.tolist() == planted.tolist()
    assert found.sizes.tolist() == [40, 30, 20, 10]
    expected = [vectors[planted == s].mean(axis=0) for s in range(4)]
    assert found.centroids == pytest.approx(np.array(expected), rel=1e-5, abs=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 6), st.booleans())
def test_the_cost_is_what_it_says_and_never_rises(seed, k, sparsely):
    rng = np.random.default_rng(seed)
    vectors = np.round(rng.standard_normal((int(rng.integers(6, 60)), 3)), 1)
    vectors[:, 0] += rng.integers(0, 3, len(vectors))
    if len(np.unique(vectors, axis=0)) < k:
        return
    found = segment_vectors(sparse.csr_array(vectors) if sparsely else vectors, k, rng=seed, n_init=2)
    assert (np.diff(found.cost) <= 1e-9 * found.cost[0]).all()
    assert found.cost[-1] == pytest.approx(cost_of(vectors, found.labels, found.centroids), abs=1e-9)
    # At the end each vector is nearest to its own centroid, which is the mean of its members.
    assert (nearest_centroids(vectors, found.centroids) == found.labels).mean() > 0.95
    for s in range(k):
        assert found.centroids[s] == pytest.approx(vectors[found.labels == s].mean(axis=0))
    assert (np.diff(found.sizes) <= 0).all()


def test_the_end_of_one_run_is_that_of_scikit_learn(rng):
    vectors = rng.standard_normal((300, 5))
    seed = int(np.random.default_rng(7).integers(2**31, size=1)[0])
    start = kmeans_plusplus(vectors, 6, random_state=seed)[0]
    theirs = KMeans(6, init=start, n_init=1, max_iter=300, tol=0).fit(vectors)
    ours = segment_vectors(vectors, 6, rng=7, n_init=1, n_iterations=300)
    assert ours.cost[-1] == pytest.approx(theirs.inertia_, rel=1e-12)
    assert adjusted_rand_score(theirs.labels_, ours.labels) == 1
    assert len(ours.cost) >= theirs.n_iter_ - 1
    one = KMeans(6, init=start, n_init=1, max_iter=1, tol=0).fit(vectors)
    assert ours.cost[0] == pytest.approx(one.inertia_, rel=1e-12)


def test_more_runs_cost_no_more(rng):
    vectors = rng.standard_normal((80, 2))
    alone = segment_vectors(vectors, 7, rng=3, n_init=1).cost[-1]
    assert segment_vectors(vectors, 7, rng=3, n_init=8).cost[-1] <= alone


def test_a_seed_gives_one_result_on_any_number_of_threads(rng):
    vectors = rng.standard_normal((2000, 8))
    before = sl.num_threads()
    try:
        found = []
        for n in (1, 3):
            sl.set_num_threads(n)
            found.append(segment_vectors(vectors, 9, rng=5, n_init=1))
    finally:
        sl.set_num_threads(before)
    assert all((a == b).all() for a, b in zip(*found, strict=True))


def test_the_elbow_falls_and_its_silhouettes_are_scikit_learns(rng):
    vectors, _ = clusters(rng, spread=0.8)
    points = elbow(vectors, [5, 1, 2, 3, 4, 8], rng=0, n_init=1)
    assert [point.n_segments for point in points] == [1, 2, 3, 4, 5, 8]
    cost = [point.cost for point in points]
    assert cost == sorted(cost, reverse=True)
    assert points[0].cost == pytest.approx(((vectors - vectors.mean(axis=0)) ** 2).sum())
    assert points[0].silhouette is None
    best = max(points[1:], key=lambda point: point.silhouette)
    assert best.n_segments == 4
    labels = segment_vectors(vectors, 4, rng=0).labels
    assert best.silhouette == pytest.approx(silhouette_score(vectors, labels))
    sparsely = elbow(sparse.csr_array(vectors), [2, 4], rng=0)
    assert [p.cost for p in sparsely] == pytest.approx([points[1].cost, points[3].cost])


def test_the_elbow_falls_where_restarts_alone_would_not(rng):
    vectors = rng.standard_normal((60, 2))
    for seed in range(3):
        cost = [p.cost for p in elbow(vectors, range(1, 16), rng=seed, n_init=1, n_iterations=2)]
        assert cost == sorted(cost, reverse=True)


def test_silhouette_is_by_hand_and_by_scikit_learn(rng):
    # 0 and 1 together, 4 alone: (3.5 − …): of 0: a 1, b 4; of 1: a 1, b 3; of 4: 0.
    by_hand = silhouette(np.array([[0.0], [1.0], [4.0]]), np.array([0, 0, 1]))
    assert by_hand.value == pytest.approx((3 / 4 + 2 / 3 + 0) / 3)
    assert by_hand.n_points == 3
    vectors, labels = clusters(rng, spread=2.0)
    assert silhouette(vectors, labels).value == pytest.approx(silhouette_score(vectors, labels))


def test_silhouette_of_many_is_of_a_sample_and_says_so(rng):
    vectors, labels = clusters(rng, spread=0.5)
    some = silhouette(vectors, labels, rng=0, most_points=60)
    assert some.n_points == 60
    assert some.value == pytest.approx(silhouette(vectors, labels).value, abs=0.1)
    assert silhouette(vectors, labels, rng=0, most_points=60) == some


def test_silhouette_is_undefined_for_one_segment_and_for_one_each():
    vectors = np.arange(4.0)[:, None]
    assert silhouette(vectors, np.zeros(4, int)).value is None
    assert silhouette(vectors, np.arange(4)).value is None


def test_too_few_vectors_are_refused():
    with pytest.raises(ParameterError, match="n_segments=4, and there are 3 vectors"):
        segment_vectors(np.eye(3), 4)
    same = np.array([[1.0, 0.0], [1.0, -0.0], [2.0, 0.0]])
    for vectors in (same, sparse.csr_array(same)):
        with pytest.raises(ParameterError, match="only 2 of the 3 vectors are distinct"):
            segment_vectors(vectors, 3)
        assert segment_vectors(vectors, 2, rng=0).cost[-1] == 0
    assert segment_vectors(np.eye(3), 3, rng=0).sizes.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (np.zeros(3), "a matrix of numbers"),
        (np.array([["a"]]), "a matrix of numbers"),
        (np.array([[np.nan], [1.0]]), "not finite"),
        (sparse.csr_array(np.array([[np.inf], [1.0]])), "not finite"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(vectors, says):
    with pytest.raises(DataError, match=says):
        segment_vectors(vectors, 1)


def test_wrong_parameters_are_refused():
    for wrong in ({"n_segments": 0}, {"n_init": 0}, {"n_iterations": 0}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            segment_vectors(np.eye(3), **{"n_segments": 2} | wrong)
    with pytest.raises(ParameterError, match="most_points"):
        silhouette(np.eye(3), np.arange(3), most_points=1)
    with pytest.raises(DataError, match="labels of shape"):
        silhouette(np.eye(3), np.arange(2))


def test_nearest_centroids_depend_on_their_row_alone(rng):
    centroids = rng.standard_normal((5, 7))
    vectors = rng.standard_normal((50, 7)).astype(np.float32)
    expected = [int(np.argmin(((centroids - v) ** 2).sum(axis=1))) for v in vectors.astype(float)]
    assert nearest_centroids(vectors, centroids).tolist() == expected
    assert nearest_centroids(sparse.csr_array(vectors), centroids).tolist() == expected
    assert nearest_centroids(np.zeros((1, 1)), np.array([[1.0], [-1.0], [1.0]])).tolist() == [0]
