"""The data of a configuration, with what was rejected said as a note instead of a warning."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from shortlist.cli import lazy

if TYPE_CHECKING:
    from shortlist.cli.work import Work
    from shortlist.config import Configuration
    from shortlist.data.dataset import Dataset


def dataset_of(configuration: Configuration, work: Work) -> Dataset:
    """Return the data that `configuration` names; rejected rows are counted in a note."""
    work.step("reading the data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazy.import_report.DataWarning)
        data = configuration.dataset()
    if data.report is not None and not data.report.ok:
        work.note(f"note: {data.report.summary()}")
    return data
