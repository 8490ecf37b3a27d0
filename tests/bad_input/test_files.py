"""Files that cannot be used, or not in part: refused or reported, on the command line and in Python alike."""

import json
import warnings
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest
from bad_input.conftest import CONFIG, assert_refused

import shortlist as sl
from shortlist.data.import_report import DataWarning
from shortlist.errors import DataError

HEADER = "user_id,item_id,rating\n"
RATINGS = "".join(f"u{u},i{i},{1 + (u * i) % 5}\n" for u in range(8) for i in range(6))
ITEMS = "item_id,title\n" + "".join(f"i{i},Title {i}\n" for i in range(6))


@dataclass(frozen=True)
class Useless:
    """A file that must be refused, and what the refusal must name: where, what, and what to do."""

    content: bytes
    words: tuple[str, ...]
    on_the_command_line: tuple[str, ...] = field(default=())


def text(content: str, *words: str, cli: tuple[str, ...] = (), encoding: str = "utf-8") -> Useless:
    return Useless(content.encode(encoding), ("ratings.csv", *words), cli)


USELESS = {
    "empty": text("", "the file is empty", "header"),
    "only a byte order mark": text("\ufeff", "the file is empty"),
    "blank lines": text("\n\n\n"),
    "header only": text(HEADER, "user_id, item_id, rating", "no row"),
    "semicolons": text(
        (HEADER + RATINGS).replace(",", ";"), "separated by ';'", "delimiter=';'", cli=("--delimiter",)
    ),
    "tabs": text((HEADER + RATINGS).replace(",", "\t"), "delimiter='\\t'", cli=("--delimiter",)),
    "pipes": text((HEADER + RATINGS).replace(",", "|"), "delimiter='|'", cli=("--delimiter",)),
    "no item column": text(
        "user_id,rating\nu1,3\n", "item_id", "user_id, rating", "columns=", cli=("--column item_id=",)
    ),
    "near name": text("user_id,itm_id,rating\nu1,i1,3\n", "'itm_id'", cli=("--column item_id=",)),
    "no header": text("1,2,3\n4,5,6\n", "header"),
    "items alone": text(ITEMS, "user_id", "item_id, title", "table of items"),
    "ratings in words": text(
        HEADER + "u1,i1,good\nu2,i1,bad\n",
        "none of the 2 rows",
        "line 2",
        "column rating",
        "'good'",
        "as numbers",
    ),
    "nothing but NaN": text(HEADER + "u1,i1,NaN\nu2,i1,inf\n", "none of the 2 rows", "not finite", "line 2"),
    "ids missing everywhere": text(HEADER + ",i1,3\n,i2,4\n", "none of the 2 rows", "missing id", "line 2"),
    "Latin-1": text(
        HEADER + "andr\u00e9,zo\u00eb,4\nbob,zo\u00eb,3\n",
        "line 2",
        "0xe9",
        "encoding=",
        encoding="latin-1",
        cli=("--encoding",),
    ),
    "a zip file": Useless(b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(range(256)), ("ratings.csv",)),
    "a picture": Useless(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00", ("ratings.csv",)),
}


@pytest.mark.parametrize("useless", USELESS.values(), ids=USELESS)
def test_a_useless_file_is_refused_on_the_command_line(useless, command, tmp_path):
    (tmp_path / "ratings.csv").write_bytes(useless.content)
    (tmp_path / "shop.toml").write_text(CONFIG)
    assert_refused(command("check", "ratings.csv"), *useless.words, *useless.on_the_command_line)


@pytest.mark.parametrize("useless", USELESS.values(), ids=USELESS)
def test_a_useless_file_is_refused_in_python(useless, tmp_path):
    file = tmp_path / "ratings.csv"
    file.write_bytes(useless.content)
    for function in (sl.read, sl.check):
        with pytest.raises(DataError) as refusal:
            function(file)
        for word in useless.words:
            assert word in str(refusal.value)


@pytest.mark.parametrize("name", ["empty", "semicolons", "Latin-1"])
def test_a_useless_file_is_refused_by_fit_and_nothing_is_saved(name, command, tmp_path):
    (tmp_path / "ratings.csv").write_bytes(USELESS[name].content)
    (tmp_path / "shop.toml").write_text(CONFIG)
    assert_refused(command("fit", "shop.toml", "--out", "shop"), *USELESS[name].words)
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize("name", ["empty", "semicolons", "ratings in words"])
def test_a_process_of_its_own_ends_with_the_same_status_and_block(name, process, tmp_path):
    (tmp_path / "ratings.csv").write_bytes(USELESS[name].content)
    assert_refused(process("check", "ratings.csv"), *USELESS[name].words, *USELESS[name].on_the_command_line)


def test_a_tab_may_be_typed(command, tmp_path):
    (tmp_path / "ratings.csv").write_text((HEADER + RATINGS).replace(",", "\t"))
    assert command("check", "ratings.csv", "--delimiter", r"\t").status == 0
    assert command("init", "ratings.csv", "--delimiter", r"\t").status == 0


def test_interactions_and_items_swapped_are_refused_with_that_guess(command, tmp_path):
    (tmp_path / "ratings.csv").write_text(HEADER + RATINGS)
    (tmp_path / "items.csv").write_text(ITEMS)
    assert_refused(command("check", "items.csv", "ratings.csv"), "items.csv", "ratings.csv", "swapped")
    with pytest.raises(DataError, match="swapped"):
        sl.read(tmp_path / "items.csv", items=tmp_path / "ratings.csv")


def test_a_file_that_does_not_exist_is_named(command, tmp_path):
    assert_refused(command("check", "nowhere.csv"), "nowhere.csv")
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        sl.read(tmp_path / "nowhere.csv")


@dataclass(frozen=True)
class Rejected:
    """A row that must be rejected among good ones: its text, the column and value named, and the reason."""

    row: str
    column: str | None
    value: str
    reason: str


REJECTED = {
    "NaN": Rejected("u3,i3,NaN", "rating", "NaN", "not finite"),
    "minus infinity": Rejected("u3,i3,-inf", "rating", "-inf", "not finite"),
    "beyond every float": Rejected("u3,i3,1e999", "rating", "1e999", "finite"),
    "a word": Rejected("u3,i3,five stars", "rating", "five stars", "unparsable"),
    "a decimal comma": Rejected('u3,i3,"3,5"', "rating", "3,5", "decimal comma"),
    "no value": Rejected("u3,i3,", "rating", "", "missing value"),
    "no user": Rejected(",i3,4", "user_id", "", "missing id"),
    "no item": Rejected('u3,"",4', "item_id", "", "missing id"),
    "off the scale": Rejected("u3,i3,6", "rating", "6", "scale"),
    "a field too many": Rejected("u3,i3,4,9", None, "u3,i3,4,9", "number of fields"),
    "a field too few": Rejected("u3,i3", None, "u3,i3", "number of fields"),
}


@pytest.mark.parametrize("case", REJECTED.values(), ids=REJECTED)
def test_one_bad_row_is_rejected_with_its_place_and_the_others_are_kept(case, command, tmp_path):
    lines = RATINGS.splitlines()
    at = len(lines) // 2
    (tmp_path / "ratings.csv").write_text(
        "\n".join([HEADER.strip(), *lines[:at], case.row, *lines[at:]]) + "\n"
    )
    with pytest.warns(DataWarning, match="1 of 49 rows"):
        data = sl.read(tmp_path / "ratings.csv", kind="ratings", scale=(1, 5))
    assert len(data.interactions) == 48
    reject = data.report.rejects.to_dicts()[0]
    assert (reject["row"], reject["line"], reject["column"]) == (at + 1, at + 2, case.column)
    assert (reject["value"] or "") == case.value
    assert case.reason in reject["reason"]
    done = command("check", "ratings.csv", "--scale", "1", "5", "--kind", "ratings")
    assert done.status == 1
    assert f"row {at + 1} (line {at + 2})" in done.stdout
    assert case.reason in done.stdout


def test_the_rejects_file_holds_every_bad_row_whole(command, tmp_path):
    bad = ["u1,i1,NaN", "u1,i1,great", ",i1,3", "u1,i1,3,3,3"]
    (tmp_path / "ratings.csv").write_text(HEADER + RATINGS + "\n".join(bad) + "\n")
    done = command("check", "ratings.csv", "--rejects", "rejects.csv")
    assert done.status == 1
    kept = pl.read_csv(tmp_path / "rejects.csv", infer_schema=False)
    assert kept["line"].to_list() == ["50", "51", "52", "53"]
    assert kept["record"].to_list() == bad


def test_mixed_id_kinds_are_strings_and_said(command, tmp_path):
    (tmp_path / "ratings.csv").write_text("user_id,item_id\n" + "1,7\nu2,7\n3,x8\n" * 2)
    data = sl.read(tmp_path / "ratings.csv")
    assert data.users.ids.to_list() == ["1", "3", "u2"]
    assert data.items.ids.to_list() == ["7", "x8"]
    done = command("check", "ratings.csv")
    assert done.status == 0
    assert "users are strings" in done.stdout


def test_ids_of_one_frame_column_are_of_one_kind():
    import pandas as pd

    with pytest.raises(DataError, match="one type"):
        sl.read(pd.DataFrame({"user_id": [1, "a"], "item_id": [1, 2]}))


def test_quoted_newlines_count_as_lines_but_not_as_rows(command, tmp_path):
    rows = "".join(f'"u{n}\nx","i{n % 3}",4\n' for n in range(20))
    (tmp_path / "ratings.csv").write_text(HEADER + rows + "u1,i1,nine\n" + rows)
    done = command("check", "ratings.csv")
    assert done.status == 1
    assert "row 21 (line 42), column rating" in done.stdout
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        data = sl.read(tmp_path / "ratings.csv")
    assert data.users.ids[0] == "u0\nx"


def test_a_quote_that_is_never_closed_is_said_and_costs_no_crash(command, tmp_path):
    (tmp_path / "ratings.csv").write_text(HEADER + RATINGS + 'u1,"i1,4\n' + RATINGS)
    done = command("check", "ratings.csv")
    assert done.status == 1
    assert "row 49 (line 50)" in done.stdout
    assert "quotes" in done.stdout


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(encoding, command, tmp_path):
    (tmp_path / "ratings.csv").write_bytes((HEADER + "andré,zoë,4\nbob,zoë,3\n").encode(encoding))
    assert command("check", "ratings.csv").status == 0
    assert sl.read(tmp_path / "ratings.csv").users.ids.to_list() == ["andré", "bob"]


def test_latin_1_is_read_once_it_is_named(command, tmp_path):
    (tmp_path / "ratings.csv").write_bytes((HEADER + "andré,zoë,4\nbob,zoë,3\n").encode("latin-1"))
    done = command("check", "ratings.csv", "--encoding", "latin-1", "--json")
    assert done.status == 0
    assert json.loads(done.stdout)["users"] == 2
    assert sl.read(tmp_path / "ratings.csv", encoding="latin-1").users.ids.to_list() == ["andré", "bob"]


def test_an_encoding_that_does_not_exist_is_refused(command, tmp_path):
    (tmp_path / "ratings.csv").write_text(HEADER + RATINGS)
    assert_refused(command("check", "ratings.csv", "--encoding", "latin-99"), "latin-99")
    with pytest.raises(sl.errors.ShortlistError, match="latin-99"):
        sl.read(tmp_path / "ratings.csv", encoding="latin-99")


@pytest.mark.slow
def test_one_bad_row_in_300_megabytes_is_found_and_nothing_else_is_lost(process, tmp_path):
    rng = np.random.default_rng(0)
    users, items = rng.integers(10_000, 99_999, 40_000), rng.integers(1000, 9999, 40_000)
    values = rng.integers(1, 6, 40_000)
    lines = [f"{u},{i},{v}" for u, i, v in zip(users.tolist(), items.tolist(), values.tolist(), strict=True)]
    block, n_blocks = ("\n".join(lines) + "\n").encode(), 562
    with (tmp_path / "ratings.csv").open("wb") as file:
        file.write(HEADER.encode())
        for number in range(n_blocks):
            if number == n_blocks // 2:
                file.write(b"77777,7777,broken\n")
            file.write(block)
    assert (tmp_path / "ratings.csv").stat().st_size > 290e6
    done = process("check", "ratings.csv", "--json")
    assert done.status == 1, done.stderr
    report = json.loads(done.stdout)
    at = len(lines) * (n_blocks // 2) + 1
    table = report["tables"][0]
    assert (table["rows_read"], table["rows_kept"]) == (len(lines) * n_blocks + 1, len(lines) * n_blocks)
    (reject,) = table["rejects"]
    assert (reject["row"], reject["line"], reject["column"], reject["value"]) == (
        at,
        at + 1,
        "rating",
        "broken",
    )
