"""ContentBased: items whose features are those of what a person liked, or said to like; needs no other people."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from scipy import sparse

from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.data.features import FeatureTable
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError
from shortlist.models.feature_contributions import by_features
from shortlist.models.feature_contributions_linear import added_by
from shortlist.models.feature_contributions_words import Words
from shortlist.models.feature_index import FeatureIndex, Profile, lengths, unit_length, with_values
from shortlist.models.fold_in import at_known_items
from shortlist.models.model import Model
from shortlist.models.preferences import Preferences, Weigh, beside, stated_in, with_stated
from shortlist.models.score_rows import positive_items, rank_rows, score_rows
from shortlist.models.vectors import UserVectors
from shortlist.parameters import number, one_of
from shortlist.stages import Eligible, History, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.vocabulary import Id, Ids
    from shortlist.models.fitting import Fitting
    from shortlist.models.score_rows import RowsOf
    from shortlist.models.vectors import Said
    from shortlist.stages import Lists

ContentMeasure = Literal["cosine", "dot"]


class FeaturePart(NamedTuple):
    """A feature by its name (genres=Comedy, year, title:story), and its part of a score or of a profile."""

    feature: str
    part: float


@dataclass(frozen=True, eq=False)
class ContentVectors(UserVectors):
    """People folded in by their events, and by what they state: `stated` float32 CSR [n, n_features]."""

    stated: sparse.csr_array = field(kw_only=True)

    def take(self, rows: NDArray[np.integer[Any]]) -> ContentVectors:
        """Return the users at `rows` int[n]."""
        return ContentVectors(**vars(super().take(rows)), stated=self.stated[rows])


class ContentBased(Model):
    """Scores p · x: a person's profile p against the features x of an item. Nobody else's events are used.

    p = Σ_i w_i x_i over the person's items i. The features are those of `FeatureEncoder`: numbers and times
    standardised, categories and tags 0 or 1, texts TF-IDF.

    - columns: of the item features; all of them where None
    - column_weights: each feature of a column is multiplied by the column's weight (default 1), its part of a dot
      product by the square of it
    - measure: "cosine" brings every x and p to length 1, so that an item with many tags counts as much as one with few;
      "dot" leaves x as it is and divides p by Σ|w|
    - weigh: "liked": w = 1 for each item with a positive event. "rating" (ratings and labels): w = y − m for the last
      value y of each item, where m = (Σy + s·μ) / (n + s) is the person's mean, shrunk to the mean μ of all training
      events; what a person rated below their mean counts against its features
    - mean_shrinkage s >= 0: in ratings; of weigh="rating" alone
    - tastes: columns of the *user* features that state what a person likes, in the words of the item column of the same
      name (favourite genres, say). What is stated counts like one more item in p, with the weight `taste_weight` > 0

    Known are users whose profile is not zero, and items with a feature that is not: an item without events, too. An
    item without features, or with none but numbers that are exactly average, is unknown. An item that shares no
    feature with the profile scores 0. `similar_items` goes by the cosine of the features.

    Fitted: `feature_ptr_`, `feature_idx_`, `feature_values_` (CSR [n_items, n_features]), the same as `taste_…` for
    users, `feature_length_` float32[n_items] (of the weighted rows, before the cosine brings them to 1), `encoding_`
    (plain values of `encoder`) and `mean_value_`.
    Cost: to fit, the encoding. For each person asked for, the rows of their items and the items of each feature of the
    profile, by an inverted index; nothing is made dense but one profile and a block of scores.
    A content-based filter with the vector-space profile of Lops, de Gemmis and Semeraro, Content-based Recommender
    Systems: State of the Art and Trends, 2011, §3.3.1; the shrunk mean is ours.
    Raises `DataError` for data without item features and for weigh="rating" with events, `ParameterError` for a column
    that is not there.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "feature_ptr_",
        "feature_idx_",
        "feature_values_",
        "taste_ptr_",
        "taste_idx_",
        "taste_values_",
        "feature_length_",
        "encoding_",
        "mean_value_",
    )
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (("taste_ptr_", "taste_idx_", "taste_values_"),)
    knows_by_history: ClassVar[bool] = True
    own_measure: ClassVar[str] = "cosine of features"

    feature_ptr_: NDArray[np.int64]
    feature_idx_: NDArray[np.int32]
    feature_values_: NDArray[np.float32]
    taste_ptr_: NDArray[np.int64]
    taste_idx_: NDArray[np.int32]
    taste_values_: NDArray[np.float32]
    feature_length_: NDArray[np.float32]
    encoding_: dict[str, Any]
    mean_value_: float

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        column_weights: Mapping[str, float] | None = None,
        measure: ContentMeasure = "cosine",
        weigh: Weigh = "liked",
        mean_shrinkage: float = 5.0,
        tastes: Sequence[str] = (),
        taste_weight: float = 1.0,
    ) -> None:
        self.columns = None if columns is None else _names("columns", columns)
        given = dict(column_weights or {})
        self.column_weights = {name: number(f"column_weights[{name!r}]", w) for name, w in given.items()}
        self.measure = one_of("measure", measure, ContentMeasure)
        self.weigh = one_of("weigh", weigh, Weigh)
        self.mean_shrinkage = number("mean_shrinkage", mean_shrinkage)
        self.tastes = _names("tastes", tastes)
        self.taste_weight = number("taste_weight", taste_weight, above_zero=True)

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: their events, and the tastes that they state."""
        return ("events", "features") if self.tastes else ("events",)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        table, log = dataset.item_features, dataset.interactions
        if table is None:
            raise DataError("ContentBased needs item features, and this data has none: read it with items=")
        if self.weigh == "rating" and dataset.feedback.kind == "events":
            raise DataError('weigh="rating" needs ratings or labels, these are events: weigh="liked"')
        encoder = FeatureEncoder.fit(table, self.columns)
        self._require_columns(encoder)
        self.encoding_ = encoder.to_values()
        self.mean_value_ = float(log.value.mean(dtype=np.float64)) if len(log) else 0.0
        encoded = encoder.transform(table)
        self.feature_length_ = lengths(self._scaled(encoded)).astype(np.float32)
        rows = self._weighted(encoded)
        self.feature_ptr_, self.feature_idx_, self.feature_values_ = _arrays(rows)
        stated = self._stated(dataset.user_features, dataset.users, self.tastes)
        self.taste_ptr_, self.taste_idx_, self.taste_values_ = _arrays(stated)
        self.known_items_ = self.listed_items_ = np.diff(rows.indptr) > 0
        self.known_users_ = self._has_profile(dataset.memory.history, stated)

    def _require_columns(self, encoder: FeatureEncoder) -> None:
        for name, columns in (("column_weights", self.column_weights), ("tastes", self.tastes)):
            for column in columns:
                if column not in encoder.encodings:
                    have = ", ".join(encoder.encodings) or "none"
                    raise ParameterError(
                        f"{name} has {column!r}, which is no column of the item features used: {have}"
                    )

    @cached_property
    def encoder(self) -> FeatureEncoder:
        """Return the encoder of the fitted model, whose `names` are those of the features."""
        return FeatureEncoder.from_values(self.encoding_)

    @cached_property
    def _index(self) -> FeatureIndex:
        shape = (self.feature_ptr_.size - 1, len(self.encoder.names))
        rows = sparse.csr_array((self.feature_values_, self.feature_idx_, self.feature_ptr_), shape=shape)
        return FeatureIndex(rows, cosine=self.measure == "cosine")

    @cached_property
    def _tastes(self) -> sparse.csr_array:
        shape = (self.taste_ptr_.size - 1, len(self.encoder.names))
        return sparse.csr_array((self.taste_values_, self.taste_idx_, self.taste_ptr_), shape=shape)

    def _weighted(self, rows: sparse.csr_array) -> sparse.csr_array:
        """Return rows of the encoder times the weights of their columns, at length 1 for the cosine."""
        scaled = self._scaled(rows)
        return unit_length(scaled) if self.measure == "cosine" else scaled

    def _scaled(self, rows: sparse.csr_array) -> sparse.csr_array:
        # A copy: what is eliminated would be gone from the places of `rows` too.
        scaled = with_values(rows, rows.data * self._factors[rows.indices]).copy()
        scaled.eliminate_zeros()
        return scaled

    @property
    def _factors(self) -> NDArray[np.float32]:
        """Return float32[n_features]: the weight of the column of each."""
        factor = np.ones(self.encoder.width, np.float32)
        for column, weight in self.column_weights.items():
            factor[self.encoder.slices[column]] = weight
        return factor

    def _stated(
        self, table: FeatureTable | None, users: Vocabulary, columns: Sequence[str]
    ) -> sparse.csr_array:
        """Return the features that `columns` of `table` state for each of `users`; empty rows where there are none."""
        if not columns:
            nothing = np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(len(users) + 1, np.int64)
            return sparse.csr_array(nothing, shape=(len(users), len(self.encoder.names)))
        if table is None or not set(columns) <= set(table.kinds):
            have = ", ".join(table.kinds) if table is not None else "none"
            raise DataError(f"tastes are {', '.join(columns)}; the columns of the user features are: {have}")
        kinds = {name: kind for name, kind in table.kinds.items() if name in columns}
        chosen = FeatureTable(table.frame.select("id", *kinds), kinds).align(users)
        return self._weighted(self.encoder.transform(chosen, absent="missing"))

    def _has_profile(self, history: History, stated: sparse.csr_array) -> NDArray[np.bool_]:
        with_tastes = self._with_tastes(history, np.arange(len(history)), stated)
        return self._index.has_profile(self._weights(with_tastes, stated), stated)

    def _with_tastes(
        self, history: History, person: NDArray[np.integer[Any]], stated: sparse.csr_array
    ) -> History:
        """Return the history of `person` int[n] together with what they state, row `person` of `stated`."""
        if stated.nnz == 0:
            return history
        states = np.diff(stated.indptr)[person] > 0
        return with_stated(history, np.where(states, person, -1), len(self.known_items_))

    def _weights(self, history: History, stated: sparse.csr_array) -> sparse.csr_array:
        n_items = len(self.known_items_)
        preferences = Preferences(self.weigh, self.mean_value_, self.mean_shrinkage)
        if stated.nnz == 0:
            return preferences.of(history, n_items)
        events, person = stated_in(history, n_items)
        return beside(preferences.of(events, n_items), person, self.taste_weight, stated.shape[0])

    def _rows_of(self, stated: sparse.csr_array) -> RowsOf:
        return lambda history: self._index.scores(self._weights(history, stated), stated)

    def _rank(self, request: Request) -> Lists:
        history = self._with_tastes(request.history, request.user_idx, self._tastes)
        return rank_rows(self._rows_of(self._tastes), replace(request, history=history), self.listed_items_)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        everybody = np.arange(len(self.known_users_))
        history = self._with_tastes(self.memory_.history, everybody, self._tastes)
        memory = replace(self.memory_, history=history)
        return score_rows(self._rows_of(self._tastes), memory, user_idx, item_idx)

    def fold_in_users(
        self, events: Dataset | None = None, features: FeatureTable | None = None
    ) -> ContentVectors:
        """Return the people of `events` and of `features` for `recommend`, with a profile of what both say.

        - events: their past; items are matched by id, and those without features say nothing
        - features: what they state, one row a person, in columns of the item features (by name and kind); the other
          columns of the table are not used, and a column that it does not have is missing. Where None, the `tastes`
          columns of the user features of `events`

        A person of the training data with the same events and tastes gets the same scores. The model is not changed;
        ids need not be new. Raises `DataError` where `features` has none of the columns, and unless the values mean
        what they did in training; `ParameterError` where neither is given.
        """
        self._require_fitted()
        if events is None and features is None:
            raise ParameterError("fold_in_users needs events, features or both")
        users = Vocabulary.of(*(ids for ids in (_ids_of(events), _ids_of(features)) if ids is not None))
        history = self._moved(events, users)
        stated = self._stated_by(events, features, users)
        zeros = np.zeros(len(users), np.float32)
        return ContentVectors(
            np.zeros((len(users), 0), np.float32),
            zeros,
            self._has_profile(history, stated),
            users.ids,
            history,
            self.space,
            stated=stated,
        )

    def _stated_by(
        self, events: Dataset | None, features: FeatureTable | None, users: Vocabulary
    ) -> sparse.csr_array:
        if features is None:
            own = None if events is None else events.user_features
            return self._stated(own, users, self.tastes)
        shared = [column for column in self.encoder.kinds if column in features.kinds]
        if not shared:
            raise DataError(
                f"the features have the columns {', '.join(features.kinds) or 'none'}, and none of those of the items: "
                f"{', '.join(self.encoder.kinds) or 'none'}"
            )
        return self._stated(features, users, shared)

    def _moved(self, events: Dataset | None, users: Vocabulary) -> History:
        """Return the histories of `users` in `events`, at the positions of this model's items."""
        if events is None:
            return self.memory_.history.take(np.full(len(users), -1))
        log = at_known_items(events, self.memory_)
        position = users.index_of(events.users.ids)
        return replace(log, user_idx=position[log.user_idx], n_users=len(users)).history()

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        assert isinstance(users, ContentVectors)
        history = self._with_tastes(request.history, np.arange(len(request)), users.stated)
        return rank_rows(self._rows_of(users.stated), replace(request, history=history), self.listed_items_)

    def _similar(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        n, ones = item_idx.size, np.ones(item_idx.size, np.float32)
        ptr = np.arange(n + 1)
        alone = History(ptr, item_idx, ones, ones > 0, None)
        itself = Eligible(
            ("itself",), np.zeros(len(self.known_items_), np.int8), ptr, item_idx, np.ones(n, np.int8)
        )
        request = Request(np.full(n, -1, np.int32), alone, itself, k, None)
        return rank_rows(self._cosines_of, request, self.known_items_)

    def _cosines_of(self, history: History) -> NDArray[np.float32]:
        return self._by_angle.scores(positive_items(history, len(self.known_items_)))

    @cached_property
    def _by_angle(self) -> FeatureIndex:
        if self.measure == "cosine":
            return self._index
        return FeatureIndex(unit_length(self._index.rows), cosine=True)

    def _similarity_vectors(self) -> NDArray[np.float32]:
        raise ParameterError(
            "ContentBased compares items by the cosine of their features only; leave measure= out"
        )

    def _reason(self) -> str:
        return "its features are closest to those of what you like"

    def profile(self, user: Id) -> list[FeaturePart]:
        """Return what the model holds of a user's taste: the features that are not 0, largest absolute part first.

        With measure="cosine" the squares of the parts sum to 1. Raises `UnknownIdError` for an unknown user.
        """
        return self._named(self._profile_of(user))

    def parts_of_score(self, user: Id, item: Id) -> list[FeaturePart]:
        """Return the part of each feature that user and item share in `score`: p_f x_f, largest absolute part first.

        The parts sum to the score, up to float32 rounding. Ties go by the order of `encoder.names`; a pair without a
        common feature has none. Raises `UnknownIdError` for an unknown user or item.
        """
        self._require_fitted()
        item_idx = self.memory_.items.require([item], "item")
        self._require_known(self.known_items_, item_idx, self.memory_.items.ids, "item")
        feature, value = self._profile_of(user)
        x = self._index.rows[item_idx].toarray()[0]
        both = feature[x[feature] != 0]
        of_profile = np.isin(feature, both, assume_unique=True)
        return self._named(Profile(both, value[of_profile] * x[both]))

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return the parts of the features; those of past items, whose sum the profile is, would count them twice."""
        people = self.people_of(request)
        whose, stated = request.user_idx, self._tastes
        if people is not None:
            assert isinstance(people, ContentVectors)
            whose, stated = np.zeros(1, np.int32), people.stated
        history = self._with_tastes(request.history, whose, stated)
        feature, value = self._index.profile(self._weights(history, stated), stated)
        profile = np.zeros(self.encoder.width)
        profile[feature] = value
        rows = self._index.rows[item_idx]
        length = (
            1.0 if self.measure == "dot" else np.repeat(self.feature_length_[item_idx], np.diff(rows.indptr))
        )
        encoded = (rows.data * length / self._factors[rows.indices]).astype(np.float32)
        parts = added_by(rows, profile, Words(self.encoder, self.encoder.width), encoded)
        return by_features(item_idx, parts, base=np.zeros(item_idx.size))

    def _profile_of(self, user: Id) -> Profile:
        self._require_fitted()
        user_idx = self.memory_.users.require([user], "user")
        self._require_known(self.known_users_, user_idx, self.memory_.users.ids, "user")
        history = self._with_tastes(self.memory_.history.take(user_idx), user_idx, self._tastes)
        return self._index.profile(self._weights(history, self._tastes), self._tastes)

    def _named(self, parts: Profile) -> list[FeaturePart]:
        order = np.argsort(-np.abs(parts.value), kind="stable")
        names = self.encoder.names
        return [FeaturePart(names[parts.feature[at]], float(parts.value[at])) for at in order]


def _arrays(rows: sparse.csr_array) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data.astype(np.float32)


def _names(parameter: str, names: Sequence[str]) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ParameterError(f"{parameter} must be a list of names of columns, got {names!r}")
    return list(names)


def _ids_of(given: Dataset | FeatureTable | None) -> Ids | None:
    if given is None:
        return None
    return given.frame["id"] if isinstance(given, FeatureTable) else given.users.ids
