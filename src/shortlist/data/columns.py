"""Columns: which column of a table is the user, the item, the value, the time; by name or as the caller says."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.data.tables import Table

Role = Literal["user_id", "item_id", "value", "timestamp"]
TableRole = Literal["interactions", "items", "users"]
How = Literal["by its name", "recognised", "mapped"]

# Compared without case, spaces and punctuation; the first one present is taken.
SPELLINGS: dict[Role, tuple[str, ...]] = {
    "user_id": (
        "userid", "uid", "customerid", "memberid", "visitorid", "accountid", "clientid", "profileid", "reviewerid",
        "authorid", "playerid", "listenerid", "readerid", "personid", "username", "user", "customer", "member",
        "visitor", "account", "client", "reviewer", "users",
    ),
    "item_id": (
        "itemid", "iid", "movieid", "productid", "articleid", "bookid", "trackid", "songid", "artistid", "videoid",
        "newsid", "contentid", "businessid", "placeid", "locationid", "gameid", "jobid", "recipeid", "showid",
        "asin", "isbn", "sku", "stockcode", "productcode", "itemcode", "item", "movie", "product", "article", "book",
        "track", "song", "artist", "video", "items",
    ),
    "value": (
        "value", "rating", "ratings", "stars", "score", "overall", "weight", "preference", "strength", "label",
        "count", "quantity", "qty", "plays", "playcount", "clicks", "views", "purchases",
    ),
    "timestamp": (
        "timestamp", "datetime", "eventtime", "eventtimestamp", "unixtimestamp", "unixreviewtime", "unixtime",
        "createdat", "occurredat", "ratedat", "invoicedate", "orderdate", "purchasedate", "reviewtime", "ts", "date",
        "time",
    ),
}  # fmt: skip
# A value column of such a name counts or weighs; it is no rating.
STRENGTHS = frozenset(
    (
        "weight",
        "preference",
        "strength",
        "count",
        "quantity",
        "qty",
        "plays",
        "playcount",
        "clicks",
        "views",
        "purchases",
    )
)
ID_OF: dict[TableRole, Role] = {"items": "item_id", "users": "user_id"}
# What `columns` of `read` may name.
KEYS = (*SPELLINGS, *ID_OF, "impressions")
MAX_NAMED = 12


@dataclass(frozen=True)
class ColumnUse:
    """What a column is used as: a role or "feature" or "context"; how that was found; what its values are."""

    column: str
    role: str
    how: How
    meaning: str = ""


@dataclass(frozen=True)
class ColumnMap:
    """The caller's own names: `columns=` of `read`, checked.

    - events: role → column of the interactions, None to leave a role empty
    - ids: "items" or "users" → id column of that feature table
    - impressions: role → column of the impressions, as far as they were named apart
    """

    events: Mapping[str, str | None]
    ids: Mapping[str, str]
    impressions: Mapping[str, str]

    @classmethod
    def of(cls, columns: Mapping[str, str | Mapping[str, str] | None] | None) -> ColumnMap:
        """Return `columns` checked. Raises `ParameterError` for a key that is none, with the nearest one."""
        events: dict[str, str | None] = {}
        ids: dict[str, str] = {}
        impressions: dict[str, str] = {}
        for key, value in (columns or {}).items():
            if key in ("items", "users"):
                ids[key] = _id_column(key, value)
            elif key == "impressions":
                impressions = _impression_columns(value)
            elif key not in SPELLINGS:
                raise ParameterError(
                    f"columns: no role {key!r}{nearest(key, KEYS)}; roles: {_listed(SPELLINGS)}"
                )
            elif value is not None and not isinstance(value, str):
                raise ParameterError(f"columns[{key!r}] must be the name of a column, got {value!r}")
            else:
                events[key] = value
        if None in (events.get("user_id", ""), events.get("item_id", "")):
            raise ParameterError(
                "columns: user_id and item_id are needed; only value and timestamp may be None"
            )
        named = [column for column in events.values() if column is not None]
        if len(set(named)) < len(named):
            raise ParameterError(f"columns: one column is given two roles: {dict(events)}")
        return cls(events, ids, impressions)

    def of_impressions(self, columns: Sequence[str]) -> dict[str, str | None]:
        """Return role → column of a table of impressions with these `columns`: as named, or as the interactions'."""
        shared = {role: column for role, column in self.events.items() if column is None or column in columns}
        return {**shared, **self.impressions}


def _impression_columns(value: object) -> dict[str, str]:
    roles = ("user_id", "item_id", "timestamp")
    if not isinstance(value, Mapping) or not all(
        key in roles and isinstance(value[key], str) for key in value
    ):
        raise ParameterError(
            f'columns["impressions"] must be a table of {", ".join(roles)} → name of a column, got {value!r}'
        )
    return dict(value)


def _id_column(table: str, value: object) -> str:
    role = "item_id" if table == "items" else "user_id"
    column = value.get(role) if isinstance(value, Mapping) and len(value) == 1 else None
    if not isinstance(column, str):
        raise ParameterError(f'columns[{table!r}] must be {{"{role}": name of its id column}}, got {value!r}')
    return column


def find_events(name: str, columns: Sequence[str], mapped: Mapping[str, str | None]) -> dict[str, ColumnUse]:
    """Return role → the column that plays it, for user_id, item_id and, where there are any, value and timestamp.

    Raises `DataError` when a mapped column does not exist or no column for the users or items is recognised.
    """
    taken = {column for column in mapped.values() if column is not None}
    uses: dict[str, ColumnUse] = {}
    for role, spellings in SPELLINGS.items():
        if role in mapped:
            column = mapped[role]
            if column is not None:
                uses[role] = ColumnUse(require_column(name, columns, column), role, "mapped")
        elif (use := _recognise(columns, role, spellings, taken)) is not None:
            uses[role] = use
        elif role in ("user_id", "item_id"):
            raise DataError(_missing(name, columns, role, f'columns={{"{role}": …}} (--column {role}=…)'))
    return uses


def find_id(name: str, table: TableRole, columns: Sequence[str], mapped: str | None) -> ColumnUse:
    """Return the id column of a feature table, as `find_events` does; "id" is recognised there too."""
    role = ID_OF[table]
    if mapped is not None:
        return ColumnUse(require_column(name, columns, mapped), role, "mapped")
    use = _recognise(columns, role, (*SPELLINGS[role], "id"), set())
    if use is None:
        parameter = f'columns={{"{table}": {{"{role}": …}}}} (--column {table}.{role}=…)'
        raise DataError(_missing(name, columns, role, parameter))
    return use


def find_other_id(table: TableRole, columns: Sequence[str]) -> str | None:
    """Return the column by which the rows of a feature table would name the other side, as events do; None without."""
    role: Role = "user_id" if ID_OF[table] == "item_id" else "item_id"
    use = _recognise(columns, role, SPELLINGS[role], set())
    return None if use is None else use.column


def require_not_swapped(interactions: Table, features: Mapping[TableRole, Table], names: ColumnMap) -> None:
    """Raise `DataError` where a feature table has the columns of events and `interactions` has not.

    By the names of columns alone; where the caller named the columns of users and items, nothing is guessed.
    """
    if {"user_id", "item_id"} <= set(names.events) or _has_events(interactions.columns):
        return
    for role, table in features.items():
        if _has_events(table.columns):
            raise DataError(
                f"{interactions.name} has no columns of both users and items ({_listed(interactions.columns)}), "
                f"and {table.name}, given as {role}, has: are they swapped? Give the events first, {role}=… second"
            )


def _has_events(columns: Sequence[str]) -> bool:
    return all(_recognise(columns, role, SPELLINGS[role], set()) for role in ("user_id", "item_id"))


def require_column(name: str, columns: Sequence[str], column: str) -> str:
    """Return `column`. Raises `DataError` with the columns there are and the nearest name where it does not exist."""
    if column not in columns:
        raise DataError(
            f"{name}: there is no column {column!r}{nearest(column, columns)}; columns: {_listed(columns)}"
        )
    return column


def nearest(word: str, words: Sequence[str]) -> str:
    """Return ", did you mean …?" with the nearest of `words`, "" where none is near."""
    close = difflib.get_close_matches(plain(word), [plain(w) for w in words], 1)
    if not close:
        return ""
    return f", did you mean {next(w for w in words if plain(w) == close[0])!r}?"


def plain(name: str) -> str:
    """Return `name` without case, spaces and punctuation.

    >>> plain(" User-ID")
    'userid'
    """
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _recognise(
    columns: Sequence[str], role: Role, spellings: Sequence[str], taken: set[str]
) -> ColumnUse | None:
    free = [column for column in columns if column not in taken]
    if role in free:
        return ColumnUse(role, role, "by its name")
    for spelling in spellings:
        for column in free:
            if plain(column) == spelling:
                return ColumnUse(column, role, "recognised")
    return None


def _missing(name: str, columns: Sequence[str], role: str, parameter: str) -> str:
    close = nearest(role, columns).replace("did you mean", "is it")
    message = (
        f"{name}: no column is recognised as {role}{close}; columns: {_listed(columns)}. Name it: {parameter}"
    )
    message += _other_table(columns, role) or _other_delimiter(columns)
    if all(not plain(column) or plain(column).isdecimal() for column in columns):
        message += ". The first line must be a header, such as user_id,item_id,value,timestamp"
    return message


def _other_table(columns: Sequence[str], role: str) -> str:
    # One id and no other column of events: what is known of that id.
    other: Role = "item_id" if role == "user_id" else "user_id"
    table = "items" if other == "item_id" else "users"
    free = [column for column in columns if plain(column) != "id"] if role == "item_id" else columns
    described = _recognise(free, other, (*SPELLINGS[other], "id"), set()) is not None
    events = any(_recognise(columns, part, SPELLINGS[part], set()) for part in ("value", "timestamp"))
    if not described or events:
        return ""
    return f". This looks like a table of {table}, one row each: give it as {table}=…, and the events first"


def _other_delimiter(columns: Sequence[str]) -> str:
    mark = next((mark for mark in (";", "\t", "|") if any(mark in column for column in columns)), None)
    return (
        "" if mark is None else f". There is {mark!r} in the names: is it the delimiter? delimiter={mark!r}"
    )


def _listed(columns: Sequence[str] | Mapping[Role, object]) -> str:
    names = list(columns)
    return ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
