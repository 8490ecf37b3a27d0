"""Memory: what a fitted model keeps of the data it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shortlist.artifacts import State
from shortlist.data.feedback import Feedback
from shortlist.data.vocabulary import Vocabulary, pack_strings, unpack_strings
from shortlist.errors import ParameterError
from shortlist.parameters import whole
from shortlist.stages import Eligible, History, Request, distinct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Id

OnUnknown = Literal["raise", "skip", "fallback"]
DAY = 86_400_000_000  # µs
Moment = int | np.integer[Any] | str | datetime


@dataclass(frozen=True)
class Limits:
    """What a caller allows on the lists and when; the parameters of `Model.recommend` of the same names."""

    exclude_seen: bool = True
    items: Iterable[Id] | None = None
    exclude: Iterable[Id] | None = None
    at: Moment | None = None


@dataclass(frozen=True, eq=False)
class Memory:
    """Ids, histories and titles: what turns a user id into a request and item positions into readable rows.

    `now` is the time of the last event (µs UTC or None); `fingerprint` identifies the data; `repeats` is what was
    declared on it. `counts` is None, or `n_positive` of an artifact that was saved without histories.
    """

    users: Vocabulary
    items: Vocabulary
    history: History
    feedback: Feedback
    titles: pl.Series | None
    now: int | None
    fingerprint: str
    repeats: bool = False
    counts: NDArray[np.int64] | None = None

    @property
    def has_histories(self) -> bool:
        """Return whether the events of people are remembered: not in an artifact saved without histories."""
        return self.counts is None

    def without_histories(self) -> Memory:
        """Return the memory without any event: ids, titles and counts stay, `now` becomes the end of its day (UTC)."""
        past = self.history.where(np.zeros(self.history.item_idx.size, bool))
        now = None if self.now is None else -(-self.now // DAY) * DAY
        marked = _marked(self.fingerprint, "without-histories")
        return replace(self, history=past, now=now, fingerprint=marked, counts=self.n_positive)

    def without_users(self, keep: NDArray[np.bool_]) -> Memory:
        """Return the memory of the users that `keep` bool[n_users] holds for, at their new positions.

        Their events alone are counted, and `now` is the last of them; where there are no histories, counts and `now`
        stay as they were.
        """
        past = self.history.take(np.flatnonzero(keep))
        users = Vocabulary(self.users.ids.gather(np.flatnonzero(keep)))
        now = self.now
        if self.has_histories and past.timestamp is not None:
            now = int(past.timestamp.max()) if past.timestamp.size else None
        marked = _marked(self.fingerprint, "without-users")
        return replace(self, users=users, history=past, now=now, fingerprint=marked)

    def request(
        self,
        users: NDArray[np.int32],
        k: int,
        limits: Limits,
        history: History | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Request:
        """Return the request for `users` int32[n] (positions, −1 unknown) and lists of `k` items within `limits`.

        `history` replaces what is remembered of these users (for people who are not in the data); `context` is what is
        said of the moment.
        """
        whole("k", k, least=0)
        if not isinstance(limits.exclude_seen, bool):
            raise ParameterError(f"exclude_seen must be True or False, got {limits.exclude_seen!r}")
        now = self.now if limits.at is None else microseconds(limits.at)
        if history is None and limits.exclude_seen and not self.has_histories and (users >= 0).any():
            raise ParameterError(
                "this artifact was saved without histories, so what its users have seen is not known: "
                "ask with exclude_seen=False (and exclude=[…] for what is not to be shown), or hand their events in, "
                "with recommend_for or recommend_session of a pipeline, fold_in_users of a model"
            )
        # What people who are not in the data did after its last event is their past, too.
        until = None if history is not None and limits.at is None else now
        past = (self.history.take(users) if history is None else history).until(until)
        eligible = Eligible.of(
            len(self.items),
            past,
            exclude_seen=limits.exclude_seen,
            items=self._positions(limits.items),
            exclude=self._positions(limits.exclude),
        )
        return Request(users, past, eligible, int(k), now, context)

    def _positions(self, items: Iterable[Id] | None) -> NDArray[np.int32] | None:
        return None if items is None else self.items.require(items, "item")

    @cached_property
    def n_positive(self) -> NDArray[np.int64]:
        """Return int64[n_items]: how many users have a positive event with each item (each user counted once)."""
        if self.counts is not None:
            return self.counts
        past = self.history.where(self.history.positive)
        pairs = distinct(past.row * max(len(self.items), 1) + past.item_idx)
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
        if self.counts is not None:
            arrays["n_positive"] = self.counts
        parts = {"users": self.users.to_state(), "items": self.items.to_state()}
        if self.titles is not None:
            parts["titles"] = State("Strings", {}, pack_strings(self.titles))
        values = {
            "feedback": self.feedback.to_values(),
            "now": self.now,
            "fingerprint": self.fingerprint,
            "repeats": self.repeats,
        }
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
        values = state.values
        return cls(
            users,
            items,
            history,
            feedback,
            titles,
            values["now"],
            values["fingerprint"],
            values.get("repeats", False),  # absent from artifacts of before it could be declared
            arrays.get("n_positive"),
        )


def _marked(fingerprint: str, how: str) -> str:
    """Return a fingerprint that no data has, since a model that is so marked is not what a fit on them gives."""
    return fingerprint if how in fingerprint else f"{fingerprint}-{how}"


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
            raise ParameterError(
                f"at={moment!r} is not an ISO 8601 time such as 2018-09-24T14:27:30"
            ) from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    delta = aware - epoch
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
