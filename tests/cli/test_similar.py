import json
from pathlib import Path

import polars as pl
import pytest
from cli.conftest import BRACKETS, Run, Shop

import shortlist as sl


@pytest.mark.parametrize("measure", ["cosine", "dot", "euclidean"])
def test_json_is_what_the_model_says(shop: Shop, run: Run, measure: str) -> None:
    document = json.loads(
        run("similar", shop.saved, "--item", "3", "-k", "4", "--measure", measure, "--json").stdout
    )
    assert (document["item_id"], document["title"], document["measure"]) == (3, BRACKETS, measure)
    expected = sl.load(shop.saved).scorer_.model.similar_items([3], 4, measure=measure).frame
    found = pl.DataFrame(document["items"])
    assert found["item_id"].to_list() == expected["similar_item_id"].to_list()
    assert found["score"].cast(pl.Float32).equals(expected["score"])


def test_several_items_come_under_items(shop: Shop, run: Run) -> None:
    document = json.loads(
        run("similar", shop.saved, "--item", "3", "--item", "4", "-k", "2", "--json").stdout
    )
    assert [entry["item_id"] for entry in document["items"]] == [3, 4]


def test_the_table_names_item_and_measure(shop: Shop, run: Run) -> None:
    text = run("similar", shop.saved, "--item", "3", "-k", "2").stdout
    assert f"Most similar to 3 {BRACKETS}" in text
    assert "cosine" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--item", "99"), "no item '99'"),
        (("--item", "31"), "nothing to say about item 31"),
        (("--item", "3", "--measure", "manhattan"), "cosine, dot, euclidean"),
        (("--item", "3", "-k", "0"), "-k"),
        ((), "--item"),
    ],
)
def test_bad_arguments_end_with_2(shop: Shop, run: Run, arguments: tuple[str, ...], words: str) -> None:
    result = run("similar", shop.saved, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_model_without_vectors_says_so(shop: Shop, run: Run, tmp_path: Path) -> None:
    data = sl.read(shop.ratings, kind="ratings", scale=(1, 5))
    sl.Popularity().fit(data).save(tmp_path / "m")
    result = run("similar", str(tmp_path / "m"), "--item", "3")
    assert result.exit_code == 2
    assert "no model of this Popularity compares items" in result.stderr
