from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shortlist.data.read import check
from shortlist.data.rejects import Screening
from shortlist.data.tables import open_table
from shortlist.data.time_checks import DAY, YEAR, TimeLimits, bulk_begins, screen_times
from shortlist.data.timestamps import read_times
from shortlist.errors import ParameterError

NOW = 1_700_000_000  # seconds: 2023-11-14
CLOCK = TimeLimits(clock=NOW * 10**6)
FAR = "timestamp far before all others"


def screened(cells, limits=CLOCK, dtype=None):
    column = pl.Series("when", cells, dtype=dtype)
    screening = Screening(open_table(column.to_frame(), "interactions"), column.len())
    notes = screen_times(column, read_times("log", column), limits, screening)
    return screening.rejects().select("row", "value", "reason").rows(), notes


def moments(*years):
    return np.array([int(datetime(year, 6, 1, tzinfo=UTC).timestamp()) * 10**6 for year in years])


def test_a_day_in_the_future_is_taken_and_a_second_more_is_not():
    found, _ = screened([NOW, NOW + 86_400, NOW + 86_401])
    assert found == [(3, str(NOW + 86_401), "timestamp in the future")]


@pytest.mark.parametrize("never", ["9999-12-31", "9999-12-31T23:59:59Z", "2999-01-01"])
def test_never_is_written_as_a_far_year(never):
    assert screened(["2020-01-01", never])[0] == [(2, never, "timestamp in the future")]


@pytest.mark.parametrize(
    "nothing", ["1970-01-01", "1900-01-01", "0001-01-01", "1980-01-01T00:00:00", "1601-01-01"]
)
def test_dates_that_stand_for_none_are_far_before_all_others(nothing):
    cells = ["2012-01-01", "2015-05-05", nothing, "2020-01-01"]
    assert screened(cells)[0] == [(3, nothing, FAR)]


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.String])
def test_zero_and_negative_among_modern_times_are_rejected(unit, dtype):
    cells = pl.Series([NOW * unit, 0, (NOW - 5) * unit, (NOW - 9) * unit, -86_400 * unit]).cast(dtype)
    found, _ = screened(cells)
    assert [(row, reason) for row, _, reason in found] == [(2, FAR), (5, FAR)]


def test_zeros_do_not_decide_the_unit_or_the_bulk_even_where_they_are_most():
    cells = [0] * 20 + [NOW * 1000 + n for n in range(5)]
    found, _ = screened(cells)
    assert [row for row, *_ in found] == list(range(1, 21))


@pytest.mark.parametrize(
    "years",
    [
        (1955, 1960, 1968, 1975, 1983, 1991, 2000, 2008, 2015, 2020),  # no gap of ten years
        (2000, 2000, 2000, 2018),  # later, however far
        (1985, 2010, 2010, 2010),  # early, and a clock may have said so
        (1975, 1975, 2020),  # no bulk: the modern ones are not the more
        (1970, 2020, 2020),  # two are no bulk
        (
            1900,
            1904,
            1940,
            1945,
            1950,
            1955,
            1960,
            1965,
            1970,
            1975,
            1980,
            1985,
            1990,
            1995,
            2000,
            2005,
            2010,
            2020,
        ),
        (1970,),
        (),
    ],
)
def test_times_that_may_be_right_stay(years):
    times = moments(*years)
    begin = bulk_begins(times)
    assert begin is None or bool(np.all(times >= begin))


def test_only_what_lies_before_1981_is_far():
    times = moments(1975, 1985, 2010, 2010, 2010)
    assert (times < bulk_begins(times)).tolist() == [True, False, False, False, False]


def test_a_gap_of_ten_years_parts_and_a_shorter_one_does_not():
    bulk = [2_000_000_000 * 10**6 + n * DAY for n in range(5)]
    for years, far in ((9, False), (11, True)):
        early = [3 * 365 * DAY]  # 1973
        times = np.array([*early, *(t - bulk[0] + early[0] + years * YEAR for t in bulk)])
        begin = bulk_begins(times)
        assert (begin is not None and times[0] < begin) == far


@given(st.lists(st.integers(0, 80), min_size=1, max_size=30))
def test_what_is_far_is_what_plain_python_finds(years):
    """Times at whole years from 1945 on, so that gaps are whole years; the judge walks over the sorted years."""
    times = np.array([(year - 25) * YEAR for year in years])
    begin = bulk_begins(times)
    ours = sorted(
        year for year, time in zip(years, times.tolist(), strict=True) if begin is not None and time < begin
    )
    counted = [year for year in years if year != 25]  # 1970 itself says nothing
    runs = []
    for year in sorted(set(counted)):
        if runs and year - runs[-1][-1] <= 10:
            runs[-1].append(year)
        else:
            runs.append([year])
    sizes = [sum(counted.count(year) for year in run) for run in runs]
    if not runs or max(sizes) < 3 or 2 * max(sizes) <= len(counted):
        assert ours == []
        return
    largest = sizes.index(max(sizes))
    first, span = runs[largest][0], runs[largest][-1] - runs[largest][0]
    for run in reversed(runs[:largest]):
        assume(first - run[-1] != span / 2)  # in steps of 102 days an exact half may fall to either side
        if first - run[-1] > span / 2:
            break
        first = run[0]
    assert ours == sorted(year for year in years if year < min(first, 37))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([NOW, NOW - 5, NOW * 1000], "timestamp in milliseconds, where the column counts seconds"),
        ([NOW, NOW - 5, NOW * 10**6], "timestamp in microseconds, where the column counts seconds"),
        ([NOW * 1000, NOW * 1000 - 5, NOW], "timestamp in seconds, where the column counts milliseconds"),
        (
            [NOW * 10**6, NOW * 10**6 - 5, NOW * 1000],
            "timestamp in milliseconds, where the column counts microseconds",
        ),
        ([NOW * 10**9, NOW * 10**9 - 5, NOW], "timestamp in seconds, where the column counts nanoseconds"),
    ],
)
@pytest.mark.parametrize("dtype", [pl.Int64, pl.String])
def test_a_number_in_another_unit_is_rejected_and_not_converted(cells, reason, dtype):
    found, _ = screened(pl.Series(cells).cast(dtype))
    assert found == [(3, str(cells[2]), reason)]


def test_a_number_that_is_a_time_in_no_unit_is_unparsable():
    assert screened([NOW, NOW, NOW * 77_000])[0] == [(3, str(NOW * 77_000), "unparsable timestamp")]


def test_small_numbers_are_an_order_and_said_to_be():
    found, (note,) = screened([1, 2, 3, 400])
    assert found == []
    assert note.startswith("when: the times, 1 to 400, look like an order rather than moments; they are kept")
    assert screened(["1970-01-01", "1971-01-01"])[1] == []
    assert screened([NOW])[1] == []


def test_what_the_caller_declares_goes_before_what_is_guessed():
    limits = TimeLimits(earliest=-DAY, latest=(NOW + 9 * 86_400) * 10**6, clock=NOW * 10**6)
    assert screened([NOW, 0, NOW, NOW, NOW + 8 * 86_400], limits)[0] == []
    assert screened([NOW, -90_000, NOW, NOW + 10 * 86_400], limits)[0] == [
        (2, "-90000", "timestamp before the earliest declared"),
        (4, str(NOW + 10 * 86_400), "timestamp after the latest declared"),
    ]


def test_the_report_has_row_and_line_and_what_to_do(tmp_path):
    path = tmp_path / "log.csv"
    rows = [
        "a,1,1600000000",
        'a,"2\n2",1600000001',
        "a,3,1600000002",
        "a,4,0",
        "a,5,9999999999",
        "a,6,1600000003000",
    ]
    path.write_text("\n".join(["user,item,timestamp", *rows]) + "\n")
    report = check(path)
    assert report.rejects.select("row", "line", "column", "value", "reason").rows() == [
        (4, 6, "timestamp", "0", FAR),
        (5, 7, "timestamp", "9999999999", "timestamp in the future"),
        (6, 8, "timestamp", "1600000003000", "timestamp in milliseconds, where the column counts seconds"),
    ]
    assert "earliest=… declares from when on times are right" in report.to_text()
    declared = check(path, earliest="1970-01-01", latest="2300-01-01")
    assert declared.tables[0].reasons == {"timestamp in milliseconds, where the column counts seconds": 1}


def test_the_clock_is_that_of_this_machine():
    soon = datetime.now(tz=UTC).timestamp()
    log = pl.DataFrame({"user": [1, 1], "item": [1, 2], "timestamp": [int(soon), int(soon) + 2 * 86_400]})
    assert check(log).rejects["row"].to_list() == [2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"earliest": "noon"}, "earliest='noon' is not an ISO 8601 time"),
        ({"latest": 1.5}, "latest=1.5: give a datetime"),
        (
            {"earliest": "2021-01-01", "latest": "2020-01-01"},
            "earliest='2021-01-01' is after latest='2020-01-01'",
        ),
    ],
)
def test_limits_that_are_none_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        check(pl.DataFrame({"user": [1], "item": [1]}), **arguments)
