"""Data read for a command: what was rejected is said as a note instead of a warning, and kept in a file where asked."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shortlist.cli import lazy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from shortlist.cli.work import Work
    from shortlist.config import Configuration
    from shortlist.data.dataset import Dataset


def dataset_of(configuration: Configuration, work: Work, rejects: Path | None = None) -> Dataset:
    """Return the data that `configuration` names; rejected rows are counted in a note.

    They are written to `rejects` where a file is named: .csv, .jsonl or .parquet. Whether that can be is tried first.
    """
    with keeping_rejects(rejects, work):
        work.step("reading the data")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lazy.import_report.DataWarning)
            data = configuration.dataset()
    report = data.report
    if report is not None and not report.ok:
        work.note(f"note: {report.summary()}")
    if report is not None and rejects is not None:
        write(report.rejects, rejects, work)
    return data


@contextmanager
def keeping_rejects(file: Path | None, work: Work) -> Iterator[None]:
    """Write the rejects to `file` even where every row of a table is one, which ends the reading of it."""
    if file is None:
        yield
        return
    lazy.reject_file.require_writable(file)
    try:
        yield
    except lazy.import_report.NoUsableRowsError as error:
        write(error.report.named_rejects, file, work)
        raise


def typed_delimiter(text: str | None) -> str | None:
    r"""Return the delimiter that was typed; a tab is hard to type, and \t stands for it."""
    return "\t" if text == r"\t" else text


def write(rejects: pl.DataFrame, file: Path, work: Work) -> None:
    """Write `rejects` to `file` and note how many there are."""
    n = lazy.reject_file.write_rejects(rejects, file)
    work.note(f"note: {n:,} rejected {'row is' if n == 1 else 'rows are'} in {file}")
