import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import questionnaire as oracle
from scipy import sparse

from shortlist.models import questionnaire
from shortlist.models.questionnaire import Panel, greedy_questions

CANDIDATES = [0, 2, 3, 5, 7]


def random_people(seed, n=12, n_items=9, d=3, weight=0.0):
    """Return a panel, and the same as plain things for the oracle."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_items, d))
    prior = np.diag(rng.uniform(0.5, 2, d)) + weight * vectors.T @ vectors
    dense = rng.normal(size=(n, n_items)) * (rng.random((n, n_items)) < 0.6)
    # Everybody can be asked, and everybody knows something else.
    dense[:, [0, 1]] = rng.normal(size=(n, 2))
    panel = Panel(sparse.csr_array(dense), vectors, prior, np.array(CANDIDATES), weight)
    people = [{int(i): row[i] for i in np.flatnonzero(row)} for row in dense]
    return panel, (vectors, prior, weight * vectors.T @ vectors, people)


@pytest.mark.parametrize("weight", [0.0, 0.3])
@pytest.mark.parametrize("block", [1, 7, 4096])
def test_measured_gains_are_those_of_asking_everybody(weight, block, monkeypatch):
    monkeypatch.setattr(questionnaire, "BLOCK", block)
    panel, plain = random_people(1, weight=weight)
    asked = set()
    for place in (3, 1, 0):
        measured, _, known = panel.gains()
        for at, item in enumerate(CANDIDATES):
            if item not in asked:
                assert_allclose(measured[at], oracle.measured_gain(*plain, asked, item), atol=1e-9)
                assert known[at] == sum(item in values for values in plain[3])
        panel.ask(place)
        asked.add(CANDIDATES[place])
    assert not any(of[[3, 1, 0]].any() for of in panel.gains())


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_the_error_is_that_of_what_was_not_asked(weight):
    panel, plain = random_people(2, weight=weight)
    asked = set()
    for place in (None, 2, 4):
        if place is not None:
            panel.ask(place)
            asked.add(CANDIDATES[place])
        expected = sum(oracle.error(*plain[:3], values, asked) / len(values) for values in plain[3])
        assert_allclose(panel.error, expected)


@pytest.mark.parametrize("seed", range(4))
def test_the_greedy_choice_agrees_with_trying_everything(seed):
    panel, plain = random_people(seed)
    chosen, left = greedy_questions([panel], 4, shrinkage=0.0)
    assert chosen.tolist() == oracle.greedy(*plain, CANDIDATES, 4)
    assert left[0] == 1.0
    assert left.size == 5


def test_two_panels_count_together():
    first, one = random_people(1)
    second, two = random_people(2)
    both = greedy_questions([first, second], 1, shrinkage=0.0)[0][0]
    total = [
        oracle.measured_gain(*one, set(), item) + oracle.measured_gain(*two, set(), item)
        for item in CANDIDATES
    ]
    assert both == np.argmax(total)


def test_the_expected_gain_is_the_mean_over_people_as_the_model_supposes():
    rng = np.random.default_rng(3)
    vectors, n = rng.normal(size=(6, 2)), 200_000
    prior = np.diag([0.7, 1.5])
    taste = rng.normal(size=(n, 2)) / np.sqrt(np.diag(prior))
    values = taste @ vectors.T + rng.normal(size=(n, 6))
    panel = Panel(sparse.csr_array(values[:50_000]), vectors, prior, np.arange(6))
    measured, expected, known = panel.gains()
    assert_allclose(measured / known, expected / known, rtol=0.03)
    panel.ask(2)
    measured, expected, known = panel.gains()
    rest = known > 0
    assert rest.sum() == 5
    assert_allclose(measured[rest] / known[rest], expected[rest] / known[rest], rtol=0.05, atol=2e-3)


def test_shrinkage_prefers_what_is_expected_of_items_that_few_know():
    # Both items tell as much by the model; the one that a single person knows was lucky.
    vectors = np.array([[1.0], [1.0], [1.0]])
    dense = np.array([[3.0, 0, 3.0]] + [[0, 1.0, 1.0]] * 5)
    prior, places = np.eye(1), np.array([0, 1])
    lucky, _ = greedy_questions([Panel(sparse.csr_array(dense), vectors, prior, places)], 1, 0.0)
    wise, _ = greedy_questions([Panel(sparse.csr_array(dense), vectors, prior, places)], 1, 100.0)
    assert (lucky[0], wise[0]) == (0, 1)


def test_it_ends_where_nobody_knows_another():
    vectors = np.eye(3)
    panel = Panel(sparse.csr_array([[1.0, 0, 2.0]]), vectors, np.eye(3), np.array([0, 1]))
    assert greedy_questions([panel], 2, 0.0)[0].tolist() == [0]
