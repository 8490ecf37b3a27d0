"""The lists of all users as a Parquet file, written as they are made: memory holds those of one block of users."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

from shortlist.errors import ParameterError
from shortlist.output_file import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shortlist.cli.screen import Screen
    from shortlist.cli.work import Work
    from shortlist.data.memory import Memory
    from shortlist.data.recommendations import Recommendations
    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline

BLOCK_USERS = 1024
SUFFIX = ".parquet"


@dataclass
class Written:
    """What was written: `rows` of `users` users; `without` of them have no list, `short` a list shorter than k."""

    file: str
    k: int
    users: int = 0
    rows: int = 0
    without: int = 0
    short: int = 0

    def count(self, shown: Recommendations) -> None:
        """Count the lists of one block of users."""
        length = shown.lists.ptr[1:] - shown.lists.ptr[:-1]
        self.users += length.size
        self.rows += int(length.sum())
        self.without += int((length == 0).sum())
        self.short += int(((length > 0) & (length < self.k)).sum())

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def show(self, console: Screen) -> None:
        """Print what was written, in one line."""
        parts = [f"{self.file}: {self.rows:,} rows, users {self.users:,}"]
        if self.short:
            parts.append(f"with fewer than {self.k} items: {self.short:,}")
        if self.without:
            parts.append(
                f"without a list: {self.without:,} (--on-unknown fallback gives them the popular items)"
            )
        console.print("; ".join(parts), soft_wrap=True)


def write_lists(
    recommender: Model | Pipeline,
    file: Path,
    k: int,
    work: Work,
    *,
    block_users: int = BLOCK_USERS,
    **limits: Any,
) -> Written:
    """Write the lists of all users to `file` and return what was written.

    Columns: user_id, item_id, score (Float32), rank (Int32, from 1), title where the data has titles; users in the
    order of their ids, ranks ascending. `limits` are further arguments of `recommend`. The rows go to a file
    beside `file` that is renamed to it at the end, so that `file` is whole or untouched.
    Raises `ParameterError` for a name that does not end in .parquet, `OSError` when it cannot be written.
    """
    if file.suffix != SUFFIX:
        raise ParameterError(f"{file}: the lists are written as Parquet; give a name that ends in {SUFFIX}")
    memory, written = recommender.memory_, Written(str(file), k)
    work.step(f"writing {file}", total=len(memory.users))

    def blocks() -> Iterator[pl.DataFrame]:
        for start in range(0, len(memory.users), block_users):
            users = memory.users.ids_of(slice(start, start + block_users))
            shown = recommender.recommend(users, k, **limits)
            written.count(shown)
            yield shown.frame
            work.advance(len(users))

    with replacing(file) as beside:
        _stream(blocks, _schema(memory)).sink_parquet(beside)
    return written


def _schema(memory: Memory) -> dict[str, pl.DataType]:
    schema = {"user_id": memory.users.ids.dtype, "item_id": memory.items.ids.dtype}
    schema |= {"score": pl.Float32(), "rank": pl.Int32()}
    return schema | ({} if memory.titles is None else {"title": pl.String()})


def _stream(blocks: Callable[[], Iterator[pl.DataFrame]], schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Return the frames that `blocks` yields, asked for one by one as they are written."""

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        # A plain sink pushes nothing down to its source; Polars keeps the right to.
        for frame in blocks():
            part = frame if predicate is None else frame.filter(predicate)
            part = part if columns is None else part.select(columns)
            yield part if n_rows is None else part.head(n_rows)
            n_rows = None if n_rows is None else max(0, n_rows - part.height)

    return register_io_source(source, schema=schema)
