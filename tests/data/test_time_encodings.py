from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from shortlist.data.time_encodings import TimePartsEncoding

MOMENTS = [
    datetime(2000, 1, 3, 0, 59, tzinfo=UTC),
    None,
    datetime(2020, 4, 5, 18, 0, tzinfo=UTC),
]  # a Monday, a Sunday


def parts(moments=MOMENTS, other=None, **options):
    encoding = TimePartsEncoding.fit(pl.Series("t", moments, dtype=pl.Datetime("us", "UTC")), **options)
    rows = encoding.transform(
        pl.Series("t", moments if other is None else other, dtype=pl.Datetime("us", "UTC"))
    )
    assert rows.shape[1] == encoding.width == len(encoding.names("t"))
    return encoding.names("t"), rows.toarray()


def test_parts_stand_on_circles_by_hand():
    names, rows = parts()
    assert names == [
        "t.year",
        *(f"t.{part}~{of}" for part in ("month", "weekday", "hour") for of in ("sin", "cos")),
    ]
    assert rows[0] == pytest.approx([-1, 0, 1, 0, 1, 0, 1])
    assert rows[1].tolist() == [0] * 7
    sunday = 2 * np.pi * 6 / 7
    assert rows[2] == pytest.approx([1, 1, 0, np.sin(sunday), np.cos(sunday), -1, 0], abs=1e-6)


def test_parts_may_have_a_feature_a_value():
    names, rows = parts(cyclic=False)
    assert rows.shape == (3, 1 + 12 + 7 + 24)
    set_ = [[names[at] for at in np.flatnonzero(row)] for row in rows]
    assert set_ == [
        ["t.year", "t.month=January", "t.weekday=Monday", "t.hour=0"],
        [],
        ["t.year", "t.month=April", "t.weekday=Sunday", "t.hour=18"],
    ]


def test_parts_may_be_chosen_and_keep_their_order():
    assert parts(parts=["hour", "year"])[0] == ["t.year", "t.hour~sin", "t.hour~cos"]


def test_december_lies_as_near_to_january_as_february_does():
    months = [datetime(2001, month, 1, tzinfo=UTC) for month in (12, 1, 2, 7)]
    rows = parts(months, parts=["month"])[1]
    near, other, far = (np.linalg.norm(rows[1] - rows[at]) for at in (0, 2, 3))
    assert near == pytest.approx(other)
    assert far == pytest.approx(2)


@pytest.mark.parametrize("cyclic", [True, False])
def test_all_missing_times_set_nothing(cyclic):
    assert not parts([None, None], cyclic=cyclic)[1].any()
    assert parts([], cyclic=cyclic)[1].shape[0] == 0


def test_one_year_alone_is_zero():
    assert parts([datetime(2001, 1, 1, tzinfo=UTC)] * 2, parts=["year"])[1].tolist() == [[0], [0]]


def test_times_before_1970_have_their_parts():
    names, rows = parts([datetime(1969, 12, 31, 23, tzinfo=UTC)], cyclic=False)
    assert [names[at] for at in np.flatnonzero(rows[0])] == [
        "t.month=December",
        "t.weekday=Wednesday",
        "t.hour=23",
    ]
