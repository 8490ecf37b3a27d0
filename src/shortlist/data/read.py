"""Reading data: files or frames in, a Dataset with its import report out."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist.data.assembly import assemble
from shortlist.data.columns import ColumnMap, nearest
from shortlist.data.events import Meaning, read_events
from shortlist.data.feature_reading import FeatureSpec, read_features
from shortlist.data.import_report import DataWarning
from shortlist.data.tables import open_table
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.data.columns import TableRole
    from shortlist.data.dataset import Dataset
    from shortlist.data.feature_reading import FeatureRows
    from shortlist.data.import_report import ImportReport
    from shortlist.data.tables import Source, Table

DEFAULT_NAME = "data"


def read(
    interactions: Source,
    *,
    items: Source | None = None,
    users: Source | None = None,
    kind: str | None = None,
    scale: tuple[float, float] | None = None,
    positive_from: float | None = None,
    columns: Mapping[str, str | Mapping[str, str] | None] | None = None,
    context: Sequence[str] = (),
    features: Mapping[str, Mapping[str, object]] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    name: str | None = None,
    repeats: bool = False,
) -> Dataset:
    """Return the events in `interactions` and what `items` and `users` say of their ids, as one `Dataset`.

    Each source is the path of a CSV, TSV or Parquet file, or a frame: Polars, pandas, pyarrow, anything with an Arrow
    stream. `dataset.report` says what was taken for what, and lists each row that could not be used.

    - kind: "ratings", "binary" or "events"; None infers it from the values, which the report says
    - scale: (lowest, highest) rating; None takes the lowest and highest there are. Ratings off a declared scale
      are rejected
    - positive_from: the rating from which on an event is positive; see `Feedback.ratings`
    - columns: {"user_id": …, "item_id": …, "value": …, "timestamp": …} names the columns of `interactions` where they
      are not recognised, None for a value or timestamp to leave out; {"items": {"item_id": …}} and
      {"users": {"user_id": …}} name the id columns of the feature tables
    - context: further columns of `interactions` to keep, row by row, in `dataset.interactions.context`
    - features: {"items": {column: kind}, "users": …}; a kind is "numeric", "categorical", "tags", "text", "time", or
      "ignore", or {"kind": "tags", "separator": "|"}; undeclared columns are inferred, which the report says
    - delimiter: between the columns of text files; None means a tab in .tsv and .tab files, else a comma
    - encoding: of text files, such as "latin-1" or "windows-1252"; None means UTF-8, or UTF-16 where a byte order mark
      says so
    - name: of the dataset; None takes the name of the file
    - repeats: people come back to the same items (groceries, songs), so `evaluate` measures lists with seen items too

    Ids stay as they are: integers, or strings. Those of a CSV column are integers only if every one is written as an
    integer prints itself (so 007 makes strings of all). The same ids in a feature table become the same kind.
    Times are seconds, milliseconds, microseconds or nanoseconds by their magnitude, ISO 8601, dates or datetimes;
    UTC unless they say otherwise. Several events of one user and item are all kept.

    Raises `DataError` when a table cannot be used at all, with the file and what to do; `ParameterError` for a
    contradiction in the parameters. Emits one `DataWarning` when rows were rejected.
    Cost: O(rows log rows) time; a CSV file is mapped, its columns that are used are held in memory.
    """
    request = Reading(kind, scale, positive_from, columns, context, features, delimiter, encoding)
    data, report = request.run(name or _name_of(interactions), interactions, items, users)
    if not report.ok:
        warnings.warn(f"{report.summary()}; dataset.report lists them", DataWarning, stacklevel=2)
    return replace(data, repeats=repeats)


def check(
    interactions: Source,
    *,
    items: Source | None = None,
    users: Source | None = None,
    kind: str | None = None,
    scale: tuple[float, float] | None = None,
    positive_from: float | None = None,
    columns: Mapping[str, str | Mapping[str, str] | None] | None = None,
    context: Sequence[str] = (),
    features: Mapping[str, Mapping[str, object]] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> ImportReport:
    """Return the report that `read` would give, without a warning; `report.ok` says that nothing was rejected.

    Parameters and `Raises` as of `read`.
    """
    request = Reading(kind, scale, positive_from, columns, context, features, delimiter, encoding)
    return request.run(DEFAULT_NAME, interactions, items, users)[1]


@dataclass(frozen=True)
class Reading:
    """The parameters of `read` that say how, checked and run."""

    kind: str | None
    scale: tuple[float, float] | None
    positive_from: float | None
    columns: Mapping[str, str | Mapping[str, str] | None] | None
    context: Sequence[str]
    features: Mapping[str, Mapping[str, object]] | None
    delimiter: str | None
    encoding: str | None

    def run(
        self, name: str, interactions: Source, items: Source | None, users: Source | None
    ) -> tuple[Dataset, ImportReport]:
        """Return the dataset and its report."""
        names = ColumnMap.of(self.columns)
        specs = _specs(self.features, {"items": items, "users": users})
        if isinstance(self.context, str):
            raise ParameterError(f"context must be a list of columns, got the text {self.context!r}")
        meaning = Meaning(self.kind, self.scale, self.positive_from)
        table = self._open(interactions, "interactions")
        events = read_events(table, names.events, self.context, meaning)
        item_rows = self._features(items, "items", names, specs)
        return assemble(name, events, item_rows, self._features(users, "users", names, specs))

    def _features(
        self,
        source: Source | None,
        role: TableRole,
        names: ColumnMap,
        specs: Mapping[str, Mapping[str, FeatureSpec]],
    ) -> FeatureRows | None:
        if source is None:
            return None
        return read_features(self._open(source, role), role, names.ids.get(role), specs.get(role, {}))

    def _open(self, source: Source, role: str) -> Table:
        return open_table(source, role, self.delimiter, self.encoding)


def _specs(
    features: Mapping[str, Mapping[str, object]] | None, sources: Mapping[str, object]
) -> dict[str, dict[str, FeatureSpec]]:
    for table in features or {}:
        if table not in sources:
            raise ParameterError(
                f"features: no table {table!r}{nearest(table, list(sources))}; tables: items, users"
            )
        if sources[table] is None:
            raise ParameterError(f"features are declared for {table!r} and no such table is given: {table}=…")
    return {
        table: {column: FeatureSpec.of(column, spec) for column, spec in columns.items()}
        for table, columns in (features or {}).items()
    }


def _name_of(source: object) -> str:
    return Path(source).stem if isinstance(source, str | os.PathLike) else DEFAULT_NAME
