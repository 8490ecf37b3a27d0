"""Queries: the rows that a database gives for one, read in batches, as a table of typed columns."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl

from shortlist.data.column_pieces import Piece, join_pieces
from shortlist.data.frame_table import FrameTable
from shortlist.data.sql_values import column_piece
from shortlist.errors import DataError, MissingExtraError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL, Connection, Engine

BATCH = 50_000  # rows
VARIABLE = re.compile(r"\$(?:\$|(?P<name>\w+)|\{(?P<braced>\w+)\})")
USER_AND_PASSWORD = re.compile(r"^[\w+.-]+://(?P<them>[^@/]*)@")
# Driver's module → what pip calls it.
PACKAGES = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "duckdb_engine": "duckdb-engine",
}


@dataclass(frozen=True, repr=False)
class Query:
    """The rows that the database at `url` gives for `query`: a source for `read`, beside files and frames.

    - url: as SQLAlchemy takes it: "sqlite:///shop.db", "postgresql+psycopg://user@host/shop". $NAME and ${NAME} stand
      for environment variables, so that passwords need not be written down; $$ is a dollar sign. What a variable holds
      for the user or the password is taken as it is, elsewhere it is a part of the URL
    - query: one SELECT, in the database's own SQL; name its columns as `read` recognises them, or map them there
    - folder: what the path of an SQLite file is relative to

    The rows are one consistent snapshot, read in batches. Nothing is written: SQLite files are opened for reading,
    PostgreSQL's transaction is read only, and that of any other database is rolled back.
    """

    url: str
    query: str
    folder: Path = Path()

    def __post_init__(self) -> None:
        for name in ("url", "query"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ParameterError(f"{name} must be a text that is not empty, not {type(value).__name__}")

    def __repr__(self) -> str:
        # The URL may hold a password.
        return f"Query({self.query!r})"


def run_query(query: Query) -> FrameTable:
    """Return the rows of `query` as a table.

    Integers are Int64, text String, times with a zone UTC, decimals decimals, NULL missing; see `column_piece`.
    Raises `MissingExtraError` where SQLAlchemy or the driver is not installed, `DataError` where the database cannot
    be reached, refuses the query, or goes away: no part of the rows is returned then.
    Cost: the columns of all rows, and one batch as Python objects, are held in memory.
    """
    sqlalchemy = _sqlalchemy()
    url = _url_of(query)
    name = _shown(url)
    engine = _engine_for(url, name, query.folder)
    try:
        with engine.connect() as connection:
            return _read(name, connection, query.query.strip().rstrip(";"))
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise DataError(f"{name}: cannot be reached: {_words(error, url)}") from None
    finally:
        engine.dispose()


def _sqlalchemy() -> Any:
    try:
        import sqlalchemy
    except ImportError as error:
        raise MissingExtraError("queries need SQLAlchemy: pip install 'shortlist[sql]'") from error
    return sqlalchemy


def _url_of(query: Query) -> URL:
    sqlalchemy, text = _sqlalchemy(), _expanded(query.url)
    try:
        url: URL = sqlalchemy.make_url(text)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        # Neither the URL nor what SQLAlchemy says of it: either may hold the password.
        raise DataError(
            "this database URL cannot be understood; write dialect+driver://user:$PASSWORD@host:port/database, "
            "or sqlite:///file.db"
        ) from None
    return url


def _expanded(url: str) -> str:
    user_info = USER_AND_PASSWORD.match(url)
    start, stop = user_info.span("them") if user_info else (0, 0)

    def value(found: re.Match[str]) -> str:
        name = found["name"] or found["braced"]
        if name is None:
            return "$"
        if name not in os.environ:
            raise DataError(f"the database URL names ${name}, and no environment variable is called so")
        held = os.environ[name]
        return quote(held, safe="") if start <= found.start() < stop else held

    return VARIABLE.sub(value, url)


def _shown(url: URL) -> str:
    # Parameters after "?" may be secrets, too.
    return url.set(query={}).render_as_string(hide_password=True)


def _words(error: Exception, url: URL) -> str:
    words = " ".join(str(getattr(error, "orig", None) or error).split())
    secrets = [url.password, *(value for value in url.query.values() if isinstance(value, str))]
    for secret in filter(None, secrets):
        words = re.sub(rf"(?<!\w){re.escape(str(secret))}(?!\w)", "***", words)
    return words


def _engine_for(url: URL, name: str, folder: Path) -> Engine:
    sqlalchemy = _sqlalchemy()
    try:
        engine: Engine = sqlalchemy.create_engine(
            _for_reading(url, name, folder), poolclass=sqlalchemy.NullPool
        )
    except sqlalchemy.exc.NoSuchModuleError:
        raise DataError(
            f"{name}: SQLAlchemy knows no database called {url.drivername!r}; is it spelled right, as in sqlite, "
            "postgresql or mysql+pymysql? Others need a package of their own"
        ) from None
    except ImportError as error:
        package = PACKAGES.get(error.name or "", error.name)
        raise MissingExtraError(f"{name}: its driver is not installed: pip install '{package}'") from error
    except (sqlalchemy.exc.SQLAlchemyError, TypeError) as error:
        raise DataError(f"{name}: this database URL cannot be used: {_words(error, url)}") from None
    return engine


def _for_reading(url: URL, name: str, folder: Path) -> URL:
    # SQLite would make the file that it does not find.
    if url.drivername not in ("sqlite", "sqlite+pysqlite") or "uri" in url.query:
        return url
    if not url.database or url.database == ":memory:":
        raise DataError(f"{name}: name the file of the database, as in sqlite:///shop.db")
    path = folder.absolute() / Path(url.database).expanduser()
    if not path.is_file():
        raise DataError(
            f"{name}: there is no file {path}; a path from the root has four slashes, sqlite:////"
        )
    return url.set(database=f"file:{quote(str(path))}", query={**url.query, "mode": "ro", "uri": "true"})


def _read(name: str, connection: Connection, sql: str) -> FrameTable:
    sqlalchemy = _sqlalchemy()
    columns: list[str] = []
    pieces: dict[str, list[Piece]] = {}
    n_rows, url = 0, connection.engine.url
    try:
        for names, rows in _batches(connection, sql):
            columns = columns or _distinct(name, names)
            cells = zip(*rows, strict=True) if rows else ((),) * len(columns)
            for column, values in zip(columns, cells, strict=True):
                where = f"the rows from {n_rows + 1:,} on"
                pieces.setdefault(column, []).append(column_piece(column, values, where))
            n_rows += len(rows)
    except sqlalchemy.exc.SQLAlchemyError as error:
        if not columns:
            raise DataError(f"{name}: the query fails: {_words(error, url)}") from None
        raise DataError(
            f"{name}: reading broke off after {n_rows:,} rows, none of which are kept: {_words(error, url)}; read again"
        ) from None
    joined = {column: join_pieces(name, column, parts) for column, parts in pieces.items()}
    frame = pl.DataFrame([values for values, _ in joined.values()])
    return FrameTable(
        name, frame.lazy(), columns, notes={column: note for column, (_, note) in joined.items() if note}
    )


def _batches(connection: Connection, sql: str) -> Iterator[tuple[list[str], Sequence[Any]]]:
    # (columns, rows), at least once; the first one when the database has taken the query. A % in it is no parameter.
    if connection.dialect.name == "postgresql":
        # A cursor of its own, since SQLAlchemy makes one of no query that begins with WITH. All of it will be read.
        connection = connection.execution_options(
            no_parameters=True, isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        connection.exec_driver_sql("SET LOCAL cursor_tuple_fraction = 1")
        connection.exec_driver_sql(f"DECLARE shortlist NO SCROLL CURSOR FOR {sql}")
        rows: Sequence[Any] = [()]
        while rows:
            result = connection.exec_driver_sql(f"FETCH {BATCH} FROM shortlist")
            names, rows = list(result.keys()), result.fetchall()
            yield names, rows
        return
    options = {"no_parameters": True, "stream_results": True, "max_row_buffer": BATCH}
    result = connection.exec_driver_sql(sql, execution_options=options)
    if not result.returns_rows:
        raise DataError(f"this query returns no rows; write a SELECT: {sql}")
    names = list(result.keys())
    yield names, []
    while rows := result.fetchmany(BATCH):
        yield names, rows


def _distinct(name: str, columns: list[str]) -> list[str]:
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: the query gives two columns called {twice!r}; name one otherwise, with AS")
    return columns
