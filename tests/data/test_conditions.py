import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data.conditions import Condition
from shortlist.data.rejects import Screening
from shortlist.data.tables import open_table
from shortlist.errors import DataError, ParameterError

TABLE = pl.DataFrame(
    {
        "event": ["click", "buy", "", None],
        "seconds": [31.5, float("nan"), 30, None],
        "n": [1, 2, 3, None],
        "text": ["31.5", " 7 ", "", "x"],
        "done": [True, False, None, True],
        "said": ["TRUE", "0", "", "yes"],
        "of the day": ["a", "b", "c", "d"],
        "day": pl.Series(["2024-01-01", "2024-05-01", None, "2025-01-01"]).str.to_date(),
        "blob": [b"1", b"2", b"3", b"4"],
    }
)


def holds(text, table=TABLE):
    screening = Screening(open_table(table, "interactions"), table.height)
    found = Condition.of("engaged", text).holds("log", table, screening)
    return found.tolist(), screening.rejects().select("row", "column", "reason").rows()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('event == "click"', [0]),
        ("event == 'click' or event == 'buy'", [0, 1]),
        ('event in ["click", "buy"]', [0, 1]),
        ('event != "click"', [1]),  # an empty cell is not different, it says nothing
        ("seconds >= 30", [0, 2]),
        ("seconds > 30 and n < 3", [0]),
        ("n in [1, 3]", [0, 2]),
        ("n != 1", [1, 2]),
        ("n == 1 or n == 2 and seconds > 1", [0]),
        ("(n == 1 or n == 2) and seconds > 1", [0]),
        ("n == 1 or (n == 2 or n == 3)", [0, 1, 2]),
        ("done == true", [0, 3]),
        ("done != true", [1]),
        ("n == true", [0]),
        ("`of the day` > 'b'", [2, 3]),
        ('day >= "2024-05-01"', [1, 3]),
        ("seconds >= -1.5e1", [0, 2]),
        ("seconds>=+30", [0, 2]),
    ],
)
def test_a_condition_holds_where_it_says(text, rows):
    found, rejected = holds(text)
    assert [at for at, held in enumerate(found) if held] == rows
    # 2 and 3 are no truth values.
    assert rejected == (
        [(2, "n", "unparsable truth value"), (3, "n", "unparsable truth value")] if "n == t" in text else []
    )


def test_text_is_compared_as_what_stands_on_the_other_side():
    assert holds("text >= 7") == ([True, True, False, False], [(4, "text", "unparsable number")])
    assert holds("text == 'x'") == ([False, False, False, True], [])
    assert holds("said == true") == ([True, False, False, False], [(4, "said", "unparsable truth value")])
    # Compared as both, a cell that is no number is not wrong.
    assert holds("text == 'x' or text > 8") == ([True, False, False, True], [])


@pytest.mark.parametrize("text", ["blob == 'x'", "blob > 1", "blob == true", "n == 'x'", "seconds == true"])
def test_a_type_that_cannot_be_compared_so_is_refused(text):
    with pytest.raises(DataError, match=r"log: the column '\w+' is \w+ and cannot be compared with a"):
        holds(text)


def test_a_column_that_is_not_there_is_answered_with_the_nearest():
    condition = Condition.of("engaged", "secnds > 3")
    with pytest.raises(
        DataError, match=r"log, in the rule 'secnds > 3': .* 'secnds', did you mean 'seconds'\?"
    ):
        condition.require_columns("log", TABLE.columns)


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("", 1, "the name of a column, and the text ends"),
        ("n", 2, "a comparison"),
        ("n >", 4, "a number, a text in quotes, true or false, and the text ends"),
        ("n = 1", 3, "a comparison .* equality is written =="),
        ("n == click", 6, 'text stands in quotes: "click"'),
        ("3 < n", 1, "the name of a column, and found '3'"),
        ("(n > 1", 7, r'"\)", and the text ends'),
        ("n > 1 n < 2", 7, '"and", "or" or the end'),
        ("n in 1", 6, r'"\["'),
        ("n in [1, 'x']", 10, "a number, as the first of the list is"),
        ("n in [1", 8, r'"\]"'),
        ("n > 1 and", 10, "the name of a column"),
        ("n > 1 or or", 10, "the name of a column, and found 'or'"),
        ("n > 1; import os", 6, '"and", "or" or the end'),
        ("__import__('os')", 11, "a comparison"),
        ("n == 1.2.3", 6, "a number"),
        ('event == "click', 10, "a number, a text"),
    ],
)
def test_an_error_points_at_the_place(text, at, expected):
    with pytest.raises(ParameterError, match=f"engaged: at character {at}, expected .*{expected}") as caught:
        Condition.of("engaged", text)
    *_, shown, mark = str(caught.value).split("\n")
    assert (shown, mark) == (f"  {text}", " " * (at + 1) + "^")


LEAVES = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.integers(-2, 2)
)
TREES = st.recursive(
    LEAVES,
    lambda part: st.tuples(st.sampled_from(["and", "or"]), st.lists(part, min_size=2, max_size=3)),
    max_leaves=8,
)


def written(tree):
    if len(tree) == 3:
        return "{} {} {}".format(*tree)
    return f" {tree[0]} ".join(f"({written(part)})" for part in tree[1])


def judged(tree, row):
    if len(tree) == 3:
        # Python's own comparison of a cell that is not empty.
        return row[tree[0]] is not None and eval(f"x {tree[1]} {tree[2]}", {"x": row[tree[0]]})
    return (all if tree[0] == "and" else any)([judged(part, row) for part in tree[1]])


CELLS = st.none() | st.integers(-2, 2)


@given(TREES, st.lists(st.fixed_dictionaries({"a": CELLS, "b": CELLS}), min_size=1, max_size=6))
def test_any_condition_is_what_python_says_of_each_row(tree, rows):
    table = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64})
    found, rejected = holds(written(tree), table)
    assert found == [judged(tree, row) for row in rows]
    assert rejected == []
