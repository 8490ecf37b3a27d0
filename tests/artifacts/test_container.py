"""Artifacts: what is written comes back, what is damaged is refused, and a failed save leaves what was there."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from shortlist import artifacts
from shortlist.artifacts import State
from shortlist.errors import ArtifactError


def state_of(fill=1.0):
    arrays = {
        "a": np.full((2, 3), fill, np.float32),
        "empty": np.zeros((0, 4), np.int32),
        "flag": np.array([True]),
    }
    child = State("Child", {"text": 'ünïcode/"quote"\n', "big": 2**62 + 1}, {"same": arrays["a"]})
    return State("Parent", {"none": None, "list": [1, 2.5]}, arrays, {"child": child})


def assert_equal(a, b):
    assert (a.type, a.values) == (b.type, b.values)
    assert a.arrays.keys() == b.arrays.keys()
    for name, array in a.arrays.items():
        np.testing.assert_array_equal(array, b.arrays[name], strict=True)
    for name, part in a.parts.items():
        assert_equal(part, b.parts[name])


def test_comes_back_as_it_was(tmp_path):
    artifacts.write(tmp_path / "x", state_of(), {"seed": 7})
    state, info = artifacts.read(tmp_path / "x")
    assert info == {"seed": 7}
    assert_equal(state_of(), state)


def test_equal_arrays_are_stored_once(tmp_path):
    artifacts.write(tmp_path / "x", state_of(), {})
    assert len(list((tmp_path / "x" / "arrays").iterdir())) == 3


def test_a_second_save_replaces_the_first_and_leaves_no_files_behind(tmp_path):
    artifacts.write(tmp_path / "x", state_of(1.0), {})
    artifacts.write(tmp_path / "x", state_of(2.0), {})
    assert_equal(state_of(2.0), artifacts.read(tmp_path / "x")[0])
    assert len(list((tmp_path / "x" / "arrays").iterdir())) == 3


def test_every_altered_byte_is_noticed(tmp_path):
    folder = artifacts.write(
        tmp_path / "x", State("S", {"v": 1}, {"a": np.arange(3, dtype=np.int16)}), {"k": "v"}
    )
    files = [folder / "manifest.json", *(folder / "arrays").iterdir()]
    for file in files:
        original = file.read_bytes()
        for position in range(len(original)):
            changed = bytearray(original)
            changed[position] ^= 0x11
            file.write_bytes(bytes(changed))
            with pytest.raises(ArtifactError):
                artifacts.read(folder)
        file.write_bytes(original)
    artifacts.read(folder)


def test_truncated_or_missing_files_are_named(tmp_path):
    folder = artifacts.write(tmp_path / "x", state_of(), {})
    array = next((folder / "arrays").iterdir())
    array.write_bytes(array.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=array.name):
        artifacts.read(folder)
    array.unlink()
    with pytest.raises(ArtifactError, match=array.name):
        artifacts.read(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"manifest\.json is missing"):
        artifacts.read(folder)


def test_a_newer_format_says_upgrade(tmp_path):
    folder = artifacts.write(tmp_path / "x", state_of(), {})
    document = json.loads((folder / "manifest.json").read_text())
    document["version"] = 99
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match=r"format version 99.*upgrade"):
        artifacts.read(folder)


def test_other_peoples_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"thesis\.txt"):
        artifacts.write(tmp_path, state_of(), {})
    with pytest.raises(ArtifactError, match="is a file"):
        artifacts.write(tmp_path / "thesis.txt", state_of(), {})
    assert os.listdir(tmp_path) == ["thesis.txt"]  # noqa: PTH208


def test_a_save_killed_at_any_file_leaves_the_old_artifact(tmp_path):
    artifacts.write(tmp_path / "x", state_of(1.0), {})
    script = textwrap.dedent("""
        import os, sys, numpy as np
        from shortlist import artifacts
        from shortlist.artifacts import State
        left = int(sys.argv[2])
        replace = os.replace
        def dying(a, b):
            global left
            if left == 0:
                os._exit(9)
            left -= 1
            replace(a, b)
        os.replace = dying
        arrays = {"a": np.zeros(5), "b": np.ones(7), "c": np.ones(9)}
        artifacts.write(sys.argv[1], State("New", {}, arrays), {})
    """)
    codes = []
    for n in range(5):
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "x"), str(n)], check=False)
        codes.append(done.returncode)
        state, _ = artifacts.read(tmp_path / "x")
        assert state.type == ("Parent" if done.returncode else "New")
    # Arrays that a killed save had finished are used by the next one, so it gets further.
    assert codes == [9, 9, 9, 0, 0]


def test_values_that_json_cannot_hold_are_refused_before_anything_is_replaced(tmp_path):
    artifacts.write(tmp_path / "x", state_of(), {})
    with pytest.raises(ArtifactError, match="JSON"):
        artifacts.write(tmp_path / "x", State("S", {"v": float("nan")}), {})
    assert_equal(state_of(), artifacts.read(tmp_path / "x")[0])
