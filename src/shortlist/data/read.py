"""Reading data: files or frames in, a Dataset with its import report out."""

from __future__ import annotations

import glob
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist.data.assembly import assemble
from shortlist.data.columns import ColumnMap, nearest, require_not_swapped
from shortlist.data.context_columns import with_time_parts
from shortlist.data.duplicate_rows import Duplicates
from shortlist.data.events import Meaning, read_events
from shortlist.data.feature_reading import FeatureSpec, read_features
from shortlist.data.import_report import DataWarning
from shortlist.data.labelling import TableColumns, read_labelled
from shortlist.data.labels import Labels
from shortlist.data.memory import Moment, microseconds
from shortlist.data.tables import open_table
from shortlist.data.time_checks import TimeLimits
from shortlist.errors import ParameterError
from shortlist.parameters import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.data.columns import TableRole
    from shortlist.data.dataset import Dataset
    from shortlist.data.events import Events
    from shortlist.data.feedback import Kind
    from shortlist.data.import_report import ImportReport
    from shortlist.data.tables import Source, Table

DEFAULT_NAME = "data"


def read(
    interactions: Source,
    *,
    items: Source | None = None,
    users: Source | None = None,
    kind: Kind | None = None,
    scale: tuple[float, float] | None = None,
    positive_from: float | None = None,
    labels: Labels | None = None,
    impressions: Source | None = None,
    columns: Mapping[str, str | Mapping[str, str] | None] | None = None,
    context: Sequence[str] = (),
    features: Mapping[str, Mapping[str, object]] | None = None,
    duplicates: Duplicates = "keep",
    earliest: Moment | None = None,
    latest: Moment | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    name: str | None = None,
    repeats: bool = False,
    time_parts: Sequence[str] = (),
) -> Dataset:
    """Return the events in `interactions` and what `items` and `users` say of their ids, as one `Dataset`.

    Each source is a path (CSV, TSV or JSON Lines, plain or packed by gzip or zstd, or Parquet), a pattern such as
    "events/*.csv.gz", a folder, a list of these, a `Query` of a database, or a frame: Polars, pandas, pyarrow, anything
    with an Arrow stream. Several files are one table; folders KEY=VALUE are columns of it.
    `dataset.report` says what was taken for what, and lists each row that could not be used.

    - kind: "ratings", "binary" or "events"; None infers it from the values, which the report says
    - scale: (lowest, highest) rating; None takes the lowest and highest there are. Ratings off a declared scale
      are rejected
    - positive_from: the rating from which on an event is positive; see `Feedback.ratings`
    - labels: the rule that makes labels 1 and 0 of the rows; see `Labels`. The values are those labels then
    - impressions: what was shown to whom, in a table of its own; without `labels`, every row of `interactions` is an
      engagement
    - columns: {"user_id": …, "item_id": …, "value": …, "timestamp": …} names the columns of `interactions` where they
      are not recognised, None for a value or timestamp to leave out; {"items": {"item_id": …}} and
      {"users": {"user_id": …}} name the id columns of the feature tables, {"impressions": {"user_id": …, …}} the
      columns of the impressions
    - context: further columns of `interactions` to keep, row by row, in `dataset.interactions.context`
    - features: {"items": {column: kind}, "users": …}; a kind is "numeric", "categorical", "tags", "text", "time", or
      "ignore", or {"kind": "tags", "separator": "|"}; undeclared columns are inferred, which the report says
    - duplicates: what becomes of a row that an earlier one equals in user, item, value, time and context: "keep", or
      "reject". Both are counted. Events of one pair at different times stay in any case
    - earliest, latest: between which times (datetime, ISO 8601 text, or µs since 1970) events lie; others are rejected.
      None rejects what lies more than a day in the future, and what is far before all others, as 0 among the times of
      today: from before 1981 and beyond a gap of ten years or more
    - delimiter: between the columns of text files; None means a tab in .tsv and .tab files, else a comma
    - encoding: of text files, such as "latin-1" or "windows-1252"; None means UTF-8, or UTF-16 where a byte order mark
      says so
    - name: of the dataset; None takes the name of the file or folder
    - repeats: people come back to the same items (groceries, songs), so `evaluate` measures lists with seen items too
    - time_parts: "hour", "weekday" or "month" of each event's time, as further columns of context (`with_time_parts`)

    Ids stay as they are: integers, or strings. Those of a CSV column are integers only if every one is written as an
    integer prints itself (so 007 makes strings of all). The same ids in a feature table become the same kind.
    Times are seconds, milliseconds, microseconds or nanoseconds by their magnitude, ISO 8601, dates or datetimes;
    UTC unless they say otherwise. Several events of one user and item are all kept.

    Raises `DataError` when a table cannot be used at all, with the file and what to do; `ParameterError` for a
    contradiction in the parameters. Emits one `DataWarning` when rows were rejected.
    Cost: O(rows log rows) time; a CSV file is mapped, its columns that are used are held in memory.
    """
    how = Meaning(kind, scale, positive_from), labels, columns, context, features, duplicates
    request = Reading(*how, _limits(earliest, latest), delimiter, encoding)
    data, report = request.run(name or _name_of(interactions), interactions, impressions, items, users)
    if not report.ok:
        warnings.warn(f"{report.summary()}; dataset.report lists them", DataWarning, stacklevel=2)
    declared = replace(data, repeats=repeats)
    return with_time_parts(declared, time_parts) if time_parts else declared


def check(
    interactions: Source,
    *,
    items: Source | None = None,
    users: Source | None = None,
    kind: Kind | None = None,
    scale: tuple[float, float] | None = None,
    positive_from: float | None = None,
    labels: Labels | None = None,
    impressions: Source | None = None,
    columns: Mapping[str, str | Mapping[str, str] | None] | None = None,
    context: Sequence[str] = (),
    features: Mapping[str, Mapping[str, object]] | None = None,
    duplicates: Duplicates = "keep",
    earliest: Moment | None = None,
    latest: Moment | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> ImportReport:
    """Return the report that `read` would give, without a warning; `report.ok` says that nothing was rejected.

    Parameters and `Raises` as of `read`.
    """
    how = Meaning(kind, scale, positive_from), labels, columns, context, features, duplicates
    request = Reading(*how, _limits(earliest, latest), delimiter, encoding)
    return request.run(DEFAULT_NAME, interactions, impressions, items, users)[1]


@dataclass(frozen=True)
class Reading:
    """The parameters of `read` that say how, checked and run."""

    meaning: Meaning
    labels: Labels | None
    columns: Mapping[str, str | Mapping[str, str] | None] | None
    context: Sequence[str]
    features: Mapping[str, Mapping[str, object]] | None
    duplicates: Duplicates
    limits: TimeLimits
    delimiter: str | None
    encoding: str | None

    def __post_init__(self) -> None:
        one_of("duplicates", self.duplicates, Duplicates)
        if isinstance(self.context, str):
            raise ParameterError(f"context must be a list of columns, got the text {self.context!r}")
        if self.labels is not None and not isinstance(self.labels, Labels):
            raise ParameterError(f'labels must be Labels(engaged="…"), got {self.labels!r}')

    def run(
        self,
        name: str,
        interactions: Source,
        impressions: Source | None,
        items: Source | None,
        users: Source | None,
    ) -> tuple[Dataset, ImportReport]:
        """Return the dataset and its report."""
        names = ColumnMap.of(self.columns)
        specs = _specs(self.features, {"items": items, "users": users})
        table = self._open(interactions, "interactions")
        shown = None if impressions is None else self._open(impressions, "impressions")
        features: dict[TableRole, Table] = {
            role: self._open(source, role) for role, source in _by_role(items, users) if source is not None
        }
        require_not_swapped(table, features, names)
        events = self._events(table, shown, names)
        rows = {
            role: read_features(found, role, names.ids.get(role), specs.get(role, {}))
            for role, found in features.items()
        }
        return assemble(name, events, rows.get("items"), rows.get("users"))

    def _events(self, table: Table, shown: Table | None, names: ColumnMap) -> Events:
        if self.labels is None and shown is None:
            return read_events(table, names.events, self.context, self.meaning, self.limits, self.duplicates)
        self._require_labels_alone()
        events = TableColumns(table, names.events)
        impressions = None if shown is None else TableColumns(shown, names.of_impressions(shown.columns))
        return read_labelled(events, impressions, self.context, self.labels or Labels(), self.limits)

    def _require_labels_alone(self) -> None:
        declared = self.meaning.scale, self.meaning.positive_from
        if self.meaning.kind not in (None, "binary") or declared != (None, None):
            raise ParameterError(
                'labels are 1 and 0: leave kind, scale and positive_from out, or give kind="binary"'
            )
        if self.duplicates != "keep":
            raise ParameterError(
                'duplicates="reject" is for events; leave it out: labels take exposures of a pair at one moment as one'
            )

    def _open(self, source: Source, role: str) -> Table:
        return open_table(source, role, self.delimiter, self.encoding)


def _by_role(items: Source | None, users: Source | None) -> list[tuple[TableRole, Source | None]]:
    return [("items", items), ("users", users)]


def _limits(earliest: Moment | None, latest: Moment | None) -> TimeLimits:
    first, last = _moment("earliest", earliest), _moment("latest", latest)
    if first is not None and last is not None and first > last:
        raise ParameterError(f"earliest={earliest!r} is after latest={latest!r}")
    return TimeLimits(first, last)


def _moment(name: str, moment: Moment | None) -> int | None:
    try:
        return None if moment is None else microseconds(moment)
    except ParameterError as error:
        raise ParameterError(str(error).replace("at=", f"{name}=", 1)) from error


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
    if not isinstance(source, str | os.PathLike):
        return DEFAULT_NAME
    # Of a pattern, the last folder that stands for itself.
    parts = [part for part in Path(source).parts if not glob.has_magic(part)] or [DEFAULT_NAME]
    return Path(parts[-1]).name.removesuffix(".gz").removesuffix(".zst").rsplit(".", 1)[0] or DEFAULT_NAME
