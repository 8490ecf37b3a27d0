"""Timing: what a list costs and what a fitted recommender takes on disk, measured for all of them in turns."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Vocabulary
    from shortlist.experiments.recommender import Recommender

BATCH_USERS, SINGLE_USERS, ROUNDS, WARM_UP_REQUESTS = 1000, 200, 3, 3


@dataclass(frozen=True)
class Times:
    """The costs of one recommender.

    - fit_seconds: of its one fit, None where it came fitted
    - batch_ms_per_user: of a request for all sampled users at once, the median of `ROUNDS`
    - single_ms, single_ms_p95: median and 95th percentile of requests for one user each
    - size_mb: on disk, in 10⁶ bytes, None where it cannot be saved
    """

    fit_seconds: float | None
    batch_ms_per_user: float
    single_ms: float
    single_ms_p95: float
    size_mb: float | None


@dataclass(frozen=True)
class Requests:
    """What was asked for: how many users in a batch, how many one by one, and the length of the lists."""

    n_batch: int
    n_single: int
    k: int


def sample_of(
    users: Vocabulary, user_idx: NDArray[np.int32], seed: int | None, n: int = BATCH_USERS
) -> pl.Series:
    """Return the ids of `n` of the users at `user_idx`, drawn by `seed`, or all where there are fewer."""
    drawn = np.random.default_rng(seed).permutation(user_idx)[:n]
    return users.ids_of(drawn)


def request_times(
    recommenders: Mapping[str, Recommender], users: pl.Series, k: int, *, exclude_seen: bool
) -> tuple[dict[str, tuple[float, float, float]], Requests]:
    """Return the times of each recommender, and what was asked for.

    Times, in ms: a user of a batch; median and 95th percentile of requests for a single user.

    Everyone is asked some times unmeasured first, so that kernels are compiled and caches filled. Then they are asked
    in turns, so that what else the machine does falls on all of them alike. Cost: `ROUNDS` + 1 batches and
    `SINGLE_USERS` requests each.
    """
    singles = users.head(SINGLE_USERS)
    options: dict[str, Any] = {"exclude_seen": exclude_seen, "on_unknown": "fallback"}

    def seconds(model: Recommender, asked: pl.Series) -> float:
        start = time.perf_counter()
        model.recommend(asked, k, **options)
        return time.perf_counter() - start

    for model in recommenders.values():
        for asked in (users, *(singles.slice(at, 1) for at in range(min(WARM_UP_REQUESTS, singles.len())))):
            seconds(model, asked)
    batch = [[seconds(model, users) for model in recommenders.values()] for _ in range(ROUNDS)]
    single = [
        [seconds(model, singles.slice(at, 1)) for model in recommenders.values()]
        for at in range(singles.len())
    ]
    in_batch = 1e3 * np.median(batch, axis=0) / users.len()
    median, p95 = 1e3 * np.quantile(single, [0.5, 0.95], axis=0)
    found = zip(in_batch.tolist(), median.tolist(), p95.tolist(), strict=True)
    return dict(zip(recommenders, found, strict=True)), Requests(users.len(), singles.len(), k)


def size_mb(recommender: Any) -> float | None:
    """Return what the saved recommender takes on disk in 10⁶ bytes, None where it cannot be saved. It is saved once."""
    if not hasattr(recommender, "save"):
        return None
    with tempfile.TemporaryDirectory(prefix="shortlist-size-") as folder:
        try:
            saved = recommender.save(Path(folder) / "saved")
        except ArtifactError:
            return None
        return sum(file.stat().st_size for file in Path(saved).rglob("*") if file.is_file()) / 1e6
