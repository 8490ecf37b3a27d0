"""Memory: what a fitted model keeps of the data it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl

from shortlist.artifacts import State
from shortlist.data.feedback import Feedback
from shortlist.data.vocabulary import Vocabulary, pack_strings, unpack_strings
from shortlist.errors import ParameterError
from shortlist.stages import Eligible, History, Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Id

OnUnknown = Literal["raise", "skip", "fallback"]
Moment = int | str | datetime


@dataclass(frozen=True, eq=False)
class Memory:
    """Ids, histories and titles: what turns a user id into a request and item positions into readable rows.

    `now` is the time of the last event (µs UTC or None); `fingerprint` identifies the data.
    """

    users: Vocabulary
    items: Vocabulary
    history: History
    feedback: Feedback
    titles: pl.Series | None
    now: int | None
    fingerprint: str

    def request(
        self,
        users: NDArray[np.int32],
        k: int,
        *,
        exclude_seen: bool = True,
        items: Iterable[Id] | None = None,
        exclude: Iterable[Id] | None = None,
        at: Moment | None = None,
        history: History | None = None,
    ) -> Request:
        """Return the request for `users` int32[n] (positions, −1 unknown); parameters as in `Model.recommend`.

        `history` replaces what is remembered of these users (for people who are not in the data).
        """
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 0:
            raise ParameterError(f"k must be a whole number of at least 0, got {k!r}")
        now = self.now if at is None else microseconds(at)
        past = (self.history.take(users) if history is None else history).until(now)
        eligible = Eligible.of(
            len(self.items),
            past,
            exclude_seen=exclude_seen,
            items=None if items is None else self.items.require(items, "item"),
            exclude=None if exclude is None else self.items.require(exclude, "item"),
        )
        return Request(users, past, eligible, int(k), now)

    @cached_property
    def n_positive(self) -> NDArray[np.int64]:
        """Return int64[n_items]: how many users have a positive event with each item (each user counted once)."""
        past = self.history.where(self.history.positive)
        pairs = np.unique(past.row * max(len(self.items), 1) + past.item_idx)
        return np.bincount(pairs % max(len(self.items), 1), minlength=len(self.items))

    def title_of(self, item_idx: int) -> str:
        """Return the item's title, or its id where it has none."""
        title = None if self.titles is None else self.titles[item_idx]
        return str(self.items.ids[item_idx]) if title is None else title

    def to_state(self) -> State:
        """Return the arrays and values that `from_state` needs."""
        past = self.history
        arrays: dict[str, NDArray[Any]] = {"ptr": past.ptr, "item_idx": past.item_idx, "value": past.value}
        if past.timestamp is not None:
            arrays["timestamp"] = past.timestamp
        parts = {"users": self.users.to_state(), "items": self.items.to_state()}
        if self.titles is not None:
            parts["titles"] = State("Strings", {}, pack_strings(self.titles))
        values = {"feedback": self.feedback.to_values(), "now": self.now, "fingerprint": self.fingerprint}
        return State("Memory", values, arrays, parts)

    @classmethod
    def from_state(cls, state: State) -> Memory:
        """Return the memory that `to_state` described."""
        feedback = Feedback.from_values(state.values["feedback"])
        arrays, parts = state.arrays, state.parts
        history = History(
            arrays["ptr"],
            arrays["item_idx"],
            arrays["value"],
            feedback.is_positive(arrays["value"]),
            arrays.get("timestamp"),
        )
        titles = unpack_strings(parts["titles"].arrays) if "titles" in parts else None
        users, items = Vocabulary.from_state(parts["users"]), Vocabulary.from_state(parts["items"])
        return cls(users, items, history, feedback, titles, state.values["now"], state.values["fingerprint"])


def check_on_unknown(on_unknown: str) -> None:
    """Raise `ParameterError` unless `on_unknown` is one of the three words."""
    if on_unknown not in get_args(OnUnknown):
        raise ParameterError(f"on_unknown={on_unknown!r} is not one of {', '.join(get_args(OnUnknown))}")


def microseconds(moment: Moment) -> int:
    """Return µs since 1970 UTC of a datetime, an ISO 8601 text (UTC unless it says otherwise) or int µs.

    >>> microseconds("1970-01-01T00:00:01")
    1000000
    """
    if isinstance(moment, bool) or not isinstance(moment, int | str | datetime | np.integer):
        raise ParameterError(f"at={moment!r}: give a datetime, ISO 8601 text, or microseconds since 1970")
    if isinstance(moment, int | np.integer):
        return int(moment)
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise ParameterError(f"at={moment!r} is not an ISO 8601 time such as 2018-09-24T14:27:30") from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    delta = aware - epoch
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
