"""K-means over vectors: segments, the cost after each iteration, the elbow over numbers of segments, and silhouettes.

scikit-learn does the steps, on one thread: its threads add up centroids in no fixed order, and would compete with ours.
Vectors are a float array [n, d] or a sparse matrix; a sparse one is never made dense.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_samples
from threadpoolctl import threadpool_limits

from shortlist.errors import DataError, ParameterError
from shortlist.parameters import generator, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Vectors = NDArray[np.floating[Any]] | sparse.csr_array


class Segments(NamedTuple):
    """The segments of n vectors, largest first, equal sizes by their first member.

    labels int32[n] in [0, n_segments); centroids float64[n_segments, d], the means of their members; cost
    float64[n_iterations]: Σ ‖x − centroid‖² after each iteration, which never rises but for rounding.
    """

    labels: NDArray[np.int32]
    centroids: NDArray[np.float64]
    cost: NDArray[np.float64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return int64[n_segments]: the number of members."""
        return np.bincount(self.labels, minlength=len(self.centroids)).astype(np.int64)


class Silhouette(NamedTuple):
    """The mean silhouette of `n_points` vectors, in [−1, 1]; None where it is not defined."""

    value: float | None
    n_points: int


class ElbowPoint(NamedTuple):
    """What a number of segments costs, and how well apart they are: the silhouette of `n_points` vectors."""

    n_segments: int
    cost: float
    silhouette: float | None
    n_points: int


def segment_vectors(
    vectors: Vectors,
    n_segments: int,
    *,
    rng: np.random.Generator | int | None = None,
    n_init: int = 4,
    n_iterations: int = 100,
) -> Segments:
    """Return the best of `n_init` runs of k-means from k-means++ starts, each of at most `n_iterations` steps.

    A run ends when no vector changes its segment (Lloyd 1982; starts: Arthur and Vassilvitskii 2007). The same integer
    `rng` gives the same segments on any number of threads. To compare by direction, hand in rows of length 1.
    Raises `ParameterError` where there are fewer distinct vectors than segments, `DataError` for vectors that are no
    matrix of finite numbers.
    Cost: O(n · n_segments · d) time an iteration and run; the vectors in float64.
    """
    whole("n_init", n_init, least=1)
    points = _points(vectors)
    _require_distinct(points, whole("n_segments", n_segments, least=1))
    seeds = generator(rng).integers(2**31, size=n_init).tolist()
    with threadpool_limits(limits=1):
        starts = (kmeans_plusplus(points, n_segments, random_state=seed)[0] for seed in seeds)
        runs = [_run(points, start, n_iterations) for start in starts]
    return _by_size(min(runs, key=lambda run: run.cost[-1]))


def elbow(
    vectors: Vectors,
    n_segments: Iterable[int],
    *,
    rng: np.random.Generator | int | None = None,
    n_init: int = 4,
    n_iterations: int = 100,
    most_points: int = 5_000,
) -> list[ElbowPoint]:
    """Return cost and silhouette for each of `n_segments`, in ascending order.

    Each number of segments also begins from the best of the one before, with the vectors farthest from it as further
    centroids, so the cost never rises from one to the next. Silhouettes are of at most `most_points` vectors, drawn
    once, without replacement.
    Raises as `segment_vectors` does.
    """
    points, random = _points(vectors), generator(rng)
    sample = _sample(points.shape[0], most_points, random)
    found: list[ElbowPoint] = []
    before: Segments | None = None
    for k in sorted({whole("n_segments", k, least=1) for k in n_segments}):
        best = segment_vectors(points, k, rng=random, n_init=n_init, n_iterations=n_iterations)
        if before is not None:
            with threadpool_limits(limits=1):
                grown = _by_size(_run(points, _grown(points, before, k), n_iterations))
            best = min(best, grown, key=lambda run: run.cost[-1])
        score = _silhouette(points, best.labels, sample)
        found.append(ElbowPoint(k, float(best.cost[-1]), score.value, score.n_points))
        before = best
    return found


def silhouette(
    vectors: Vectors,
    labels: NDArray[np.integer[Any]],
    *,
    rng: np.random.Generator | int | None = None,
    most_points: int = 5_000,
) -> Silhouette:
    """Return the mean of (b − a) / max(a, b): a, b the mean distance to the own and the next segment.

    Of more than `most_points` vectors so many are drawn, without replacement, and measured among themselves, as the
    answer's `n_points` says. A vector alone in its segment counts 0. Not defined (None) for one segment, and where each
    vector has its own (Rousseeuw 1987).
    Cost: O(most_points²· d).
    """
    points = _points(vectors)
    if np.shape(labels) != (points.shape[0],):
        raise DataError(f"there are {points.shape[0]} vectors, and labels of shape {np.shape(labels)}")
    return _silhouette(points, labels, _sample(points.shape[0], most_points, generator(rng)))


def nearest_centroids(vectors: Vectors, centroids: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return int32[n]: the nearest centroid of each vector, ties by smaller index; each depends on its row alone."""
    if isinstance(vectors, sparse.csr_array):
        products = vectors.astype(np.float64) @ centroids.T
    else:
        # Not a matrix product: BLAS rounds by how many rows there are.
        products = np.einsum("if,kf->ik", vectors.astype(np.float64), centroids)
    nearest: NDArray[np.int32] = np.argmin(0.5 * (centroids**2).sum(axis=1) - products, axis=1).astype(
        np.int32
    )
    return nearest


def _points(vectors: Vectors) -> Any:
    points: Any = sparse.csr_array(vectors) if sparse.issparse(vectors) else np.asarray(vectors)
    if points.ndim != 2 or points.dtype.kind not in "fiub":
        raise DataError(
            f"vectors must be a matrix of numbers [n, d], got {points.dtype} of shape {points.shape}"
        )
    points = points.astype(np.float64)
    if not np.isfinite(points.data if isinstance(points, sparse.csr_array) else points).all():
        raise DataError("a vector has a number that is not finite")
    return points


def _require_distinct(points: Any, n_segments: int) -> None:
    n = points.shape[0]
    if n_segments > n:
        raise ParameterError(f"n_segments={n_segments}, and there are {n} vectors: ask for fewer segments")
    seen: set[bytes] = set()
    for row in range(n):
        seen.add(_bytes_of(points, row))
        if len(seen) == n_segments:
            return
    raise ParameterError(
        f"n_segments={n_segments}, and only {len(seen)} of the {n} vectors are distinct: ask for fewer segments"
    )


def _bytes_of(points: Any, row: int) -> bytes:
    if not isinstance(points, sparse.csr_array):
        return bytes((points[row] + 0.0).tobytes())  # −0 is 0
    start, stop = points.indptr[row : row + 2]
    return bytes(points.indices[start:stop].tobytes() + points.data[start:stop].tobytes())


def _run(points: Any, centroids: NDArray[np.float64], n_iterations: int) -> Segments:
    # One step at a time, since scikit-learn tells the cost of the last one only.
    cost: list[float] = []
    labels: NDArray[np.int32] = np.full(points.shape[0], -1, np.int32)
    for _ in range(whole("n_iterations", n_iterations, least=1)):
        step = KMeans(len(centroids), init=centroids, n_init=1, max_iter=1, tol=0, algorithm="lloyd")
        with warnings.catch_warnings():
            # It says that segments are empty, which happens where vectors are all but equal, and harms nothing.
            warnings.simplefilter("ignore", ConvergenceWarning)
            step.fit(points)
        cost.append(float(step.inertia_))
        centroids = step.cluster_centers_
        settled = np.array_equal(step.labels_, labels)
        labels = step.labels_
        if settled:
            break
    return Segments(labels.astype(np.int32), centroids, np.array(cost))


def _by_size(found: Segments) -> Segments:
    k = len(found.centroids)
    first = np.full(k, found.labels.size)
    np.minimum.at(first, found.labels, np.arange(found.labels.size))
    order = np.lexsort((first, -found.sizes))
    rank = np.argsort(order).astype(np.int32)
    return Segments(rank[found.labels], found.centroids[order], found.cost)


def _grown(points: Any, before: Segments, n_segments: int) -> NDArray[np.float64]:
    """Return the centroids of `before` and, one by one, the vector farthest from all that there are."""
    centroids = before.centroids
    nearest = np.full(points.shape[0], np.inf)
    for centroid in centroids:
        nearest = np.minimum(nearest, _squared_distances(points, centroid))
    while len(centroids) < n_segments:
        farthest = int(np.argmax(nearest))
        row = points[[farthest]]
        added = (row.toarray() if isinstance(row, sparse.csr_array) else row).astype(np.float64)
        centroids = np.concatenate([centroids, added])
        nearest = np.minimum(nearest, _squared_distances(points, added[0]))
    return centroids


def _squared_distances(points: Any, centroid: NDArray[np.float64]) -> NDArray[np.float64]:
    if isinstance(points, sparse.csr_array):
        squared = np.asarray(points.multiply(points).sum(axis=1)).ravel()
        distances: NDArray[np.float64] = squared - 2 * (points @ centroid) + centroid @ centroid
        return np.maximum(distances, 0)
    away = points - centroid
    return np.asarray(np.einsum("if,if->i", away, away))


def _sample(n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    whole("most_points", most, least=2)
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _silhouette(points: Any, labels: NDArray[np.integer[Any]], sample: NDArray[np.int64]) -> Silhouette:
    chosen = labels[sample]
    if not 2 <= np.unique(chosen).size < sample.size:
        return Silhouette(None, sample.size)
    with threadpool_limits(limits=1):
        values = silhouette_samples(points[sample], chosen)
    return Silhouette(float(values.mean()), sample.size)
