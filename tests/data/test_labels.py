import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.labels import label_exposures, label_pairs

from shortlist.data.import_report import DataWarning
from shortlist.data.labels import ENDLESS, HOUR, Exposures, Labels, match
from shortlist.data.read import check, read
from shortlist.errors import DataError, ParameterError

# Few pairs and moments, so that exposures and engagements meet, tie and miss each other.
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 12)), max_size=12)
WINDOWS = st.none() | st.integers(0, 6)
LOG = [
    ("user", "item", "event", "timestamp", "place"),
    ("ann", 1, "shown", 1_600_000_000, "home"),
    ("ann", 1, "click", 1_600_000_060, "home"),
    ("ann", 2, "shown", 1_600_000_000, "home"),
    ("bob", 2, "click", 1_600_000_000, "mail"),
    ("bob", 2, "shown", 1_600_000_500, "mail"),
    ("bob", 1, "shown", 1_600_000_500, "mail"),
    ("bob", 1, "buy", 1_600_100_000, "mail"),
    ("bob", 1, "hover", 1_600_000_501, "mail"),
]
CLICKED = Labels(engaged='event in ["click", "buy"]', shown='event == "shown"')


def matched(exposures, engagements, window=None):
    columns = [np.array(rows, np.int64).reshape(-1, 3) for rows in (exposures, engagements)]
    (shown, shown_time), (acted, acted_time) = ((rows[:, 0] * 3 + rows[:, 1], rows[:, 2]) for rows in columns)
    return match(shown, shown_time, acted, acted_time, ENDLESS if window is None else window)


def frame(rows):
    return pl.DataFrame(rows[1:], schema=list(rows[0]), orient="row")


def labels_of(data):
    log = data.interactions
    users, items = data.users.ids_of(log.user_idx), data.items.ids_of(log.item_idx)
    times = [None] * len(log) if log.timestamp is None else (log.timestamp // 10**6).tolist()
    return list(zip(users.to_list(), items.to_list(), log.value.astype(int).tolist(), times, strict=True))


@given(ROWS, ROWS, WINDOWS)
def test_each_exposure_has_the_label_that_plain_loops_give_it(exposures, engagements, window):
    found, without, late = matched(exposures, engagements, window)
    labels, *counts = label_exposures(exposures, engagements, window)
    assert list(zip(found.engaged.astype(int).tolist(), found.engaged_at.tolist(), strict=True)) == labels
    assert [without, late] == counts


@given(ROWS, ROWS, WINDOWS)
def test_each_pair_has_the_label_that_plain_loops_give_it(exposures, engagements, window):
    found, _, _ = matched(exposures, engagements, window)
    chosen = found.one_a_pair()
    ours = {exposures[at][:2]: (int(found.engaged[at]), int(found.engaged_at[at])) for at in chosen.tolist()}
    assert ours == label_pairs(exposures, label_exposures(exposures, engagements, window)[0])
    assert chosen.size == len(ours)


def test_an_engagement_before_the_exposure_labels_nothing():
    # Planted: the click is the user's, on the item, and known; but nobody had shown it.
    found, without, _ = matched([(0, 0, 10)], [(0, 0, 9)])
    assert (found.engaged.tolist(), without) == ([False], 1)
    assert matched([(0, 0, 10)], [(0, 0, 10)])[0].engaged.tolist() == [True]


def test_the_last_moment_of_the_window_counts():
    for window, engaged in ((4, False), (5, True)):
        assert matched([(0, 0, 10)], [(0, 0, 15)], window)[0].engaged.tolist() == [engaged]


def test_a_window_of_hours_is_in_microseconds():
    assert Labels(engaged="a > 1", within_hours=0.5).window == HOUR // 2
    assert Labels(engaged="a > 1").window == ENDLESS


def test_one_a_pair_without_times_is_the_first_engaged_row_else_the_last():
    pair = np.array([7, 7, 7, 8, 8])
    rows = Exposures(pair, None, np.array([False, True, True, False, False]), None)
    assert rows.one_a_pair().tolist() == [1, 4]


# --- one table of both kinds of rows ---------------------------------------------------------------------------


def test_events_of_one_table_become_labels():
    data = read(frame(LOG), labels=CLICKED, context=["place"])
    assert data.feedback.kind == "binary"
    assert labels_of(data) == [
        ("ann", 2, 0, 1_600_000_000),
        ("ann", 1, 1, 1_600_000_060),  # the time of the click, not of the exposure
        ("bob", 2, 0, 1_600_000_500),  # clicked before it was shown
        ("bob", 1, 1, 1_600_100_000),
    ]
    assert data.interactions.context["place"].to_list() == ["home", "home", "mail", "mail"]
    text = data.report.to_text()
    assert (
        "labels: 2 × 1 (engaged after being shown), 2 × 0 (shown, not engaged), one a user and item" in text
    )
    assert "of 4 exposures and 3 engagements" in text
    assert "engagements without an exposure before them, which label nothing: 1" in text
    assert "rows that are neither an exposure nor an engagement, not used: 1" in text


def test_engagements_after_the_window_are_counted_and_label_nothing():
    rule = Labels(engaged='event in ["click", "buy"]', shown='event == "shown"', within_hours=24)
    data = read(frame(LOG), labels=rule)
    assert ("bob", 1, 0, 1_600_000_500) in labels_of(data)
    assert data.report.labelling.counts.too_late == 1
    assert (
        "engagements more than 24 hours after the exposure, which label nothing: 1" in data.report.to_text()
    )
    assert data.report.to_values()["labels"]["rule"]["within_hours"] == 24


def test_a_csv_gives_the_labels_of_the_frame(tmp_path):
    frame(LOG).write_csv(tmp_path / "log.csv")
    typed, text = (read(source, labels=CLICKED) for source in (frame(LOG), tmp_path / "log.csv"))
    assert labels_of(text) == labels_of(typed)


def test_rejected_rows_neither_show_nor_engage(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "user,item,event,timestamp\na,1,shown,1600000000\n,1,click,1600000001\na,1,click,soon\na,2,click,\n"
    )
    with pytest.warns(DataWarning):
        data = read(path, labels=CLICKED)
    assert labels_of(data) == [("a", 1, 0, 1_600_000_000)]
    assert data.report.rejects.select("row", "line", "column", "reason").rows() == [
        (2, 3, "user", "missing id"),
        (3, 4, "timestamp", "unparsable timestamp"),
        (4, 5, "timestamp", "missing timestamp"),
    ]


# --- each row is an exposure -----------------------------------------------------------------------------------

WATCHED = "user,item,watch_seconds,timestamp\na,1,12,1600000000\na,1,40,1600000100\na,2,,1600000000\nb,1,5,1600000000\n"


def test_each_row_may_say_itself_whether_it_was_engaged(tmp_path):
    path = tmp_path / "watched.csv"
    path.write_text(WATCHED)
    pairs = read(path, labels=Labels(engaged="watch_seconds >= 30"))
    assert labels_of(pairs) == [
        ("a", 2, 0, 1_600_000_000),
        ("b", 1, 0, 1_600_000_000),
        ("a", 1, 1, 1_600_000_100),
    ]
    rows = read(path, labels=Labels(engaged="watch_seconds >= 30", per="exposure"))
    assert [value for *_, value, _ in labels_of(rows)] == [0, 0, 0, 1]
    assert rows.report.labelling.counts.exposures == 4
    assert "rule ← watch_seconds (mapped)" in rows.report.to_text()


def test_rows_without_times_are_labelled_too(tmp_path):
    path = tmp_path / "watched.csv"
    path.write_text(WATCHED.replace("timestamp", "place"))
    assert labels_of(read(path, labels=Labels(engaged="watch_seconds >= 30"))) == [
        ("a", 1, 1, None),
        ("a", 2, 0, None),
        ("b", 1, 0, None),
    ]


def test_a_rule_that_never_holds_is_said():
    log = pl.DataFrame({"user": [1], "item": [1], "seconds": [3]})
    assert (
        "no exposure was engaged: check the rule"
        in check(log, labels=Labels(engaged="seconds > 30")).to_text()
    )


def test_cells_that_are_no_numbers_are_rejected_with_their_place(tmp_path):
    path = tmp_path / "watched.csv"
    path.write_text(WATCHED.replace("40", "forty"))
    report = check(path, labels=Labels(engaged="watch_seconds >= 30"))
    assert report.rejects.select("row", "line", "column", "value", "reason").rows() == [
        (2, 3, "watch_seconds", "forty", "unparsable number")
    ]


# --- impressions in a table of their own -----------------------------------------------------------------------


def test_impressions_may_have_a_table_of_their_own(tmp_path):
    (tmp_path / "clicks.csv").write_text("user,item,timestamp\na,1,1600000010\nb,9,1600000020\n")
    (tmp_path / "shown.csv").write_text(
        "who,item,ts,slot\na,1,1600000000,1\na,2,1600000000,2\nb,1,x,1\nb,1,1600000000,3\n"
    )
    with pytest.warns(DataWarning):
        data = read(
            tmp_path / "clicks.csv",
            impressions=tmp_path / "shown.csv",
            columns={"impressions": {"user_id": "who"}},
            context=["slot"],
        )
    # Nobody was shown item 9: what b did with it labels nothing, of b or of anybody else.
    wanted = [("a", 2, 0, 1_600_000_000), ("b", 1, 0, 1_600_000_000), ("a", 1, 1, 1_600_000_010)]
    assert labels_of(data) == wanted
    assert data.interactions.context["slot"].to_list() == [2, 3, 1]
    events, shown = data.report.tables
    assert (events.role, shown.role) == ("interactions", "impressions")
    assert shown.rejects.select("row", "line", "reason").rows() == [(3, 4, "unparsable timestamp")]
    assert data.report.labelling.counts.without_exposure == 1


def test_ids_of_both_tables_are_compared_as_one_kind():
    clicks = pl.DataFrame({"user": ["1"], "item": [5], "timestamp": [1_600_000_001]})
    shown = pl.DataFrame({"user": [1], "item": [5], "timestamp": [1_600_000_000]})
    assert labels_of(read(clicks, impressions=shown)) == [(1, 5, 1, 1_600_000_001)]


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"engaged": "seconds > "}, r"engaged: at character 10, expected a number"),
        ({"engaged": "a > 1", "shown": "b = 2"}, r"shown: at character 3.*equality is written =="),
        ({"engaged": "a > 1", "per": "user"}, "per='user' is not one of pair, exposure"),
        ({"engaged": "a > 1", "within_hours": -1}, "within_hours must be a number at least 0"),
        ({"engaged": 3}, "engaged must be a condition in text"),
    ],
)
def test_a_wrong_rule_is_refused_when_it_is_made(rule, message):
    with pytest.raises(ParameterError, match=message):
        Labels(**rule)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"labels": Labels()}, ParameterError, "say which rows are engagements"),
        (
            {"labels": Labels(engaged="item > 1", within_hours=1)},
            ParameterError,
            "within_hours is the time between",
        ),
        ({"labels": CLICKED, "kind": "ratings"}, ParameterError, "labels are 1 and 0"),
        ({"labels": CLICKED, "duplicates": "reject"}, ParameterError, "duplicates=.reject. is for events"),
        ({"labels": CLICKED, "columns": {"value": "event"}}, ParameterError, "labels make the values"),
        ({"labels": "clicks"}, ParameterError, "labels must be Labels"),
        (
            {"labels": Labels(engaged="evnt == 'click'")},
            DataError,
            r"rule .*no column 'evnt', did you mean 'event'",
        ),
        (
            {"labels": Labels(engaged="event > 3")},
            DataError,
            r"none of the 8 rows can be used: 8 × unparsable number",
        ),
        (
            {"labels": Labels(engaged="item == 'x'")},
            DataError,
            "'item' is Int64 and cannot be compared with a text",
        ),
        (
            {"labels": Labels(engaged="event == 'click'", shown="event == 'viewed'")},
            DataError,
            "no row is an exposure by the rule",
        ),
        ({"labels": CLICKED, "columns": {"timestamp": None}}, DataError, "so both need times"),
    ],
)
def test_contradictions_about_labels_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        read(frame(LOG), **arguments)
