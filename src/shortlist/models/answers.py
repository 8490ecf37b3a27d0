"""From ranked lists to an answer: unknown users treated as asked, and a reason where a list is short."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.memory import OnUnknown
from shortlist.data.recommendations import PLAIN_REASON, Recommendations
from shortlist.data.vocabulary import id_series
from shortlist.errors import ParameterError, UnknownIdError
from shortlist.models.common_order import best_permitted
from shortlist.models.explained_lists import explained_list
from shortlist.models.past_items import again_reasons, past_items
from shortlist.parameters import one_of
from shortlist.stages import OF_A_REQUEST, Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Id, Ids
    from shortlist.models.explained_lists import Contribute
    from shortlist.stages import Request


def as_ids(ids: Id | Iterable[Id]) -> Ids:
    """Return one id or several as a Series."""
    return id_series([ids] if isinstance(ids, int | str | np.integer) else ids)


def require_context(context: Mapping[str, Any] | None, columns: Sequence[str], who: str) -> None:
    """Raise `ParameterError` unless `who` goes by every column that `context` gives; `columns` are those it goes by."""
    if context is None:
        return
    if not columns:
        raise ParameterError(f"{who} uses no context; leave context= out")
    if not isinstance(context, Mapping):
        raise ParameterError(f"context={context!r}: give values by the name of their column")
    unknown = [name for name in context if name not in columns]
    if unknown:
        raise ParameterError(
            f"context={dict(context)!r}: {who} uses no {unknown[0]!r}; it goes by {', '.join(columns)}"
        )


def require_users(
    memory: Memory, user_ids: Ids, user_idx: NDArray[np.int32], known: NDArray[np.bool_]
) -> None:
    """Raise `UnknownIdError` unless all users are known, saying which are not in the data and which have no vector."""
    outside = np.flatnonzero(user_idx < 0)
    if outside.size:
        message = memory.users.unknown_message(user_ids.gather(outside).to_list(), "user")
        raise UnknownIdError(
            f'{message}; on_unknown="fallback" gives such users the popular items, "skip" nothing'
        )
    _require_known(user_ids, known, "the training data")


def require_folded(user_ids: Ids, known: NDArray[np.bool_]) -> None:
    """Raise `UnknownIdError` unless the events of all people folded in said something."""
    _require_known(user_ids, known, "the events folded in")


def _require_known(user_ids: Ids, known: NDArray[np.bool_], where: str) -> None:
    cold = np.flatnonzero(~known)
    if cold.size:
        shown = ", ".join(repr(i) for i in user_ids.gather(cold[:5]).to_list())
        raise UnknownIdError(
            f"nothing in {where} says what user {shown} likes; "
            'on_unknown="fallback" gives such users the popular items, "skip" nothing'
        )


def answer(
    memory: Memory,
    user_ids: Ids,
    request: Request,
    lists: Lists,
    known: NDArray[np.bool_],
    on_unknown: OnUnknown,
    popular: Callable[[Request], Lists] | None = None,
    *,
    only_past: bool = False,
    reason: str = PLAIN_REASON,
    contribute: Contribute | None = None,
) -> Recommendations:
    """Return `lists` (empty for unknown users) as recommendations, the unknown treated as `on_unknown` says.

    Where that is "raise", all users are known: the caller has seen to it before the work.

    `popular` makes the lists of the fallback; `popular_lists` unless given. `only_past` says that the lists hold what
    users chose before, for reasons and shortfalls; `reason` is why any other item is on a list. `contribute` says what
    the scores are made of, for `explain`.
    """
    one_of("on_unknown", on_unknown, OnUnknown)
    unknown = np.flatnonzero(~known)
    fallback: frozenset[Id] = frozenset()
    if unknown.size and on_unknown == "fallback":
        strangers = request.rows(unknown)
        popular_for_them = popular(strangers) if popular else popular_lists(memory, strangers)
        lists = _join(lists, popular_for_them.scatter(unknown, len(request)))
        fallback = frozenset(user_ids.gather(unknown).to_list())
    skipped = ~known if on_unknown == "skip" else np.zeros(known.size, bool)
    n_past = _n_past(request, known) if only_past else None
    why_short = shortfalls(user_ids, request, lists, skipped, n_past)
    reason_of = partial(again_reasons, request) if only_past else None
    return Recommendations(
        user_ids,
        lists,
        memory,
        why_short,
        fallback,
        reason_of=reason_of,
        reason=reason,
        explain_of=None if contribute is None else partial(explained_list, contribute, request),
    )


def popular_lists(memory: Memory, request: Request) -> Lists:
    """Return the permitted items that most users have a positive event with; items nobody likes are left out."""
    count = memory.n_positive
    return best_permitted(count.astype(np.float32), count > 0, request.k, request.eligible)


def shortfalls(
    user_ids: Ids,
    request: Request,
    lists: Lists,
    skipped: NDArray[np.bool_],
    n_past: NDArray[np.int64] | None = None,
) -> dict[Id, str]:
    """Return for each user with fewer than k items the reason why.

    `n_past` int64[n] is the number of past items of users who are shown nothing else, −1 for other users.
    """
    past = np.full(len(request), -1, np.int64) if n_past is None else n_past
    length = np.diff(lists.ptr)
    short = np.flatnonzero(length < request.k)
    if not short.size:
        return {}
    allowed = request.eligible.n_allowed()
    ids = user_ids.gather(short).to_list()
    return {
        user: _why_short(int(length[r]), request, r, int(allowed[r]), bool(skipped[r]), int(past[r]))
        for user, r in zip(ids, short.tolist(), strict=True)
    }


def _why_short(length: int, request: Request, row: int, allowed: int, skipped: bool, n_past: int) -> str:
    if skipped:
        return "unknown user, skipped"
    if n_past >= 0:
        return f"this user chose {n_past} items before, of which {length} may be shown"
    if allowed < request.k:
        return (
            f"only {allowed} items may be shown to this user ({_what_is_out(request, row)}); {length} listed"
        )
    return f"only {length} of the {allowed} permitted items were proposed or can be scored"


def _what_is_out(request: Request, row: int) -> str:
    """Return which rules keep how many items from a user; without rules of a pipeline there is no need to count."""
    if len(request.eligible.rules) <= len(OF_A_REQUEST):
        return "seen and excluded ones are out"
    counts = request.eligible.n_forbidden(row)
    return f"kept out: {', '.join(f'{n} by {rule!r}' for rule, n in counts.items())}"


def _n_past(request: Request, known: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(known, np.bincount(past_items(request.history).row, minlength=len(request)), -1)


def _join(a: Lists, b: Lists) -> Lists:
    # Each row is empty in one of the two.
    row = np.concatenate([a.row, b.row])
    order = np.argsort(row, kind="stable")
    item_idx, score = np.concatenate([a.item_idx, b.item_idx]), np.concatenate([a.score, b.score])
    return Lists(a.ptr + b.ptr, item_idx[order], score[order])
