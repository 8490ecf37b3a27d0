import json
from pathlib import Path

import polars as pl
import pytest
from cli.conftest import Run
from typer.testing import Result

import shortlist as sl
from shortlist.experiments.demo import favourites


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "shortlist-demo"


@pytest.fixture(scope="module")
def printed(out: Path, run: Run) -> Result:
    result = run("demo", "--out", str(out), "--json")
    assert result.exit_code == 0, result.stderr
    return result


def test_the_list_is_that_of_the_saved_pipeline_of_all_data(printed: Result, out: Path, run: Run) -> None:
    assert sl.load(out).memory_.fingerprint == sl.datasets.movielens_small().fingerprint
    again = run("recommend", str(out), "--user", "36", "--json")
    assert json.loads(printed.stdout)["recommended"] == json.loads(again.stdout)


def test_the_list_has_ten_distinct_unseen_titles(printed: Result, out: Path) -> None:
    items = json.loads(printed.stdout)["recommended"]["items"]
    assert len({item["title"] for item in items}) == 10
    memory = sl.load(out).memory_
    seen = memory.items.ids_of(memory.history.take(memory.users.require([36], "user")).item_idx)
    assert not set(seen.to_list()) & {item["item_id"] for item in items}


def test_it_beats_the_best_popularity_significantly(printed: Result) -> None:
    evaluation = json.loads(printed.stdout)["evaluation"]
    ndcg = next(
        r
        for r in evaluation["results"]
        if (r["model"], r["segment"], r["metric"]) == ("Pipeline", "all", "ndcg")
    )
    assert ndcg["difference_low"] > 0
    assert evaluation["baseline"].startswith("popularity")
    assert evaluation["time_ordered"] == "per user"


def test_favourites_are_the_last_liked(printed: Result) -> None:
    found = json.loads(printed.stdout)["favourites"]
    ratings = sl.datasets.movielens_small().interactions
    user = sl.datasets.movielens_small().users.require([36], "user")[0]
    liked = ratings.where((ratings.user_idx == user) & ratings.positive)
    assert [favourite["value"] for favourite in found] == liked.value[::-1][: len(found)].tolist()
    assert all(favourite["value"] >= 4 for favourite in found)


def test_favourites_without_times_are_the_last_of_the_log() -> None:
    frame = pl.DataFrame({"user_id": [1, 1, 1, 2], "item_id": [5, 6, 7, 5], "rating": [5.0, 1.0, 4.0, 5.0]})
    data = sl.read(frame, kind="ratings", scale=(1, 5))
    assert favourites(data.memory, 1) == [("7", 4.0, None), ("5", 5.0, None)]
    assert favourites(data.memory, 1, 1) == [("7", 4.0, None)]


def test_an_unknown_user_is_said_before_the_work(run: Run, tmp_path: Path) -> None:
    result = run("demo", "--user", "611", "--out", str(tmp_path / "demo"))
    assert result.exit_code == 2
    assert "611" in result.stderr
    assert not (tmp_path / "demo").exists()
