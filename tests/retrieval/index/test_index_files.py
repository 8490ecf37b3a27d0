"""Indexes on disk: the same answers afterwards, and everything that is wrong with a file refused."""

import json

import numpy as np
import pytest

import shortlist as sl
from shortlist.artifacts import container
from shortlist.errors import ArtifactError
from shortlist.retrieval.index import index_file


def built(rng, kind="approximate", **params):
    vectors = rng.normal(size=(200, 6))
    ids = [f"i{n}" for n in rng.permutation(200)]
    if kind == "exact":
        return sl.ExactIndex(**params).build(vectors, ids, space="a model")
    index = sl.ApproximateIndex(exact_up_to=0, **params).build(vectors, ids, space="a model")
    index.remove(ids[:50])
    index.add([f"j{n}" for n in range(30)], vectors[:30] + 0.1)
    return index


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("exact", {"storage": "int8", "measure": "euclidean"}),
        ("approximate", {"storage": "float32", "structure": "graph"}),
        ("approximate", {"storage": "half", "structure": "cells", "measure": "cosine"}),
    ],
)
def test_a_loaded_index_answers_and_changes_as_the_saved_one(tmp_path, rng, kind, params, mapped):
    index = built(rng, kind, **params)
    queries = rng.normal(size=(5, 6))
    loaded = type(index).load(index.save(tmp_path / "index"), mapped=mapped, space="a model")
    assert loaded.search(queries, 20).to_list() == index.search(queries, 20).to_list()
    assert repr(loaded) == repr(index)
    for one in (loaded, index):
        one.remove(one.ids.to_list()[:3])
        one.add(["new"], queries[:1])
    assert loaded.search(queries, 20).to_list() == index.search(queries, 20).to_list()
    again = type(index).load(loaded.save(tmp_path / "index"), mapped=mapped)  # over the files that are mapped
    assert again.search(queries, 20).to_list() == index.search(queries, 20).to_list()


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
@pytest.mark.parametrize("mapped", [True, False])
def test_damaged_files_are_refused_by_name(tmp_path, rng, damage, mapped):
    index = built(rng)
    folder = index.save(tmp_path / "index")
    for file in sorted((folder / "arrays").iterdir()):
        content = file.read_bytes()
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(content[:-1] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ArtifactError, match=file.name):
            sl.ApproximateIndex.load(folder, mapped=mapped)
        file.write_bytes(content)
    assert len(sl.ApproximateIndex.load(folder, mapped=mapped)) == len(index)


def test_an_empty_file_is_refused(tmp_path, rng):
    folder = built(rng, "exact").save(tmp_path / "index")
    next((folder / "arrays").iterdir()).write_bytes(b"")
    with pytest.raises(ArtifactError, match="truncated"):
        sl.ExactIndex.load(folder)


def test_what_is_no_such_index_is_refused(tmp_path, rng):
    folder = built(rng, "exact").save(tmp_path / "index")
    with pytest.raises(ArtifactError, match="holds a ExactIndex, not a ApproximateIndex"):
        sl.ApproximateIndex.load(folder)
    with pytest.raises(ArtifactError, match="another model"):
        sl.ExactIndex.load(folder, space="another one")
    films = sl.Popularity().fit(sl.datasets.movielens_small()).save(tmp_path / "model")
    with pytest.raises(ArtifactError, match="holds a Popularity, not a ExactIndex"):
        sl.ExactIndex.load(films)


def test_an_index_of_a_newer_version_is_refused(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(index_file, "INDEX_VERSION", 2)
    folder = built(rng, "exact").save(tmp_path / "index")
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="index version 2, this program reads up to 1"):
        sl.ExactIndex.load(folder)


def altered(folder, change):
    """Change the values of a saved index and make its checksum right again."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document["state"])
    del document["checksum"]
    path.write_bytes(container._text(document | {"checksum": container._checksum(document)}))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state["values"].pop("params"), "another version"),
        (lambda state: state["arrays"].pop("codes"), "lacks parts"),
        (
            lambda state: state["arrays"].update({"own.proposer": state["arrays"]["own.key"]}),
            "cannot be read",
        ),
        (lambda state: state["values"]["params"].update(measure="angle"), "another version"),
    ],
)
def test_a_manifest_that_describes_another_index_is_refused(tmp_path, rng, change, message):
    folder = altered(built(rng, structure="graph").save(tmp_path / "index"), change)
    with pytest.raises(ArtifactError, match=message):
        sl.ApproximateIndex.load(folder)


def test_a_mapped_index_reads_its_files_where_they_lie(tmp_path, rng):
    index = sl.ExactIndex().build(rng.normal(size=(100, 4)))
    loaded = sl.ExactIndex.load(index.save(tmp_path / "index"))
    codes = loaded._items.vectors.codes
    assert not codes.flags.owndata
    before = [file.read_bytes() for file in sorted((tmp_path / "index" / "arrays").iterdir())]
    codes[0] = np.nan  # a private mapping: what is written is this process's own
    assert before == [file.read_bytes() for file in sorted((tmp_path / "index" / "arrays").iterdir())]
