"""The study file: whose it is, what it refuses, and what a killed process leaves."""

import fcntl
import shutil
import sqlite3
from contextlib import closing
from functools import partial

import pytest
from experiments.tuning.shop import REG, pipeline, shop, wals

import shortlist as sl
from shortlist.data import split
from shortlist.errors import ParameterError
from shortlist.experiments.tuning.tune import tune

SEARCH = {"trials": 2, "k": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "s.db"
    tune(wals(), shop(), REG, **SEARCH, study=path)
    return path


@pytest.fixture
def file(made, tmp_path):
    """Return a study file with two trials; its name needs quoting in a URL."""
    return shutil.copy(made, tmp_path / "a ?#%20 study.db")


def test_a_study_stands_in_one_file_whatever_its_name(file):
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert tune(wals(), shop(), REG, **SEARCH, study=str(file)).trials.height == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": 4}, "the metric was ndcg@3, now ndcg@4"),
        ({"metric": "map"}, "the metric was ndcg@3, now map@3"),
        ({"exclude_seen": False}, "the protocol was new items, now repeats allowed"),
        ({"rng": 1}, "the seed was 0, now 1"),
        ({"pruning": False}, "pruning was true, now false"),
        ({"space": {"reg": [0.1, 0.2]}}, "the space of reg was 0.0001 to 1, log, now 0.1 | 0.2"),
        ({"space": REG | {"dim": [2, 3]}}, "the space of dim was not there, now 2 | 3"),
        ({"recommender": wals(dim=3)}, r"the configuration of model was WALS\(dim=2, .*, now WALS\(dim=3, "),
        ({"train": shop(seed=4)}, "the training data was"),
        ({"split": partial(split.leave_last_out, fraction=0.3)}, "the validation part was leave_last_out"),
    ],
)
def test_a_study_of_another_search_is_refused_with_the_difference(file, changes, words):
    search = {"recommender": wals(), "train": shop(), "space": REG, "study": file} | SEARCH | changes
    with pytest.raises(
        ParameterError, match=rf"{words}.* Give another file for this one \(--study\)"
    ) as caught:
        tune(**search)
    assert "--restart" in str(caught.value)


def test_restart_empties_the_study_for_another_search(file):
    other = {"recommender": wals(dim=3), "train": shop(), "space": REG, "study": file} | SEARCH
    assert tune(**other, restart=True).trials.height == 2
    assert tune(**other).trials.height == 2
    with pytest.raises(ParameterError, match="now WALS"):
        tune(**other | {"recommender": wals()})


def test_another_direction_is_another_search(file):
    train, rule = shop(), partial(split.random, rng=1)
    model = sl.MatrixFactorization(2, n_epochs=2)
    with pytest.raises(ParameterError, match="the metric was ndcg@3, now rmse"):
        tune(model, train, {"reg": [1.0, 3.0]}, metric="rmse", split=rule, study=file, trials=2)
    found = tune(
        model, train, {"reg": [1.0, 3.0]}, metric="rmse", split=rule, study=file, trials=2, restart=True
    )
    assert found.best_value <= found.start


def test_whose_model_a_stage_uses_is_part_of_the_search(file):
    space = {"sources.Nearest.k": [5, 8]}
    tune(pipeline(), shop(), space, **SEARCH, study=file, restart=True)
    apart = sl.Pipeline([sl.Nearest(wals(), k=8), sl.Popular(k=5)], sl.ModelScorer(wals()))
    with pytest.raises(ParameterError, match="the configuration of scorer was"):
        tune(apart, shop(), space, **SEARCH, study=file)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    other = tmp_path / "ratings.csv"
    other.write_text("user_id,item_id\n1,2\n" * 100)
    before = other.read_bytes()
    for restart in (False, True):
        with pytest.raises(ParameterError, match=r"ratings\.csv is no study of a search"):
            tune(wals(), shop(), REG, **SEARCH, study=other, restart=restart)
    assert other.read_bytes() == before


def test_another_database_is_left_as_it_is(tmp_path):
    other = tmp_path / "shop.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
        connection.commit()
    before = other.read_bytes()
    with pytest.raises(ParameterError, match="is a database, but no study"):
        tune(wals(), shop(), REG, **SEARCH, study=other, restart=True)
    assert other.read_bytes() == before


def test_a_study_that_was_killed_while_it_was_made_is_begun_again(tmp_path):
    path = tmp_path / "s.db"
    path.touch()
    assert tune(wals(), shop(), REG, **SEARCH, study=path).trials.height == 2


def test_two_searches_in_one_file_are_refused(file):
    with file.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ParameterError, match="another process is searching with"):
            tune(wals(), shop(), REG, **SEARCH, study=file)
    assert tune(wals(), shop(), REG, **SEARCH, study=file).trials.height == 2


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(ParameterError, match="there is no folder"):
        tune(wals(), shop(), REG, **SEARCH, study=tmp_path / "no" / "s.db")


def test_more_trials_go_on_and_fewer_change_nothing(file):
    assert tune(wals(), shop(), REG, trials=4, k=3, study=file).trials.height == 4
    assert tune(wals(), shop(), REG, trials=1, k=3, study=file).trials.height == 4


def test_a_start_outside_the_space_is_measured_once(file):
    space = {"reg": [0.3, 0.4]}
    outside = [tune(wals(), shop(), space, **SEARCH, study=file, restart=again == 0) for again in range(2)]
    assert outside[0].start == outside[1].start
    assert outside[1].trials.height == 2
