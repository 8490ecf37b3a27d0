"""A model or pipeline on a damaged disk: whatever byte is wrong, loading says so, and with no other kind of error."""

import json

import numpy as np
import pytest
from models import test_matrix_factorization as ratings

import shortlist as sl
from shortlist import artifacts, registry
from shortlist.artifacts import State, container
from shortlist.errors import ArtifactError, ShortlistError

ROWS = [("ä", 1, 4.0), ("ä", 2, 5.0), ("b/\n", 1, 1.0)]


def small(kind):
    """Return a fitted model or pipeline with as few bytes as can be."""
    data = ratings.dataset(ROWS)
    model = sl.MatrixFactorization(1, n_epochs=1, min_ratings=1)
    if kind == "model":
        return model.fit(data, rng=0)
    return sl.Pipeline([sl.Nearest(model), sl.Popular()], sl.ModelScorer(model)).fit(data, rng=0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the folder of a saved model; who damages a file puts it right again."""
    return small("model").save(tmp_path_factory.mktemp("damage") / "model")


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def loads_only_whole(folder, file, damaged):
    original = file.read_bytes()
    try:
        for content in damaged(original):
            file.write_bytes(content)
            with pytest.raises(ArtifactError):
                sl.load(folder)
    finally:
        file.write_bytes(original)


def flipped(bits):
    def every(content):
        for at in range(len(content)):
            yield content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]

    return every


def shortened(content):
    return (content[:length] for length in range(len(content)))


@pytest.mark.parametrize("bits", [0x01, 0x20])
def test_every_flipped_byte_is_noticed(saved, bits):
    """0x01 makes other digits of digits, 0x20 turns the case of letters."""
    for file in files(saved):
        loads_only_whole(saved, file, flipped(bits))
    assert sl.load(saved).is_fitted


def test_every_truncation_is_noticed(saved):
    for file in files(saved):
        loads_only_whole(saved, file, shortened)


def test_every_changed_space_of_the_manifest_is_noticed(saved):
    """JSON would read the same with another kind of space; but then somebody has been at the file."""

    def spaced(content):
        for at in range(len(content)):
            if content[at : at + 1].isspace():
                yield content[:at] + b"\t" + content[at + 1 :]
                yield content[:at] + b"  " + content[at + 1 :]
        yield content + b"\n"

    loads_only_whole(saved, saved / "manifest.json", spaced)


def test_a_file_that_is_missing_or_a_folder_is_noticed(saved, tmp_path):
    for file in files(saved):
        original = file.read_bytes()
        file.unlink()
        with pytest.raises(ArtifactError):
            sl.load(saved)
        file.mkdir()
        with pytest.raises(ArtifactError):
            sl.load(saved)
        file.rmdir()
        file.write_bytes(original)


def test_exchanged_arrays_are_noticed(saved):
    first, second = sorted((saved / "arrays").iterdir())[:2]
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    with pytest.raises(ArtifactError, match="truncated or altered"):
        sl.load(saved)
    first.write_bytes(a)
    second.write_bytes(b)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"null", b"[]", b"7", b'"text"', b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": NaN}',
     b'{"format": "shortlist", "version": 1e999}', b'{"format": "shortlist", "version": true}'],
    ids=str,
)  # fmt: skip
def test_what_is_no_manifest_is_an_error_of_ours(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError):
        sl.load(tmp_path)


def places(value, path=()):
    """Yield the path of every value inside nested dictionaries and lists."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*path, key))


def replaced(document, path, value):
    changed = json.loads(json.dumps(document))
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


REPLACEMENTS = [None, -1, "text", [], {}, 2**70]


@pytest.mark.parametrize("kind", ["model", "pipeline"])
def test_a_forged_manifest_gives_no_error_but_ours(tmp_path, kind):
    """Its checksum is right, as after a save by another version, but some value is of another kind."""
    saved = small(kind).save(tmp_path / kind)
    file = saved / "manifest.json"
    document = json.loads(file.read_bytes())
    refused = 0
    for path in places(document["state"]):
        for value in REPLACEMENTS:
            forged = replaced(document, ("state", *path), value)
            del forged["checksum"]
            forged["checksum"] = container._checksum(forged)
            file.write_bytes(container._text(forged))
            try:
                sl.load(saved)
            except ArtifactError:
                refused += 1
    assert refused > 300


@pytest.mark.parametrize("drop", ["user_factors_", "known_users_", "ptr", "bytes", "offsets", "null"])
def test_an_artifact_that_lacks_an_array_is_of_another_version(tmp_path, drop):
    state = small("model").to_state()
    artifacts.write(tmp_path / "x", without(state, drop), {})
    with pytest.raises(ArtifactError, match="fit again"):
        sl.load(tmp_path / "x")


def without(state, name):
    arrays = {key: array for key, array in state.arrays.items() if key != name}
    return State(
        state.type, state.values, arrays, {key: without(part, name) for key, part in state.parts.items()}
    )


def test_a_model_of_other_users_than_its_ids_is_refused(tmp_path):
    state = small("model").to_state()
    arrays = dict(state.arrays) | {"known_users_": np.ones(5, bool)}
    artifacts.write(tmp_path / "x", State(state.type, state.values, arrays, state.parts), {})
    with pytest.raises(ArtifactError, match="of 5 users and 2 items, its ids are 2 and 2"):
        sl.load(tmp_path / "x")


@pytest.mark.parametrize("name", ["Nearest", "Memory", "os:system", "Pipeline2", ""])
def test_only_models_and_pipelines_are_loaded(tmp_path, name):
    artifacts.write(tmp_path / "x", State(name), {})
    with pytest.raises(ArtifactError):
        registry.load(tmp_path / "x")


def test_a_path_that_is_no_artifact_is_said(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ShortlistError, match="no artifact at"):
            sl.load(path)
