"""Reading features: a table of items or users into a FeatureTable; kinds as declared, or inferred and said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import polars as pl

from shortlist.data.cells import TEXT, is_missing, is_numeric_text, screen_ids, settle_ids, to_numbers
from shortlist.data.columns import (
    ColumnUse,
    TableRole,
    find_id,
    find_other_id,
    nearest,
    plain,
    require_column,
)
from shortlist.data.features import DTYPES, ID, FeatureKind
from shortlist.data.import_report import TableReport, require_rows
from shortlist.data.rejects import Screening
from shortlist.data.timestamps import read_times
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shortlist.data.tables import Table

IGNORE = "ignore"
TAG_SEPARATOR = "|"
TEXT_NAMES = frozenset(
    (
        "title",
        "name",
        "description",
        "summary",
        "overview",
        "plot",
        "synopsis",
        "abstract",
        "text",
        "body",
        "review",
        "comment",
    )
)
TAG_NAMES = frozenset(
    (
        "genres",
        "genre",
        "tags",
        "tag",
        "categories",
        "category",
        "keywords",
        "labels",
        "topics",
        "subjects",
        "themes",
    )
)
ISO_DATE = r"^\s*\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True)
class FeatureSpec:
    """What a column is: a feature kind, or None for a column to leave out; `separator` is that of tags in text."""

    kind: FeatureKind | None
    separator: str | None = None
    declared: bool = True

    @classmethod
    def of(cls, column: str, spec: object) -> FeatureSpec:
        """Return the spec that the caller wrote: a kind, or {"kind": "tags", "separator": "|"}.

        Raises `ParameterError` for another word, with the nearest right one.
        """
        if isinstance(spec, str):
            spec = {"kind": spec}
        if not isinstance(spec, dict) or not {"kind"} <= set(spec) <= {"kind", "separator"}:
            raise ParameterError(
                f'features: {column!r} must be a kind such as "text", or {{"kind": "tags", "separator": "|"}}; '
                f"got {spec!r}"
            )
        kind, separator, words = spec["kind"], spec.get("separator"), [*get_args(FeatureKind), IGNORE]
        if kind not in words:
            raise ParameterError(
                f"features: {column!r} has the kind {kind!r}{nearest(str(kind), words)}; kinds: {', '.join(words)}"
            )
        if separator is not None and (kind != "tags" or not isinstance(separator, str) or not separator):
            raise ParameterError(
                f'features: {column!r}: separator={separator!r} belongs to kind="tags", as a text'
            )
        if kind == "tags":
            return cls("tags", separator or TAG_SEPARATOR)
        return cls(None if kind == IGNORE else kind)


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """The usable rows of a feature table, one an id: `ids` Int64 or String, `features` in the dtypes of their kinds."""

    ids: pl.Series
    features: pl.DataFrame
    kinds: Mapping[str, FeatureKind]
    report: TableReport


def read_features(
    table: Table, role: TableRole, id_column: str | None, declared: Mapping[str, FeatureSpec]
) -> FeatureRows:
    """Return the rows of `table`, whose ids are those of `role` ("items" or "users").

    A cell that is empty is null. A row is rejected for a missing id, a cell that is not what its column was declared
    to be, or an id that an earlier row has. Raises `DataError` when a declared column or the id column is missing.
    """
    use = find_id(table.name, role, table.columns, id_column)
    for column in declared:
        require_column(table.name, table.columns, column)
    frame = table.load([column for column in table.columns if column])
    screening = Screening(table, frame.height)
    ids = screen_ids(table.name, frame[use.column], screening)
    ids = ids.cast(pl.String) if ids.dtype == pl.Enum else ids
    specs, notes = _settle_specs(frame, use.column, declared, screening)
    columns = [_read_feature(table.name, frame[c], spec, screening) for c, spec in specs.items()]
    # Among the rows still good, so that a rejected row does not shadow a good one of the same id.
    among = ids.set(pl.Series(~screening.keep), None)
    n_usable = int(screening.keep.sum())
    screening.reject(~among.is_first_distinct(), use.column, ids, "an earlier row has this id")
    if 2 * int(screening.keep.sum()) < n_usable:
        notes += _doubts(table, role, use.column)
    uses = [_use(column, spec) for column, spec in specs.items()]
    report = TableReport(
        table.name,
        role,
        rows_read=frame.height + table.rejects.height,
        rows_kept=int(screening.keep.sum()),
        rejects=screening.rejects(),
        columns=(use, *uses),
        unused=tuple(c for c in table.columns if c not in (use.column, *specs)),
        notes=(*table.notes.values(), *notes),
    )
    require_rows(report)
    kinds = {column: spec.kind for column, spec in specs.items() if spec.kind is not None}
    features = pl.DataFrame([screening.kept(column) for column in columns])
    return FeatureRows(settle_ids(screening.kept(ids), table.textual), features, kinds, report)


def _doubts(table: Table, role: TableRole, id_column: str) -> list[str]:
    # Events given in place of features repeat their ids and have those of the other side.
    other = find_other_id(role, [column for column in table.columns if column != id_column])
    if other is None:
        return []
    side = "users" if role == "items" else "items"
    doubt = f"most ids repeat, and the column {other} looks like that of {side}"
    return [f"{doubt}: are these the events, and no table of {role}?"]


def _settle_specs(
    frame: pl.DataFrame, id_column: str, declared: Mapping[str, FeatureSpec], screening: Screening
) -> tuple[dict[str, FeatureSpec], list[str]]:
    # Column → spec in the order of the table, without those that are left out; and what there is to say about it.
    specs, notes = {}, []
    for column in frame.columns:
        if column == id_column:
            continue
        spec = declared.get(column) or infer_spec(screening.kept(frame[column]))
        if spec is None:
            notes.append(f"{column} is left out: it is {frame[column].dtype}, which is no kind of feature")
        elif column == ID and spec.kind is not None:
            notes.append(
                f"{column} is left out: a feature cannot have the name of the ids; rename the column"
            )
        elif spec.kind is not None:
            specs[column] = spec
    return specs, notes


def infer_spec(column: pl.Series) -> FeatureSpec | None:
    """Return what `column` seems to be: the caller said nothing. None for a type that no kind of feature has.

    Numbers → numeric, dates → time, lists → tags, Booleans → categorical. Text: by its name (title, name,
    description, …) text; with "|" in a column named for tags, or in half of the cells, tags; numeric or time when
    every cell is; else categorical.
    """
    dtype = column.dtype
    if dtype in TEXT:
        return _infer_text(column.name, column.cast(pl.String))
    if isinstance(dtype, pl.List):
        return FeatureSpec("tags", declared=False)
    if dtype in (pl.Date, pl.Datetime):
        return FeatureSpec("time", declared=False)
    if dtype.is_numeric():
        return FeatureSpec("numeric", declared=False)
    return FeatureSpec("categorical", declared=False) if dtype in (pl.Boolean, pl.Null) else None


def _infer_text(name: str, column: pl.Series) -> FeatureSpec:
    cells = column.filter(~is_missing(column))
    if plain(name) in TEXT_NAMES:
        return FeatureSpec("text", declared=False)
    n_lists = int(cells.str.contains(TAG_SEPARATOR, literal=True).sum())
    if n_lists and (plain(name) in TAG_NAMES or 2 * n_lists >= cells.len()):
        return FeatureSpec("tags", TAG_SEPARATOR, declared=False)
    if is_numeric_text(cells):
        return FeatureSpec("numeric", declared=False)
    dates = cells.len() > 0 and bool(cells.str.contains(ISO_DATE).all())
    if dates and bool(read_times(name, cells).readable.all()):
        return FeatureSpec("time", declared=False)
    return FeatureSpec("categorical", declared=False)


def _read_feature(name: str, column: pl.Series, spec: FeatureSpec, screening: Screening) -> pl.Series:
    if spec.kind == "numeric":
        return _read_numeric(name, column, screening)
    if spec.kind == "time":
        return _read_time(name, column, screening)
    if spec.kind == "tags":
        return _read_tags(name, column, spec)
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        raise DataError(f"{name}: the column {column.name!r} is {column.dtype}, which cannot be {spec.kind}")
    text = column.cast(pl.String)
    return text.set(is_missing(text), None)


def _read_numeric(name: str, column: pl.Series, screening: Screening) -> pl.Series:
    number = to_numbers(column)
    if number is None:
        raise DataError(f"{name}: the column {column.name!r} is {column.dtype}, which cannot be numeric")
    number = number.fill_nan(None) if column.dtype.is_float() else number
    missing = is_missing(column) if column.dtype in TEXT else number.is_null()
    screening.reject(number.is_null() & ~missing, column.name, column, "unparsable number")
    screening.reject(~number.is_finite().fill_null(value=True), column.name, column, "number is not finite")
    return number


def _read_time(name: str, column: pl.Series, screening: Screening) -> pl.Series:
    times = read_times(name, column)
    screening.reject(~times.readable & ~times.missing, column.name, column, "unparsable time")
    moments = pl.Series(column.name, times.microseconds).cast(DTYPES["time"])
    return moments.set(pl.Series(~times.readable), None)


def _read_tags(name: str, column: pl.Series, spec: FeatureSpec) -> pl.Series:
    if column.dtype in TEXT:
        lists = column.cast(pl.String).str.split(spec.separator or TAG_SEPARATOR)
    elif isinstance(column.dtype, pl.List) and not column.dtype.inner.is_nested():
        lists = column.cast(DTYPES["tags"])
    else:
        raise DataError(
            f"{name}: the column {column.name!r} is {column.dtype}; tags are text or lists of text"
        )
    tag = pl.element().str.strip_chars()
    return lists.list.eval(tag.filter(tag != ""))


def _use(column: str, spec: FeatureSpec) -> ColumnUse:
    kind = f"{spec.kind}, separated by {spec.separator}" if spec.separator else str(spec.kind)
    return ColumnUse(column, "feature", "mapped" if spec.declared else "recognised", kind)
