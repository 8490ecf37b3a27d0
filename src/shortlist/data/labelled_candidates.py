"""Labelled candidates: pairs of a user and an item at a moment, and whether the user took the item soon after.

Events without impressions do not say what was shown, so there is no probability of a click on what is shown. What can
be said at a moment t is which pairs led to a positive event within the days that follow. All pairs are too many: those
that did not are sampled, at a known rate. What is predicted is P(positive event within the window | candidate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Moment, microseconds
from shortlist.data.moment_context import moment_context
from shortlist.errors import DataError, ParameterError
from shortlist.metrics.binary import unsampled_probability
from shortlist.parameters import generator, number
from shortlist.stages import distinct

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from shortlist.data.dataset import Dataset

DAY = 86_400 * 10**6


@dataclass(frozen=True, eq=False)
class LabelledCandidates:
    """What `labelled_candidates` returns.

    - dataset: labels 1 (a positive event within the window) and 0 (none), with the context of the moment. The time of a
      row is the end of its window, when the label was known
    - sampling_rate float64[m]: β, the share of pairs like this one that would be kept if the label is 0
    - moments: t in µs UTC, ascending; window: in µs
    - n_ones, n_zeros: rows; n_candidates: pairs of all moments that were candidates, kept or not
    - n_outside: pairs with a positive event in the window that were no candidates: at t the user or the item had no
      positive event yet or, without repeats, the user had had the item
    """

    dataset: Dataset
    sampling_rate: NDArray[np.float64]
    moments: tuple[int, ...]
    window: int
    n_ones: int
    n_zeros: int
    n_candidates: int
    n_outside: int

    @property
    def labels(self) -> NDArray[np.float32]:
        """Return float32[m]: 1 or 0."""
        return self.dataset.interactions.value

    @property
    def weights(self) -> NDArray[np.float64]:
        """Return float64[m]: for how many candidates each row stands: 1 for a 1, 1/β for a 0."""
        return np.where(self.labels == 1, 1.0, 1 / self.sampling_rate)

    def probabilities(self, predicted: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of a 1 among all candidates, from that among these rows (`unsampled_probability`)."""
        return unsampled_probability(predicted, self.sampling_rate)

    def precedes(self, later: LabelledCandidates) -> bool:
        """Return whether every window here has ended when the first moment of `later` comes.

        Only then no event that labels a row here lies behind a moment there: fit on the one, measure on the other.
        """
        return self.moments[-1] + self.window <= later.moments[0]

    def to_text(self) -> str:
        """Return what was found, for people."""
        shown = ", ".join(f"{np.datetime64(t, 's')}Z" for t in (np.array(self.moments) // 10**6).tolist())
        return (
            f"{self.n_ones:,} × 1 and {self.n_zeros:,} × 0 of {self.n_candidates:,} candidates at {shown}: a positive "
            f"event within {self.window / DAY:g} days; {self.n_outside:,} pairs with one were no candidates"
        )


def labelled_candidates(
    dataset: Dataset,
    at: Moment | Sequence[Moment],
    *,
    window_days: float = 30.0,
    n_negatives: float | None = 4.0,
    popularity_exponent: float = 0.0,
    repeats: bool | None = None,
    rng: np.random.Generator | int | None = None,
) -> LabelledCandidates:
    """Return candidates at the moments `at`, with label 1 for a positive event within `window_days` after, else 0.

    Candidates at t are the pairs of a user and an item that each have a positive event up to t (t included). The label
    goes by the events in (t, t + window]. The context goes by those up to t and nothing else (`moment_context` has the
    columns). Features of users and items are those of `dataset`: leave out what was made from later events.

    - at: one moment or several (datetime, ISO 8601 text or µs)
    - window_days > 0
    - n_negatives > 0: pairs without an event that are expected for each 1, over all moments; None: all of them
    - popularity_exponent a ≥ 0: each of those is kept by itself, with probability β = 1 − exp(−c nᵃ), where n counts
      the events of the item up to t and c meets the expectation. 0: all alike; 1: nearly by popularity
    - repeats: whether pairs with an event up to t are candidates; None: as the dataset declares

    Rows are in the order of moments, users, items; the same pair may stand at several moments. To measure, make one set
    of moments to fit on and a later one (`LabelledCandidates.precedes`): do not split one set by time, since windows
    that overlap know of each other.
    Raises `DataError` for data without times, a window that the data does not cover, or one without a 1;
    `ParameterError` where more negatives are asked for than there are. Cost: O(events log events) a moment, and with
    `n_negatives=None` a row for each pair.
    """
    number("window_days", window_days, above_zero=True)
    number("popularity_exponent", popularity_exponent)
    if n_negatives is not None:
        number("n_negatives", n_negatives, above_zero=True)
    window = round(window_days * DAY)
    allowed = dataset.repeats if repeats is None else repeats
    taken = [_Candidates.at(dataset, now, window, repeats=allowed) for now in _moments(dataset, at, window)]
    rates = _rates(taken, n_negatives, popularity_exponent)
    random = generator(rng)
    parts = [_rows_of(of, rate, random) for of, rate in zip(taken, rates, strict=True)]
    return _assembled(dataset, taken, parts, window)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """The candidates at `now`: users × items, without the pairs that are `barred`.

    - past: the positive events up to now
    - users, items int64: who and what has one; n int64: how many each of the items has
    - ones int64: user · n_items + item of the candidates with label 1, ascending
    - barred int64: those of pairs that cannot be a 0
    """

    now: int
    past: Interactions
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    n: NDArray[np.int64]
    ones: NDArray[np.int64]
    barred: NDArray[np.int64]
    n_outside: int

    @classmethod
    def at(cls, dataset: Dataset, now: int, window: int, *, repeats: bool) -> _Candidates:
        """Return the candidates of `dataset` at `now`. Raises `DataError` where the window has no 1 among them."""
        log = dataset.interactions.where(dataset.interactions.positive)
        time = log.timestamp
        assert time is not None, "_moments has looked"
        start, stop = (int(n) for n in np.searchsorted(time, [now, now + window], side="right"))
        past, after = log.take(np.arange(start)), log.take(np.arange(start, stop))
        n = np.bincount(past.item_idx, minlength=past.n_items)
        known = np.bincount(past.user_idx, minlength=past.n_users) > 0
        had, later = distinct(_keys(past)), distinct(_keys(after))
        user, item = np.divmod(later, past.n_items)
        possible = known[user] & (n[item] > 0)
        if not repeats:
            possible &= ~_among(later, had)
        if not possible.any():
            raise DataError(
                f"at {np.datetime64(now, 'us')}Z there is no candidate that a positive event follows within the "
                "window; choose a moment with events before and after it"
            )
        ones = later[possible]
        barred = ones if repeats else distinct(np.concatenate([ones, had]))
        items = np.flatnonzero(n)
        return cls(now, past, np.flatnonzero(known), items, n[items], ones, barred, int((~possible).sum()))

    @property
    def n_zeros(self) -> NDArray[np.int64]:
        """Return int64[items]: how many pairs of each item could be a 0."""
        barred = np.bincount(self.barred % self.past.n_items, minlength=self.past.n_items)
        possible: NDArray[np.int64] = self.users.size - barred[self.items]
        return possible


def _keys(log: Interactions) -> NDArray[np.int64]:
    return log.user_idx.astype(np.int64) * log.n_items + log.item_idx


def _among(keys: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return bool[n]: whether each of `keys` is in `known`, which ascends."""
    at = np.searchsorted(known, keys)
    found: NDArray[np.bool_] = np.append(known, -1)[at] == keys
    return found


def _moments(dataset: Dataset, at: Moment | Sequence[Moment], window: int) -> list[int]:
    log = dataset.interactions
    if log.timestamp is None or log.now is None:
        raise DataError("labelled candidates need events with times, and these have none")
    given = [at] if isinstance(at, str | int | np.integer | datetime) else list(at)
    if not given:
        raise ParameterError("at: give one moment or several")
    moments = sorted({microseconds(moment) for moment in given})
    for now in (moments[0], moments[-1]):
        if not int(log.timestamp[0]) <= now or now + window > log.now:
            raise DataError(
                f"the window of {window / DAY:g} days after {np.datetime64(now, 'us')}Z is not within the data, which "
                f"goes from {_iso(int(log.timestamp[0]))} to {_iso(log.now)}: what lies outside is unknown, not a 0"
            )
    return moments


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1e6, UTC).isoformat(timespec="seconds")


def _rates(
    taken: Sequence[_Candidates], n_negatives: float | None, exponent: float
) -> list[NDArray[np.float64]]:
    """Return for each moment the intensities c nᵃ of its items, float64[items]; infinite where all are kept."""
    if n_negatives is None:
        return [np.full(of.items.size, np.inf) for of in taken]
    weight = np.concatenate([of.n.astype(np.float64) ** exponent for of in taken])
    possible = np.concatenate([of.n_zeros for of in taken])
    wanted = n_negatives * sum(of.ones.size for of in taken)
    if wanted >= possible.sum():
        raise ParameterError(
            f"n_negatives={n_negatives:g} asks for {wanted:,.0f} pairs without an event, and there are "
            f"{possible.sum():,}: ask for fewer, or for all with None"
        )
    intensity = _intensity(weight, possible, wanted) * weight
    return np.split(intensity, np.cumsum([of.items.size for of in taken])[:-1])


def _intensity(weight: NDArray[np.float64], possible: NDArray[np.int64], wanted: float) -> float:
    """Return c with Σ possible (1 − exp(−c weight)) = wanted, by bisection: the sum rises with c."""
    low, high = 0.0, 1.0
    while -(possible * np.expm1(-high * weight)).sum() < wanted:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        enough = -(possible * np.expm1(-middle * weight)).sum() >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def _rows_of(
    of: _Candidates, intensity: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Return the keys of the rows at one moment, ascending, which of them are 1s, and the rate β of each."""
    n_items = of.past.n_items
    if np.isinf(intensity).all():
        drawn = (of.users[:, None] * n_items + of.items).ravel()
    else:
        # A Poisson number of draws from the users, without those that come twice, is the same as keeping each user by
        # itself with probability 1 − exp(−intensity).
        count = rng.poisson(of.users.size * intensity)
        drawn = of.users[rng.integers(of.users.size, size=count.sum())] * n_items + np.repeat(of.items, count)
    zeros = distinct(drawn)
    zeros = zeros[~_among(zeros, of.barred)]
    keys = distinct(np.concatenate([of.ones, zeros]))
    rate = np.zeros(n_items)
    rate[of.items] = -np.expm1(-intensity)
    return keys, _among(keys, of.ones), rate[keys % n_items]


def _assembled(
    dataset: Dataset,
    taken: Sequence[_Candidates],
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]],
    window: int,
) -> LabelledCandidates:
    n_users, n_items = len(dataset.users), len(dataset.items)
    keys, ones, rates = (np.concatenate(part) for part in zip(*parts, strict=True))
    user, item = np.divmod(keys, n_items)
    ends = np.repeat([of.now + window for of in taken], [part[0].size for part in parts])
    context = pl.concat(
        moment_context(of.past, of.now, *np.divmod(part[0], n_items), window)
        for of, part in zip(taken, parts, strict=True)
    )
    log = Interactions.of(
        user, item, ones.astype(np.float32), ends, n_users, n_items, Feedback.binary(), context
    )
    name = f"{dataset.name}, a positive event within {window / DAY:g} days"
    return LabelledCandidates(
        replace(dataset, interactions=log, name=name),
        rates,
        tuple(of.now for of in taken),
        window,
        n_ones=int(ones.sum()),
        n_zeros=int((~ones).sum()),
        n_candidates=sum(int(of.n_zeros.sum()) + of.ones.size for of in taken),
        n_outside=sum(of.n_outside for of in taken),
    )
