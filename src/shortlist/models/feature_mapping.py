"""FeatureMapping: places items and users without events among the vectors of another model, by their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse

from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.errors import DataError, ParameterError
from shortlist.models.feature_contributions_kept import ITEM_ROWS, USER_ROWS, KeepsRows, no_features
from shortlist.models.feature_contributions_mapping import Side, mapped_contributions
from shortlist.models.feature_contributions_words import encoder_of, said_of
from shortlist.models.item_vectors import ItemVectors
from shortlist.models.model import Model
from shortlist.models.newcomers import new_users
from shortlist.models.sparse_ridge import ridge
from shortlist.models.vectors import DotProduct, EmbeddingModel, UserVectors
from shortlist.parameters import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import Said
    from shortlist.stages import Request

    Floats = NDArray[np.float32]

Encode = Mapping[str, str | Mapping[str, Any]]


class FeatureMapping(DotProduct, KeepsRows, Model):
    """Scores as another model does, and gives what that one has no vector for the vector that its features suggest.

    The vectors (and offsets) that the model learned are regressed on the features, v_i ≈ c + f_i W, by ridge
    regression: W minimises Σ_i |v_i − c − f_i W|² + reg |W|² over the items with an event. One whose events gave it
    no vector, since nobody liked it, counts with zeros. Items without an event get c + f_i W; all others keep
    what the model says of them. The same goes for users. Mapped vectors are shorter than those they were learned
    from, so that of a warm and a cold item of like promise the warm one comes first.

    - models: one model, by name, unfitted or fitted, with vectors of users and items: WALS, BPR, MatrixFactorization. A
      clone of it is fitted on the same data; one that is already fitted on the very same data is used as it is
    - columns: of the item features; None: all of them, free text by its words; []: none, and no item is mapped
    - user_columns: of the user features; None: all of them; [] maps no user
    - encode: how columns of items are encoded, as in `FeatureEncoder.fit`; user_encode: of users
    - reg > 0, user_reg > 0: the penalties. Words are in few rows each, and need more of it than genres
    - boost > 0: mapped vectors of items, and their offsets, are multiplied by it. Among themselves their order stays;
      above 1 they come earlier on lists beside warm items, for who wants new items to be seen

    Known are the model's users and items, and those without an event that have a feature which is not 0.
    Fitted: `models_`, `item_factors_` float32[n_items, dim], `item_offsets_`, `user_factors_` float32[n_users, dim],
    `user_offsets_`, `mapped_items_` bool[n_items], `mapped_users_` bool[n_users], `item_map_` float32[f + 1, dim + 1]
    (W above c, times boost; the last column is that of the offset), `user_map_`, `item_encoding_`, `user_encoding_`,
    and what was encoded of those that are mapped (`KeepsRows`).
    Cost: the fit of the model, and see `sparse_ridge.ridge`.
    Source: Gantner et al., Learning Attribute-to-Feature Mappings for Cold-Start Recommendations, ICDM 2010 (the
    linear map, which they learn for the ranking too; ours is by least squares alone).
    Raises `ParameterError` for a model without vectors or whose vectors go by the moment's history, `DataError` for
    data without the features.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "item_factors_",
        "item_offsets_",
        "user_factors_",
        "user_offsets_",
        "mapped_items_",
        "mapped_users_",
        "item_map_",
        "user_map_",
        "item_encoding_",
        "user_encoding_",
        *USER_ROWS,
        *ITEM_ROWS,
    )
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (USER_ROWS,)
    BY_USER: ClassVar[tuple[str, ...]] = ("user_factors_", "user_offsets_", "mapped_users_")

    item_factors_: Floats
    item_offsets_: Floats
    user_factors_: Floats
    user_offsets_: Floats
    mapped_items_: NDArray[np.bool_]
    mapped_users_: NDArray[np.bool_]
    item_map_: Floats
    user_map_: Floats
    item_encoding_: dict[str, Any] | None
    user_encoding_: dict[str, Any] | None

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        columns: Sequence[str] | None = None,
        user_columns: Sequence[str] | None = (),
        encode: Encode | None = None,
        user_encode: Encode | None = None,
        reg: float = 3.0,
        user_reg: float = 3.0,
        boost: float = 1.0,
    ) -> None:
        self.models = _one_model(models)
        self.columns = _names("columns", columns)
        self.user_columns = _names("user_columns", user_columns)
        if self.columns == self.user_columns == []:
            raise ParameterError("columns and user_columns are both empty: name features to map by")
        self.encode = None if encode is None else dict(encode)
        self.user_encode = None if user_encode is None else dict(user_encode)
        self.reg = number("reg", reg, above_zero=True)
        self.user_reg = number("user_reg", user_reg, above_zero=True)
        self.boost = number("boost", boost, above_zero=True)

    @property
    def model_(self) -> Model:
        """Return the fitted model whose vectors these are."""
        return next(iter(self.models_.values()))

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: events by the model within, and the features that are mapped."""
        if "events" not in self.model_.folds_in:
            return ()
        return ("events",) if self.user_encoding_ is None else ("events", "features")

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        # Before the model, whose fit may take long.
        items = _encoder(dataset.item_features, self.columns, self.encode, "item")
        users = _encoder(dataset.user_features, self.user_columns, self.user_encode, "user")
        ((name, given),) = self.models.items()
        model = given
        if not given.is_fitted or given.memory_.fingerprint != dataset.fingerprint:
            start = None if fitting.start is None else fitting.start.models_[name]
            model = given.clone().fit(dataset, rng=fitting.rng, start=start, on_epoch=fitting.on_epoch)
        self.models_ = {name: model}
        vectors = _vectors_of(model)
        log = dataset.interactions
        have = np.bincount(log.item_idx, minlength=log.n_items) > 0
        learned = np.column_stack([vectors.item_factors_, vectors.item_offsets_])
        learned[~model.known_items_] = 0
        self.item_encoding_, self.item_map_, learned, self.mapped_items_, rows = _with_mapped(
            items, dataset.item_features, learned, have, self.reg, self.boost
        )
        self.item_factors_, self.item_offsets_ = _split(learned)
        self._keep_rows("item", rows)
        have = np.bincount(log.user_idx, minlength=log.n_users) > 0
        self.user_encoding_, self.user_map_, learned, self.mapped_users_, rows = _with_mapped(
            users, dataset.user_features, _user_vectors(model, vectors), have, self.user_reg
        )
        self.user_factors_, self.user_offsets_ = _split(learned)
        self._keep_rows("user", rows)
        self.known_users_ = model.known_users_ | self.mapped_users_
        self.known_items_ = model.known_items_ | self.mapped_items_
        self.listed_items_ = model.listed_items_ | self.mapped_items_

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[Floats, Floats]:
        """Return vectors float32[n, dim] and offsets float32[n] of known users (positions ≥ 0)."""
        return self.user_factors_[user_idx], self.user_offsets_[user_idx]

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions | None:
        people, encoder = self.people_of(request), encoder_of(self.item_encoding_)
        vectors = np.column_stack([self.item_factors_[item_idx], self.item_offsets_[item_idx]])
        rows = self._kept_rows("item", item_idx, encoder.width)
        items = Side(vectors, rows, encoder, self.item_map_)
        user = self._known_side(request) if people is None else self._folded_side(people, request)
        if user.mapped[0]:
            return mapped_contributions(item_idx, user, items, None)
        of_model = {} if people is None else {self.model_.space: replace(people, space=self.model_.space)}
        within = self.model_.contributions(replace(request, people=of_model), item_idx)
        return mapped_contributions(item_idx, user, items, within)

    def _known_side(self, request: Request) -> Side:
        encoder = encoder_of(self.user_encoding_)
        rows = self._kept_rows("user", request.user_idx, encoder.width)
        return Side(np.column_stack(self.user_vectors(request.user_idx)), rows, encoder, self.user_map_)

    def _folded_side(self, people: UserVectors, request: Request) -> Side:
        """Return the person as folded in: mapped where their vector is what their features say."""
        encoder, vectors = encoder_of(self.user_encoding_), np.column_stack([people.vectors, people.offsets])
        rows = said_of(request, encoder)
        if encoder.width and not np.allclose(_predicted(rows, self.user_map_)[0], vectors, atol=1e-5):
            rows = no_features(1, encoder.width)
        return Side(vectors, rows, encoder, self.user_map_)

    def fold_in_users(
        self, events: Dataset | None = None, *, features: FeatureTable | None = None
    ) -> UserVectors:
        """Return the vectors of people: from their events by the model's own fold-in, else from their features.

        - events: theirs; of the features of `events` the `user_columns` are used where `features` is None
        - features: a table of the `user_columns`, one row a person

        The people are all users of `events` and of `features`; ids need not be new. The model is not changed. Raises
        what the model's fold-in raises, and `ParameterError` where it has none, where both are None, and for features
        of a mapping without `user_columns`.
        """
        self._require_fitted()
        if features is not None and self.user_encoding_ is None:
            raise ParameterError("this model was fitted without user_columns: leave features out")
        people = new_users(events, features, self.memory_)
        vectors = np.zeros((len(people.ids), self.item_factors_.shape[1] + 1), np.float32)
        known = np.zeros(len(people.ids), bool)
        if events is not None:
            own = self._folded(events)
            at = people.ids.index_of(own.user_ids)
            vectors[at], known[at] = np.column_stack([own.vectors, own.offsets]), own.known
        if people.table is not None and self.user_encoding_ is not None:
            mapped, described = _mapped(self.user_encoding_, self.user_map_, people.table)
            vectors = np.where(known[:, None], vectors, mapped)
            known |= described
        history = people.log.history()
        return UserVectors(*_split(vectors), known, people.ids.ids, history, self.space)

    def _folded(self, events: Dataset) -> UserVectors:
        fold_in = getattr(self.model_, "fold_in_users", None)
        if fold_in is None:
            raise ParameterError(f"{type(self.model_).__name__} cannot fold people in by their events")
        folded: UserVectors = fold_in(events)
        return folded

    def map_items(self, features: FeatureTable) -> ItemVectors:
        """Return the vectors of items from their features alone, in the space of `item_factors_`.

        For an item that is not in the catalogue yet: its score for a user is u · v + its offset + the user's. The table
        has the columns that the model was fitted with. A row without a feature that is not 0 is unknown and zero.
        Raises `ParameterError` where the items are not mapped, `DataError` for a missing column or one of another kind.
        """
        self._require_fitted()
        if self.item_encoding_ is None:
            raise ParameterError("this model was fitted with columns=[]: it maps no items")
        mapped, known = _mapped(self.item_encoding_, self.item_map_, features)
        vectors, offsets = _split(mapped)
        return ItemVectors(vectors, known, features.frame["id"], offsets)


def _one_model(models: object) -> dict[str, Model]:
    if not isinstance(models, Mapping) or len(models) != 1:
        raise ParameterError(f'models takes one model by its name, {{"taste": WALS()}}; got {models!r}')
    ((name, model),) = models.items()
    if not isinstance(name, str) or not name:
        raise ParameterError(f"the name of a model is a text that is not empty, got {name!r}")
    if not isinstance(model, Model):
        raise ParameterError(f"models[{name!r}] must be a model, got {model!r}")
    return {name: model}


def _names(parameter: str, names: object) -> list[str] | None:
    if names is None:
        return None
    if (
        isinstance(names, str)
        or not isinstance(names, Sequence)
        or not all(isinstance(n, str) for n in names)
    ):
        raise ParameterError(f"{parameter} must be a list of names of columns or None, got {names!r}")
    return list(names)


def _encoder(
    table: FeatureTable | None, columns: list[str] | None, encode: Encode | None, what: str
) -> FeatureEncoder | None:
    """Return the encoder of the chosen columns, None where none are chosen."""
    if columns == []:
        return None
    if table is None:
        raise DataError(
            f"FeatureMapping needs {what} features, and this data has none: read them with the data"
        )
    return FeatureEncoder.fit(table, columns, encode=encode)


def _vectors_of(model: Model) -> EmbeddingModel:
    if not isinstance(model, EmbeddingModel):
        raise ParameterError(
            f"FeatureMapping needs a model with vectors of users and items, such as WALS, BPR or MatrixFactorization; "
            f"{type(model).__name__} has none"
        )
    if model.vectors_by_history:
        raise ParameterError(
            f"a vector of {type(model).__name__} goes by the history of the moment and is not kept: take WALS, BPR or "
            "MatrixFactorization"
        )
    return model


def _user_vectors(model: Model, vectors: EmbeddingModel) -> Floats:
    """Return float32[n_users, dim + 1]: vector and offset of each user, zeros of those that the model does not know."""
    learned = np.zeros((model.known_users_.size, vectors.item_factors_.shape[1] + 1), np.float32)
    known = np.flatnonzero(model.known_users_).astype(np.int32)
    learned[known] = np.column_stack(vectors.user_vectors(known))
    return learned


def _with_mapped(
    encoder: FeatureEncoder | None,
    table: FeatureTable | None,
    learned: Floats,
    have: NDArray[np.bool_],
    reg: float,
    boost: float = 1.0,
) -> tuple[dict[str, Any] | None, Floats, Floats, NDArray[np.bool_], sparse.csr_array]:
    """Return the encoding, the map, the vectors with those that are mapped, bool[n]: which are, and their features.

    The map is `boost` times what the regression says. have bool[n]: what has an event, and a row of `learned`
    float32[n, dim + 1] that is regressed on its features.
    """
    if encoder is None or table is None:
        nothing = no_features(have.size)
        return (
            None,
            np.zeros((0, learned.shape[1]), np.float32),
            learned,
            np.zeros(have.size, np.bool_),
            nothing,
        )
    rows = encoder.transform(table)
    weights, constant = ridge(rows[np.flatnonzero(have)], learned[have], reg)
    found = (boost * np.vstack([weights, constant])).astype(np.float32)
    mapped, described = _predicted(rows, found)
    is_mapped = described & ~have
    learned = np.where(is_mapped[:, None], mapped, learned)
    of_mapped = sparse.csr_array(sparse.diags_array(is_mapped.astype(np.float32)) @ rows)
    of_mapped.eliminate_zeros()
    return encoder.to_values(), found, learned, is_mapped, of_mapped


def _mapped(encoding: dict[str, Any], found: Floats, table: FeatureTable) -> tuple[Floats, NDArray[np.bool_]]:
    return _predicted(FeatureEncoder.from_values(encoding).transform(table), found)


def _predicted(rows: Any, found: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return float32[n, dim + 1], zeros where nothing is known of a row, and bool[n]: of which there is something."""
    described = np.diff(rows.indptr) > 0
    vectors = np.where(described[:, None], rows @ found[:-1] + found[-1], 0)
    return vectors.astype(np.float32), described


def _split(vectors: Floats) -> tuple[Floats, Floats]:
    return np.ascontiguousarray(vectors[:, :-1]), np.ascontiguousarray(vectors[:, -1])
