"""tune: known answers, the same trials however they come about, and nothing of the test part."""

import json
import sys
from functools import partial

import numpy as np
import optuna
import polars as pl
import pytest
from experiments.hand_data import dataset
from experiments.tuning.shop import N_ITEMS, REG, SPACE, pipeline, shop, untimed, wals
from polars.testing import assert_frame_equal

import shortlist as sl
from shortlist.data import split
from shortlist.errors import DataError, MissingExtraError, NonFiniteError, ParameterError
from shortlist.experiments.evaluate import evaluate
from shortlist.experiments.tuning.tune import tune
from shortlist.experiments.tuning.tuning import TuningInterrupt
from shortlist.experiments.tuning.validation import Validation

QUICK = {"trials": 4, "k": 3}
RATING = {"reg": {"low": 0.1, "high": 30.0, "log": True}}


def factorization(**keywords):
    return sl.MatrixFactorization(**{"dim": 2, "n_epochs": 4, "min_ratings": 1} | keywords)


# What is measured.


@pytest.mark.parametrize("metric", ["ndcg", "recall", "recall_capped", "precision", "map", "mrr", "hit_rate"])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_each_value_is_what_evaluate_measures_on_the_validation_part(metric, exclude_seen):
    train = shop()
    found = tune(wals(), train, REG, trials=3, k=3, metric=metric, exclude_seen=exclude_seen, rng=5)
    cut = split.leave_last_out(train)
    for reg, value in found.trials.select("reg", "value").iter_rows():
        fitted = wals(reg=reg).fit(cut.train, rng=5)
        measured = evaluate(fitted, *cut, k=3, exclude_seen=exclude_seen, n_bootstrap=0)
        assert value == pytest.approx(measured.result(metric).value, rel=1e-12)
    assert found.start == found.trials["value"][0]


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_errors_of_ratings_are_those_of_evaluate_and_less_is_better(metric):
    train = shop()
    found = tune(factorization(), train, RATING, trials=5, metric=metric, split=partial(split.random, rng=2))
    cut = split.random(train, rng=2)
    for reg, value in found.trials.select("reg", "value").iter_rows():
        measured = evaluate(factorization(reg=reg).fit(cut.train, rng=0), *cut, n_bootstrap=0)
        assert value == pytest.approx(measured.result(metric).value, rel=1e-12)
    assert found.best_value == found.trials["value"].min() <= found.start


def test_the_best_is_the_largest_value_and_comes_with_its_parameters():
    found = tune(wals(), shop(), SPACE, trials=12, k=3)
    row = found.trials.sort("value", descending=True, maintain_order=True, nulls_last=True).row(0, named=True)
    assert found.best_value == row["value"] >= found.start
    assert found.best_params == {name: row[name] for name in SPACE}
    assert {name: found.best_model.params()[name] for name in SPACE} == found.best_params
    assert not found.best_model.is_fitted
    assert found.best_trial == row["number"]
    assert found.changed == {
        name: (wals().params()[name], value)
        for name, value in found.best_params.items()
        if value != wals().params()[name]
    }


def test_it_finds_the_parameters_that_are_known_to_be_best():
    # Nothing but the half-life decides, and shorter is better where everybody likes what was liked last.
    events = [(u, d, 5, d + u / 100) for d in range(12) for u in range(d % 3, 30, 3 if d % 2 else 1)]
    train = dataset(events, 30, 12)
    half_life = {"half_life_days": {"low": 0.2, "high": 1000, "log": True}}
    start = sl.Popularity("decayed", half_life_days=900)
    found = tune(start, train, half_life, k=1, trials=15, split=split.global_time)
    assert found.best_value > found.start
    assert found.best_params["half_life_days"] < 10


# The recommender as it stands.


def test_what_stands_is_tried_first_and_stays_where_nothing_is_better():
    found = tune(wals(), shop(), {"reg": {"low": 0.01, "high": 50.0, "log": True}}, trials=3, k=3)
    assert found.trials.row(0, named=True)["reg"] == wals().reg
    # Every other value fits nothing at all.
    found = tune(wals(reg=1e-3), shop(), {"reg": [1e-3, 1e6]}, trials=5, k=3, exclude_seen=False)
    assert found.best_value == found.start
    assert found.changed == {}
    assert found.best_model.params() == wals(reg=1e-3).params()
    assert "nothing tried was better" in found.to_text()


def test_what_stands_outside_the_space_is_measured_beside_it():
    train = shop()
    outside = tune(wals(reg=7.0), train, REG, **QUICK)
    assert outside.trials.height == QUICK["trials"]
    assert 7.0 not in outside.trials["reg"].to_list()
    assert outside.start == tune(wals(reg=7.0), train, {"reg": [7.0]}, k=3).best_value


def test_a_start_outside_the_space_can_be_the_best():
    found = tune(wals(), shop(), {"reg": {"low": 1e5, "high": 1e6}}, trials=2, k=3, exclude_seen=False)
    assert found.best_value == found.start > found.trials["value"].max()
    assert (found.best_trial, found.changed) == (None, {})
    assert found.best_params == {"reg": wals().reg}


def test_what_is_given_is_not_changed():
    model = wals()
    before = model.params()
    tune(model, shop(), SPACE, **QUICK)
    assert model.params() == before
    assert not model.is_fitted


# The same trials.


@pytest.mark.parametrize("make", [wals, pipeline])
def test_one_seed_gives_the_same_trials_and_another_gives_others(make):
    space = {("models.WALS." if make is pipeline else "") + name: value for name, value in SPACE.items()}
    once, again, other = (tune(make(), shop(), space, trials=14, k=3, rng=seed) for seed in (1, 1, 2))
    assert_frame_equal(untimed(once), untimed(again), check_exact=True)
    assert not untimed(once).equals(untimed(other))


def test_a_resumed_search_has_the_trials_of_one_in_one_go(tmp_path):
    whole = tune(wals(), shop(), SPACE, trials=13, k=3)
    for n in (3, 11, 13):
        found = tune(wals(), shop(), SPACE, trials=n, k=3, study=tmp_path / "s.db")
        assert_frame_equal(untimed(found), untimed(whole).head(n), check_exact=True)
    assert found.best_params == whole.best_params


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function after whose call the n-th measurement from then on is interrupted, once."""
    left = [-1]
    score = Validation.score

    def measured(self, model):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return score(self, model)

    monkeypatch.setattr(Validation, "score", measured)
    return lambda at: left.__setitem__(0, at)


@pytest.mark.parametrize("at", [2, 12])
def test_an_interrupted_trial_is_tried_again(tmp_path, interrupt, at):
    whole = tune(wals(), shop(), SPACE, trials=13, k=3)
    interrupt(at)
    with pytest.raises(TuningInterrupt) as caught:
        tune(wals(), shop(), SPACE, trials=13, k=3, study=tmp_path / "s.db")
    kept = caught.value.tuning
    assert kept.stopped == "interrupted"
    assert kept.trials.height >= at - 1
    assert_frame_equal(untimed(kept), untimed(whole).head(kept.trials.height), check_exact=True)
    found = tune(wals(), shop(), SPACE, trials=13, k=3, study=tmp_path / "s.db")
    assert_frame_equal(untimed(found).drop("number"), untimed(whole).drop("number"), check_exact=True)
    assert found.trials["number"].to_list() != whole.trials["number"].to_list()


def test_an_interruption_before_anything_is_measured_is_ctrl_c_itself(interrupt):
    interrupt(1)
    with pytest.raises(KeyboardInterrupt) as caught:
        tune(wals(), shop(), REG, **QUICK)
    assert not isinstance(caught.value, TuningInterrupt)


def test_a_trial_of_a_killed_process_is_tried_again(tmp_path):
    file = tmp_path / "s.db"
    tune(wals(), shop(), SPACE, trials=5, k=3, study=file)
    study = optuna.load_study(study_name="shortlist tune", storage=f"sqlite:///{file}")
    study.ask({name: study.trials[0].distributions[name] for name in SPACE})
    found = tune(wals(), shop(), SPACE, trials=9, k=3, study=file)
    whole = tune(wals(), shop(), SPACE, trials=9, k=3)
    assert_frame_equal(untimed(found).drop("number"), untimed(whole).drop("number"), check_exact=True)
    assert found.trials["number"].to_list() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert "RUNNING" not in [trial.state.name for trial in study.get_trials()]


# The test part.


def poisoned(data, test, rng):
    """Return `data` with other test events: other items and values, a little later, in the same number."""
    train = data.interactions.where(~np.isin(data.interactions.timestamp, test.interactions.timestamp))
    log = test.interactions
    other = {
        "user_idx": log.user_idx,
        "item_idx": rng.integers(0, N_ITEMS, len(log)).astype(np.int32),
        "value": rng.choice([1.0, 5.0], len(log)).astype(np.float32),
        "timestamp": log.timestamp + 1,
    }
    columns = [np.concatenate([getattr(train, name), column]) for name, column in other.items()]
    events = sl.Interactions.of(*columns, log.n_users, log.n_items, log.feedback)
    return data.with_interactions(events)


RULES = [split.leave_last_out, split.global_time, partial(split.global_time, at=9 * 86_400_000_000)]


@pytest.mark.parametrize("rule", RULES, ids=["last", "share", "moment"])
def test_the_test_part_decides_nothing(rule, rng):
    data = shop()
    clean, test = rule(data)
    dirty, other_test = rule(poisoned(data, test, rng))
    assert other_test.fingerprint != test.fingerprint
    inner = partial(rule.func if isinstance(rule, partial) else rule, fraction=0.3)
    once, again = (tune(wals(), train, SPACE, trials=12, k=3, split=inner) for train in (clean, dirty))
    assert_frame_equal(untimed(once), untimed(again), check_exact=True)
    assert once.best_params == again.best_params


# Failures.


def test_parameters_that_cannot_be_fitted_are_recorded_and_the_search_goes_on():
    def build(reg=0.01):
        if reg > 0.1:
            raise NonFiniteError("it became NaN")
        return wals(reg=reg)

    found = tune(build, shop(), REG, trials=12, k=3)
    failed = found.trials.filter(pl.col("state") == "failed")
    assert 0 < failed.height == found.counts["failed"]
    assert (failed["reg"] > 0.1).all()
    assert failed["error"].unique().to_list() == ["NonFiniteError: it became NaN"]
    assert failed["value"].null_count() == failed.height
    assert found.trials.height == 12


def test_what_stands_must_be_measurable():
    def build(reg=0.01):
        raise NonFiniteError("it became NaN")

    with pytest.raises(NonFiniteError):
        tune(build, shop(), REG, **QUICK)


def test_where_nothing_can_be_measured_the_first_reason_is_said():
    def build(reg):
        raise ParameterError(f"no {reg > 0}")

    with pytest.raises(
        ParameterError, match="none of the 4 trials could be measured; the first: ParameterError: no"
    ):
        tune(build, shop(), REG, **QUICK)


def test_any_other_error_stops_the_search_and_leaves_the_study_usable(tmp_path):
    broken = True

    def build(reg=0.01):
        if broken and reg != 0.01:
            raise RuntimeError("a bug")
        return wals(reg=reg)

    with pytest.raises(RuntimeError, match="a bug"):
        tune(build, shop(), REG, **QUICK, study=tmp_path / "s.db")
    broken = False
    assert tune(build, shop(), REG, **QUICK, study=tmp_path / "s.db").counts["complete"] == 4


def test_data_without_validation_users_is_said():
    nobody_likes = shop().with_interactions(shop().interactions.where(~shop().interactions.positive))
    with pytest.raises(DataError, match="has a relevant item"):
        tune(wals(), nobody_likes, REG, **QUICK)


def test_errors_of_ratings_need_ratings():
    with pytest.raises(ParameterError, match="does not; choose one of ndcg, recall"):
        tune(wals(), shop(), REG, metric="rmse", **QUICK)
    with pytest.raises(DataError, match="this data has events"):
        tune(
            lambda reg=3.0: factorization(reg=reg), shop(feedback=sl.Feedback.events()), RATING, metric="rmse"
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trials": 0}, "trials"),
        ({"k": 0}, "k must be"),
        ({"metric": "ngcd"}, "metric='ngcd' is not one of ndcg"),
        ({"timeout_minutes": 0}, "timeout_minutes must be a number above 0"),
        ({"rng": -1}, "rng"),
        ({"space": {}}, "the space is empty"),
        ({"space": {"dmi": [1, 2]}}, "Did you mean 'dim'"),
    ],
)
def test_wrong_parameters_are_refused_before_the_data_is_cut(changes, words):
    def never(data):
        raise AssertionError("it was cut")

    with pytest.raises(ParameterError, match=words):
        tune(wals(), shop(), **{"space": REG, "split": never} | changes)


def test_only_recommenders_and_functions_are_tuned():
    with pytest.raises(ParameterError, match=r"give a model, not its class: WALS\(\)"):
        tune(sl.WALS, shop(), REG)
    with pytest.raises(ParameterError, match="is tuned, not 'WALS'"):
        tune("WALS", shop(), REG)


# Pruning.


def test_hopeless_trials_are_given_up_at_an_epoch_and_others_are_not():
    space = {"reg": {"low": 1e-4, "high": 1e3, "log": True}}
    model = wals(n_epochs=9)
    found = tune(model, shop(), space, trials=30, k=3)
    pruned = [trial for trial in found.records if trial.state == "pruned"]
    complete = [trial for trial in found.records if trial.state == "complete"]
    assert pruned
    assert len(complete) >= 10
    assert {tuple(trial.steps) for trial in complete} == {(2, 4, 8)}
    assert all(tuple(trial.steps) in {(2,), (2, 4), (2, 4, 8)} for trial in pruned)
    # No trial is pruned that was best when it came as far.
    best = max(trial.value for trial in complete)
    assert all(list(trial.steps.values())[-1] < best for trial in pruned)
    never = tune(model, shop(), space, trials=30, k=3, pruning=False)
    assert never.counts == {"complete": 30, "pruned": 0, "failed": 0}


def test_without_epochs_the_users_are_measured_in_shares():
    found = tune(
        pipeline(), shop(), {"models.WALS.reg": {"low": 1e-4, "high": 1e3, "log": True}}, trials=25, k=3
    )
    assert {tuple(trial.steps) for trial in found.records if trial.state == "complete"} == {(1, 2, 3)}
    assert found.counts["pruned"] > 0


# When it ends.


def test_the_time_ends_it_after_what_stands():
    found = tune(wals(), shop(), SPACE, timeout_minutes=1e-9)
    assert found.stopped == "timeout"
    assert found.trials.height == 1
    assert "the time is up" in found.to_text()


def test_it_ends_when_every_combination_was_tried_and_fits_none_twice(monkeypatch):
    fitted = []
    score = Validation.score
    monkeypatch.setattr(
        Validation, "score", lambda self, model: fitted.append((model.reg, model.dim)) or score(self, model)
    )
    found = tune(wals(), shop(), {"reg": [0.01, 0.5], "dim": {"low": 2, "high": 3}}, trials=200, k=3)
    assert found.stopped == "exhausted"
    assert sorted(fitted) == [(0.01, 2), (0.01, 3), (0.5, 2), (0.5, 3)]
    # Some were proposed again before the last was, and have the value of the first time.
    assert found.trials.height > 4
    assert found.trials.group_by("reg", "dim").agg(pl.col("value").n_unique())["value"].max() == 1


def test_each_trial_is_told_as_it_ends():
    told = []
    found = tune(wals(), shop(), SPACE, trials=5, k=3, on_trial=told.append)
    assert [progress.n_done for progress in told] == [1, 2, 3, 4, 5]
    assert [progress.trial.number for progress in told] == found.trials["number"].to_list()
    best_so_far = found.trials["value"].cum_max().to_list()
    assert [progress.best.value for progress in told] == best_so_far
    assert [progress.is_best for progress in told] == [
        at == 0 or best_so_far[at] > best_so_far[at - 1] for at in range(5)
    ]


# Default spaces and protocols.


def test_without_a_space_the_parameters_that_matter_are_searched():
    found = tune(wals(), shop(), trials=2, k=3)
    assert set(found.best_params) == {
        "unobserved_weight",
        "reg",
        "reg_exponent",
        "item_weight_exponent",
        "dim",
    }
    timeless = shop(timed=False, feedback=sl.Feedback.events())
    assert tune(sl.Popularity(), timeless, trials=3, k=3).space["by"].values == ("count",)


def test_repeats_are_tuned_for_where_nothing_else_can_be_recommended():
    found = tune(sl.BuyAgain(), shop(), trials=2, k=3)
    assert not found.target.exclude_seen
    assert any("repeats allowed" in note for note in found.notes)
    assert tune(wals(), shop(), REG, **QUICK).target.exclude_seen


def test_a_best_at_an_end_of_its_range_is_said_where_a_wider_one_is_possible():
    # The penalty is what decides here, and the smallest that is searched is far too large.
    found = tune(wals(reg=1e3), shop(), {"reg": {"low": 1e3, "high": 1e6}}, trials=4, k=3, exclude_seen=False)
    assert found.best_params == {"reg": 1e3}
    assert any("reg = 1000.0 lies at an end of its range (1000 to 1e+06)" in note for note in found.notes)
    found = tune(wals(reg=0.0), shop(), {"reg": {"low": 0.0, "high": 1e6}}, trials=4, k=3)
    assert found.best_params == {"reg": 0.0}
    assert found.notes == ()


# Around it.


def test_without_the_extra_the_command_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'shortlist\[experiments\]'"):
        tune(wals(), shop(), REG, **QUICK)


def test_optuna_is_as_loud_afterwards_as_before(capfd):
    before = optuna.logging.get_verbosity()
    tune(wals(), shop(), REG, **QUICK)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_everything_but_the_recommender_is_plain_values():
    found = tune(wals(), shop(), SPACE, **QUICK)
    values = json.loads(json.dumps(found.to_values(), allow_nan=False))
    assert values["best"] == found.best_value
    assert values["counts"] == {"complete": 4, "pruned": 0, "failed": 0}
    assert [trial["dim"] for trial in values["trials"]] == found.trials["dim"].to_list()


def test_the_rule_of_the_split_is_taken():
    rule = partial(split.global_time, fraction=0.3)
    found = tune(wals(), shop(), REG, **QUICK, split=rule)
    assert found.validation == rule(shop()).description
