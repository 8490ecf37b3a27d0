"""benchmarks/results.py: the file written, the order of runs, the spread and its interval."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import results


def write(tmp_path: Path, payload: dict[str, object]) -> dict[str, object]:
    path = results.write("demo", payload, data_hash="abc", seed=7, path=tmp_path / "demo.json")
    document: dict[str, object] = json.loads(path.read_text())
    return document


RECORDER = """
import json, os, pathlib, sys
log = pathlib.Path(sys.argv[1])
before = len(log.read_text()) if log.exists() else 0
with log.open("a") as file:
    file.write(sys.argv[2])
print("noise")
print(json.dumps([before, os.environ["WORD"]]))
"""


def recorder(tmp_path: Path, name: str) -> list[str]:
    return [sys.executable, "-c", RECORDER, str(tmp_path / "log"), name]


def test_the_file_says_what_was_measured_on_what(tmp_path: Path) -> None:
    document = write(tmp_path, {"rmse": np.float32(0.5), "curve": np.arange(3)})
    assert document["results"] == {"rmse": 0.5, "curve": [0, 1, 2]}
    assert (document["name"], document["seed"], document["data_hash"]) == ("demo", 7, "abc")
    machine = document["machine"]
    assert isinstance(machine, dict)
    assert machine["packages"]["numpy"] == np.__version__
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0


def test_nan_is_no_result_and_leaves_the_old_file(tmp_path: Path) -> None:
    write(tmp_path, {"rmse": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path, {"rmse": float("nan")})
    assert json.loads((tmp_path / "demo.json").read_text())["results"] == {"rmse": 0.5}
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_objects_are_no_result(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot hold a set"):
        write(tmp_path, {"users": {1, 2}})


def test_a_table_has_rows_of_its_width() -> None:
    made = results.table({"model": "", "RMSE": ".3f"}, [["ours", 0.5], ["theirs", None]])
    assert made == {
        "columns": [{"title": "model", "format": ""}, {"title": "RMSE", "format": ".3f"}],
        "rows": [["ours", 0.5], ["theirs", None]],
    }
    with pytest.raises(ValueError, match="1 cells for the 2 columns model, RMSE"):
        results.table({"model": "", "RMSE": ".3f"}, [["ours"]])


def test_commands_run_in_turns_that_reverse(tmp_path: Path) -> None:
    commands = {"a": recorder(tmp_path, "a"), "b": recorder(tmp_path, "b")}
    measured = results.alternate(commands, 3, env={"WORD": "given"})
    assert (tmp_path / "log").read_text() == "abbaab"
    assert measured == {
        "a": [[0, "given"], [3, "given"], [4, "given"]],
        "b": [[1, "given"], [2, "given"], [5, "given"]],
    }


def test_a_command_that_fails_is_named() -> None:
    with pytest.raises(RuntimeError, match="peer ended with status 3"):
        results.alternate({"peer": [sys.executable, "-c", "raise SystemExit(3)"]}, 1)


@pytest.mark.parametrize("code", ["", "print('done')"])
def test_a_command_without_json_is_named(code: str) -> None:
    with pytest.raises(RuntimeError, match="peer printed no JSON"):
        results.alternate({"peer": [sys.executable, "-c", code]}, 1)


def test_median_and_spread() -> None:
    assert results.median_spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "runs": 3}
    with pytest.raises(ValueError, match="no values"):
        results.median_spread([])


def test_ratio_of_constant_samples_has_no_spread() -> None:
    assert results.ratio_interval([6.0, 6.0], [2.0, 2.0]) == {
        "ratio": 3.0,
        "low": 3.0,
        "high": 3.0,
        "level": 0.95,
    }


def test_ratio_interval_covers_the_true_ratio_as_often_as_it_says(rng: np.random.Generator) -> None:
    trials = [
        results.ratio_interval(rng.lognormal(1, 0.2, 41), rng.lognormal(0, 0.2, 41), n_resamples=400, rng=rng)
        for _ in range(200)
    ]
    covered = np.mean([trial["low"] <= np.e <= trial["high"] for trial in trials])
    # 95 % nominal; four standard errors of 200 trials are 6 %, and few resamples narrow the interval a little
    assert 0.88 <= covered <= 1.0
    assert np.mean([trial["high"] - trial["low"] for trial in trials]) < 0.25 * np.e


def test_one_run_has_no_interval() -> None:
    with pytest.raises(ValueError, match="two runs each, got 2 and 1"):
        results.ratio_interval([1.0, 2.0], [1.0])


def test_the_hash_names_contents_and_their_order(tmp_path: Path) -> None:
    one, two, moved = tmp_path / "one", tmp_path / "two", tmp_path / "moved"
    for path, text in ((one, "x"), (two, "yz"), (moved, "x")):
        path.write_text(text)
    assert results.hash_files(one, two) == results.hash_files(moved, two)
    assert len({results.hash_files(one, two), results.hash_files(two, one), results.hash_files(one)}) == 3


def test_a_benchmark_without_data_ends_with_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        results.leave_out("no Gowalla at benchmarks/data/gowalla")
    assert end.value.code == results.LEFT_OUT
    assert "no Gowalla" in capsys.readouterr().err
