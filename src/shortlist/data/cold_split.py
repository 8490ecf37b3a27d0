"""hide: a split that keeps whole users and whole items out of training, to measure cold starts.

    events of …           … items that stay                    … hidden items
    users that stay       train; the last `fraction`: test     test
    hidden users          test                                 test

Warm and cold candidates so compete in one catalogue, for warm and for cold users.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.split_parts import Split, cut, last_of_each_user, share_of, time_order
from shortlist.errors import DataError, ParameterError
from shortlist.parameters import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class HiddenSplit(Split):
    """A split that hides users and items; unpacks as `train, test`.

    hidden_users bool[n_users], hidden_items bool[n_items]: who and what has events, and none in train.
    """

    hidden_users: NDArray[np.bool_]
    hidden_items: NDArray[np.bool_]

    def answers(self, fraction: float = 0.5) -> tuple[Dataset, Dataset]:
        """Return two parts of the test events: what hidden users can be asked about, and what is left to measure on.

        The first has the earliest events of each hidden user with items that are not hidden, all but the last
        ⌊fraction · n_u⌋; the second has all other test events. What a questionnaire learns are the events of the first
        part with its items, so that every questionnaire is measured on the same second part. Later events answer no
        questions: those at the time of the earliest event left to measure on are left with it, and a user with
        too few events or with all of them at one time has nothing to measure on among the items that stay.
        Raises `ParameterError` unless 0 < fraction < 1, `DataError` where no user is hidden. O(m log m).
        """
        log = self.test.interactions
        asked = self.hidden_users[log.user_idx] & ~self.hidden_items[log.item_idx]
        if not asked.any():
            raise DataError(f"{self.name} hides no user with an event to ask about; hide users")
        left = np.ones(len(log), bool)
        left[asked] = _last_share(log.where(asked), fraction)
        known = replace(self.test, interactions=log.where(~left), name=f"{self.test.name}, answers")
        rest = replace(self.test, interactions=log.where(left), name=f"{self.test.name}, without answers")
        return known, rest


def hide(
    dataset: Dataset,
    users: float = 0.1,
    items: float = 0.1,
    fraction: float = 0.2,
    *,
    rng: np.random.Generator | int | None = None,
) -> HiddenSplit:
    """Return a split in which no event of a hidden user or a hidden item is in train.

    - users, items: the share of the users and of the items with an event that are hidden, drawn at random: ⌊users · n⌋;
      0 hides none, and one of the two must hide something
    - fraction: of the other events ⌊fraction · n_u⌋ of each user, the last ones, are test events too, by the rule of
      `leave_last_out`; 0: none

    The test part has all events of hidden users and with hidden items; `answers` cuts off it what hidden users may be
    asked about. No order in time is promised, since an event with a hidden item is a test event whenever it was;
    `time_ordered` says what holds. What is hidden is an average user or item, not one that came last: for those
    take `global_time`.
    Raises `ParameterError` unless every share is at least 0 and below 1, `DataError` where a share above 0 hides
    nothing or nothing is left to train on. O(m log m).
    """
    for name, share in (("users", users), ("items", items), ("fraction", fraction)):
        _require_share(name, share)
    if users == items == 0:
        raise ParameterError("users=0 and items=0 hide nothing; for the last events alone use leave_last_out")
    log, rng = dataset.interactions, generator(rng)
    rule = f"hide(users={users:g}, items={items:g}, fraction={fraction:g})"
    hidden_users = _drawn(log.user_idx, log.n_users, users, rng, "users")
    hidden_items = _drawn(log.item_idx, log.n_items, items, rng, "items")
    in_test = hidden_users[log.user_idx] | hidden_items[log.item_idx]
    if fraction and not in_test.all():
        in_test[~in_test] = _last_share(log.where(~in_test), fraction)
    train, test = cut(dataset, in_test, rule)
    return HiddenSplit(train, test, rule, time_order(train, test), hidden_users, hidden_items)


def _require_share(name: str, share: object) -> None:
    is_number = isinstance(share, int | float | np.number) and not isinstance(share, bool)
    if not is_number or not 0 <= share < 1:  # type: ignore[operator]
        raise ParameterError(f"{name} must be a share of at least 0 and below 1, got {share!r}")


def _drawn(
    index: NDArray[np.int32], n: int, share: float, rng: np.random.Generator, what: str
) -> NDArray[np.bool_]:
    """Return bool[n]: a share of the distinct values of `index`, drawn at random."""
    drawn = np.zeros(n, bool)
    if share == 0:
        return drawn
    present = np.flatnonzero(np.bincount(index, minlength=n))
    n_drawn = int(share_of(np.array([present.size]), share)[0])
    if n_drawn == 0:
        raise DataError(
            f"{what}={share:g} of the {present.size} {what} with an event is less than one; hide more"
        )
    drawn[rng.permutation(present)[:n_drawn]] = True
    return drawn


def _last_share(log: Interactions, fraction: float) -> NDArray[np.bool_]:
    """Return bool[m]: which events are the last `fraction` of their user's."""
    length = np.bincount(log.user_idx, minlength=log.n_users)
    return last_of_each_user(log, length, share_of(length, fraction))
