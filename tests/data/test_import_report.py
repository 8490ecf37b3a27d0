import json
import re
from pathlib import Path

import pytest

from shortlist.data import import_report
from shortlist.data.import_report import DataWarning, NoUsableRowsError
from shortlist.data.read import check, read
from shortlist.errors import DataError


@pytest.fixture
def report(tmp_path):
    events, movies = tmp_path / "events.csv", tmp_path / "movies.csv"
    events.write_text(
        "userId,movieId,rating,timestamp,device\n"
        "1,10,4.0,964982703,tv\n"
        '1,10,3.5,964982704,"the\nphone"\n'
        ",11,4.0,964982705,tv\n"
        "2,11,good,964982706,tv\n"
        "2,12,9,964982707,tv\n"
        "2,12,1,964982707\n"
        "2,12,1,soon,tv\n"
        "2,12,1,964982708,tv\n"
    )
    movies.write_text("movieId,title\n10,Ten\n13,Thirteen\n10,Again\n")
    return check(events, items=movies, kind="ratings", scale=(0.5, 5))


def test_every_reject_has_its_place_and_reason(report):
    # Line 4 is the second line of record 2.
    assert report.tables[0].rejects.drop("file", "record").rows() == [
        (3, 5, "userId", "", "missing id"),
        (4, 6, "rating", "good", "unparsable value"),
        (5, 7, "rating", "9", "value off the scale"),
        (6, 8, None, "2,12,1,964982707", "wrong number of fields"),
        (7, 9, "timestamp", "soon", "unparsable timestamp"),
    ]
    assert report.rejects["table"].str.extract(r"(\w+)\.csv$").to_list() == ["events"] * 5 + ["movies"]


def test_counts_add_up(report):
    for table in report.tables:
        assert table.rows_read == table.rows_kept + table.rows_rejected
        assert sum(table.reasons.values()) == table.rows_rejected
    assert not report.ok
    assert (report.n_events, report.n_users, report.n_items, report.repeats) == (3, 2, 3, 1)
    assert report.without_events == {"items": 1}
    assert report.without_features == {"items": 1}


def test_the_text_says_it_all(report):
    text = report.to_text()
    for part in (
        "8 rows read, 3 kept, 5 rejected",
        "row 5 (line 7), column rating: value off the scale: '9'",
        "row 3 (line 5), column userId: missing id: empty",
        "user_id ← userId (recognised)",
        "timestamp ← timestamp (by its name; seconds since 1970)",
        "not used: device",
        "3 events of 2 users and 3 items, 2000-07-30T18:45:03Z to 2000-07-30T18:45:08Z; 1 repeat",
        "ids: users are integers, items are integers",
        "items with features and without events: 1",
        "values: ratings from 0.5 to 5, positive from 4",
    ):
        assert part in text


def test_every_reason_says_what_to_do(report):
    text = report.to_text()
    for part in (
        "1 × missing id (every event needs its user and item)",
        "1 × value off the scale (declare the whole scale, scale=(lowest, highest), or correct the values)",
        "1 × wrong number of fields (put fields that hold the delimiter in quotes, or give another delimiter)",
        "1 × unparsable timestamp (write times as ISO 8601",
    ):
        assert part in text


def test_no_reason_is_without_a_hint():
    source = "".join(path.read_text() for path in Path(import_report.__file__).parent.glob("*.py"))
    reasons = set(re.findall(r'"((?:missing|unparsable|timestamp|value|number|id) [a-z0-9 ]+)"', source))
    assert {"missing id", "unparsable time", "timestamp in the future", "value is negative"} <= reasons
    assert [reason for reason in reasons if not import_report.hint_for(reason)] == []


def test_ids_of_feature_rows_without_events_are_shown(tmp_path):
    events, movies = tmp_path / "events.csv", tmp_path / "movies.csv"
    events.write_text("user,item\nann,1\n")
    movies.write_text("item,title\n" + "".join(f"{n},x\n" for n in range(1, 10)))
    report = check(events, items=movies)
    assert report.without_events == {"items": 8}
    assert report.examples == {"items": (2, 3, 4, 5, 6)}
    assert "items with features and without events: 8, such as 2, 3, 4, 5, 6" in report.to_text()
    assert report.to_values()["examples"] == {"items": [2, 3, 4, 5, 6]}
    assert "are the ids of both tables the same?" not in report.to_text()


def test_tables_whose_ids_never_meet_are_questioned(tmp_path):
    events, movies = tmp_path / "events.csv", tmp_path / "movies.csv"
    events.write_text("user,item\nann,1\nbob,2\n")
    movies.write_text("item,title\ntt1,x\ntt2,y\n")
    text = check(events, items=movies).to_text()
    assert "items with events and without features: 2" in text
    assert "no id of the items with events has features: are the ids of both tables the same?" in text


def test_swapped_tables_are_told_apart(tmp_path):
    events, movies = tmp_path / "events.csv", tmp_path / "movies.csv"
    events.write_text("userId,movieId,rating\n1,2,3\n")
    movies.write_text("movieId,title\n2,Two\n")
    with pytest.raises(
        DataError,
        match=r"movies.csv has no columns of both users and items \(movieId, title\), and .*"
        r"events.csv, given as items, has: are they swapped\?",
    ):
        check(movies, items=events)


def test_events_given_as_features_are_questioned(tmp_path):
    events = tmp_path / "events.csv"
    events.write_text("userId,movieId,rating\n" + "".join(f"{n},7,3\n" for n in range(9)))
    (table,) = check(events, items=events, kind="events").tables[1:]
    assert table.reasons == {"an earlier row has this id": 8}
    assert table.notes[-1] == (
        "most ids repeat, and the column userId looks like that of users: are these the events, and no table of items?"
    )


def test_ratings_with_a_decimal_comma_are_named_so(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user;item;rating\n1;2;4,5\n1;3;five\n1;4;3,0\n")
    with pytest.raises(NoUsableRowsError) as caught:
        check(path, delimiter=";", kind="ratings")
    assert str(caught.value).split("\n") == [
        f"{path}: none of the 3 rows can be used: 2 × value has a decimal comma, 1 × unparsable value",
        "  row 1 (line 2), column rating: value has a decimal comma: '4,5'",
        "  row 2 (line 3), column rating: unparsable value: 'five'",
        "  row 3 (line 4), column rating: value has a decimal comma: '3,0'",
        "value has a decimal comma: write 4.5, not 4,5, and 1234, not 1,234",
        "unparsable value: write values as numbers, such as 4.5",
    ]


def test_ids_written_as_numbers_and_as_text_are_said_to_be_one(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"user": 1, "item": 5}\n{"user": "1", "item": 6}\nnothing\n')
    report = check(tmp_path / "log.jsonl")
    assert report.n_users == 1
    (note,) = report.tables[0].notes
    assert note.startswith("user holds text (1 rows) and numbers (1 rows)")
    assert 'so that 1 and "1" are one' in note
    assert "1 × unreadable JSON (write one object a line" in report.to_text()


def test_a_rejected_number_is_shown_as_it_was_written(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(
        "user,item,rating,timestamp\n1,2,4,1600000000\n1,2,09.50,1600000000\n1,3,3,0001600000000\n"
    )
    rejects = check(path, scale=(1, 5)).rejects
    assert rejects.select("row", "line", "value", "record").rows() == [
        (2, 3, "09.50", "1,2,09.50,1600000000")
    ]


def test_long_lists_of_rejects_are_cut_in_the_text_only(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item\n1,1\n" + "1\n" * 30)
    report = check(path)
    assert "… and 20 more; write_rejects (--rejects FILE) keeps all" in report.to_text()
    assert report.rejects.height == 30


def test_values_are_plain_json(report):
    values = json.loads(json.dumps(report.to_values(), allow_nan=False))
    assert values["ok"] is False
    assert values["tables"][0]["rejects"][0] == {
        "file": None, "row": 3, "line": 5, "column": "userId", "value": "", "reason": "missing id",
        "record": ",11,4.0,964982705,tv",
    }  # fmt: skip
    assert values["first"] == "2000-07-30T18:45:03Z"
    assert [len(table["rejects"]) for table in report.to_values(max_rejects=1)["tables"]] == [1, 1]


def test_read_warns_once_and_carries_the_report(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item\n1,1\n1\n,2\n")
    with pytest.warns(DataWarning) as caught:
        data = read(path)
    (warning,) = caught
    assert str(warning.message) == (
        f"2 of 3 rows of {path} rejected (1 missing id, 1 wrong number of fields); dataset.report lists them"
    )
    assert warning.filename == __file__
    assert data.report.rejects.height == 2


def test_a_clean_file_is_ok(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item\n1,1\n")
    assert check(path).ok
    assert check(path).rejects.is_empty()
    assert "1 row read, 1 kept, 0 rejected" in check(path).to_text()
    assert "1 event of 1 user and 1 item, without times" in check(path).to_text()
