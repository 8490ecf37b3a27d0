"""Candidates as rows of numbers: what a learned scorer goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.data.feature_arrays import NEVER
from shortlist.models.past_items import past_items
from shortlist.scoring.item_facts import DAY, ItemFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.scoring.user_facts import UserFacts
    from shortlist.stages import Candidates, History, Request

# Entries of the table of people's label shares that is in memory at a time.
_BLOCK_ENTRIES = 1 << 22


class Column(NamedTuple):
    """A feature of candidates: its name, the name of what it is about that a person can read, float64[m]."""

    name: str
    about: str
    values: NDArray[np.floating]


class CandidateRows(NamedTuple):
    """A row for each candidate: values float32[m, F], NaN where nothing is known; F names, and what each is about."""

    values: NDArray[np.float32]
    names: list[str]
    about: list[str]


def candidate_features(
    request: Request,
    candidates: Candidates,
    facts: ItemFacts,
    people: UserFacts,
    scores: NDArray[np.float32] | None = None,
    scored_by: str = "",
) -> CandidateRows:
    """Return what is known of every candidate, as numbers.

    - of each source: the rank it gave ("rank Nearest") and its score, standardised over the source's proposals to that
      person ("score Nearest"): a model that is fitted anew has scores on another scale, and the same order of magnitude
      of ranks. "sources": how many proposed the item
    - of the item: "people" (log of 1 + users who like it), "recent people", days since its first and last event, its
      numbers, days since its moments
    - of the person: "history" (log of 1 + events), "liked share", days since their last event; "your COLUMN", their
      numbers
    - of both: "affinity COLUMN", how much of what the person likes has the labels of the item (Σ_g p(g|u) p(g|i));
      "lift COLUMN", how much more willingly people of the person's labels like the item than everybody does; "times
      chosen", at how many moments the person chose the item before, "share of moments", of all theirs, and "days since
      chosen", the last time
    - "score": those of the model `scored_by`, standardised over the candidates of the person, where given
    """
    columns = [
        *_of_sources(candidates),
        *_of_items(request, candidates, facts),
        *_of_people(request, candidates),
        *(
            Column(f"your {name}", f"your {name}", values)
            for name, values in people.numbers_of(request, candidates)
        ),
        *_of_both(request, candidates, facts),
        *_of_the_past(request, candidates),
        *(
            Column(f"lift {name}", f"what people of your {name} like", values)
            for name, values in people.lifts(request, candidates)
        ),
    ]
    if scores is not None:
        everyone = np.ones(scores.size, bool)
        columns.append(
            Column(
                "score", f"how well it fits you by {scored_by}", standardised(candidates, scores, everyone)
            )
        )
    values = np.stack([np.asarray(column.values, np.float32) for column in columns], axis=1)
    return CandidateRows(values, [column.name for column in columns], [column.about for column in columns])


def standardised(
    candidates: Candidates, score: NDArray[np.floating], there: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return float64[m]: scores with mean 0 and standard deviation 1 within each person, NaN where not `there`.

    0 where all scores of a person are equal.
    """
    row, n = candidates.row[there], len(candidates)
    value = score[there].astype(np.float64)
    size = np.maximum(np.bincount(row, minlength=n), 1)
    centred = value - (np.bincount(row, value, n) / size)[row]
    deviation = np.sqrt(np.bincount(row, centred**2, n) / size)
    out = np.full(score.size, np.nan)
    out[there] = centred / np.where(deviation > 0, deviation, 1.0)[row]
    return out


def _of_sources(candidates: Candidates) -> list[Column]:
    found: list[Column] = []
    for s, source in enumerate(candidates.sources):
        rank, about = candidates.source_rank[:, s], f"how high {source} ranks it"
        score = standardised(candidates, candidates.source_score[:, s], rank > 0)
        found += [
            Column(f"rank {source}", about, np.where(rank > 0, rank, np.nan)),
            Column(f"score {source}", about, score),
        ]
    n_sources = (candidates.source_rank > 0).sum(axis=1).astype(np.float64)
    return [*found, Column("sources", "how many sources propose it", n_sources)]


def _of_items(request: Request, candidates: Candidates, facts: ItemFacts) -> list[Column]:
    item, popular, age = candidates.item_idx, "its popularity", "its age"
    return [
        Column("people", popular, np.log1p(facts.n_positive[item])),
        Column("recent people", popular, np.log1p(facts.n_recent[item])),
        Column("days since first", age, _days_before(request.now, facts.first[item])),
        Column("days since last", popular, _days_before(request.now, facts.last[item])),
        *(
            Column(name, f"its {name}", facts.numbers[item, at])
            for at, name in enumerate(facts.number_columns)
        ),
        *(
            Column(f"days since {name}", age, _days_before(request.now, facts.moments[item, at]))
            for at, name in enumerate(facts.moment_columns)
        ),
    ]


def _of_people(request: Request, candidates: Candidates) -> list[Column]:
    history, n = request.history, len(request)
    events = np.bincount(history.row, minlength=n)
    liked = np.bincount(history.row, history.positive, n) / np.maximum(events, 1)
    last = np.full(n, NEVER)
    if history.timestamp is not None:
        last[history.row] = history.timestamp  # in the order of time: the last one stays
    columns = (
        ("history", np.log1p(events)),
        ("liked share", np.where(events > 0, liked, np.nan)),
        ("days since their last event", _days_before(request.now, last)),
    )
    return [Column(name, "how active you are", values[candidates.row]) for name, values in columns]


def _of_both(request: Request, candidates: Candidates, facts: ItemFacts) -> list[Column]:
    affinity = _affinity(request, candidates, facts)
    return [
        Column(f"affinity {name}", f"your taste in {name}", affinity[:, at])
        for at, name in enumerate(facts.label_columns)
    ]


def _of_the_past(request: Request, candidates: Candidates) -> list[Column]:
    """Return what tells repeats apart: how often and how lately the person chose the very item."""
    history, past = request.history, past_items(request.history)
    at = past.find(candidates.row, candidates.item_idx)  # −1 reads the place at the end, of a new item
    times, last = np.append(past.times, 0)[at], np.full(past.row.size + 1, NEVER)
    if history.timestamp is not None:
        liked = history.where(history.positive)
        last[past.find(liked.row, liked.item_idx)] = (
            liked.timestamp
        )  # in the order of time: the last one stays
    share = times / np.maximum(_n_moments(history), 1)[candidates.row]
    about = "how you chose it before"
    return [
        Column("times chosen", about, times.astype(np.float64)),
        Column("share of moments", about, share),
        Column("days since chosen", about, _days_before(request.now, last[at])),
    ]


def _n_moments(history: History) -> NDArray[np.int64]:
    """Return int64[n]: at how many different moments each person has an event; all are different without times."""
    if history.timestamp is None:
        return np.diff(history.ptr)
    new = np.ones(history.item_idx.size, bool)
    new[1:] = (np.diff(history.row) != 0) | (np.diff(history.timestamp) != 0)
    return np.bincount(history.row[new], minlength=len(history))


def _days_before(now: int | None, moment: NDArray[np.int64]) -> NDArray[np.float64]:
    if now is None:
        return np.full(moment.size, np.nan)
    known = moment != NEVER
    return np.where(known, (now - np.where(known, moment, 0)) / DAY, np.nan)


def _affinity(request: Request, candidates: Candidates, facts: ItemFacts) -> NDArray[np.float64]:
    """Return float64[m, n_label_columns]."""
    out = np.zeros((candidates.item_idx.size, len(facts.label_columns)))
    n_labels = int(facts.label_start[-1])
    if not out.size or n_labels == 0:
        return out
    block = max(1, _BLOCK_ENTRIES // n_labels)
    for start in range(0, len(request), block):
        stop = min(start + block, len(request))
        shares = _shares_of_people(request, facts, start, stop)
        at = np.arange(candidates.ptr[start], candidates.ptr[stop])
        place, label, column, weight = _labels(candidates.item_idx[at], facts)
        amount = shares[candidates.row[at][place] - start, label] * weight
        np.add.at(out, (at[place], column), amount)
    return out


def _shares_of_people(request: Request, facts: ItemFacts, start: int, stop: int) -> NDArray[np.float64]:
    """Return float64[stop − start, n_labels]: p(g|u) within each column, over the liked items of each person."""
    history, n_labels = request.history, int(facts.label_start[-1])
    own = slice(int(history.ptr[start]), int(history.ptr[stop]))
    liked = history.positive[own]
    row, item = history.row[own][liked] - start, history.item_idx[own][liked]
    pair = np.unique(row * facts.n_positive.size + item)
    row, item = np.divmod(pair, max(facts.n_positive.size, 1))
    place, label, _, weight = _labels(item, facts)
    n = stop - start
    total = np.bincount(row[place] * n_labels + label, weight, n * n_labels).reshape(n, n_labels)
    return total / np.maximum(np.bincount(row, minlength=n), 1)[:, None]


def _labels(
    item: NDArray[np.integer], facts: ItemFacts
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """Return (place in `item`, label, column, 1 / labels of the item in that column) of each label of the items."""
    length = facts.label_ptr[item + 1] - facts.label_ptr[item]
    place = np.repeat(np.arange(item.size), length)
    begin = np.cumsum(length) - length
    at = np.arange(place.size) + np.repeat(facts.label_ptr[item] - begin, length)
    label = facts.label[at]
    column = np.searchsorted(facts.label_start, label, side="right") - 1
    cell = place * len(facts.label_columns) + column
    return place, label, column, 1.0 / np.bincount(cell)[cell] if cell.size else np.zeros(0)


def names_differ(now: Sequence[str], then: Sequence[str]) -> str | None:
    """Return the first feature that one of the two lacks, None where they are the same."""
    return next((name for name in (*then, *now) if (name in now) != (name in then)), None)
