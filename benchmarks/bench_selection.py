"""Choosing a list: 20 of 500 candidates with vectors of 64 numbers, by each term and by all, beside NumPy.

    python benchmarks/bench_selection.py [--runs 7] [--candidates 500] [--shown 20] [--dim 64]

Three sides in processes of their own, in turns: "ours", the kernel; "numpy", the same algorithms in NumPy, all
candidates at once; "naive", every value from its definition (naive_selection.py). Each times one list at a time, of
terms alone and together, and all three must choose the same items. Candidates are drawn: vectors in 20 clusters, one to
three of 18 genres, one of 120 makers. BLAS has one thread. "ours" times besides what stands around the kernel:
`Select.select` with all four terms, a cap and a pin, for one person and, per person, for 500.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import naive_selection
import numpy as np
import polars as pl
import results
from naive_selection import Case

import shortlist as sl
from shortlist.data.memory import Limits
from shortlist.kernels.greedy_selection import Caps, Mix, Similar, greedy_selection
from shortlist.stages import Candidates, Lists, offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

NAME = "selection"
N_GENRES, N_MAKERS, N_CLUSTERS, SEED = 18, 120, 20, 0
N_ITEMS, N_USERS, SELECT_USERS = 5_000, 1_000, 500
WEIGHTS = {
    "MMR": [0.7, 0.3, 0, 0, 0],
    "DPP": [0.7, 0, 0.3, 0, 0],
    "Calibration": [0.7, 0, 0, 0.3, 0],
    "Exposure": [0.7, 0, 0, 0, 0.3],
    "all terms": [0.6, 0.1, 0.1, 0.1, 0.1],
}
ONE, MANY = "Select.select, one person", f"Select.select, {SELECT_USERS} people, each"
# How often a list is chosen in a run; the median of these is the run's time.
REPEATS = {"ours": 300, "numpy": 30, "naive": 1}
LIMITS_MS = {"MMR": 0.1, "DPP": 0.1, ONE: 1.0}


def cases(m: int, n: int, dim: int) -> dict[str, Case]:
    """Return the list to choose, with the weights of each case."""
    rng = np.random.default_rng(SEED)
    share = np.zeros((m, N_GENRES))
    for item in share:
        item[rng.choice(N_GENRES, rng.integers(1, 4), replace=False, p=_zipf(N_GENRES))] = 1
    maker = np.eye(N_MAKERS)[rng.choice(N_MAKERS, m, p=_zipf(N_MAKERS))]
    drawn = {
        "relevance": rng.random(m),
        "vectors": clustered(m, dim, rng),
        "epsilon": 0.05,
        "share": share / share.sum(axis=1, keepdims=True),
        "taste": rng.dirichlet(np.full(N_GENRES, 0.3)),
        "alpha": 0.01,
        "maker": maker,
        "target": np.full(N_MAKERS, 1 / N_MAKERS),
    }
    return {name: Case(n, weight=np.array(weight, float), **drawn) for name, weight in WEIGHTS.items()}


def clustered(m: int, dim: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return float32[m, dim]: unit vectors around `N_CLUSTERS` centres."""
    centres = rng.standard_normal((N_CLUSTERS, dim))
    vectors = centres[rng.integers(0, N_CLUSTERS, m)] + rng.standard_normal((m, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _zipf(n: int) -> NDArray[np.float64]:
    weight = 1 / np.arange(1, n + 1)
    return weight / weight.sum()


def by_kernel(case: Case) -> Callable[[], list[int]]:
    """Return what chooses the list with the kernel, its arguments made beforehand."""
    similar, m = Similar(case.vectors, case.epsilon), case.relevance.size
    calibration, exposure = _mix(case.share, case.taste), _mix(case.maker, case.target)
    caps = Caps(np.zeros(m + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
    pinned, chosen, parts = np.full(case.n, -1), np.full(case.n, -1), np.zeros((case.n, 5))
    told = similar, similar, calibration, case.alpha, exposure, case.discount, caps, pinned

    def choose() -> list[int]:
        greedy_selection(case.relevance, case.weight, *told, chosen, parts)
        return chosen.tolist()

    return choose


def _mix(share: NDArray[np.float64], target: NDArray[np.float64]) -> Mix:
    length = (share > 0).sum(axis=1)
    return Mix(offsets(length), np.nonzero(share)[1].astype(np.int32), target)


SIDES: dict[str, Callable[[Case], Callable[[], list[int]]]] = {
    "ours": by_kernel,
    "numpy": lambda case: lambda: naive_selection.incremental(case),
    "naive": lambda case: lambda: naive_selection.by_definition(case),
}


def milliseconds(choose: Callable[[], Any], repeats: int) -> list[float]:
    """Return what each of `repeats` calls took."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        choose()
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def measured(side: str, m: int, n: int, dim: int) -> dict[str, Any]:
    """Return the median milliseconds and the list of each case; the first call is not counted."""
    found: dict[str, Any] = {}
    for name, case in cases(m, n, dim).items():
        choose = SIDES[side](case)
        chosen = choose()
        found[name] = {"ms": float(np.median(milliseconds(choose, REPEATS[side]))), "list": chosen}
    return found | (of_select(m, n, dim) if side == "ours" else {})


def of_select(m: int, n: int, dim: int) -> dict[str, Any]:
    """Return the milliseconds of `Select.select` with all terms, a cap and a pin: for one person, and of many each."""
    select, request, candidates = selection(m, n, dim)
    one, of_one = request.rows(np.arange(1)), _of_first(candidates, m)
    select.select(one, of_one)
    alone = milliseconds(lambda: select.select(one, of_one), REPEATS["ours"])
    many = milliseconds(lambda: select.select(request, candidates), 3)
    return {
        ONE: {"ms": float(np.median(alone)), "p99": float(np.quantile(alone, 0.99))},
        MANY: {"ms": float(np.median(many)) / len(request)},
    }


def selection(m: int, n: int, dim: int) -> tuple[sl.Select, sl.Request, Candidates]:
    """Return a fitted `Select`, a request of `SELECT_USERS` people, and m scored candidates of each."""
    rng = np.random.default_rng(SEED)
    data = catalogue(rng)
    model = sl.WALS(dim=dim, n_epochs=1).fit(data, rng=SEED)
    terms = sl.MMR(0.1), sl.DPP(0.1), sl.Calibration("genres", 0.1), sl.Exposure("maker", 0.1)
    given = sl.Select(*terms, caps={"maker": 3}, pins=[(0, 5)])
    select = given.bind(
        data, None, [term.bind(data, model if term.asks_for_model else None) for term in terms]
    )
    users = np.arange(SELECT_USERS, dtype=np.int32)
    request = data.memory.request(users, n, Limits())
    item_idx = np.stack([np.sort(rng.choice(N_ITEMS, m, replace=False)) for _ in users]).astype(np.int32)
    score = rng.random(item_idx.shape).astype(np.float32)
    lists = Lists(offsets(np.full(users.size, m)), item_idx.ravel(), score.ravel())
    candidates = Candidates.from_lists(lists, "drawn")
    return select, request, replace(candidates, score=score.ravel())


def _of_first(candidates: Candidates, m: int) -> Candidates:
    """Return the m candidates of the first person."""
    aligned = ("item_idx", "source_rank", "source_score", "anchor", "score", "removed_by")
    arrays: dict[str, Any] = {name: getattr(candidates, name)[:m] for name in aligned}
    return replace(candidates, ptr=np.array([0, m]), **arrays)


def catalogue(rng: np.random.Generator) -> sl.Dataset:
    """Return items with genres and makers, and what people did with them."""
    genres = [f"genre {g}" for g in range(N_GENRES)]
    frame = pl.DataFrame(
        {
            "item_id": np.arange(N_ITEMS),
            "genres": [
                [
                    genres[g]
                    for g in rng.choice(N_GENRES, rng.integers(1, 4), replace=False, p=_zipf(N_GENRES))
                ]
                for _ in range(N_ITEMS)
            ],
            "maker": [f"maker {m}" for m in rng.choice(N_MAKERS, N_ITEMS, p=_zipf(N_MAKERS))],
        }
    )
    n = 50 * N_USERS
    log = pl.DataFrame(
        {"user_id": rng.integers(0, N_USERS, n), "item_id": rng.choice(N_ITEMS, n, p=_zipf(N_ITEMS))}
    )
    kinds = {"genres": "tags", "maker": "categorical"}
    return sl.read(log, kind="events", items=frame, features={"items": kinds})


def table(runs: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return a row for each case: milliseconds of each side, their spread, and how many times as long NumPy takes."""
    columns = {"": "", "ms": ".3f", "least": ".3f", "most": ".3f"}
    columns |= {"NumPy, ms": ".2f", "times ours": ".0f", "by definition, ms": ".1f", "times": ",.0f"}
    rows = []
    for name in (*WEIGHTS, ONE, MANY):
        ms = {side: [one[name]["ms"] for one in of if name in one] for side, of in runs.items()}
        ours = results.median_spread(ms["ours"])
        row: list[Any] = [name, ours["median"], ours["min"], ours["max"]]
        for side in ("numpy", "naive"):
            of = float(np.median(ms[side])) if ms[side] else None
            row += [of, None if of is None else of / ours["median"]]
        rows.append(row)
    return results.table(columns, rows)


def ratios(runs: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return, of each case, how many times as long NumPy takes, with an interval."""
    ms = {side: {name: [one[name]["ms"] for one in of] for name in WEIGHTS} for side, of in runs.items()}
    return {
        name: {
            side: results.ratio_interval(ms[side][name], ms["ours"][name], rng=SEED)
            for side in ("numpy", "naive")
        }
        for name in WEIGHTS
    }


def alike(runs: Mapping[str, list[dict[str, Any]]]) -> dict[str, bool]:
    """Return, of each case, whether all sides chose the same list in every run."""
    return {
        name: len({tuple(one[name]["list"]) for of in runs.values() for one in of}) == 1 for name in WEIGHTS
    }


def main() -> None:
    """Measure all sides in turns and write benchmarks/results/selection.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--shown", type=int, default=20)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--side", choices=SIDES, help="measure one side, print JSON")
    parser.add_argument("--output", type=Path, default=results.DIRECTORY / f"{NAME}.json")
    given = parser.parse_args()
    size = (given.candidates, given.shown, given.dim)
    if given.side:
        print(json.dumps(measured(given.side, *size)))
        return
    numbers = [f"--{name}={getattr(given, name)}" for name in ("candidates", "shown", "dim")]
    commands = {side: [sys.executable, Path(__file__), "--side", side, *numbers] for side in SIDES}
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    runs = results.alternate(commands, given.runs, env=threads)
    shown = table(runs)
    for row in shown["rows"]:
        print(row, flush=True)
    ours = {name: float(np.median([one[name]["ms"] for one in runs["ours"]])) for name in (*WEIGHTS, ONE)}
    payload = {
        "candidates": given.candidates,
        "shown": given.shown,
        "dim": given.dim,
        "ms": ours,
        "p99_of_one": float(np.median([one[ONE]["p99"] for one in runs["ours"]])),
        "within_limits": {name: bool(ours[name] < limit) for name, limit in LIMITS_MS.items()},
        "same_list": alike(runs),
        "ratios": ratios(runs),
        "tables": {"terms": shown},
    }
    print(payload["within_limits"], payload["same_list"])
    results.write(NAME, payload, data_hash=f"drawn, seed {SEED}", seed=SEED, path=given.output)


if __name__ == "__main__":
    main()
