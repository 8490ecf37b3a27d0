from itertools import pairwise, product

import numpy as np
import pytest
from experiments.hand_data import Told, parts
from hypothesis import given
from hypothesis import strategies as st

from shortlist.experiments.comparing.contrasts import (
    bootstrap_p_value,
    contrasts_with_baseline,
    contrasts_with_best,
    holm,
)
from shortlist.experiments.evaluate import evaluate

N_USERS = 8


@pytest.fixture(scope="module")
def measured():
    """Return an evaluation of three recommenders: right for all, for even users, and for nobody."""
    train, test = parts(
        [(u, u % 3, 5.0, 1) for u in range(N_USERS)],
        [(u, 3 + u % 3, 5.0, 2) for u in range(N_USERS)],
        N_USERS,
        9,
    )
    right = {u: [3 + u % 3] for u in range(N_USERS)}
    half = {u: items if u % 2 == 0 else [8] for u, items in right.items()}
    models = {
        "none": Told(train, {u: [7] for u in right}),
        "half": Told(train, half),
        "right": Told(train, right),
        "twin": Told(train, half),
    }
    return evaluate(models, train, test, 2, baseline="half", n_bootstrap=300, rng=7)


def test_intervals_are_those_of_evaluate(measured):
    for contrast in contrasts_with_baseline(measured, "ndcg", 7):
        result = measured.result("ndcg", contrast.model)
        assert contrast.n_users == result.n_users == N_USERS
        np.testing.assert_allclose(
            [contrast.difference, contrast.low, contrast.high],
            [result.difference, result.difference_low, result.difference_high],
            atol=1e-15,
        )
        assert contrast.is_significant == result.is_significant


def test_the_known_case(measured):
    found = {c.model: c for c in contrasts_with_baseline(measured, "hit_rate", 7)}
    assert {name: c.difference for name, c in found.items()} == {"none": -0.5, "right": 0.5, "twin": 0.0}
    # Of 8 users drawn, no odd one: 2⁻⁸; so of 300 resamples about one shows no difference.
    assert found["right"].p_value <= 2 * (5 + 1) / 301
    assert (found["twin"].p_value, found["twin"].low, found["twin"].high) == (1.0, 0.0, 0.0)
    assert [c.p_holm for c in found.values()] == holm([c.p_value for c in found.values()])


def test_the_best_is_the_reference_of_the_others(measured):
    found = contrasts_with_best(measured, "hit_rate", 7)
    assert [(c.model, c.reference, c.difference) for c in found] == [
        ("none", "right", -1.0),
        ("half", "right", -0.5),
        ("twin", "right", -0.5),
    ]
    assert all(c.p_value is None and c.p_holm is None for c in found)
    assert (found[0].low, found[0].high, found[0].is_significant) == (-1.0, -1.0, True)


def test_without_resamples_there_is_only_the_difference(measured):
    train, test = parts([(0, 0, 5.0, 1), (1, 0, 5.0, 1)], [(0, 1, 5.0, 2), (1, 1, 5.0, 2)], 2, 3)
    models = {"a": Told(train, {0: [1], 1: [1]}), "b": Told(train, {})}
    (found,) = contrasts_with_baseline(
        evaluate(models, train, test, 1, baseline="b", n_bootstrap=0), "ndcg", 0
    )
    assert (found.difference, found.low, found.high, found.p_value, found.p_holm) == (
        1.0,
        None,
        None,
        None,
        None,
    )
    assert not found.is_significant


def test_every_protocol_has_its_contrasts():
    train, test = parts([(0, 0, 5.0, 1), (1, 1, 5.0, 1)], [(0, 1, 5.0, 2), (1, 1, 5.0, 2)], 2, 3)
    models = {"a": Told(train, {0: [1], 1: [1]}), "b": Told(train, {0: [2], 1: [2]})}
    for exclude, n in ((True, 1), (False, 2)):
        evaluation = evaluate(models, train, test, 1, baseline="b", n_bootstrap=20, exclude_seen=exclude)
        (found,) = contrasts_with_baseline(evaluation, "recall", 0)
        assert (found.protocol, found.n_users) == (evaluation.protocols[0], n)


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.3):
        rejected, left = set(), sorted(range(len(p_values)), key=lambda at: p_values[at])
        while left and p_values[left[0]] * len(left) <= level:
            rejected.add(left.pop(0))
        assert {at for at, p in enumerate(adjusted) if p <= level} == rejected
    ordered = sorted(zip(p_values, adjusted, strict=True))
    assert all(one[1] <= other[1] for one, other in pairwise(ordered))


def test_p_values_do_not_reject_true_hypotheses_too_often(rng):
    # The difference of two columns drawn alike has a p-value below .1 in about a tenth of all cases.
    draws = [rng.normal(centre, 1 / np.sqrt(50), 400) for centre in rng.normal(0, 1 / np.sqrt(50), 600)]
    share = np.mean([bootstrap_p_value(drawn) < 0.1 for drawn in draws])
    assert 0.06 < share < 0.14


def test_the_p_value_and_the_interval_agree(rng):
    for shift, n in product((0.0, 0.1, 0.3), (399, 1999)):
        draws = rng.normal(shift, 0.1, n)
        low, high = np.quantile(draws, [0.025, 0.975])
        p = bootstrap_p_value(draws)
        if abs(p - 0.05) > 4 / n:
            assert (p < 0.05) == (low > 0 or high < 0)
