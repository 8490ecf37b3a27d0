"""BPR beside implicit's: seconds of a fit and the area under the curve that it reaches, on three sets of likes.

    python benchmarks/bench_bpr.py [--data DIRECTORY] [--only movielens gowalla synthetic] [--runs 5] [--full]

- movielens: MovieLens small, likes from 4 stars on (bundled)
- gowalla: the LightGCN split, if DIRECTORY holds its train.parquet and test.parquet (no licence, not in the repository)
- synthetic: a set shaped like MovieLens-20M (`movielens_like`), an eighth of its users, or all with `--full`

Both sides have the same dim, number of epochs and number of steps an epoch, an item bias, and two threads. Each chooses
its learning rate and penalty from a grid on a tenth of the training pairs (of the first users, up to 200,000 pairs), by
the area under the curve there; then both are fitted on all training pairs, in turns, in processes of their own, compile
time apart. implicit draws negatives in proportion to popularity and verifies them, so ours does the same here
(`sampler="popularity"`, exponent 1); the uniform sampler, which costs less and is what the area under the curve asks
for, stands beside. The area is estimated from pairs drawn of the test pairs, the same for both: a negative is any item
that the user has in neither part.

Each part is kept when it ends; parts that are not measured keep their old figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pair_data
import results
from movielens_like import N_USERS, movielens_like
from scipy import sparse

import shortlist as sl
from shortlist.data.interactions import Interactions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NAME = "bpr"
DIM = 64
EPOCHS = {"movielens": 40, "gowalla": 20, "synthetic": 10}
SEARCH_PAIRS = 200_000
# implicit's rate stays what it is, ours falls to 0: of the same area under its course, ours begins at twice.
RATES = {"implicit": (0.02, 0.05, 0.1), "popularity": (0.04, 0.1, 0.2), "uniform": (0.04, 0.1, 0.2)}
REGS = (0.003, 0.02)
TITLES = {
    "implicit": "implicit 0.7.3",
    "popularity": "shortlist, popular negatives",
    "uniform": "shortlist, uniform negatives",
}
PEER = Path(__file__).with_name("peer_implicit_bpr.py")


class Data(NamedTuple):
    """Pairs float32 CSR [n_users, n_items] to fit on and to measure on, and the hash that names them."""

    train: sparse.csr_matrix
    test: sparse.csr_matrix
    data_hash: str


def split(pairs: sparse.csr_matrix, share: float, seed: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return a random part of the pairs, and the `share` of them that is left."""
    user = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    last = np.random.default_rng(seed).random(pairs.nnz) < share
    kept, out = (
        sparse.csr_matrix((pairs.data[part], (user[part], pairs.indices[part])), shape=pairs.shape)
        for part in (~last, last)
    )
    return kept, out


def movielens() -> Data:
    """Return the likes of MovieLens small, a fifth of them to measure on."""
    data = sl.datasets.movielens_small()
    log = data.interactions
    likes = sparse.csr_matrix(log.where(log.positive).matrix("count"))
    return Data(*split(likes, 0.2, 0), data.fingerprint)


def gowalla(folder: Path) -> Data | None:
    """Return the split in `folder`, None where it is not there."""
    if not (folder / "train.parquet").is_file():
        print(f"left out: no train.parquet and test.parquet in {folder}", file=sys.stderr)
        return None
    read = pair_data.read(folder)
    parts = (sparse.csr_matrix(part.interactions.matrix("count")) for part in (read.train, read.test))
    return Data(*parts, read.data_hash)


def synthetic(full: bool) -> Data:
    """Return a twentieth of the synthetic pairs to measure on, the rest to fit on."""
    n_users = N_USERS if full else N_USERS // 8
    pairs = movielens_like(results.DATA / f"movielens_like_{n_users}.npz", n_users=n_users)
    return Data(*split(pairs, 0.05, 0), f"movielens_like, {n_users} users, seed 0")


def area(users: NDArray[np.floating[Any]], items: NDArray[np.floating[Any]], data: Data) -> float:
    """Return the estimated area under the curve; the item's bias is its last coordinate, the user's there is 1."""
    rng = np.random.default_rng(1)
    test_user = np.repeat(np.arange(data.test.shape[0]), np.diff(data.test.indptr))
    at = rng.integers(data.test.nnz, size=min(data.test.nnz * 4, 500_000))
    u, i = test_user[at], data.test.indices[at]
    j = rng.integers(data.test.shape[1], size=at.size)
    held = data.train + data.test
    negative = np.asarray(held[u, j]).ravel() == 0
    u, i, j = u[negative], i[negative], j[negative]
    margin = np.einsum("nf,nf->n", users[u], items[i] - items[j], dtype=np.float64)
    return float(np.mean((margin > 0) + 0.5 * (margin == 0)))


def of_pairs(pairs: sparse.csr_matrix) -> sl.Dataset:
    """Return the pairs as a dataset."""
    log = Interactions.of(
        np.repeat(np.arange(pairs.shape[0], dtype=np.int32), np.diff(pairs.indptr)),
        pairs.indices,
        np.ones(pairs.nnz, np.float32),
        None,
        *pairs.shape,
        sl.Feedback.events(),
    )
    ids = (sl.Vocabulary.of(np.arange(n)) for n in pairs.shape)
    return sl.Dataset(log, *ids, name="pairs")


def fit_ours(path: str, dim: int, epochs: int, rate: float, reg: float, sampler: str, factors: str) -> None:
    """Fit once, print the seconds as JSON and write the factors as the peer does; a process of its own."""
    pairs = sparse.load_npz(path)
    exponent = 1.0 if sampler == "popularity" else None
    options: dict[str, Any] = {"learning_rate": rate, "user_reg": reg, "item_reg": reg, "bias_reg": reg}
    sl.set_num_threads(2)
    small, data = of_pairs(pairs[:50]), of_pairs(pairs)
    sl.BPR(dim, n_epochs=1, sampler=sampler, popularity_exponent=exponent, **options).fit(small, rng=0)
    model = sl.BPR(dim, n_epochs=epochs, sampler=sampler, popularity_exponent=exponent, **options)
    _ = data.memory  # both sides begin with their data made ready
    begun = time.perf_counter()
    model.fit(data, rng=0)
    seconds = time.perf_counter() - begun
    ones = np.ones((len(model.user_factors_), 1), np.float32)
    np.savez(
        factors,
        users=np.hstack([model.user_factors_, ones]),
        items=np.column_stack([model.item_factors_, model.item_offsets_]),
    )
    print(json.dumps({"seconds": seconds}))


def command(side: str, path: Path, epochs: int, rate: float, reg: float, factors: Path) -> list[str | Path]:
    """Return the command that fits one side."""
    numbers = [str(number) for number in (DIM, epochs, rate, reg)]
    if side == "implicit":
        return [sys.executable, PEER, path, *numbers, factors]
    return [sys.executable, Path(__file__), "--fit", path, *numbers, side, factors]


def measured_area(factors: Path, data: Data) -> float:
    """Return the area that written factors reach."""
    with np.load(factors) as file:
        return area(file["users"], file["items"], data)


def chosen(side: str, data: Data, epochs: int, folder: Path) -> tuple[float, float]:
    """Return the rate and penalty with the largest area on a tenth of the training pairs, fitted on the rest."""
    n_users = int(np.searchsorted(data.train.indptr, SEARCH_PAIRS))
    train, validation = split(data.train[:n_users], 0.1, 1)
    path, factors = folder / "search.npz", folder / "found.npz"
    sparse.save_npz(path, train, compressed=False)
    found = []
    for rate, reg in itertools.product(RATES[side], REGS):
        done = subprocess.run(
            [str(word) for word in command(side, path, epochs, rate, reg, factors)], check=False
        )
        reached = measured_area(factors, Data(train, validation, "")) if done.returncode == 0 else 0.0
        found.append((reached, rate, reg))
        print(side, found[-1], flush=True)
    return max(found)[1:]


def compared(name: str, data: Data, runs: int) -> dict[str, Any]:
    """Return the rows of one data set: seconds, areas, what was chosen, and the ratios of the seconds."""
    epochs = EPOCHS[name]
    env = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1", "SHORTLIST_NUM_THREADS": "2"}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        settings = {side: chosen(side, data, epochs, folder) for side in TITLES}
        path = folder / "pairs.npz"
        sparse.save_npz(path, data.train, compressed=False)
        commands = {
            side: command(side, path, epochs, *settings[side], folder / f"{side}.npz") for side in TITLES
        }
        seconds = {
            side: [run["seconds"] for run in found]
            for side, found in results.alternate(commands, runs, env=env).items()
        }
        areas = {side: measured_area(folder / f"{side}.npz", data) for side in TITLES}
    sides = {
        side: {
            "seconds": results.median_spread(seconds[side]),
            "auc": areas[side],
            "learning_rate": settings[side][0],
            "reg": settings[side][1],
        }
        | (
            {}
            if side == "implicit" or runs < 2
            else {"ratio": results.ratio_interval(seconds["implicit"], seconds[side], rng=0)}
        )
        for side in TITLES
    }
    print(name, json.dumps(sides, indent=1), flush=True)
    return {"pairs": data.train.nnz, "epochs": epochs, "data_hash": data.data_hash, "sides": sides}


def table(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the parts measured so far as a table."""
    columns = {"data": "", "": "", "pairs": ",d", "epochs": "d", "fit, s": ".2f", "AUC": ".4f"}
    columns |= {"times implicit's speed": ".2f", "from": ".2f", "to": ".2f"}
    rows: list[Sequence[object]] = []
    for name, part in parts.items():
        for side, found in part["sides"].items():
            ratio = found.get("ratio", {})
            figures = [ratio.get(key) for key in ("ratio", "low", "high")]
            sizes = [part["pairs"], part["epochs"], found["seconds"]["median"], found["auc"]]
            rows.append([name, TITLES[side], *sizes, *figures])
    return results.table(columns, rows)


def main() -> None:
    """Measure the parts asked for and write benchmarks/results/bpr.json after each."""
    if sys.argv[1:2] == ["--fit"]:
        path, dim, epochs, rate, reg, sampler, factors = sys.argv[2:]
        fit_ours(path, int(dim), int(epochs), float(rate), float(reg), sampler, factors)
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    parser.add_argument("--only", nargs="*", choices=tuple(EPOCHS), default=tuple(EPOCHS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="all users of the synthetic set")
    parser.add_argument("--output", type=Path, default=results.DIRECTORY / f"{NAME}.json")
    options = parser.parse_args()
    makers = {
        "movielens": movielens,
        "gowalla": lambda: gowalla(options.data),
        "synthetic": lambda: synthetic(options.full),
    }
    old = (
        json.loads(options.output.read_text(encoding="utf-8"))["results"] if options.output.is_file() else {}
    )
    parts: dict[str, Any] = old.get("parts", {})
    for name in options.only:
        data = makers[name]()
        if data is None:
            continue
        parts[name] = compared(name, data, options.runs)
        parts = {known: parts[known] for known in EPOCHS if known in parts}
        payload = {"tables": {"speed": table(parts)}, "parts": parts, "dim": DIM}
        hashes = " · ".join(part["data_hash"] for part in parts.values())
        results.write(NAME, payload, data_hash=hashes, seed=0, path=options.output)


if __name__ == "__main__":
    main()
