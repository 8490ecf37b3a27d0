"""benchmarks/bench_second_stage.py and bench_reliability.py: who counts how, and probabilities that are right."""

import numpy as np
import pytest
from bench_reliability import by_chance
from bench_second_stage import PARTS, best, tables

import shortlist as sl


def test_the_first_of_equal_sources_is_the_best() -> None:
    figures = {"one": np.array([0.2, 0.4]), "two": np.array([0.6, 0.0]), "three": np.array([0.1, 0.1])}
    assert best(figures) == "one"


def test_repeats_have_a_source_only_where_they_may_be_shown() -> None:
    tasks = {name: make() for name, make in PARTS.items()}
    models = {name: make() for name, make in tasks["retail_repeats"].models.items()}
    with_again = {name for name in ("retail_new", "retail_repeats") if any(
        isinstance(source, sl.Again) for source in tasks[name].sources(models)
    )}  # fmt: skip
    assert with_again == {"retail_repeats"}
    assert [task.exclude_seen for task in tasks.values()] == [True, False, True]


def test_tables_have_a_row_for_each_arm_and_difference() -> None:
    made = tables({"rows": [["a", 0.1, 0.0, 0.2, 0.1]], "differences": [["a − b", 0.1, -0.1, 0.2, 0.1]]})
    assert [len(table["rows"]) for table in made.values()] == [1, 1]


def test_right_probabilities_have_a_small_error_by_chance_alone() -> None:
    probability = np.random.default_rng(0).random(20_000)
    spread = np.sqrt(np.mean(probability * (1 - probability)) / 2_000)  # of the share of a bin of 2,000
    assert by_chance(probability, 1) == pytest.approx(np.sqrt(2 / np.pi) * spread, rel=0.1)
