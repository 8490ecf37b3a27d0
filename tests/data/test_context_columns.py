from datetime import UTC, date, datetime

import polars as pl
import pytest

import shortlist as sl
from shortlist.data.context_columns import context_table, with_time_parts
from shortlist.errors import DataError, ParameterError


def events(**columns):
    n = 3
    frame = pl.DataFrame({"user_id": list(range(n)), "item_id": list(range(n)), **columns})
    return sl.read(frame, kind="events", context=[name for name in columns if name != "timestamp"])


TIMES = [
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
    datetime(2024, 3, 1, 0, 0, tzinfo=UTC),
    datetime(2024, 12, 29, 9, 30, tzinfo=UTC),
]


def test_parts_of_the_time_are_context_in_utc():
    data = with_time_parts(events(timestamp=TIMES))
    assert data.interactions.context.to_dict(as_series=False) == {
        "hour": ["23", "0", "9"],
        "weekday": ["Thursday", "Friday", "Sunday"],
        "month": ["February", "March", "December"],
    }
    assert (
        list(context_table(data.interactions.context, ["hour", "month"]).kinds.values())
        == ["categorical"] * 2
    )


def test_parts_join_the_context_that_is_there_and_follow_the_log():
    data = events(timestamp=TIMES[::-1], device=["tv", "phone", "tv"])
    found = with_time_parts(data, ["hour"]).interactions
    assert found.context.to_dict(as_series=False) == {
        "device": ["tv", "phone", "tv"],
        "hour": ["23", "0", "9"],
    }
    assert data.interactions.context.columns == ["device"]
    assert with_time_parts(data, []).interactions.context.columns == ["device"]


def test_parts_are_offered_to_whoever_imports_the_package():
    assert sl.with_time_parts is with_time_parts


def test_data_without_times_has_no_parts():
    with pytest.raises(DataError, match="no timestamps"):
        with_time_parts(events())


@pytest.mark.parametrize("parts", [["minute"], "hour", ["hour", "hour"]])
def test_other_parts_are_refused(parts):
    with pytest.raises(ParameterError, match="some of month, weekday, hour, each once"):
        with_time_parts(events(timestamp=TIMES), parts)


def test_a_column_that_is_there_is_not_replaced():
    with pytest.raises(ParameterError, match="a context column 'hour' already"):
        with_time_parts(events(timestamp=TIMES, hour=[1, 2, 3]))


def test_kinds_follow_from_types():
    frame = pl.DataFrame(
        {
            "text": ["a", None],
            "group": pl.Series(["a", "b"], dtype=pl.Categorical),
            "truth": [True, None],
            "count": [1, None],
            "share": [float("nan"), 0.5],
            "day": [date(2020, 1, 1), None],
            "moment": [datetime(2020, 1, 1, 12), None],  # noqa: DTZ001
            "tags": [["x"], None],
            "nothing": [None, None],
        }
    )
    table = context_table(frame, frame.columns)
    assert list(table.kinds.values()) == [
        "categorical", "categorical", "categorical", "numeric", "numeric", "time", "time", "tags", "categorical",
    ]  # fmt: skip
    assert table.frame.rows()[0][1:] == (
        "a", "a", "true", 1.0, None,
        datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 12, tzinfo=UTC), ["x"], None,
    )  # fmt: skip
    assert table.frame["id"].to_list() == [0, 1]


def test_reading_may_add_parts_of_the_times():
    frame = pl.DataFrame(
        {"user_id": [1, 2], "item_id": [7, 7], "timestamp": ["2024-01-01T09:30:00", "2024-01-02T23:00:00"]}
    )
    data = sl.read(frame, time_parts=["hour", "weekday"])
    assert data.interactions.context.to_dict(as_series=False) == {
        "hour": ["9", "23"],
        "weekday": ["Monday", "Tuesday"],
    }
