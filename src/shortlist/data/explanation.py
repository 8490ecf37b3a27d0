"""Explanations: why each item is on a person's list, as amounts and as one sentence that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.memory import Memory
    from shortlist.data.recommendations import Recommendations
    from shortlist.data.vocabulary import Id
    from shortlist.stages import Request

MOST_CITED = 2  # items, and features, that one sentence names
# What is named has at least this share of the largest amount of its kind, and the lesser kind of the greater one.
_LEAST_SHARE, _LEAST_OF_OTHER_KIND = 0.25, 0.5


@dataclass(frozen=True)
class Part:
    """What one past item or one feature adds to a score: above 0 it speaks for the item shown, below 0 against it.

    `item_id` is the past item's, None for a feature.
    """

    name: str
    amount: float
    item_id: Id | None = None

    def to_values(self) -> dict[str, Any]:
        """Return plain values."""
        return ({} if self.item_id is None else {"item_id": self.item_id}) | {
            "name": self.name,
            "amount": float(f"{self.amount:.6g}"),
        }


@dataclass(frozen=True)
class Explanation:
    """Why one item is on the list of one person.

    - sentence: what a person reads. It cites only what that person liked, and what adds to the score
    - past, features: every item of the person's history and every feature of which an amount is known that is not 0,
      the largest first; of the scorer's score, before any adjustment
    - adds_up: whether base and all amounts have the score as their sum. Where not, an amount is by how much the score
      falls without that one event or feature, and base is 0
    - sources: the rank that each source gave the item; empty for a single model, and where a pin alone brought it
    - remarks: what else put it there, in words: a pin, a boost, the worth that lists are ranked for
    """

    user_id: Id
    item_id: Id
    title: str
    rank: int
    sentence: str
    past: Sequence[Part] = ()
    features: Sequence[Part] = ()
    base: float = 0.0
    adds_up: bool = False
    sources: Mapping[str, int] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.rank}. {self.title}: {self.sentence}"


@dataclass(frozen=True)
class Told:
    """What is told of one item besides its parts.

    - reason: why it is shown, where nothing can be said of its score
    - led_by: the past item that led to its proposal, −1 where none did
    - sources, remarks: as in `Explanation`; instead: what is said in place of all else ("pinned at place 1")
    """

    reason: str
    led_by: int = -1
    sources: Mapping[str, int] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    instead: str | None = None


def explained(
    shown: Recommendations,
    row: int,
    liked: NDArray[np.int32],
    told: Sequence[Told],
    said: Contributions | None = None,
) -> tuple[Explanation, ...]:
    """Return the explanation of each item on the list at `row`, in its order.

    - liked int32[l]: the items that this person has a positive event with; nothing else is cited
    - told: what is told of each item on the list; said: what their scores are made of, in the same order
    """
    part = slice(int(shown.lists.ptr[row]), int(shown.lists.ptr[row + 1]))
    items = shown.lists.item_idx[part].tolist()
    mine = frozenset(liked.tolist())
    of_past = {} if said is None else _named(shown.memory, said.past_item)
    return tuple(
        _explanation(shown, row, place, item, mine, told[place], said, of_past)
        for place, item in enumerate(items)
    )


def _explanation(
    shown: Recommendations,
    row: int,
    place: int,
    item: int,
    liked: frozenset[int],
    told: Told,
    said: Contributions | None,
    of_past: Mapping[int, tuple[str, Id]],
) -> Explanation:
    memory = shown.memory
    amounts = [] if said is None else _past(said, place)
    past = [Part(of_past[at][0], amount, of_past[at][1]) for at, amount in amounts]
    features = () if said is None else _features(said, place)
    cited = [part for (at, _), part in zip(amounts, past, strict=True) if at in liked and at != item]
    led_by = memory.title_of(told.led_by) if told.led_by in liked and told.led_by != item else None
    because = None if item in liked else because_of(cited, features, led_by)
    return Explanation(
        user_id=shown.user_ids[row],
        item_id=memory.items.ids[item],
        title=memory.title_of(item),
        rank=place + 1,
        sentence="; ".join([told.instead or because or told.reason, *told.remarks]),
        past=past,
        features=features,
        base=0.0 if said is None else float(said.base[place]),
        adds_up=said is not None and said.adds_up,
        sources=told.sources,
        remarks=([] if told.instead is None else [told.instead]) + list(told.remarks),
    )


def because_of(past: Sequence[Part], features: Sequence[Part], led_by: str | None = None) -> str | None:
    """Return what speaks for an item in one sentence, the larger kind first; None where nothing does.

    `led_by` is a past item that led to the proposal, for a score that is not made of past items.

    >>> because_of([Part("Alien", 2.0), Part("Brazil", 1.5), Part("Casino", 1.4)], [Part("genres: Sci-Fi", 0.2)])
    'because you liked Alien and Brazil'
    >>> because_of([Part("Alien", -1.0)], [Part("genres: Comedy", 0.2), Part("year", 0.1)], "Airplane!")
    'because you liked Airplane!, and of genres: Comedy and year'
    >>> because_of([Part("Alien", -1.0)], []) is None
    True
    """
    liked, about = _cited(past), _cited(features)
    kinds = [(liked, f"you liked {_joined(liked)}"), (about, f"of {_joined(about)}")]
    kinds = sorted((kind for kind in kinds if kind[0]), key=lambda kind: -kind[0][0].amount)
    largest = kinds[0][0][0].amount if kinds else 0.0
    phrases = [words for some, words in kinds if some[0].amount >= _LEAST_OF_OTHER_KIND * largest]
    if led_by is not None and not liked:
        phrases = [f"you liked {led_by}", *phrases]
    return f"because {', and '.join(phrases)}" if phrases else None


def liked_by(request: Request, row: int) -> NDArray[np.int32]:
    """Return the items that the person at `row` of a request has a positive event with."""
    own = slice(int(request.history.ptr[row]), int(request.history.ptr[row + 1]))
    return request.history.item_idx[own][request.history.positive[own]]


def _cited(parts: Sequence[Part]) -> list[Part]:
    """Return the largest few that speak for the item."""
    ordered = sorted((part for part in parts if part.amount > 0), key=lambda part: -part.amount)
    return [part for part in ordered[:MOST_CITED] if part.amount >= _LEAST_SHARE * ordered[0].amount]


def _joined(parts: Sequence[Part]) -> str:
    return " and ".join(part.name for part in parts)


def _named(memory: Memory, item_idx: NDArray[np.int32]) -> dict[int, tuple[str, Id]]:
    """Return the title, or id, and the id of items."""
    at, ids = item_idx.tolist(), memory.items.ids_of(item_idx).to_list()
    return {item: (memory.title_of(item), own) for item, own in zip(at, ids, strict=True)}


def _past(said: Contributions, place: int) -> list[tuple[int, float]]:
    """Return the past items with their amounts, the largest first; ties by position."""
    amounts = said.of_past[place]
    return [(int(said.past_item[at]), float(amounts[at])) for at in _by_amount(amounts)]


def _features(said: Contributions, place: int) -> list[Part]:
    amounts = said.of_features[place]
    return [Part(said.features[at], float(amounts[at])) for at in _by_amount(amounts)]


def _by_amount(amounts: NDArray[np.float64]) -> list[int]:
    order = np.argsort(-amounts, kind="stable")
    found: list[int] = order[amounts[order] != 0].tolist()
    return found
