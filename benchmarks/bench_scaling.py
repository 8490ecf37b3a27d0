"""How the time of an epoch of WALS grows with events, dim and threads, and what share of the machine it uses.

    python benchmarks/bench_scaling.py [--only PART] [--redo] [--runs 3]

An epoch is one half-step of the items and one of the users with two steps of conjugate gradients, in a process with as
many threads as the part says. Parts: events (1, 5 and 20 million, dim 64), dim (32 to 256, 5 million events), threads
(1 and 2, 5 million events, dims 64 and 128). Data are sets of the shape of MovieLens with users cut or added.

An epoch makes 10 d multiplications with addition an event and side (two passes with two products each, and half a
one), and reads 2.5 d numbers of 4 bytes of each event's vector from wherever it lies. Their rates stand as a share of
the rate of a matrix product in single precision (SGEMM, 2048 x 2048, all threads) and of the bandwidth of memory (a
sum of two long arrays into a third). The second share goes beyond 1 where vectors stay in the caches.
Each part is kept as soon as it is measured. With all of them the chart docs/images/scaling.png is drawn.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import altair as alt
import movielens_like
import numpy as np
import polars as pl
import results
from scipy import sparse

from shortlist import threads
from shortlist.models.weighted_squares import Loss, Observed, half_step

USERS = {"1 M": 7_440, "5 M": 37_200, "20 M": 149_000}  # with 134 events each
DIMS = (32, 64, 128, 256)
LOSS = Loss(1.0, "complement", 0.01, 0.0)
CONFIDENCE, STEPS, PASSES = 40.0, 2, 2.5
FILE = results.DIRECTORY / "scaling.json"
CHART = Path(__file__).resolve().parents[1] / "docs" / "images" / "scaling.png"

# (events, dim, threads) of each part.
PARTS = {
    "events": [(events, 64, 2) for events in USERS],
    "dim": [("5 M", dim, 2) for dim in DIMS],
    "threads": [("5 M", dim, n) for dim in (64, 128) for n in (1, 2)],
}


def cache(events: str) -> Path:
    """Return where the data of a size are kept."""
    return results.DATA / f"movielens_like_{events.replace(' ', '')}.npz"


def pairs(events: str) -> sparse.csr_matrix:
    """Return the data of a size."""
    return movielens_like.movielens_like(cache(events), n_users=USERS[events])


def measure(events: str, dim: int, n_threads: int) -> dict[str, float]:
    """Return seconds of an epoch and how many events it has; the first epoch, which is not counted, compiles."""
    threads.set_num_threads(n_threads)
    matrix = pairs(events)
    by_user = Observed.of(sparse.csr_array(matrix * np.float32(CONFIDENCE)))
    by_item = by_user.transposed()
    rng = np.random.default_rng(0)
    users = rng.standard_normal((matrix.shape[0], dim), np.float32) * np.float32(0.1 / np.sqrt(dim))
    items = np.zeros((matrix.shape[1], dim), np.float32)
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        items = half_step(by_item, users, LOSS, start=items, cg_steps=STEPS)
        users = half_step(by_user, items, LOSS, start=users, cg_steps=STEPS)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": float(np.median(seconds[1:])), "pairs": matrix.nnz}


def machine_rates(n_threads: int) -> dict[str, float]:
    """Return the rate of SGEMM (10⁹ multiplications with addition a second) and bandwidth (10⁹ bytes a second)."""
    threads.set_num_threads(n_threads)
    n, length = 2048, 1 << 25
    a, b, c = (np.ones((n, n), np.float32) for _ in range(3))
    x, y, z = (np.ones(length, np.float32) for _ in range(3))
    with threads.single_blas():
        products = _best(lambda s, e: np.dot(a[s:e], b, out=c[s:e]), n, n // (2 * n_threads))
        sums = _best(lambda s, e: np.add(x[s:e], y[s:e], out=z[s:e]), length, 1 << 16)
    return {"gemm": n**3 / products / 1e9, "bandwidth": 3 * 4 * length / sums / 1e9}


def _best(block: Any, n: int, size: int) -> float:
    seconds = []
    for _ in range(6):
        begun = time.perf_counter()
        threads.run_blocks(block, n, size)
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def measured(part: str, runs: int) -> list[dict[str, Any]]:
    """Return a row for each setting of a part."""
    for events, _, _ in PARTS[part]:
        pairs(events)  # made once, for all processes
    commands: dict[str, list[str | Path]] = {
        json.dumps(setting): [sys.executable, Path(__file__), "--measure", json.dumps(setting)]
        for setting in PARTS[part]
    }
    found = results.alternate(commands, runs)
    rows = []
    for setting, of in found.items():
        events, dim, n_threads = json.loads(setting)
        spread = results.median_spread([run["seconds"] for run in of])
        rate = 2 * PASSES * of[0]["pairs"] * dim / spread["median"] / 1e9
        gemm, bandwidth = (float(np.median([run[key] for run in of])) for key in ("gemm", "bandwidth"))
        rows.append(
            {
                "events": events,
                "pairs": of[0]["pairs"],
                "dim": dim,
                "threads": n_threads,
                "seconds": spread,
                "share_of_gemm": 2 * rate / gemm,
                "share_of_bandwidth": 4 * rate / bandwidth,
            }
        )
    return rows


def table(parts: dict[str, Any]) -> dict[str, Any]:
    """Return one table of all rows."""
    columns = {
        "events": ",.0f",
        "dim": ".0f",
        "threads": ".0f",
        "seconds an epoch": ".2f",
        "of SGEMM": ".0%",
        "of memory bandwidth": ".0%",
    }
    rows = [
        [
            row["pairs"],
            row["dim"],
            row["threads"],
            row["seconds"]["median"],
            row["share_of_gemm"],
            row["share_of_bandwidth"],
        ]
        for part in PARTS
        for row in parts.get(part, [])
    ]
    return results.table(columns, rows)


def draw(parts: dict[str, Any], target: Path) -> None:
    """Write the chart of all parts."""
    titles = {"events": "million events, dim 64", "dim": "dim, 5 million events", "threads": "threads"}
    charts = []
    for part, title in titles.items():
        frame = pl.DataFrame(
            [
                {
                    title: round(row["pairs"] / 1e6, 1) if part == "events" else row[part],
                    "seconds an epoch": row["seconds"]["median"],
                    "dim": str(row["dim"]) if part == "threads" else "",
                }
                for row in parts[part]
            ]
        )
        kind = "linear" if part == "threads" else "log"
        x = alt.X(
            title,
            type="quantitative",
            scale=alt.Scale(type=kind, nice=False, zero=False, padding=12),
            axis=alt.Axis(values=frame[title].unique().sort().to_list(), format="~r"),
        )
        y = alt.Y(
            "seconds an epoch", type="quantitative", scale=alt.Scale(type=kind), axis=alt.Axis(tickCount=5)
        )
        base = alt.Chart(frame, width=190, height=190, title=f"by {part}").encode(x=x, y=y, detail="dim:N")
        lines = base.mark_line(point=True)
        if part == "threads":
            ends = base.transform_filter("datum.threads == 1").mark_text(dx=26, dy=-8)
            lines += ends.encode(text=alt.Text("label:N")).transform_calculate(label="'dim ' + datum.dim")
        charts.append(lines)
    alt.hconcat(*charts).save(str(target), scale_factor=1.3)


def main() -> None:
    """Measure the parts that are asked for, and write each as soon as it is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", "--part", choices=PARTS)
    parser.add_argument("--redo", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--chart", type=Path, default=CHART)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        events, dim, n_threads = json.loads(options.measure)
        print(json.dumps(measure(events, dim, n_threads) | machine_rates(n_threads)))
        return
    parts: dict[str, Any] = {}
    if options.output.is_file():
        parts = json.loads(options.output.read_text(encoding="utf-8"))["results"]["parts"]
    for part in (options.only,) if options.only else PARTS:
        if part in parts and not (options.redo or options.only):
            continue
        parts[part] = measured(part, options.runs)
        payload = {"parts": parts, "tables": {"scaling": table(parts)}}
        hashed = results.hash_files(*(cache(events) for events in USERS if cache(events).is_file()))
        results.write("scaling", payload, data_hash=hashed, seed=0, path=options.output)
        print(json.dumps(parts[part], indent=1), flush=True)
    if set(PARTS) <= set(parts):
        draw(parts, options.chart)


if __name__ == "__main__":
    main()
