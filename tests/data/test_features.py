import numpy as np
import polars as pl
import pytest

from shortlist.data.features import DTYPES, FeatureTable
from shortlist.data.read import read
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError

KINDS = {"title": "text", "genres": "tags", "country": "categorical", "year": "numeric"}


@pytest.fixture
def table():
    frame = pl.DataFrame(
        {
            "id": [5, 2, 9],
            "title": ["Five", None, "Nine"],
            "genres": [["b", "a", "b"], None, []],
            "country": ["UK", None, "FR"],
            "year": [1.0, None, 3.0],
        },
        schema={"id": pl.Int64, **{name: DTYPES[kind] for name, kind in KINDS.items()}},
    )
    return FeatureTable(frame, KINDS)


def test_align_gives_one_row_an_id_in_the_order_of_the_vocabulary(table):
    aligned = table.align(Vocabulary.of([1, 2, 5, 7]))
    assert aligned.frame.rows() == [
        (1, None, None, None, None),
        (2, None, None, None, None),
        (5, "Five", ["b", "a", "b"], "UK", 1.0),
        (7, None, None, None, None),
    ]
    assert aligned.kinds == KINDS
    assert len(aligned) == 4


def test_a_table_of_ids_alone_aligns(table):
    assert FeatureTable(table.frame.select("id"), {}).align(Vocabulary.of([1, 5])).frame.rows() == [
        (1,),
        (5,),
    ]


def test_tags_are_multi_hot_without_repeats(table):
    matrix, labels = table.tags("genres")
    assert labels == ["a", "b"]
    np.testing.assert_array_equal(matrix.toarray(), [[1, 1], [0, 0], [0, 0]])
    assert matrix.dtype == np.float32


def test_a_category_is_a_single_tag(table):
    matrix, labels = table.tags("country")
    assert labels == ["FR", "UK"]
    np.testing.assert_array_equal(matrix.toarray(), [[0, 1], [0, 0], [1, 0]])


def test_tags_of_no_rows_and_of_rows_without_tags(table):
    for rows in (0, 1):
        part = FeatureTable(table.frame[1 : 1 + rows], KINDS)
        for name in ("genres", "country"):
            matrix, labels = part.tags(name)
            assert (matrix.shape, labels) == ((rows, 0), [])


def test_other_columns_have_no_tags(table):
    for name in ("title", "nothing"):
        with pytest.raises(
            ParameterError, match=f"no tags or categorical feature '{name}'; there are: genres, country"
        ):
            table.tags(name)


def test_the_title_is_the_first_text_column_of_that_name(table):
    assert table.title_column == "title"
    frame = table.frame.rename({"title": "description", "country": "name"})
    assert (
        FeatureTable(frame, dict(zip(frame.columns[1:], KINDS.values(), strict=True))).title_column
        == "description"
    )
    assert FeatureTable(table.frame.select("id", "year"), {"year": "numeric"}).title_column is None


def test_a_table_that_breaks_its_word_is_refused(table):
    with pytest.raises(ParameterError, match="kind 'words' is not one of numeric"):
        FeatureTable(table.frame, {**KINDS, "year": "words"})
    with pytest.raises(DataError, match="feature 'year' is Float64; text needs String"):
        FeatureTable(table.frame, {**KINDS, "year": "text"})
    with pytest.raises(DataError, match="has the columns id, title"):
        FeatureTable(table.frame.select("title", "id"), {"title": "text"})
    with pytest.raises(DataError, match="several rows for id 5"):
        FeatureTable(table.frame.with_columns(id=pl.lit(5, pl.Int64)), KINDS)


def test_a_star_is_a_name_like_any_other(tmp_path):
    odd = {"*": ["a", "b"]}
    frame = pl.DataFrame({"item": [1, 2], "user": [1, 2], **odd})
    frame.write_parquet(tmp_path / "odd.parquet")
    for source in (frame, tmp_path / "odd.parquet", [tmp_path / "odd.parquet"]):
        data = read(source, items=source, columns={"items": {"item_id": "item"}}, context=["*"])
        assert data.item_features.frame.select("id", "user").rows() == [(1, 1.0), (2, 2.0)]
        assert {name: data.item_features.frame[name].to_list() for name in odd} == odd
        assert data.interactions.context["*"].to_list() == ["a", "b"]
        vectors, _ = data.item_features.tags("*")
        assert vectors.toarray().tolist() == [[1, 0], [0, 1]]
