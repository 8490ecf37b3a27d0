"""What rules cost: one request over a catalogue of a million items, by rule and with eight of them.

    python benchmarks/bench_eligibility.py [--items 1000000] [--seed 0]

A random catalogue with stock, times, ages, genres, flags, makers and countries, and 10,000 users. Times are of the
part of a request that rules add (`within_rules`), median of 200 requests of one user each, on one thread: with the
moment of the last event, so that masks are kept from one request to the next, and with another moment each time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import results

import shortlist as sl
from shortlist.data.memory import Limits
from shortlist.eligibility.within_rules import within_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.models.stage import Stage
    from shortlist.stages import Request

N_USERS, N_EVENTS, N_REQUESTS = 10_000, 200_000, 200
COUNTRIES = [f"country {c}" for c in range(50)]
HALF = 10**15  # µs: items begin before and end after it
KINDS = {
    "stock": "numeric",
    "starts": "time",
    "ends": "time",
    "age_from": "numeric",
    "genre": "categorical",
    "flag": "categorical",
    "maker": "categorical",
    "countries": "tags",
}


def catalogue(n: int, rng: np.random.Generator) -> sl.FeatureTable:
    """Return the features of `n` items."""
    moment = pl.Datetime("us", "UTC")
    frame = pl.DataFrame(
        {
            "id": np.arange(n),
            "stock": rng.integers(0, 5, n).astype(float),
            "starts": pl.Series(rng.integers(0, HALF, n)).cast(moment),
            "ends": pl.Series(rng.integers(HALF, 2 * HALF, n)).cast(moment),
            "age_from": rng.choice([0.0, 0, 0, 12, 16, 18], n),
            "genre": rng.choice([f"genre {g}" for g in range(20)], n),
            "flag": rng.choice(["ok"] * 50 + ["hate", "scam"], n),
            "maker": [f"maker {m}" for m in rng.integers(0, 20_000, n)],
            "countries": [COUNTRIES[c : c + 3] for c in rng.integers(0, 48, n)],
        }
    )
    return sl.FeatureTable(frame, KINDS)


def data(n: int, rng: np.random.Generator) -> sl.Dataset:
    """Return `n` items, the users, and their events, all before `HALF`."""
    users = pl.DataFrame(
        {
            "id": np.arange(N_USERS),
            "country": rng.choice(COUNTRIES, N_USERS),
            "age": rng.integers(5, 80, N_USERS).astype(float),
        }
    )
    log = sl.Interactions.of(
        rng.integers(0, N_USERS, N_EVENTS),
        rng.integers(0, n, N_EVENTS),
        rng.choice([1, 5], N_EVENTS).astype(np.float32),
        rng.integers(0, HALF, N_EVENTS),
        N_USERS,
        n,
        sl.Feedback.ratings(1, 5),
    )
    table = sl.FeatureTable(users, {"country": "categorical", "age": "numeric"})
    ids = sl.Vocabulary.of(np.arange(N_USERS)), sl.Vocabulary.of(np.arange(n))
    return sl.Dataset(log, *ids, table, catalogue(n, rng))


def rules() -> list[Stage]:
    """Return the eight rules."""
    return [
        sl.ContentPolicy(["flag"]),
        sl.AgeLimit("age_from"),
        sl.InCountry("countries"),
        sl.InStock(),
        sl.Available("starts", "ends"),
        sl.DenyCategory("genre", ["genre 3"]),
        sl.UserBlocks([(user, f"maker {user}") for user in range(N_USERS // 2)], "maker"),
        sl.Disliked(),
    ]


def milliseconds(requests: Sequence[Request], bound: Sequence[Any]) -> float:
    """Return the median time that `bound` rules add to a request; the first requests fill what is kept."""
    taken = []
    for request in requests:
        start = time.perf_counter()
        list(within_rules(request, bound))
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[len(taken) // 4 :]) * 1e3


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    shop = data(given.items, rng)
    rows, bound = [], []
    who = rng.integers(0, N_USERS, (N_REQUESTS, 1)).astype(np.int32)
    same = [shop.memory.request(user, 10, Limits()) for user in who]
    moments = rng.integers(9 * HALF // 10, HALF, N_REQUESTS).tolist()
    other = [shop.memory.request(user, 10, Limits(at=now)) for user, now in zip(who, moments, strict=True)]
    for rule in rules():
        start = time.perf_counter()
        bound.append(rule.bind(shop))
        prepared = time.perf_counter() - start
        rows.append([rule.name, prepared, milliseconds(same, bound[-1:]), milliseconds(other, bound[-1:])])
        print(*rows[-1], flush=True)
    rows.append(["all eight", None, milliseconds(same, bound), milliseconds(other, bound)])
    print(*rows[-1], flush=True)
    columns = {"rules": "", "prepared, s": ".2f", "a request, ms": ".2f", "at another moment each, ms": ".2f"}
    payload = {
        "n_items": given.items,
        "request_ms": rows[-1][2],
        "tables": {"eligibility": results.table(columns, rows)},
    }
    results.write("eligibility", payload, data_hash=shop.fingerprint, seed=given.seed)


if __name__ == "__main__":
    main()
