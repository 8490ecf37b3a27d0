"""What every benchmark shares: runs beside a peer, their spread, and the JSON file they are kept in.

A benchmark is a script `bench_NAME.py` that ends with `write("NAME", ...)`. The tables and figures of README.md and
docs are made from these files by `tables.py`, never typed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIRECTORY = Path(__file__).resolve().parent / "results"
DATA = Path(__file__).resolve().parent / "data"
"""Where a benchmark looks for data that the repository does not hold, unless `--data` says otherwise."""

LEFT_OUT = 77
"""The exit status of a benchmark whose data is not there; `make bench` goes on with the next one."""

PACKAGES = (
    "shortlist",
    "faiss-cpu",
    "hnswlib",
    "implicit",
    "numba",
    "numpy",
    "polars",
    "scikit-learn",
    "scikit-surprise",
    "scipy",
    "torch",
    "usearch",
)


def write(
    name: str, payload: Mapping[str, Any], *, data_hash: str, seed: int | None, path: Path | None = None
) -> Path:
    """Write `payload` to `results/NAME.json`, or to `path`, with machine, versions and date; return the path.

    `payload` holds plain values, NumPy arrays and scalars; what `table` returns goes under `payload["tables"]`.
    `data_hash` names the data (`hash_files`, or the data set's own hash); `seed` is None where nothing is random.
    The file is replaced in one step, so that a run that is cut off leaves the old one. Raises `TypeError` and
    `ValueError` for what JSON cannot hold, NaN and infinity among them.
    """
    document = {
        "name": name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "data_hash": data_hash,
        "machine": machine(),
        "results": payload,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"
    target = path or DIRECTORY / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, text)
    return target


def table(columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> dict[str, Any]:
    """Return a table for `write`: `columns` maps each title to the format of its numbers ("" for text).

    A cell is a value, or None for "not measured". Raises `ValueError` for a row of another width.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(
                f"a row has {len(row)} cells for the {len(columns)} columns {', '.join(columns)}: {row}"
            )
    return {
        "columns": [{"title": title, "format": spec} for title, spec in columns.items()],
        "rows": [list(row) for row in rows],
    }


def median_spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, least and greatest of `values` (at least one) and their number."""
    if len(values) == 0:
        raise ValueError("no values: the benchmark ran no time")
    return {
        "median": float(np.median(values)),
        "min": float(min(values)),
        "max": float(max(values)),
        "runs": len(values),
    }


def alternate(
    commands: Mapping[str, Sequence[str | Path]], runs: int, *, env: Mapping[str, str] | None = None
) -> dict[str, list[Any]]:
    """Run each of `commands` `runs` times, in turns, each in a process of its own; return what they measured.

    A command prints its measurement as JSON on the last line of its output; what it writes to standard error is
    seen on the screen. Every other round goes in reverse order, so that neither side always runs on the warmer
    machine. `env` is added to the environment of each. Raises `RuntimeError` when a command fails or prints no JSON.
    """
    measured: dict[str, list[Any]] = {name: [] for name in commands}
    for turn in range(runs):
        for name in list(commands)[:: 1 if turn % 2 == 0 else -1]:
            measured[name].append(_run(name, commands[name], env or {}))
    return measured


def ratio_interval(
    numerator: Sequence[float],
    denominator: Sequence[float],
    *,
    level: float = 0.95,
    n_resamples: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> dict[str, float]:
    """Return the ratio of the two medians and its percentile bootstrap interval (`ratio`, `low`, `high`).

    The two samples are resampled independently of each other; each needs two values or more, else `ValueError`.
    """
    if min(len(numerator), len(denominator)) < 2:  # one run has no spread to speak of
        raise ValueError(f"an interval needs two runs each, got {len(numerator)} and {len(denominator)}")
    generator = np.random.default_rng(rng)
    over, under = (
        np.median(generator.choice(np.asarray(values, float), (n_resamples, len(values))), axis=1)
        for values in (numerator, denominator)
    )
    low, high = np.quantile(over / under, [(1 - level) / 2, (1 + level) / 2])
    return {
        "ratio": float(np.median(numerator) / np.median(denominator)),
        "low": float(low),
        "high": float(high),
        "level": level,
    }


def hash_files(*paths: Path) -> str:
    """Return the SHA-256 of the contents of `paths`, in the order given; it does not depend on where they lie."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def leave_out(reason: str) -> NoReturn:
    """End this benchmark without a result, saying why: its data is not there."""
    print(f"left out: {reason}", file=sys.stderr)
    sys.exit(LEFT_OUT)


def machine() -> dict[str, Any]:
    """Return what the measurement ran on: processor, usable cores, memory, system, Python, package versions."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _run(name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> Any:
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **env}, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name} ended with status {done.returncode}: {' '.join(words)}")
    lines = done.stdout.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError) as error:
        raise RuntimeError(f"{name} printed no JSON on its last line: {' '.join(words)}") from error


def _plain(value: object) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a result cannot hold a {type(value).__name__}: {value!r}")


def _replace(target: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", dir=target.parent, prefix=f".{target.name}.", delete=False, encoding="utf-8"
    ) as file:
        written = Path(file.name)
        file.write(text)
    written.chmod(0o644)
    written.replace(target)
