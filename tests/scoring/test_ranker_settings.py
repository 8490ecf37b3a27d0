"""Where no ranker can be trained it is said why, and the model scores alone."""

import builtins

import polars as pl
import pytest

import shortlist as sl
from shortlist.config.template_order import FEWEST_PEOPLE, scorer_for
from shortlist.experiments.demo import N_PEOPLE, default_pipeline
from shortlist.scoring.ranker_settings import ranker_problem, settings_for


def likes(n_people):
    rows = [(person, item) for person in range(n_people) for item in range(5)]
    return sl.read(pl.DataFrame(rows, schema=["user", "item"], orient="row"))


@pytest.mark.parametrize(
    ("error", "advice"),
    [(OSError("libgomp.so.1:\ncannot open"), "apt install libgomp1"), (ModuleNotFoundError(), "pip install")],
)
def test_where_lightgbm_cannot_be_loaded_the_model_scores_alone(monkeypatch, error, advice):
    assert ranker_problem() is None
    assert type(default_pipeline().scorer) is sl.LambdaMARTScorer
    assert scorer_for(likes(FEWEST_PEOPLE)).scorer is sl.LambdaMARTScorer
    real = builtins.__import__

    def broken(name, *rest, **more):
        if name == "lightgbm":
            raise error
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", broken)
    said = ranker_problem()
    assert said is not None
    assert advice in said
    assert "\n" not in said
    assert type(default_pipeline().scorer) is sl.ModelScorer
    assert scorer_for(likes(FEWEST_PEOPLE)) == (sl.ModelScorer, said)


def test_few_people_teach_no_scorer_and_some_hundred_a_small_one():
    few = scorer_for(likes(FEWEST_PEOPLE - 1))
    assert few.scorer is sl.ModelScorer
    assert f"needs {FEWEST_PEOPLE} people with 5 likes; here are {FEWEST_PEOPLE - 1}" in few.why
    assert (
        sl.LambdaMARTScorer(**settings_for(300)).n_leaves < sl.LambdaMARTScorer(**settings_for(5000)).n_leaves
    )
    assert sl.LambdaMARTScorer(**settings_for(300)).patience == 0


def test_the_demos_settings_are_those_of_its_people():
    assert len(sl.datasets.movielens_small().users) == N_PEOPLE
