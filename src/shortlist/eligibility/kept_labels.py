"""The labels of rows as attributes of a rule that an artifact can hold: arrays, and a list of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.data.row_labels import RowLabels

if TYPE_CHECKING:
    from shortlist.models.stage import Stage


def fitted_names(of: str) -> tuple[str, str, str]:
    """Return the names of the attributes that hold labels, for `FITTED`; `of` says whose they are.

    >>> fitted_names("item")
    ('item_labels_', 'item_ptr_', 'item_code_')
    """
    return f"{of}_labels_", f"{of}_ptr_", f"{of}_code_"


def keep(rule: Stage, of: str, rows: RowLabels) -> None:
    """Set the attributes of `rule` that hold `rows`."""
    for name, value in zip(fitted_names(of), (list(rows.labels), rows.ptr, rows.code), strict=True):
        setattr(rule, name, value)


def kept(rule: Stage, of: str, column: str) -> RowLabels:
    """Return what `keep` set, as labels in `column`."""
    return RowLabels(column, *(getattr(rule, name) for name in fitted_names(of)))
