"""KMeansSegments: people or items in segments by k-means, and what is popular in each."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.data.recommendations import FEWEST_NAMED
from shortlist.data.truncated_svd import sparse_product, truncated_svd
from shortlist.errors import DataError, ParameterError
from shortlist.models.fold_in import at_known_items
from shortlist.models.k_means import ElbowPoint, elbow, nearest_centroids, segment_vectors
from shortlist.models.model import Model
from shortlist.models.score_rows import positive_items
from shortlist.models.vectors import DotProduct, UserVectors, unit_rows
from shortlist.parameters import generator, number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.removal import Removal
    from shortlist.data.vocabulary import Id
    from shortlist.models.fitting import Fitting
    from shortlist.models.k_means import Vectors
    from shortlist.models.vectors import Said
    from shortlist.stages import History, Request

Of = Literal["users", "items"]
On = Literal["events", "features"]
NOWHERE = -1  # the segment of whom or what nothing is known


class SegmentItem(NamedTuple):
    """An item in a segment: how many like it there, what share that is, and how much that is above all's (lift)."""

    item_id: Id
    title: str
    n_likes: int
    share: float
    lift: float


class KMeansSegments(DotProduct, Model):
    """Recommends what is popular in a person's segment, or in the item segments that a person likes.

    - n_segments; of: segments of "users" or of "items"
    - on: what is compared. "events": the likes, as `dim` coordinates of their truncated SVD, at length 1, so that
      people (items) are alike who like (are liked by) the same. "features": the user's or item's features as
      `FeatureEncoder` has them, from `columns` of the table (all where None), which needs no events
    - n_init, n_iterations: runs of k-means, of which the best counts, and steps of each at most
    - shrinkage λ >= 0: pulls a segment's popularity to that of all (of="users", in people), a person's segments to
      those of all likes (of="items", in likes)

    of="users": an item scores (n_si + λ p_i) / (n_s + λ): n_si of the n_s people of the segment like it, and the share
    p_i of all people with a segment. of="items": it scores P(s | user) P(i | s), where s is the item's segment,
    P(s | user) = (c_us + λ P(s)) / (c_u + λ) of the person's c_u likes, P(i | s) = n_i / n_s of the segment's n_s
    likes. Both are products of a user's and an item's vector of n_segments numbers, which is what `similar_items`
    compares: items alike in popularity across segments.

    Known are users with a segment (of="items": with a like of an item with one), listed are items with a like (and a
    segment). Without a segment is who or what has no like, or no feature that is not 0.
    Fitted: `segments_` int32[n_users or n_items] (−1: none), largest segment 0; `cost_` float64[n_iterations];
    `item_factors_` float32[n_items, n_segments], `user_factors_` float32[n_users, n_segments].
    Cost: a truncated SVD, and k-means on one thread (`k_means`). Vectors of users are as long as there are segments.
    Raises `ParameterError` where there are fewer distinct vectors than segments; `DataError` for data without a like,
    or without the features.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "segments_",
        "centroids_",
        "cost_",
        "item_factors_",
        "item_offsets_",
        "user_factors_",
        "basis_",
        "segment_sizes_",
        "encoding_",
    )
    BY_USER: ClassVar[tuple[str, ...]] = ("user_factors_",)

    segments_: NDArray[np.int32]
    centroids_: NDArray[np.float64]
    cost_: NDArray[np.float64]
    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    user_factors_: NDArray[np.float32]
    basis_: NDArray[np.float32]
    segment_sizes_: NDArray[np.int64]
    encoding_: dict[str, Any]

    def __init__(
        self,
        n_segments: int = 8,
        *,
        of: Of = "users",
        on: On = "events",
        dim: int = 16,
        columns: Sequence[str] | None = None,
        n_init: int = 4,
        n_iterations: int = 100,
        shrinkage: float = 10.0,
    ) -> None:
        self.n_segments = whole("n_segments", n_segments, least=1)
        self.of = one_of("of", of, Of)
        self.on = one_of("on", on, On)
        self.dim = whole("dim", dim, least=1)
        if isinstance(columns, str):
            raise ParameterError(f"columns must be a list of names of columns, got {columns!r}")
        self.columns = None if columns is None else list(columns)
        self.n_init = whole("n_init", n_init, least=1)
        self.n_iterations = whole("n_iterations", n_iterations, least=1)
        self.shrinkage = number("shrinkage", shrinkage)

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: what the segments are of."""
        return ("features",) if self.of == "users" and self.on == "features" else ("events",)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        likes = _likes(dataset)
        vectors, placed = self._place(dataset, likes, fitting.rng)
        found = segment_vectors(
            vectors[placed],
            self.n_segments,
            rng=fitting.rng,
            n_init=self.n_init,
            n_iterations=self.n_iterations,
        )
        self.centroids_, self.cost_ = found.centroids, found.cost
        self.segments_ = np.full(placed.size, NOWHERE, np.int32)
        # As people folded in are placed, so that nobody's segment hangs on how rounding went in the fit.
        self.segments_[placed] = nearest_centroids(vectors[placed], self.centroids_)
        self._count(likes)
        self.item_offsets_ = np.zeros(likes.shape[1], np.float32)
        self.user_factors_ = self._one_hot(self.segments_) if self.of == "users" else self._preferences(likes)
        self.known_users_ = _not_zero(self.user_factors_)
        self.known_items_ = self.listed_items_ = _not_zero(self.item_factors_)

    def _place(
        self, dataset: Dataset, likes: sparse.csr_array, rng: np.random.Generator
    ) -> tuple[Vectors, NDArray[np.bool_]]:
        """Return the vectors of all users (items), and bool[n]: which have one; set what folding in needs."""
        self.basis_, self.encoding_ = np.zeros((likes.shape[1], 0), np.float32), {}
        if self.on == "features":
            table = dataset.user_features if self.of == "users" else dataset.item_features
            if table is None:
                raise DataError(f'on="features" needs features of the {self.of}, and this data has none')
            self.encoding_ = FeatureEncoder.fit(table, self.columns).to_values()
            rows = self.encoder.transform(table)
            return rows, np.diff(rows.indptr) > 0
        svd = truncated_svd(likes, self.dim, rng)
        if self.of == "users":
            self.basis_ = svd.right
            return _directions(sparse_product(likes, svd.right), np.diff(likes.indptr))
        n_likes = np.bincount(likes.indices, minlength=likes.shape[1])
        return _directions(svd.right * svd.values.astype(np.float32), n_likes)

    def _count(self, likes: sparse.csr_array) -> None:
        """Set `item_factors_` and `segment_sizes_` (people, or likes of the segment's items)."""
        by_segment = _likes_by_segment(likes, self.segments_, self.of, self.n_segments).astype(np.float64)
        n_likes = by_segment.sum(axis=1)
        if self.of == "users":
            self.segment_sizes_ = np.bincount(self.segments_ + 1, minlength=self.n_segments + 1)[1:]
            overall = n_likes / max(self.segment_sizes_.sum(), 1)
            counts = by_segment + self.shrinkage * overall[:, None]
            people = self.segment_sizes_ + self.shrinkage
        else:
            self.segment_sizes_ = by_segment.sum(axis=0).astype(np.int64)
            counts, people = by_segment, self.segment_sizes_.astype(np.float64)
        # A segment of nobody, and no shrinkage: 0 of 0 is 0.
        self.item_factors_ = (counts / np.where(people > 0, people, 1.0)).astype(np.float32)

    def _preferences(self, likes: sparse.csr_array) -> NDArray[np.float32]:
        """Return P(s | user) float32[n_users, n_segments] from rows of likes; zeros for whom no like has a segment."""
        row = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
        segment = self.segments_[likes.indices]
        key = (row * self.n_segments + segment)[segment >= 0]
        count = np.bincount(key, minlength=likes.shape[0] * self.n_segments).reshape(-1, self.n_segments)
        total = count.sum(axis=1, keepdims=True)
        overall = self.segment_sizes_ / max(self.segment_sizes_.sum(), 1)
        shares = (count + self.shrinkage * overall) / np.where(total > 0, total + self.shrinkage, 1.0)
        preferences: NDArray[np.float32] = (shares * (total > 0)).astype(np.float32)
        return preferences

    def _one_hot(self, segments: NDArray[np.int32]) -> NDArray[np.float32]:
        rows = np.zeros((segments.size, self.n_segments), np.float32)
        placed = np.flatnonzero(segments >= 0)
        rows[placed, segments[placed]] = 1
        return rows

    @cached_property
    def encoder(self) -> FeatureEncoder:
        """Return the encoder of the features (on="features"), whose `names` are those of the centroids' columns."""
        return FeatureEncoder.from_values(self.encoding_)

    def elbow(
        self,
        dataset: Dataset,
        n_segments: Iterable[int] = range(2, 13),
        *,
        rng: np.random.Generator | int | None = None,
        most_points: int = 5_000,
    ) -> list[ElbowPoint]:
        """Return cost and silhouette of each number of segments of this data, the other parameters being this model's.

        The model need not be fitted and is not changed; `k_means.elbow` says more. A frame of it: `pl.DataFrame(rows)`.
        """
        random, likes = generator(rng), _likes(dataset)
        vectors, placed = self.clone()._place(dataset, likes, random)
        return elbow(
            vectors[placed],
            n_segments,
            rng=random,
            n_init=self.n_init,
            n_iterations=self.n_iterations,
            most_points=most_points,
        )

    def segment_of(self, ids: Iterable[Id] | UserVectors) -> NDArray[np.int32]:
        """Return int32[n]: the segment of each user (item where of="items"); −1 without one. Raises `UnknownIdError`.

        Of people folded in (of="users") too.
        """
        self._require_fitted()
        if isinstance(ids, UserVectors):
            self._require_own(ids)
            if self.of == "items":
                raise ParameterError('people folded in have no segment of of="items"; give ids of items')
            return np.where(ids.known, ids.vectors.argmax(axis=1), NOWHERE).astype(np.int32)
        vocabulary = self.memory_.users if self.of == "users" else self.memory_.items
        found: NDArray[np.int32] = self.segments_[vocabulary.require(ids, self.of.removesuffix("s"))]
        return found

    def segment_of_request(self, request: Request) -> NDArray[np.int32]:
        """Return int32[n]: the segment of each of the request's users, −1 without one; where of="items" the likeliest.

        Who is not in the data (user_idx −1) is where their folded-in vector is, `request.people`, else where their
        history leads (which on="features" does not).
        """
        self._require_fitted()
        known = request.user_idx >= 0
        vectors = np.zeros((known.size, self.n_segments), np.float32)
        vectors[known] = self.user_factors_[request.user_idx[known]]
        if self.space in request.people:
            vectors[~known] = request.people[self.space].vectors[~known]
        elif self.of == "items" or self.on == "events":
            vectors[~known] = self._by_likes(request.history.take(np.flatnonzero(~known)))
        return np.where(_not_zero(vectors), vectors.argmax(axis=1), NOWHERE).astype(np.int32)

    def popular(
        self, segment: int, k: int = 10, *, by: Literal["share", "lift"] = "share"
    ) -> list[SegmentItem]:
        """Return the `k` items most liked in a segment, or those most typical of it (lift), ties by id.

        share: n_si / n_s of the class's docstring, of people or of likes. lift: (n_si + λ) / (n_s p_i + λ), the likes
        over those that the item's share p_i of all would give; the shrinkage λ keeps what two people like from being
        typical. Items without a like there are left out.
        """
        self._require_fitted()
        one_of("by", by, Literal["share", "lift"])
        if whole("segment", segment, least=0) >= self.n_segments:
            raise ParameterError(f"segment={segment}: there are {self.n_segments}, numbered from 0")
        n_likes, size = self.n_likes[:, segment], int(self.segment_sizes_[segment])
        share = n_likes / max(size, 1)
        expected = size * self.n_likes.sum(axis=1) / max(int(self.segment_sizes_.sum()), 1)
        lift = (n_likes + self.shrinkage) / np.maximum(expected + self.shrinkage, 1e-300)
        value = share if by == "share" else lift
        order = np.argsort(-np.where(n_likes > 0, value, -1.0), kind="stable")[: whole("k", k, least=0)]
        return [
            SegmentItem(
                self.memory_.items.ids[int(i)],
                self.memory_.title_of(int(i)),
                int(n_likes[i]),
                float(share[i]),
                float(lift[i]),
            )
            for i in order
            if n_likes[i] > 0
        ]

    @cached_property
    def n_likes(self) -> NDArray[np.int64]:
        """Return int64[n_items, n_segments]: the likes of each item by people of a segment, or in its own segment.

        Raises `ParameterError` where the artifact was saved without histories, of which they are counted.
        """
        if not self.memory_.has_histories:
            raise ParameterError(
                "this artifact was saved without histories, and the likes of a segment are counted there"
            )
        likes = positive_items(self.memory_.history, len(self.memory_.items))
        return _likes_by_segment(likes, self.segments_, self.of, self.n_segments)

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, n_segments] and offsets float32[n] (zeros) of known users (positions ≥ 0)."""
        return self.user_factors_[user_idx], np.zeros(user_idx.size, np.float32)

    def fold_in_users(self, events: Dataset, features: FeatureTable | None = None) -> UserVectors:
        """Return vectors of the users of `events` in the segments as they are.

        - events: items are matched by id
        - features: of="users", on="features" alone: one row a person; where None, the user features of `events`

        A person of the training data with the same likes, or features, is in the same segment. Raises `DataError`
        where features are needed and absent, and unless the values mean what they did in training; `ParameterError` for
        features that are not used.
        """
        self._require_fitted()
        log = at_known_items(events, self.memory_)
        history = log.history()
        if self.of == "users" and self.on == "features":
            vectors = self._by_features(events, events.user_features if features is None else features)
        elif features is not None:
            raise ParameterError(
                f'features are used for of="users" and on="features"; this is of={self.of!r} and on={self.on!r}'
            )
        else:
            vectors = self._by_likes(history)
        zeros = np.zeros(len(vectors), np.float32)
        return UserVectors(vectors, zeros, _not_zero(vectors), events.users.ids, history, self.space)

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return what is fitted without removed users, and without the popularity in segments of nobody else."""
        left = super()._without_users(removal, fitted)
        if self.of == "items":
            return left
        segments = removal.rows(self.segments_)
        sizes = np.bincount(segments + 1, minlength=self.n_segments + 1)[1:]
        items = np.where(sizes > 0, self.item_factors_, np.float32(0))
        return left | {"segments_": segments, "segment_sizes_": sizes, "item_factors_": items}

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return what is left without the popularity in segments of so few people that it is what one of them likes."""
        if self.of == "items":
            return fitted
        small = self.segment_sizes_ < FEWEST_NAMED
        return fitted | {
            "item_factors_": np.where(small, np.float32(0), self.item_factors_),
            "known_users_": self.known_users_ & ~small[self.segments_],
        }

    def _by_likes(self, history: History) -> NDArray[np.float32]:
        likes = positive_items(history, len(self.known_items_))
        if self.of == "items":
            return self._preferences(likes)
        return self._nearest(*_directions(sparse_product(likes, self.basis_), np.diff(likes.indptr)))

    def _by_features(self, events: Dataset, table: FeatureTable | None) -> NDArray[np.float32]:
        if table is None:
            raise DataError('on="features" needs the features of these users: give features=')
        rows = self.encoder.transform(table.align(events.users))
        return self._nearest(rows, np.diff(rows.indptr) > 0)

    def _nearest(self, vectors: Vectors, placed: NDArray[np.bool_]) -> NDArray[np.float32]:
        segments = nearest_centroids(vectors, self.centroids_)
        # A segment may be without popularity: that of few people is not saved without histories.
        popular: NDArray[np.bool_] = np.count_nonzero(self.item_factors_, axis=0) > 0
        told = placed & popular[segments]
        return self._one_hot(np.where(told, segments, NOWHERE).astype(np.int32))

    def _reason(self) -> str:
        return "popular among people like you" if self.of == "users" else "popular of a kind that you like"


def _likes(dataset: Dataset) -> sparse.csr_array:
    likes = positive_items(dataset.memory.history, len(dataset.items))
    if likes.nnz == 0:
        raise DataError(
            f"none of the {len(dataset.interactions)} {dataset.feedback.kind} is positive: nothing is popular"
        )
    return likes


def _directions(
    vectors: NDArray[np.float32], n_likes: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors at length 1, and which have a direction.

    A row of n likes has the length √n. Of one that the coordinates leave next to nothing of, the direction is rounding.
    """
    length = np.sqrt(np.einsum("if,if->i", vectors, vectors, dtype=np.float64))
    return unit_rows(vectors), length > 1e-4 * np.sqrt(np.maximum(n_likes, 1))


def _not_zero(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = rows.max(axis=1, initial=0.0) > 0
    return found


def _likes_by_segment(
    likes: sparse.csr_array, segments: NDArray[np.int32], of: Of, n_segments: int
) -> NDArray[np.int64]:
    """Return int64[n_items, n_segments]: the likes of each item by the people of a segment, or in its own segment."""
    row = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
    segment = segments[row if of == "users" else likes.indices]
    key = (likes.indices.astype(np.int64) * n_segments + segment)[segment >= 0]
    return np.bincount(key, minlength=likes.shape[1] * n_segments).reshape(-1, n_segments)
