"""WALS beside implicit: the time to the value of implicit's own loss that implicit ends at after 15 iterations.

    python benchmarks/bench_wals.py [--only PART] [--redo] [--runs 5] [--cmfrec PYTHON]

The data are synthetic, of the size and shape of MovieLens-20M (`movielens_like`). Both minimise

    Σ_pairs c (1 - u·v)² + Σ_others (u·v)² + reg (Σ|u|² + Σ|v|²)        c = 40, reg = 0.01

(`complement`, w0 = 1, ν = 0); implicit's regularization is 0.01, its alpha 1 on a matrix of 40s. Parts:

- dim64, dim128: implicit takes 15 iterations with conjugate gradients of 3 steps, its default. WALS(solver="cg",
  cg_steps=2) takes as many epochs as bring it to that value, found before in a fit that is watched. Then both are timed
  in turns, each in a process of its own with two threads, after a small fit that loads and compiles everything; what
  that took is told apart. A fit of implicit is from a ready CSR matrix; ours is from a dataset, and also sorts its
  events, keeps the histories that `exclude_seen` needs, and takes the data's fingerprint. The value reached is taken
  after the clock.
- cmfrec: cmfrec's implicit model at dim 64, 15 iterations, its loss the same; left out where it is not installed for
  PYTHON (`pip install --no-binary cmfrec cmfrec` needs a compiler)

Each part is kept in results/wals.json as soon as it is measured; without --only, parts that are there are not measured
again unless --redo says so. Memory is the process's own: what it holds before the fit, which is its data and what it
imports, and the peak within. implicit holds a CSR matrix before, ours the three columns of the log;
`implicit_from_events_mib` is implicit's peak where it holds these columns, too, and makes its matrix of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import movielens_like
import numpy as np
import results
from scipy import sparse

import shortlist as sl
from shortlist import threads
from shortlist.data.dataset import Dataset
from shortlist.data.interactions import Interactions
from shortlist.models.weighted_squares import Loss, Observed, objective

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DIMS = {"dim64": 64, "dim128": 128}
PARTS = (*DIMS, "cmfrec")
CONFIDENCE, REG, ITERATIONS, N_THREADS = 40.0, 0.01, 15, 2
LOSS = Loss(1.0, "complement", REG, 0.0)
MOST_EPOCHS = 40
CG_STEPS = 2  # least time to a given value; the default of 3 keeps up with exact steps epoch by epoch
CACHE = results.DATA / "movielens_like.npz"
FILE = results.DIRECTORY / "wals.json"
# Every pool of threads a peer may bring gets as many as we use; implicit asks for one BLAS thread itself.
ENVIRONMENT = {"SHORTLIST_NUM_THREADS": str(N_THREADS), "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}


def dataset(matrix: sparse.csr_matrix) -> Dataset:
    """Return the pairs as events without times, one of value 1 each."""
    n_users, n_items = matrix.shape
    user_idx = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(matrix.indptr))
    users, items = (sl.Vocabulary.of(np.arange(n)) for n in matrix.shape)
    log = Interactions.of(user_idx, matrix.indices, matrix.data, None, n_users, n_items, sl.Feedback.events())
    return Dataset(log, users, items)


def wals(dim: int, n_epochs: int) -> sl.WALS:
    """Return our model of that loss: an event of value 1 weighs 1 + alpha."""
    return sl.WALS(
        dim,
        unobserved_weight=1.0,
        reg=REG,
        reg_exponent=0.0,
        alpha=CONFIDENCE - 1,
        unobserved="complement",
        n_epochs=n_epochs,
        solver="cg",
        cg_steps=CG_STEPS,
    )


def value(matrix: sparse.csr_matrix, users: NDArray[Any], items: NDArray[Any]) -> float:
    """Return the loss of the factors, in float64."""
    return objective(Observed.of(confidences(matrix)), users, items, LOSS)


def confidences(matrix: sparse.csr_matrix) -> sparse.csr_array:
    """Return the pairs with weight 40."""
    return sparse.csr_array((CONFIDENCE * matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)


def forget_peak() -> None:
    """Let the peak of this process's memory begin anew, so that making the data is not in it."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def status_mib(key: str) -> float:
    """Return the memory of this process: VmRSS what it holds, VmHWM the peak."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {key} in /proc/self/status: memory is measured on Linux only")


def timed(fit: Callable[[Callable[..., object]], object]) -> dict[str, Any]:
    """Return seconds, processor seconds, seconds of each epoch and peak memory of `fit(on_epoch)`."""
    ends: list[float] = []
    held = status_mib("VmRSS")
    forget_peak()
    begun, used = time.perf_counter(), time.process_time()
    fit(lambda *_, **__: ends.append(time.perf_counter()))
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "cpu": time.process_time() - used,
        "epochs": np.diff(ends).tolist(),
        "peak_mib": status_mib("VmHWM"),
        "held_mib": held,
    }


def measure_ours(matrix: sparse.csr_matrix, dim: int, n_epochs: int) -> dict[str, Any]:
    """Fit once; the process is ours alone."""
    begun = time.perf_counter()
    wals(dim, 2).fit(dataset(matrix[:200]), rng=0)
    compiled = time.perf_counter() - begun
    data, model = dataset(matrix), wals(dim, n_epochs)
    del matrix.indptr, matrix.indices, matrix.data
    found = timed(lambda on_epoch: model.fit(data, rng=0, on_epoch=on_epoch)) | {"compile": compiled}
    log = data.interactions
    pairs = sparse.csr_matrix((log.value, (log.user_idx, log.item_idx)), shape=(log.n_users, log.n_items))
    return found | {"value": value(pairs, model.user_factors_, model.item_factors_)}


def epochs_needed(matrix: sparse.csr_matrix, dim: int, target: float) -> int:
    """Return after how many epochs our value is at most `target`, in a fit that is watched and broken off there."""
    reached: list[int] = []

    class ReachedError(Exception):
        pass

    def watch(epoch: Any) -> None:
        model = epoch.model
        now = value(matrix, model.user_factors_, model.item_factors_)
        print(f"  epoch {epoch.number}: {now:.6g}, target {target:.6g}", file=sys.stderr, flush=True)
        if now <= target:
            reached.append(epoch.number)
            raise ReachedError

    try:
        wals(dim, MOST_EPOCHS).fit(dataset(matrix), rng=0, on_epoch=watch)
    except ReachedError:
        return reached[0]
    raise RuntimeError(f"WALS did not reach {target} in {MOST_EPOCHS} epochs")


def own(*words: object) -> list[str | Path]:
    """Return the command that runs this script for one measurement."""
    return [sys.executable, Path(__file__), "--measure", *(str(word) for word in words)]


def peer(script: str, *words: object, python: str = sys.executable) -> list[str | Path]:
    """Return the command that runs another side's script."""
    return [python, Path(__file__).with_name(script), CACHE, *(str(word) for word in words)]


def beside_implicit(dim: int, runs: int) -> dict[str, Any]:
    """Return what both sides take at one dim."""
    with tempfile.TemporaryDirectory() as folder:
        factors = Path(folder) / "factors.npz"
        settings = (dim, REG, CONFIDENCE, ITERATIONS)
        implicit = peer("peer_implicit_als.py", *settings, "csr", factors)
        from_events = peer("peer_implicit_als.py", dim, REG, CONFIDENCE, 1, "events", factors)
        log = results.alternate({"events": from_events}, 1, env=ENVIRONMENT)["events"]
        results.alternate({"implicit": implicit}, 1, env=ENVIRONMENT)
        with np.load(factors) as last:
            target = value(movielens_like.movielens_like(CACHE), last["users"], last["items"])
        [n_epochs] = results.alternate({"epochs": own("epochs", dim, target)}, 1, env=ENVIRONMENT)["epochs"]
        commands = {"implicit": implicit, "WALS": own("ours", dim, n_epochs)}
        found = results.alternate(commands, runs, env=ENVIRONMENT)
    # Sums of threads have no fixed order in implicit: the last digits of its value differ from run to run.
    if max(run["value"] for run in found["WALS"]) > target * (1 + 1e-4):
        raise RuntimeError("WALS did not come to implicit's value in the epochs that it needed before")
    for run in (run for of in found.values() for run in of):
        run["epoch"] = float(np.median(run["epochs"]))
    seconds, epoch = (
        {name: [run[key] for run in of] for name, of in found.items()} for key in ("seconds", "epoch")
    )
    return {
        "target": target,
        "n_epochs": n_epochs,
        "implicit_from_events_mib": log[0]["peak_mib"],
        "sides": {name: _summary(of) for name, of in found.items()},
        "faster": _ratio(seconds, runs),
        "faster_an_epoch": _ratio(epoch, runs),
    }


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    keys = [key for key in runs[0] if key != "epochs"]
    return {key: results.median_spread([run[key] for run in runs]) for key in keys}


def _ratio(values: dict[str, list[float]], runs: int) -> dict[str, float] | None:
    return results.ratio_interval(values["implicit"], values["WALS"], rng=0) if runs > 1 else None


def beside_cmfrec(python: str, runs: int) -> dict[str, Any] | None:
    """Return what cmfrec takes and the value it ends at, None where it is not installed."""
    asked = subprocess.run([python, "-c", "import cmfrec"], capture_output=True, check=False)
    if asked.returncode != 0:
        print("cmfrec is not installed for", python, "(it needs a compiler): left out", file=sys.stderr)
        return None
    matrix = movielens_like.movielens_like(CACHE)
    with tempfile.TemporaryDirectory() as folder:
        factors = Path(folder) / "factors.npz"
        numbers = (64, REG, CONFIDENCE - 1, ITERATIONS)
        command = peer("peer_cmfrec.py", *numbers, factors, python=python)
        found = results.alternate({"cmfrec": command}, runs, env=ENVIRONMENT)["cmfrec"]
        with np.load(factors) as last:
            ends_at = value(matrix, last["users"], last["items"])
    keys = ("seconds", "peak_mib")
    spread = {key: results.median_spread([run[key] for run in found]) for key in keys}
    return spread | {"value": ends_at, "version": found[0]["version"]}


def tables(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the table of all parts measured so far."""
    columns = {
        "dim": ".0f", "": "", "epochs": ".0f", "seconds": ".1f", "seconds an epoch": ".2f", "peak MiB": ",.0f",
        "held before": ",.0f", "loss / 10⁶": ".3f", "times faster": ".1f", "from": ".1f", "to": ".1f",
    }  # fmt: skip
    rows: list[list[object]] = []
    for part, dim in DIMS.items():
        for name, side in parts.get(part, {}).get("sides", {}).items():
            ratio = parts[part]["faster"] if name == "WALS" else None
            interval = [ratio[key] for key in ("ratio", "low", "high")] if ratio else [None] * 3
            epochs = parts[part]["n_epochs"] if name == "WALS" else ITERATIONS
            medians = [side[key]["median"] for key in ("seconds", "epoch", "peak_mib", "held_mib")]
            loss = side["value"]["median"] if name == "WALS" else parts[part]["target"]
            rows.append([dim, name, epochs, *medians, loss / 1e6, *interval])
    if (other := parts.get("cmfrec")) is not None:
        medians = [other["seconds"]["median"], None, other["peak_mib"]["median"], None]
        rows.append([64, "cmfrec", ITERATIONS, *medians, other["value"] / 1e6, None, None, None])
    return {"implicit": results.table(columns, rows)}


def measure(side: str, dim: int, number: float) -> Any:
    """Return what one process measures."""
    threads.set_num_threads(N_THREADS)
    matrix = movielens_like.movielens_like(CACHE)
    if side == "epochs":
        return epochs_needed(matrix, dim, number)
    return measure_ours(matrix, dim, int(number))


def main() -> None:
    """Measure the parts that are asked for, and write each as soon as it is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", "--part", choices=PARTS)
    parser.add_argument("--redo", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cmfrec", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        side, dim, number = options.measure
        print(json.dumps(measure(side, int(dim), float(number))))
        return
    described = movielens_like.describe(movielens_like.movielens_like(CACHE))
    kept = (
        json.loads(options.output.read_text(encoding="utf-8"))["results"] if options.output.is_file() else {}
    )
    parts: dict[str, Any] = kept.get("parts", {})
    for part in (options.only,) if options.only else PARTS:
        if part in parts and not (options.redo or options.only):
            continue
        found = (
            beside_implicit(DIMS[part], options.runs)
            if part in DIMS
            else beside_cmfrec(options.cmfrec, options.runs)
        )
        if found is None:
            continue
        parts[part] = found
        setting = {"confidence": CONFIDENCE, "reg": REG, "iterations": ITERATIONS, "threads": N_THREADS}
        payload = {"data": described, "setting": setting, "parts": parts, "tables": tables(parts)}
        results.write("wals", payload, data_hash=results.hash_files(CACHE), seed=0, path=options.output)
        print(json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
