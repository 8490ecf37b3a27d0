"""What can be evaluated, and how its lists are asked for: in blocks of users, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeGuard

import numpy as np

from shortlist.errors import NotFittedError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.memory import Memory, OnUnknown
    from shortlist.data.recommendations import Recommendations
    from shortlist.data.vocabulary import Id, Ids

BLOCK_USERS = 4096


class Recommender(Protocol):
    """A fitted model or pipeline, or anything with these parts of their contract."""

    memory_: Memory

    @property
    def is_fitted(self) -> bool:
        """Return whether `fit` has been called."""

    def recommend(
        self,
        users: Iterable[Id],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        items: Iterable[Id] | None = None,
        on_unknown: OnUnknown = "raise",
    ) -> Recommendations:
        """Return at most k items for each user, best first; of `items` alone where given."""


class RatingPredictor(Protocol):
    """A model that predicts ratings, and says so."""

    predicts_ratings: ClassVar[bool]

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> NDArray[np.float32]:
        """Return float32[m]: the predicted rating of each pair, also where the user or the item is unknown."""


class TopLists(NamedTuple):
    """The lists of n users: item_idx int32[n, k], −1 at the unused end; fallback bool[n]: a popular list instead."""

    item_idx: NDArray[np.int32]
    fallback: NDArray[np.bool_]


def top_lists(
    model: Recommender,
    user_idx: NDArray[np.int32],
    k: int,
    *,
    exclude_seen: bool,
    items: Ids | None = None,
    block_users: int = BLOCK_USERS,
) -> TopLists:
    """Return the lists of the users at positions `user_idx` int32[n]; unknown users get the model's fallback.

    `items`: only these may be on the lists.

    The answers do not depend on `block_users`; memory while asking is that of one block.
    """
    lists, fallback = np.full((user_idx.size, k), -1, np.int32), np.zeros(user_idx.size, bool)
    for start in range(0, user_idx.size, block_users):
        block = slice(start, start + block_users)
        users = model.memory_.users.ids_of(user_idx[block])
        shown = model.recommend(users, k, exclude_seen=exclude_seen, items=items, on_unknown="fallback")
        lists[block] = shown.lists.padded(k)
        if shown.fallback:
            fallback[block] = users.is_in(list(shown.fallback)).to_numpy()
    return TopLists(lists, fallback)


def predicts_ratings(model: Any) -> TypeGuard[RatingPredictor]:
    """Return whether `model` predicts ratings."""
    return bool(getattr(model, "predicts_ratings", False))


def by_name(
    models: Recommender | Mapping[str, Recommender], train: Dataset, baseline: str | None
) -> dict[str, Recommender]:
    """Return the models by name, checked: fitted, and on `train` and nothing else.

    A model that comes alone is called by its class. Raises `NotFittedError`, and `ParameterError` for no model, for a
    model fitted on other data (it may have seen the test part) and for an unknown baseline.
    """
    named = dict(models) if isinstance(models, Mapping) else {type(models).__name__: models}
    if not named:
        raise ParameterError("there is no model to evaluate")
    for name, model in named.items():
        _require_fitted_on(name, model, train)
    if baseline is not None and baseline not in named:
        raise ParameterError(f"baseline={baseline!r} is not one of the models {', '.join(named)}")
    return named


def _require_fitted_on(name: str, model: Recommender, train: Dataset) -> None:
    if not model.is_fitted:
        raise NotFittedError(f"model {name!r} is not fitted; call fit(train) first")
    if model.memory_.fingerprint != train.fingerprint:
        raise ParameterError(
            f"model {name!r} was fitted on other data than train, and may have seen the test events: "
            "fit it on the training part that is given here"
        )
