"""Queries, on real SQLite files."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data import sql
from shortlist.data.import_report import DataWarning
from shortlist.data.sql_values import column_piece
from shortlist.data.tables import open_table
from shortlist.errors import DataError, MissingExtraError, ParameterError

ID = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
ALL = "SELECT * FROM events"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("shop.db")) as database, database:
        database.execute("CREATE TABLE events (user_id TEXT, item_id INTEGER, value REAL, timestamp TEXT)")
        database.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            [("ann", 2**53 + 1, 4.5, "2024-05-01 10:00:00"), ('b"o\nb', -(2**63), None, "2024-05-02")],
        )
    database.close()
    return sl.Query("sqlite:///shop.db", ALL)


def loaded(query):
    table = open_table(query, "interactions")
    return table.load(table.columns)


def refused(query):
    with pytest.raises(DataError) as caught:
        open_table(query, "interactions")
    return str(caught.value)


def test_a_query_keeps_types_and_gives_every_row(shop):
    frame = loaded(shop)
    assert frame.schema == {
        "user_id": pl.String,
        "item_id": pl.Int64,
        "value": pl.Float64,
        "timestamp": pl.String,
    }
    assert frame.rows() == [
        ("ann", 2**53 + 1, 4.5, "2024-05-01 10:00:00"),
        ('b"o\nb', -(2**63), None, "2024-05-02"),
    ]


def test_read_takes_a_query_for_every_table(shop):
    with pytest.warns(DataWarning):
        data = sl.read(
            shop, items=sl.Query("sqlite:///shop.db", "SELECT item_id, value AS price FROM events")
        )
    assert data.name == "data"
    assert data.users.ids.to_list() == ["ann"]
    assert data.item_features.frame["price"].to_list() == [None, 4.5]
    reject = data.report.tables[0].rejects.row(0, named=True)
    assert (reject["row"], reject["reason"]) == (2, "missing value")
    assert "sqlite:///shop.db (interactions)" in data.report.to_text()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1) | st.none(), ID | st.none()), min_size=1, max_size=9)
)
def test_every_value_comes_back_whatever_the_batch(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("sql") / "any.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?)", rows)
    database.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "BATCH", 2)
        assert loaded(sl.Query(f"sqlite:///{path}", "SELECT a, b FROM t ORDER BY rowid")).rows() == rows


def test_percent_colon_comment_and_semicolon_are_the_querys_own(shop):
    text = "WITH e AS (SELECT '%s %(x)s :y' AS a) SELECT a, 5 % 3 AS b FROM e -- :z %\n;"
    assert loaded(sl.Query(shop.url, text)).rows() == [("%s %(x)s :y", 2)]


def test_mixed_kinds_become_text_which_is_said(shop):
    table = open_table(
        sl.Query(shop.url, "SELECT 1 AS a UNION ALL SELECT '1' UNION ALL SELECT NULL"), "items"
    )
    assert table.load(["a"])["a"].to_list() == ["1", "1", None]
    assert 'so that 1 and "1" are one' in table.notes["a"]


def test_a_query_without_rows_has_columns(shop):
    frame = loaded(sl.Query(shop.url, ALL + " WHERE 0"))
    assert frame.columns == ["user_id", "item_id", "value", "timestamp"]
    assert frame.height == 0
    with pytest.raises(DataError, match="there are no rows"):
        sl.read(sl.Query(shop.url, ALL + " WHERE 0"), kind="events")


# --- nothing is written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["DELETE FROM events RETURNING *", "CREATE TABLE x (a)", "INSERT INTO events VALUES (1, 1, 1, 1)"]
)
def test_nothing_can_be_written(shop, text):
    before = Path("shop.db").read_bytes()
    assert "readonly database" in refused(sl.Query(shop.url, text))
    assert Path("shop.db").read_bytes() == before


def test_a_database_that_is_not_there_is_not_made(shop):
    words = refused(sl.Query("sqlite:///other.db", ALL))
    assert f"there is no file {Path.cwd() / 'other.db'}" in words
    assert "four slashes" in words
    assert not Path("other.db").exists()


def test_a_database_in_memory_has_nothing_to_give():
    for url in ("sqlite://", "sqlite:///:memory:"):
        assert "name the file of the database" in refused(sl.Query(url, ALL))


def test_a_database_that_is_being_written_gives_what_was_committed(shop):
    writer = sqlite3.connect("shop.db", isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM events")
    assert loaded(shop).height == 2
    writer.execute("COMMIT")
    assert loaded(shop).height == 0
    writer.close()


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT nope FROM events", "sqlite:///shop.db: the query fails: no such column: nope"),
        ("SELECT * FROM ratings", "the query fails: no such table: ratings"),
        ("SELEKT 1", 'the query fails: near "SELEKT": syntax error'),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("PRAGMA foreign_keys = 1", "this query returns no rows; write a SELECT"),
        (
            "SELECT item_id AS a, user_id AS a FROM events",
            "two columns called 'a'; name one otherwise, with AS",
        ),
        (
            "SELECT CAST(x'ff' AS TEXT) AS a",
            "reading broke off after 0 rows, none of which are kept: Could not decode",
        ),
    ],
)
def test_a_query_that_fails_says_why(shop, text, words):
    assert words in refused(sl.Query(shop.url, text))


def test_a_file_that_is_no_database_says_so(shop):
    Path("text.db").write_text("user,item\n" * 200)
    assert "file is not a database" in refused(sl.Query("sqlite:///text.db", ALL))


def test_a_damaged_database_gives_nothing(shop):
    with closing(sqlite3.connect("large.db")) as database, database:
        database.execute("CREATE TABLE t (a TEXT)")
        database.executemany("INSERT INTO t VALUES (?)", [(str(n) * 20,) for n in range(20_000)])
    database.close()
    data = bytearray(Path("large.db").read_bytes())
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    Path("large.db").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "BATCH", 100)
        words = refused(sl.Query("sqlite:///large.db", "SELECT * FROM t"))
    assert "reading broke off after" in words
    assert "none of which are kept: database disk image is malformed" in words


def test_an_sqlite_file_given_as_a_path_says_how_to_query_it(shop):
    with pytest.raises(DataError, match=r'is an SQLite database: give a Query, as in Query\("sqlite:'):
        sl.read("shop.db")


@pytest.mark.parametrize("url", ["", " ", None, 7])
def test_an_url_that_is_no_text_is_refused(url):
    with pytest.raises(ParameterError, match="url must be a text that is not empty"):
        sl.Query(url, ALL)
    with pytest.raises(ParameterError, match="query must be a text"):
        sl.Query("sqlite:///shop.db", url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("oracl://u:hidden@h/d", "oracl://u:***@h/d: SQLAlchemy knows no database called 'oracl'"),
        ("hidden", "this database URL cannot be understood; write dialect+driver://user:$PASSWORD@host"),
        ("postgresql://u:hidden@h:port/d", "this database URL cannot be understood"),
        ("sqlite+aiosqlite:///shop.db", "is not installed: pip install 'aiosqlite'"),
    ],
)
def test_an_url_that_cannot_be_used_says_why_and_hides_the_password(shop, url, words):
    with pytest.raises((DataError, MissingExtraError)) as caught:
        open_table(sl.Query(url, ALL), "interactions")
    assert words in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr(sl.Query(url, ALL))


def test_a_driver_that_is_not_installed_says_what_to_install(shop):
    with pytest.raises(MissingExtraError, match="its driver is not installed: pip install 'mysqlclient'"):
        open_table(sl.Query("mysql://u:p@h/d", ALL), "interactions")


def test_without_sqlalchemy_the_extra_is_named(shop, tmp_path):
    (tmp_path / "sqlalchemy.py").write_text("raise ImportError('not here')")
    code = 'import shortlist as sl; sl.read(sl.Query("sqlite:///shop.db", "SELECT 1"))'
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "MissingExtraError: queries need SQLAlchemy: pip install 'shortlist[sql]'" in run.stderr


# --- variables ---------------------------------------------------------------------------------------------------


def test_variables_stand_for_parts_of_the_url(shop, monkeypatch, tmp_path):
    monkeypatch.setenv("SHOP_FOLDER", str(tmp_path))
    monkeypatch.setenv("SHOP", "shop")
    monkeypatch.setenv("WHOLE", "sqlite:///shop.db")
    for url in ("sqlite:///$SHOP_FOLDER/shop.db", "sqlite:///${SHOP}.db", "$WHOLE"):
        assert loaded(sl.Query(url, ALL)).height == 2


def test_a_variable_that_is_not_set_is_named(shop, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    words = refused(sl.Query("postgresql://u:${NO_SUCH}@h/d", ALL))
    assert words == "the database URL names $NO_SUCH, and no environment variable is called so"


@given(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1))
def test_a_password_from_a_variable_is_taken_as_it_is(password):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET", password)
        url = sql._url_of(sl.Query("postgresql://u:${SECRET}@db.example:5432/shop", ALL))
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "u",
        password,
        "db.example",
        5432,
        "shop",
    )


def test_two_dollar_signs_are_one():
    assert sql._url_of(sl.Query("postgresql://u:a$$b@h/d", ALL)).password == "a$b"


def test_secrets_among_the_parameters_are_not_shown():
    url = sql._url_of(sl.Query("postgresql://h/d?user=u&password=hidden", ALL))
    assert "hidden" not in sql._shown(url)
    assert sql._words(Exception("login hidden refused"), url) == "login *** refused"


def test_a_path_is_relative_to_the_folder_of_the_query(shop, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert loaded(sl.Query("sqlite:///shop.db", ALL, folder=tmp_path)).height == 2


# --- values ------------------------------------------------------------------------------------------------------


def kept(*values):
    piece = column_piece("a", [*values, None], "here")
    assert piece.values[-1] is None
    return piece.values.dtype, piece.values.to_list()[:-1]


def test_each_kind_of_value_has_its_type():
    berlin = timezone(timedelta(hours=2))
    moment = datetime(2024, 5, 1, 12, 0, 0, 123456)  # noqa: DTZ001
    assert kept(True, False) == (pl.Boolean, [True, False])
    assert kept(date(2024, 5, 1)) == (pl.Date, [date(2024, 5, 1)])
    assert kept(time(1, 2, 3)) == (pl.Time, [time(1, 2, 3)])
    assert kept(timedelta(days=1)) == (pl.Duration("us"), [timedelta(days=1)])
    assert kept(moment) == (pl.Datetime("us"), [moment])
    zoned = [moment.replace(tzinfo=berlin), moment.replace(tzinfo=UTC)]
    assert kept(*zoned) == (pl.Datetime("us", "UTC"), zoned)
    assert kept(b"x") == (pl.Binary, [b"x"])
    assert kept(["a", 1, None]) == (pl.List(pl.String), [["a", "1", None]])
    assert kept() == (pl.Null, [])


def test_decimals_lose_nothing():
    assert kept(Decimal(10**18), Decimal("1E+3")) == (pl.Int64, [10**18, 1000])
    assert kept(Decimal("1.10"), Decimal("20.005"), 3) == (
        pl.Decimal(38, 3),
        [Decimal("1.100"), Decimal("20.005"), Decimal(3)],
    )
    assert kept(Decimal(10**40)) == (pl.String, [str(10**40)])
    assert kept(Decimal("1." + "1" * 60)) == (pl.String, ["1." + "1" * 60])
    dtype, values = kept(Decimal("NaN"), Decimal("0.5"))
    assert dtype == pl.Float64
    assert str(values) == "[nan, 0.5]"


def test_numbers_that_no_type_holds_together_become_text():
    assert kept(2**63) == (pl.String, [str(2**63)])
    assert kept(1, 0.5) == (pl.Float64, [1.0, 0.5])
    assert kept(2**53 + 1, 0.5) == (pl.String, [str(2**53 + 1), "0.5"])


def test_other_kinds_become_text():
    assert kept({"a": "é"}, "x") == (pl.String, ['{"a": "é"}', "x"])
    with pytest.raises(DataError, match="'a' holds times with and without a zone; convert them in the query"):
        kept(datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC))  # noqa: DTZ001
