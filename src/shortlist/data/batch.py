"""recommend_all: the lists of all users in one Parquet file, made part by part; a run that was cut off goes on."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from shortlist.artifacts import State
from shortlist.artifacts.fingerprint import fingerprint
from shortlist.data.file_parts import opened
from shortlist.data.memory import microseconds
from shortlist.data.vocabulary import id_series, pack_strings
from shortlist.errors import ArtifactError, NotFittedError, ParameterError
from shortlist.output_file import replacing, require_writable
from shortlist.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from shortlist.data.file_parts import FileParts
    from shortlist.data.memory import Memory, Moment, OnUnknown
    from shortlist.data.recommendations import Recommendations
    from shortlist.data.vocabulary import Id, Ids

BLOCK_USERS = 1024
SUFFIX = ".parquet"


class Recommender(Protocol):
    """What a batch asks of a fitted model or pipeline."""

    memory_: Memory

    @property
    def is_fitted(self) -> bool:
        """Return whether `fit` has been called."""

    def recommend(
        self,
        users: Iterable[Id],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        items: Iterable[Id] | None = None,
        exclude: Iterable[Id] | None = None,
        at: Moment | None = None,
        context: Mapping[str, Any] | None = None,
        on_unknown: OnUnknown = "raise",
    ) -> Recommendations:
        """Return at most k items for each user, best first."""

    def to_state(self) -> State:
        """Return what the recommender is made of."""


@dataclass
class Batch:
    """What has been written: `rows` of `users` users; `without` of them have no list, `short` one shorter than k.

    `total` users are asked for; lists of `before` users came from a run that was cut off; `seconds` are those of this
    run.
    """

    file: str
    k: int
    total: int
    users: int = 0
    rows: int = 0
    without: int = 0
    short: int = 0
    before: int = 0
    seconds: float = field(default=0.0, compare=False)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add the counts of one block of users."""
        for name, number in counts.items():
            setattr(self, name, getattr(self, name) + number)

    @property
    def users_per_second(self) -> float:
        """Return the rate of this run; 0 where it had nothing to do."""
        done = self.users - self.before
        return done / self.seconds if done and self.seconds > 0 else 0.0

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"users_per_second": self.users_per_second}


def recommend_all(
    recommender: Recommender,
    path: str | Path,
    k: int = 10,
    *,
    users: Iterable[Id] | None = None,
    exclude_seen: bool = True,
    items: Iterable[Id] | None = None,
    exclude: Iterable[Id] | None = None,
    at: Moment | None = None,
    context: Mapping[str, Any] | None = None,
    on_unknown: OnUnknown = "skip",
    reasons: bool = False,
    restart: bool = False,
    block_users: int = BLOCK_USERS,
    on_block: Callable[[Batch], object] | None = None,
) -> Batch:
    """Write the lists of many users to the Parquet file `path` and return what was written.

    Columns: user_id, item_id, score (Float32), rank (Int32, from 1), title where the data has titles; users in the
    order asked, ranks ascending. The rows are those of `recommend`.

    - recommender: a fitted model or pipeline; k, exclude_seen, items, exclude, at, context, on_unknown: as there
    - users: distinct ids; all users of the data by default, in the order of their ids
    - reasons: add the column reason, a sentence a person can read
    - restart: throw away what a run that was cut off has left, instead of going on from there
    - block_users: users a block; memory holds the lists and candidates of one block
    - on_block: called with the `Batch` so far, once before the first block and after each

    The lists gather in the folder `path`.parts, block by block, until all are there; then `path` is written and takes
    its name in one step, and the folder goes. However a run ends, the next one with the same recommender and
    arguments makes only what is missing, and the file is byte for byte that of an undisturbed run. A pipeline with
    stages of your own cannot be told from another one, so its run begins anew each time.

    Raises `ParameterError` for a name that does not end in .parquet, for users given twice, and where lists of
    another recommender or other arguments were begun, naming what differs; what `recommend` raises; `OSError`.
    """
    file = _require_parquet(path)
    if not recommender.is_fitted:
        raise NotFittedError("the recommender is not fitted; call fit(dataset) first")
    k, block_users = whole("k", k, least=0), whole("block_users", block_users, least=1)
    ids = recommender.memory_.users.ids if users is None else _distinct(users)
    limits: dict[str, Any] = {
        "exclude_seen": exclude_seen,
        "items": None if items is None else id_series(items),
        "exclude": None if exclude is None else id_series(exclude),
        "at": None if at is None else microseconds(at),
        "context": None if context is None else dict(context),
        "on_unknown": on_unknown,
    }
    known = _fingerprint_of(recommender)
    plan = _plan(known, ids, k, limits, reasons=reasons, block_users=block_users)
    batch, report = Batch(str(file), k, ids.len()), on_block or (lambda batch: None)
    with opened(file, plan, restart=restart or known is None) as parts:
        begun = time.perf_counter()
        for counts in parts.done.values():
            batch.count(counts)
        batch.before = batch.users
        report(batch)
        for number in _missing(parts, ids.len(), block_users):
            block = ids.slice(number * block_users, block_users)
            shown = recommender.recommend(block, k, **limits)
            parts.add(number, _rows(shown, reasons=reasons), _counts(shown, k))
            batch.count(parts.done[number])
            batch.seconds = time.perf_counter() - begun
            report(batch)
        with replacing(file) as beside:
            parts.join(beside)
        batch.seconds = time.perf_counter() - begun
        parts.remove()
    return batch


def _require_parquet(path: str | Path) -> Path:
    file = Path(path)
    if file.suffix != SUFFIX:
        raise ParameterError(f"{file}: the lists are written as Parquet; give a name that ends in {SUFFIX}")
    return require_writable(file)


def _distinct(users: Iterable[Id]) -> Ids:
    ids = id_series(users)
    if ids.n_unique() < ids.len():
        twice = ids.filter(ids.is_duplicated())[0]
        raise ParameterError(f"user {twice!r} is given twice; give each user once")
    return ids


def _fingerprint_of(recommender: Recommender) -> str | None:
    """Return what tells this recommender from every other, None for one that cannot be saved."""
    try:
        return fingerprint(recommender.to_state())
    except ArtifactError:
        return None


def _plan(known: str | None, ids: Ids, k: int, limits: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return all that decides what is in the parts, as short plain values."""
    listed = {name: value for name, value in limits.items() if not isinstance(value, pl.Series)}
    digests = {name: _digest(value) for name, value in limits.items() if isinstance(value, pl.Series)}
    plan = {
        "recommender": known,
        "users": _digest(ids),
        "k": k,
        **listed,
        **digests,
        **more,
        "shortlist": version("shortlist"),
    }
    # As it comes back from the disk; what JSON does not know, a time in a context say, stands there as Python shows it.
    read_back: dict[str, Any] = json.loads(json.dumps(plan, default=repr))
    return read_back


def _digest(ids: Ids) -> str:
    arrays = pack_strings(ids) if ids.dtype == pl.String else {"ids": np.asarray(ids.to_numpy())}
    return f"{ids.len()} ids {fingerprint(State('Ids', {}, arrays))[:16]}"


def _missing(parts: FileParts, n_users: int, block_users: int) -> list[int]:
    # Of no users at all there is one part still, which has the columns.
    n_blocks = max(1, -(-n_users // block_users))
    return [number for number in range(n_blocks) if number not in parts.done]


def _rows(shown: Recommendations, *, reasons: bool) -> pl.DataFrame:
    return shown.frame.with_columns(shown.reasons["reason"]) if reasons else shown.frame


def _counts(shown: Recommendations, k: int) -> dict[str, int]:
    length = shown.lists.ptr[1:] - shown.lists.ptr[:-1]
    return {
        "users": length.size,
        "rows": int(length.sum()),
        "without": int((length == 0).sum()),
        "short": int(((length > 0) & (length < k)).sum()),
    }
