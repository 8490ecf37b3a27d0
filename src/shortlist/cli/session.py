"""Lists for somebody who is not in the data: what is typed of them, and the list of a pipeline for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shortlist.cli import lazy
from shortlist.cli.ids import split_lists, typed_items
from shortlist.cli.lists import ShownLists
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline


def for_session(
    session: Sequence[str],
    features: Sequence[str],
    recommender: Model | Pipeline,
    k: int,
    limits: Mapping[str, Any],
    *,
    explain: bool,
) -> ShownLists:
    """Return the list for who likes the items `session` (--session) and has the features NAME=VALUE (--feature).

    Raises `ParameterError` for a single model, `UnknownIdError` for an item that is not in the data.
    """
    if not isinstance(recommender, lazy.pipeline.Pipeline):
        raise ParameterError(
            f"--session and --feature ask a pipeline, and this is a single {type(recommender).__name__}: "
            "give the configuration [[sources]] and a [scorer], and fit again"
        )
    items = typed_items(split_lists(session), recommender.memory_)
    known = features_of(features, recommender.user_kinds_) if features else None
    shown = recommender.recommend_session(items, k, features=known, **limits)
    return ShownLists.of(shown, k, type(recommender).__name__, explain=explain)


def features_of(texts: Sequence[str], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of NAME=VALUE texts by the kind of each column: tags are separated by commas.

    >>> features_of(["age=31", "likes=tea,milk"], {"age": "numeric", "likes": "tags"})
    {'age': 31.0, 'likes': ['tea', 'milk']}
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ParameterError(f"--feature {text}: write NAME=VALUE, as in --feature country=France")
        if name in values:
            raise ParameterError(f"--feature gives {name!r} twice")
        values[name] = _value(text, value, kinds.get(name))
    return values


def _value(text: str, value: str, kind: str | None) -> Any:
    if kind == "tags":
        return value.split(",")
    if kind != "numeric":
        return value
    try:
        return float(value)
    except ValueError as error:
        raise ParameterError(
            f"--feature {text}: the column is numeric, and {value!r} is no number"
        ) from error
