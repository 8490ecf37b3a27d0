"""Reading a large CSV beside Polars: seconds and peak memory of `shortlist.read` and of `polars.scan_csv(…).collect()`.

    python benchmarks/bench_read.py [--rows 20000000] [--runs 5]

The files are made here, from a seed: MovieLens-20M in shape (138,493 users, 26,744 items, both drawn from power laws,
every pair once, grouped by user and so not sorted by time, ratings in halves, times in seconds). The peaks are of the
whole process and count the pages of the file that are mapped. Polars parses every column with the types that it
infers; ours also checks every row, makes the vocabularies, sorts by time and counts repeats. Both have read a small
file before the clock starts. The two run in turns, each in a process of its own.

Further rows: the same file with one rating that is no number, on which Polars would stop, so that its time is that for
the file without it; a quarter of the rows with ids that are text and times in ISO 8601, which Polars leaves as text.

Ends with status 1 unless the first file takes at most twice Polars' time and less than 4 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from results import alternate, hash_files, median_spread, ratio_interval, table, write

import shortlist as sl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

N_USERS, N_ITEMS, N_ROWS = 138_493, 26_744, 20_000_000
LARGEST_ITEM_ID = 131_262
FIRST_SECOND, LAST_SECOND, MONTH = 789_652_009, 1_427_784_002, 30 * 86_400
RATIO_TARGET, PEAK_TARGET_GIB = 2.0, 4.0
READERS: dict[str, Callable[[str], int]] = {
    "shortlist": lambda path: len(sl.read(path).interactions),
    "polars": lambda path: pl.scan_csv(path).collect().height,
}


def ratings(n_rows: int, seed: int) -> pl.DataFrame:
    """Return `n_rows` ratings, sorted by user and item."""
    rng = np.random.default_rng(seed)
    n_users = max(1, N_USERS * n_rows // N_ROWS)
    activity = rng.pareto(1.2, n_users) + 0.5
    popularity = np.arange(1, N_ITEMS + 1) ** -0.8
    # A pair drawn twice counts once, so more are drawn than are kept.
    pairs = np.zeros(0, np.int64)
    while pairs.size < n_rows:
        users, items = (_drawn(weights, n_rows, rng) for weights in (activity, popularity))
        pairs = np.sort(np.concatenate([pairs, users * N_ITEMS + items]))
        pairs = pairs[np.r_[True, pairs[1:] != pairs[:-1]]]
    user, item = np.divmod(pairs[np.sort(rng.choice(pairs.size, n_rows, replace=False))], N_ITEMS)
    item_ids = rng.permutation(LARGEST_ITEM_ID)[:N_ITEMS] + 1
    joined = rng.integers(FIRST_SECOND, LAST_SECOND - MONTH, n_users)
    return pl.DataFrame(
        {
            "user_id": user + 1,
            "item_id": item_ids[item],
            "rating": rng.integers(1, 11, n_rows) / 2,
            "timestamp": joined[user] + rng.integers(0, MONTH, n_rows),
        }
    )


def _drawn(weights: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    shares = np.cumsum(weights)
    return np.searchsorted(shares, rng.random(n) * shares[-1]).clip(0, weights.size - 1)


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the ratings with ids of text and times in ISO 8601."""
    return frame.select(
        pl.format("user-{}", "user_id").alias("user_id"),
        pl.format("item-{}", "item_id").alias("item_id"),
        "rating",
        pl.from_epoch("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def spoil(source: Path, target: Path) -> None:
    """Write `source` with the rating in the middle of the file replaced by one that is no number."""
    data = source.read_bytes()
    start = data.index(b"\n", len(data) // 2) + 1
    end = data.index(b"\n", start)
    user, item, _, second = data[start:end].split(b",")
    target.write_bytes(data[:start] + b",".join([user, item, b"none", second]) + data[end:])


def files(folder: Path, n_rows: int, seed: int) -> Iterator[tuple[str, int, Path, Path]]:
    """Yield the name of each test, the rows, and the file to read for ours and for Polars; made when asked for."""
    frame = ratings(n_rows, seed)
    frame.write_csv(folder / "ratings.csv")
    text, n_text = as_text(frame.head(n_rows // 4)), n_rows // 4
    del frame
    clean, spoilt, textual = (folder / f"{name}.csv" for name in ("ratings", "spoilt", "text"))
    yield "integer ids, times in seconds", n_rows, clean, clean
    spoil(clean, spoilt)
    yield "the same, one rating no number", n_rows, spoilt, clean
    text.write_csv(textual)
    yield "text ids, ISO times", n_text, textual, textual


def measure(reader: str, path: str, small: str) -> dict[str, Any]:
    """Return rows, seconds and peak memory (GiB) of one reading in this process."""
    warnings.simplefilter("ignore")  # the rejected row is expected
    READERS[reader](small)
    begun = time.perf_counter()
    n_rows = READERS[reader](path)
    return {"rows": n_rows, "seconds": time.perf_counter() - begun, "peak_gib": peak_gib()}


def peak_gib() -> float:
    """Return the largest resident memory that this process had, which `getrusage` mixes with that of its parent."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 2**20


def compared(path: Path, peers: Path, small: Path, runs: int) -> dict[str, Any]:
    """Return seconds, peaks and the ratio of times of ours on the file at `path` and Polars on that at `peers`."""
    paths = {"shortlist": path, "polars": peers}
    commands = {
        name: [sys.executable, __file__, "--measure", name, str(paths[name]), str(small)] for name in READERS
    }
    measured = alternate(commands, runs)
    seconds = {name: [run["seconds"] for run in found] for name, found in measured.items()}
    return {
        "megabytes": path.stat().st_size / 1e6,
        "rows": {name: found[0]["rows"] for name, found in measured.items()},
        "seconds": {name: median_spread(values) for name, values in seconds.items()},
        "ratio": ratio_interval(seconds["shortlist"], seconds["polars"], rng=0),
        "peak_gib": {name: max(run["peak_gib"] for run in found) for name, found in measured.items()},
    }


def row(name: str, found: dict[str, Any]) -> list[Any]:
    """Return the row of the table for one file."""
    seconds, peaks = found["seconds"], found["peak_gib"]
    medians = [seconds[reader]["median"] for reader in READERS]
    rows = found["rows"]["polars"]
    return [name, rows, found["megabytes"], *medians, found["ratio"]["ratio"], *(peaks[r] for r in READERS)]


def main() -> None:
    """Measure, print and write benchmarks/results/read.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", nargs=3, metavar=("READER", "FILE", "SMALL"))
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return
    found, load = {}, os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.csv"
        ratings(100_000, arguments.seed).write_csv(small)
        for name, n_rows, path, peers in files(Path(folder), arguments.rows, arguments.seed):
            found[name] = compared(path, peers, small, arguments.runs)
            if found[name]["rows"]["polars"] != n_rows or n_rows - found[name]["rows"]["shortlist"] not in (
                0,
                1,
            ):
                raise SystemExit(f"{name}: {n_rows} rows written, {found[name]['rows']} read")
            print(row(name, found[name]), flush=True)
        data_hash = hash_files(Path(folder) / "ratings.csv")
    columns = {
        "file": "",
        "rows": ",",
        "MB": ".0f",
        "shortlist.read, s": ".2f",
        "Polars scan, s": ".2f",
        "ratio": ".2f",
        "peak, GiB": ".2f",
        "Polars' peak, GiB": ".2f",
    }
    payload = {
        "tables": {"read": table(columns, [row(*pair) for pair in found.items()])},
        "files": found,
        "load_before": load,
    }
    write("read", payload, data_hash=data_hash, seed=arguments.seed)
    first = next(iter(found.values()))
    if first["ratio"]["ratio"] > RATIO_TARGET or first["peak_gib"]["shortlist"] >= PEAK_TARGET_GIB:
        raise SystemExit(f"the target is {RATIO_TARGET} × Polars' time and {PEAK_TARGET_GIB} GiB")


if __name__ == "__main__":
    main()
