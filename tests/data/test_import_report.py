import json

import pytest

from shortlist.data.import_report import DataWarning
from shortlist.data.read import check, read


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
