from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlist.data.timestamps import read_times
from shortlist.errors import DataError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def times(cells, dtype=None):
    return read_times("events.csv", pl.Series("when", cells, dtype=dtype))


def moments(read):
    """Return µs where a cell is readable, "missing" or "bad" where it is not."""
    states = zip(read.microseconds.tolist(), read.readable.tolist(), read.missing.tolist(), strict=True)
    return [us if readable else "missing" if missing else "bad" for us, readable, missing in states]


def microseconds(moment):
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(
    st.lists(MOMENTS, min_size=1), st.sampled_from(["T", " "]), st.sampled_from(["", "Z", " UTC", "+00:00"])
)
def test_iso_text_is_utc_unless_it_says_otherwise(naive, separator, suffix):
    cells = [moment.isoformat(separator) + suffix for moment in naive]
    read = times(cells)
    assert moments(read) == [microseconds(moment.replace(tzinfo=UTC)) for moment in naive]
    assert read.meaning == "ISO 8601 text, UTC unless it names an offset"


@given(st.lists(st.tuples(MOMENTS, OFFSETS), min_size=1))
def test_offsets_are_taken_off(pairs):
    aware = [moment.replace(tzinfo=zone) for moment, zone in pairs]
    assert moments(times([moment.isoformat() for moment in aware])) == [
        microseconds(moment) for moment in aware
    ]


@given(st.lists(st.dates(date(1, 1, 1), date(9999, 12, 31)), min_size=1))
def test_a_date_is_its_midnight(days):
    wanted = [microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC)) for day in days]
    assert moments(times([day.isoformat() for day in days])) == wanted
    assert moments(times(days)) == wanted


@pytest.mark.parametrize(
    "text", ["2018-09-24T14:27", "2018-09-24 14:27:00", " 2018-09-24T14:27:00.000 ", "1537799220"]
)
def test_these_are_the_same_moment(text):
    assert moments(times([text])) == [1_537_799_220_000_000]


@pytest.mark.parametrize(
    "text", ["2018-02-30", "24/09/2018", "2018-09", "noon", "12018-01-01", "2018-09-24T25:00:00", "-"]
)
def test_this_is_no_time(text):
    assert moments(times([text, "2018-09-24"])) == ["bad", 1_537_747_200_000_000]


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        (964_982_703, "seconds"),
        (964_982_703_000, "milliseconds"),
        (964_982_703_000_000, "microseconds"),
        (964_982_703_000_000_000, "nanoseconds"),
    ],
)
@pytest.mark.parametrize("dtype", [pl.Int64, pl.String, pl.Float64])
def test_the_unit_follows_from_the_magnitude(number, unit, dtype):
    read = times(pl.Series([number, number, 7]).cast(dtype))
    # A single small number, a broken one say, does not change the unit of the others.
    assert moments(read)[:2] == [964_982_703_000_000] * 2
    assert read.meaning == f"{unit} since 1970"


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
@example([2**63 - 1, 1, 1])
@example([-(2**63), 1, 1])
def test_integers_are_exact_or_rejected(numbers):
    read = times(numbers, pl.Int64)
    per_second = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
    if read.meaning.startswith("days"):
        return
    scale = per_second[read.meaning.split()[0]]
    exact = [number * 10**6 // scale for number in numbers]
    inside = [microseconds(datetime.min.replace(tzinfo=UTC)), microseconds(datetime.max.replace(tzinfo=UTC))]
    assert moments(read) == [us if inside[0] <= us <= inside[1] else "bad" for us in exact]


def test_fractions_of_a_second_count():
    assert moments(times(["964982703.25", "964982703"])) == [964_982_703_250_000, 964_982_703_000_000]
    assert moments(times([964_982_703.25, float("nan"), float("inf")])) == [
        964_982_703_250_000,
        "missing",
        "bad",
    ]
    assert moments(times([Decimal("964982703.5")])) == [964_982_703_500_000]


def test_days_may_be_written_without_dashes():
    for cells in ([20_180_924, 20_180_925, 20_181_399], ["20180924", "20180925", "20181399"]):
        read = times(cells)
        assert moments(read) == [1_537_747_200_000_000, 1_537_833_600_000_000, "bad"]
        assert read.meaning == "days written YYYYMMDD, at midnight UTC"


def test_numbers_in_the_range_of_days_that_are_none_are_seconds():
    assert times([20_180_924, 20_189_999, 20_181_399]).meaning == "seconds since 1970"


def test_numbers_and_text_may_stand_in_one_column():
    read = times(["964982703", "2018-09-24", "", None, "x"])
    assert moments(read) == [964_982_703_000_000, 1_537_747_200_000_000, "missing", "missing", "bad"]
    assert read.meaning == "seconds since 1970, or ISO 8601 text, UTC unless it names an offset"


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_any_unit_and_zone(unit):
    naive = pl.Series("when", [datetime(2018, 7, 1, 12), None]).cast(pl.Datetime(unit))  # noqa: DTZ001
    read = read_times("frame", naive)
    assert moments(read) == [microseconds(datetime(2018, 7, 1, 12, tzinfo=UTC)), "missing"]
    assert read.meaning == "datetimes, taken as UTC"
    london = read_times("frame", naive.dt.replace_time_zone("Europe/London"))
    assert moments(london) == [microseconds(datetime(2018, 7, 1, 11, tzinfo=UTC)), "missing"]
    assert london.meaning == "datetimes in Europe/London, converted to UTC"


def test_an_empty_column_is_missing_throughout():
    assert moments(times([None, None])) == ["missing", "missing"]
    assert moments(times([], pl.String)) == []


def test_a_column_of_another_type_is_refused():
    with pytest.raises(DataError, match=r"events.csv: the column 'when' is Boolean"):
        times([True])
