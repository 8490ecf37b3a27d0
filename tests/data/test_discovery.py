import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.data import split
from shortlist.data.discovery import discover
from shortlist.errors import DataError, ParameterError

DAY = 86_400


def events(n_users=20, n_items=12, days=40, seed=1):
    """Return purchases spread evenly over time: whoever buys late has bought before."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        [
            {"customer": f"c{u}", "sku": f"s{i}", "date": 1_500_000_000 + DAY * day + u}
            for day in range(days)
            for u, i in zip(
                rng.integers(0, n_users, 5).tolist(), rng.integers(0, n_items, 5).tolist(), strict=True
            )
        ]
    )


ITEMS = pl.DataFrame({"sku": [f"s{i}" for i in range(12)], "colour": ["red", "blue"] * 6})
USERS = pl.DataFrame({"customer": [f"c{u}" for u in range(20)], "age": range(20)})


@pytest.fixture
def folder(tmp_path):
    for name, frame in (("log", events()), ("goods", ITEMS), ("people", USERS)):
        frame.write_csv(tmp_path / f"{name}.csv")
    return tmp_path


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0), (2, 0), (0,)])
def test_roles_are_told_by_content_in_any_order(folder, order):
    files = [str(folder / name) for name in ("log.csv", "goods.csv", "people.csv")]
    found = discover([files[at] for at in order])
    roles = {0: "interactions", 1: "items", 2: "users"}
    assert found.sources == {roles[at]: files[at] for at in sorted(order)}
    assert list(found.sources) == [roles[at] for at in sorted(order)]


def test_columns_and_features_are_those_of_read(folder):
    found = discover([folder / "log.csv", folder / "goods.csv", folder / "people.csv"])
    assert found.columns == {
        "user_id": "customer",
        "item_id": "sku",
        "timestamp": "date",
        "items": {"item_id": "sku"},
        "users": {"user_id": "customer"},
    }
    assert found.features == {"items": {"colour": "categorical"}, "users": {"age": "numeric"}}
    declared = sl.read(
        **found.sources, kind=found.data.feedback.kind, columns=found.columns, features=found.features
    )
    assert declared.fingerprint == found.data.fingerprint


def test_a_table_with_a_bare_id_column_is_told_by_its_ids(folder):
    for role, frame, column in (("items", ITEMS, "sku"), ("users", USERS, "customer")):
        frame.rename({column: "id"}).write_csv(folder / "table.csv")
        found = discover([folder / "table.csv", folder / "log.csv"])
        assert found.sources[role] == folder / "table.csv"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    events().write_csv(tmp_path / "log.csv", separator=delimiter)
    ITEMS.write_csv(tmp_path / "goods.csv", separator=delimiter)
    found = discover([tmp_path / "log.csv", tmp_path / "goods.csv"])
    assert found.given["delimiter"] == delimiter
    assert discover([tmp_path / "log.csv"], delimiter=delimiter).given["delimiter"] == delimiter


def test_of_a_file_whose_columns_show_the_columns_are_what_is_missing(tmp_path):
    (tmp_path / "log.csv").write_text("Lånernavn;Tittel;Terningkast\nKari;Sult;4\n")
    with pytest.raises(DataError, match=r"no column is recognised as user_id.*columns: Lånernavn, Tittel"):
        discover([tmp_path / "log.csv"])


def test_a_comma_needs_no_delimiter(folder):
    assert "delimiter" not in discover([folder / "log.csv"]).given


def test_two_tables_of_one_role_are_refused(folder):
    with pytest.raises(DataError, match=r"goods\.csv holds items, and so does another"):
        discover([folder / "log.csv", folder / "goods.csv", folder / "goods.csv"])
    with pytest.raises(DataError, match="holds items"):
        discover([folder / "log.csv", folder / "goods.csv"], items=folder / "goods.csv")
    with pytest.raises(ParameterError, match="at most three files"):
        discover([folder / "log.csv"] * 4)
    with pytest.raises(ParameterError, match="at least one file"):
        discover([])


def test_what_cannot_be_used_gives_the_error_of_check(tmp_path):
    file = tmp_path / "odd.csv"
    for text in ("", "a,b\n1,2\n", "1,2\n3,4\n", "user,item,rating\n1,2,good\n"):
        file.write_text(text)
        with pytest.raises(DataError) as checked:
            sl.check(file)
        with pytest.raises(DataError) as found:
            discover([file])
        assert str(found.value) == str(checked.value)


def test_data_without_a_positive_event_is_refused():
    frame = pl.DataFrame({"user": [1, 2], "item": [1, 2], "clicks": [0, 0]})
    with pytest.raises(DataError, match="no event is positive"):
        discover([frame], kind="events")


def test_repeats_are_declared_where_people_come_back():
    assert discover([events()]).repeats
    once = events().unique(["customer", "sku"], maintain_order=True)
    assert not discover([once]).repeats
    rated = events().with_columns(rating=pl.Series(np.arange(200) % 5 + 1))
    assert not discover([rated], kind="ratings").repeats


def test_a_cut_in_time_is_chosen_where_customers_return():
    found = discover([events()])
    assert found.cut.kind == "global_time"
    test = split.global_time(found.data).test.interactions
    assert "100% of its test users have a past" in found.cut.why
    assert np.unique(test.user_idx).size > 10


def test_a_cut_in_time_that_tests_strangers_is_not_chosen():
    frame = pl.DataFrame(
        [
            {"user": u, "item": (u + i) % 9, "time": 1_500_000_000 + u * DAY + i}
            for u in range(30)
            for i in range(6)
        ]
    )
    found = discover([frame])
    assert found.cut.kind == "leave_last_out"
    assert "strangers" in found.cut.why


def test_without_times_the_last_of_each_user_test():
    assert discover([events().drop("date").unique(maintain_order=True)]).cut.kind == "leave_last_out"


def test_users_with_two_events_are_cut_at_random():
    frame = pl.DataFrame([{"user": u, "item": (u + i) % 7} for u in range(20) for i in range(2)])
    assert discover([frame]).cut.kind == "random"


def test_too_little_data_is_said():
    found = discover([pl.DataFrame({"user": [1], "item": [2]})])
    assert found.cut.kind == "leave_last_out"
    assert "too little data" in found.cut.why
