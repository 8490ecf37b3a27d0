import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data.id_collisions import find_collisions
from shortlist.data.read import check, read
from shortlist.data.vocabulary import Vocabulary, is_canonical_integer


def found(*ids):
    return [(c.differ_by, c.n_ids, c.examples) for c in find_collisions("users", Vocabulary.of(list(ids)))]


@pytest.mark.parametrize(
    ("ids", "by"),
    [
        ((" ann", "ann"), "spaces"),
        (("a b", "a  b", "a\tb"), "spaces"),
        (("ANN", "Ann", "ann"), "case"),
        (("É", "E\u0301"), "their Unicode form"),
        (("x\u00b2", "x2"), "their Unicode form"),
        (("007", "7", "7.0", "+7"), "how a number is written"),
        (("-07", "-7"), "how a number is written"),
        (("00", "0"), "how a number is written"),
        ((" Ann", "ann"), "several of these at once"),
    ],
)
def test_ids_collide_where_one_way_of_writing_is_ignored(ids, by):
    assert found("zoe", *ids) == [(by, len(ids), (tuple(sorted(ids)),))]


def test_ids_that_differ_otherwise_do_not_collide():
    assert found("ann", "anna", "7", "70", "-7", "7.5", "a", "b", "a.0", "x1", "x01") == []
    assert find_collisions("items", Vocabulary.of([1, 10, 100])) == []


def test_five_groups_are_shown_and_all_counted():
    ids = [text for n in range(20) for text in (f"user{n}", f"USER{n}")]
    ((by, n, examples),) = found(*ids)
    assert (by, n, len(examples)) == ("case", 40, 5)


IDS = st.sampled_from(
    ["ann", "Ann", " ann", "AnN ", "é", "e\u0301", "É", "1", "01", "1.0", "+1", "2", "a\u00a0b", "a b"]
)


@given(st.sets(IDS | st.text("aA 0.", min_size=1, max_size=4), min_size=1, max_size=10))
def test_those_collide_that_plain_python_makes_equal(ids):
    def key(text):
        plain = " ".join(unicodedata.normalize("NFKC", text).split())
        number = plain.removeprefix("+").split(".")
        if number[0].lstrip("-").isdecimal() and not "".join(number[1:]).strip("0") and len(number) <= 2:
            digits = number[0].lstrip("-").lstrip("0") or "0"
            return ("-" if number[0].startswith("-") else "") + digits
        return plain.lower()

    keys = [key(text) for text in ids]
    twins = sum(keys.count(k) > 1 for k in keys)
    assert sum(n for _, n, _ in found("zoe", *ids)) == twins


def test_the_report_says_them_and_no_id_is_changed():
    log = pl.DataFrame(
        {"user": ["ann", "Ann", "\u00c5", "\u212b", " bob", "bob"], "item": [1, 2, 3, 4, 5, 6]}
    )
    data = read(log)
    assert data.users.ids.to_list() == sorted(log["user"])
    text = data.report.to_text()
    assert "2 ids of users differ from another by case alone: 'Ann' and 'ann'" in text
    assert "2 ids of users differ from another by spaces alone: ' bob' and 'bob'" in text
    # They look the same on a screen.
    assert r"their Unicode form alone: '\xc5' and '\u212b'" in text
    assert "write them alike in the source" in text
    assert data.report.to_values()["collisions"][0]["examples"] == ((" bob", "bob"),)


def test_integers_in_one_table_and_text_in_another_are_said(tmp_path):
    events, items = tmp_path / "events.csv", tmp_path / "items.csv"
    events.write_text("user,item\n1,7\n1,8\n")
    items.write_text("item,title\n007,Bond\n8,Eight\n")
    report = check(events, items=items)
    assert report.mixed_ids == ("items",)
    assert (
        "items: integers in one table and strings in another, so all are compared as strings"
        in report.to_text()
    )
    assert (
        "2 ids of items differ from another by how a number is written alone: '007' and '7'"
        in report.to_text()
    )
    assert (report.without_events, report.without_features) == ({"items": 1}, {"items": 1})


@given(st.text(min_size=1, max_size=5))
def test_a_canonical_integer_collides_with_no_other(text):
    if is_canonical_integer(text):
        assert found("x", text, str(int(text) + 1)) == []
