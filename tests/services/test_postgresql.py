"""Queries, on a real PostgreSQL server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import polars as pl
import pytest
from services.postgresql import PASSWORD, Server, free_port

import shortlist as sl
from shortlist.data import sql
from shortlist.data.tables import open_table
from shortlist.errors import DataError

pytestmark = pytest.mark.services

IDS = ["a/b", 'say "hi"', "it's", "new\nline\r\n", "é𝄞", "%s :x $y", " ", "007", "\\N", "a\tb"]
LONG = (
    "WITH n AS (SELECT generate_series(1, {n}) AS user_id) SELECT user_id, 'item ' || user_id % 977 AS item_id "
    "FROM n"
)


def table(server, query, **how):
    return open_table(sl.Query(server.url(**how), query), "interactions")


def loaded(server, query):
    found = table(server, query)
    return found.load(found.columns)


def refused(server, query, **how):
    with pytest.raises(DataError) as caught:
        table(server, query, **how)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def events(server):
    with server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS events")
        connection.execute("CREATE TABLE events (user_id bigint, item_id text, value real, at timestamptz)")
        cursor = connection.cursor()
        rows = [(2**53 + n, item, n / 2, datetime(2024, 5, 1, n, tzinfo=UTC)) for n, item in enumerate(IDS)]
        cursor.executemany("INSERT INTO events VALUES (%s, %s, %s, %s)", rows)
    return server


def test_each_type_keeps_its_values(server):
    query = """
        SELECT 9223372036854775807::bigint AS large, (-32768)::smallint AS small, 'é'::varchar(3) AS text,
            true AS bool, 0.1::double precision AS double, 123456789012345678.25::numeric AS decimal,
            18446744073709551615::numeric(20, 0) AS huge, '2024-05-01 12:00:00.123456+02'::timestamptz AS zoned,
            '2024-05-01 12:00:00'::timestamp AS local, '2024-05-01'::date AS day, ARRAY['a', NULL] AS tags,
            '{"a": 1}'::jsonb AS json, '\\x00ff'::bytea AS bytes,
            '00000000-0000-0000-0000-00000000000f'::uuid AS uuid, NULL::bigint AS nothing
    """
    frame = loaded(server, query)
    assert frame.row(0, named=True) == {
        "large": 2**63 - 1,
        "small": -(2**15),
        "text": "é",
        "bool": True,
        "double": 0.1,
        "decimal": Decimal("123456789012345678.25"),
        "huge": str(2**64 - 1),
        "zoned": datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC),
        "local": datetime(2024, 5, 1, 12),  # noqa: DTZ001
        "day": date(2024, 5, 1),
        "tags": ["a", None],
        "json": '{"a": 1}',
        "bytes": b"\0\xff",
        "uuid": str(UUID(int=15)),
        "nothing": None,
    }
    assert frame.schema["zoned"] == pl.Datetime("us", "UTC")
    assert frame.schema["large"] == pl.Int64


def test_a_dataset_of_a_query_has_every_id_and_moment(events):
    data = sl.read(sl.Query(events.url(), "SELECT * FROM events"), kind="events", columns={"timestamp": "at"})
    log = data.interactions
    assert data.users.ids_of(log.user_idx).to_list() == [2**53 + n for n in range(len(IDS))]
    assert data.items.ids_of(log.item_idx).to_list() == IDS
    assert log.timestamp.tolist() == [1_714_521_600_000_000 + n * 3_600_000_000 for n in range(len(IDS))]
    assert data.report.ok


def test_null_is_missing(events):
    query = (
        "SELECT user_id, NULLIF(item_id, '007') AS item_id, NULLIF(value, 0) AS value FROM events ORDER BY at"
    )
    report = sl.check(sl.Query(events.url(), query), kind="events")
    assert report.tables[0].rejects.select("row", "column", "reason").rows() == [
        (1, "value", "missing value"),
        (8, "item_id", "missing id"),
    ]
    assert json.loads(report.tables[0].rejects["record"][1]) == {
        "user_id": 2**53 + 7,
        "item_id": None,
        "value": 3.5,
    }


def test_percent_colon_cast_and_semicolon_are_the_querys_own(server):
    assert loaded(server, "SELECT '%s :x $1' AS a, 7 % 4 AS b, '1'::text AS c;\n").rows() == [
        ("%s :x $1", 3, "1")
    ]


def test_special_numbers_and_moments(server):
    assert str(loaded(server, "SELECT 'NaN'::numeric AS a UNION ALL SELECT 0.5").rows()) == "[(nan,), (0.5,)]"
    assert "timestamp too large" in refused(server, "SELECT 'infinity'::timestamptz AS a")


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT ratng FROM events", 'the query fails: column "ratng" does not exist'),
        ("SELECT * FROM event", 'the query fails: relation "event" does not exist'),
        ("SELEKT 1", "the query fails: syntax error"),
        ("DELETE FROM events RETURNING *", "the query fails: syntax error"),
        ("WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone", "the query fails:"),
        ("SELECT nextval('numbers')", "cannot execute nextval() in a read-only transaction"),
        ("SELECT 1 / (user_id - user_id) AS a FROM events", "division by zero"),
    ],
)
def test_a_query_that_fails_says_why_and_changes_nothing(events, query, words):
    with events.connect() as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS numbers")
    assert words in refused(events, query)
    assert loaded(events, "SELECT count(*) AS n FROM events").rows() == [(len(IDS),)]


def test_a_wrong_password_user_and_database_are_told_apart(server):
    shown = f"postgresql+psycopg://reader:***@127.0.0.1:{server.port}/postgres"
    words = refused(server, "SELECT 1", password="wrong-one")
    assert words.startswith(f"{shown}: cannot be reached: ")
    assert 'password authentication failed for user "reader"' in words
    assert "wrong-one" not in words
    assert 'password authentication failed for user "stranger"' in refused(
        server, "SELECT 1", user="stranger"
    )
    assert 'database "shop" does not exist' in refused(server, "SELECT 1", database="shop")


def test_no_server_and_no_host_say_so(server):
    url = f"postgresql+psycopg://reader:$PGTEST_PASSWORD@127.0.0.1:{free_port()}/postgres"
    elsewhere = server.url().replace("127.0.0.1", "no-such.invalid")
    for address, words in (
        (url, "cannot be reached: .*refused"),
        (elsewhere, "cannot be reached: .*no-such"),
    ):
        with pytest.raises(DataError, match=words):
            open_table(sl.Query(address, "SELECT 1"), "interactions")


# --- in the middle of a read -------------------------------------------------------------------------------------


@pytest.fixture
def after_first_batch(monkeypatch):
    def patch(happening):
        convert, seen = sql.column_piece, []

        def converting(column, values, where):
            piece = convert(column, values, where)
            seen.append(column)
            if len(seen) == 2:
                happening()
            return piece

        monkeypatch.setattr(sql, "column_piece", converting)

    return patch


def test_a_read_sees_one_moment_of_the_database(server, after_first_batch):
    with server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS many")
        connection.execute("CREATE TABLE many AS SELECT generate_series(1, 120000) AS user_id, 1 AS item_id")

    def delete():
        with server.connect() as connection:
            connection.execute("DELETE FROM many WHERE user_id > 60000")

    after_first_batch(delete)
    frame = loaded(server, "SELECT * FROM many")
    assert frame["user_id"].to_list() == list(range(1, 120_001))


def test_a_connection_that_is_cut_gives_one_error(server, after_first_batch):
    def terminate():
        with server.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    after_first_batch(terminate)
    words = refused(server, LONG.format(n=120_000))
    assert "reading broke off after 50,000 rows, none of which are kept" in words
    assert "terminating connection" in words
    assert words.endswith("read again")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_server_that_stops_gives_one_error(after_first_batch, how):
    server = Server()
    try:
        after_first_batch(lambda: server.stop(how))
        words = refused(server, LONG.format(n=120_000))
        assert "reading broke off after 50,000 rows, none of which are kept" in words
        assert "cannot be reached" in refused(server, "SELECT 1")
    finally:
        server.stop()


def test_a_million_rows_take_little_more_memory_than_their_columns(server):
    code = f"""
import resource, sys
import polars, sqlalchemy, psycopg
import shortlist as sl
from shortlist.data.tables import open_table
open_table(sl.Query({server.url()!r}, {LONG.format(n=1000)!r}), "interactions")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
table = open_table(sl.Query({server.url()!r}, {LONG.format(n=1_000_000)!r}), "interactions")
print(table.n_rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    n_rows, mebibytes = map(int, run.stdout.split())
    # 8 + 16 bytes a row are kept; all rows as Python objects would take more than 150 MiB.
    assert n_rows == 1_000_000
    assert mebibytes < 120


def test_the_server_ends_with_the_process_that_started_it():
    code = "from services.postgresql import Server; s = Server(); print(s._process.pid, s.folder, flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": "tests"}
    owner = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    pid, folder = owner.stdout.readline().split()
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(0.05)
    shutil.rmtree(folder)
    assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110
