"""What each source of candidates finds by itself, and beside the nearest 100 items of a factorisation.

    python benchmarks/bench_sources.py [--seed 0]

MovieLens small: each person's last fifth of ratings is held out. Online retail: the last fifth of the time is, with new
items alone and with repeats. Recall is the mean over people of the share of their held-out positive items that are
proposed; "beside Nearest" is that of the union with `Nearest(WALS(), k=100)`, "as many nearest" that of so many nearest
items as the union has on average. Sources stand at their defaults, fitted on what is not held out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import results

import shortlist as sl
from shortlist.data.memory import Limits

if TYPE_CHECKING:
    from shortlist.stages import Candidates

COLUMNS = {
    "source": "",
    "proposals": ".0f",
    "recall": ".3f",
    "beside Nearest": ".3f",
    "as many nearest": ".3f",
}


@dataclass(frozen=True)
class HeldOut:
    """People and what each of them chose later: keys user · n_items + item, ascending."""

    train: sl.Dataset
    users: np.ndarray
    keys: np.ndarray
    exclude_seen: bool

    @classmethod
    def of(cls, train: sl.Dataset, test: sl.Dataset, *, exclude_seen: bool) -> HeldOut:
        """Return those of `test` who have events in `train`, and of new items alone where seen ones are excluded."""
        n_items, past, log = len(train.items), train.interactions, test.interactions
        later = log.where(log.positive & np.isin(log.user_idx, past.user_idx))
        keys = np.unique(later.user_idx.astype(np.int64) * n_items + later.item_idx)
        if exclude_seen:
            keys = np.setdiff1d(keys, past.user_idx.astype(np.int64) * n_items + past.item_idx)
        return cls(train, np.unique(keys // n_items).astype(np.int32), keys, exclude_seen)

    def proposals(self, source: Any) -> Candidates:
        """Return what a source, whose model is fitted, proposes to everybody."""
        request = self.train.memory.request(self.users, 10, Limits(exclude_seen=self.exclude_seen))
        return source.bind(self.train, source.model).propose(request)

    def keys_of(self, found: Candidates) -> np.ndarray:
        """Return the distinct keys of proposals."""
        return np.unique(self.users[found.row].astype(np.int64) * len(self.train.items) + found.item_idx)

    def recall(self, proposed: np.ndarray) -> float:
        """Return the mean over people of the share of their later items that are proposed."""
        n_items = len(self.train.items)
        hit = np.bincount(np.searchsorted(self.users, self.keys[np.isin(self.keys, proposed)] // n_items),
                          minlength=self.users.size)  # fmt: skip
        return float(np.mean(hit / np.bincount(np.searchsorted(self.users, self.keys // n_items))))


def sources_of(train: sl.Dataset, seed: int) -> list[Any]:
    """Return every source that these data allow, at its defaults; those of the same class have names."""
    wals = sl.WALS().fit(train, rng=seed)
    popularity, segments = sl.Popularity().fit(train), sl.KMeansSegments().fit(train, rng=seed)
    found = [
        sl.Nearest(wals, k=100),
        sl.RelatedToRecent(wals),
        sl.BoughtTogether(),
        sl.NextItem(),
        sl.TopInSegment(segments),
        sl.Popular(model=popularity),
        sl.Trending(),
        sl.Fresh(),
    ]
    if train.item_features is not None and "genres" in train.item_features.kinds:
        found += [sl.TopInGroup("genres"), sl.Fresh(column="year", name="Fresh by year")]
    if train.user_features is not None:
        found += [
            sl.TopInUserGroup("country"),
            sl.BoughtTogether("invoice", name="BoughtTogether by invoice"),
        ]
    if train.repeats:
        found += [sl.Again(model=sl.BuyAgain().fit(train))]
    return found


def measured(held: HeldOut, seed: int) -> list[list[Any]]:
    """Return a row of `COLUMNS` for each source."""
    made = sources_of(held.train, seed)
    nearest = held.keys_of(held.proposals(made[0]))
    rows = []
    for source in made:
        found = held.proposals(source)
        keys = held.keys_of(found)
        both = np.union1d(keys, nearest)
        as_many = sl.Nearest(made[0].model, k=round(both.size / held.users.size))
        alone, beside = held.recall(keys), held.recall(both)
        nearest_alone = held.recall(held.keys_of(held.proposals(as_many)))
        rows.append([source.name, float(np.diff(found.ptr).mean()), alone, beside, nearest_alone])
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the tables and write them to benchmarks/results/sources.json."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=0)
    seed = arguments.parse_args().seed
    films, retail = sl.datasets.movielens_small(), sl.datasets.online_retail()
    parts = {
        "movielens": HeldOut.of(*sl.split.leave_last_out(films, fraction=0.2), exclude_seen=True),
        "retail_new": HeldOut.of(*sl.split.global_time(retail, fraction=0.2), exclude_seen=True),
        "retail_repeats": HeldOut.of(*sl.split.global_time(retail, fraction=0.2), exclude_seen=False),
    }
    tables, people = {}, {}
    for name, held in parts.items():
        print(name, held.users.size, flush=True)
        tables[name] = results.table(COLUMNS, measured(held, seed))
        people[name] = held.users.size
    fingerprints = films.fingerprint + retail.fingerprint
    results.write("sources", {"people": people, "tables": tables}, data_hash=fingerprints, seed=seed)


if __name__ == "__main__":
    main()
