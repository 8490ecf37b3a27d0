"""benchmarks/bench_reranking.py, later_choices.py: the stated point of a default, the loss and its bound."""

import inspect
import json
from typing import Any

import numpy as np
import polars as pl
import pytest
import results
from bench_reranking import CONSTRUCTORS, MARGIN, allowed, allowed_alone, loss_of
from later_choices import LaterChoices

import shortlist as sl


def points(*bounds: float) -> list[dict[str, Any]]:
    weights = (0.02, 0.05, 0.1, 0.2)
    return [{"weight": w, "lost": [0.0, 0.0, bound]} for w, bound in zip(weights, bounds, strict=False)]


def later(n: int = 40) -> LaterChoices:
    """Return `n` people who each chose two of ten items and later one more."""
    rng = np.random.default_rng(0)
    chosen = [rng.permutation(10)[:3] for _ in range(n)]
    rows = [
        (f"u{u:02}", f"i{item}", place) for u, items in enumerate(chosen) for place, item in enumerate(items)
    ]
    users, items, times = zip(*rows, strict=True)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times})
    data = sl.read(frame, kind="events")
    return LaterChoices.of(sl.split.leave_last_out(data, fraction=0.34), exclude_seen=True)


@pytest.mark.parametrize(
    ("bounds", "weight"),
    [
        ((0.01, 0.06, 0.02), 0.02),
        ((0.06, 0.01), 0.0),
        ((0.01, MARGIN), 0.02),
        ((0.01, 0.02, 0.03, 0.04), 0.2),
    ],
)
def test_a_default_stands_before_the_first_weight_that_loses_too_much(
    bounds: tuple[float, ...], weight: float
) -> None:
    assert allowed(points(*bounds)) == weight


def test_a_default_holds_under_every_scorer_and_for_every_name() -> None:
    wide, narrow = points(0.01, 0.02, 0.03), points(0.01, 0.02, 0.09)
    by_term = {name: wide for names in CONSTRUCTORS.values() for name in names}
    found = allowed_alone({"one": by_term, "other": by_term | {"MMR on vectors": narrow}})
    assert found == dict.fromkeys(CONSTRUCTORS, 0.1) | {"MMR": 0.05}


def test_the_signatures_have_weights_that_lose_little_as_measured() -> None:
    path = results.DIRECTORY / "reranking.json"
    measured = json.loads(path.read_text(encoding="utf-8"))["results"]["films"]["defaults"]
    for name, most in measured.items():
        weight = inspect.signature(getattr(sl, name)).parameters["weight"].default
        assert 0 < weight <= most, name


def test_the_bound_is_the_upper_end_and_relative() -> None:
    people = later()
    base = np.linspace(0.1, 0.9, len(people))
    lost, low, high = loss_of(people, base, base * 0.9)
    assert lost == pytest.approx(0.1)
    assert (low, high) == pytest.approx((0.1, 0.1))  # everybody loses a tenth, in every resample
    rng = np.random.default_rng(1)
    lost, low, high = loss_of(people, base, base - rng.normal(0.05, 0.1, len(people)))
    assert low < lost < high


def test_a_list_is_worth_the_place_of_what_was_chosen() -> None:
    people = later()
    model = sl.Popularity().fit(people.train)
    lists = model.most_popular(people.request())
    assert np.diff(people.ptr).tolist() == [1] * len(people)  # the one item that each person chose last
    place = [
        row.tolist().index(item) + 1 for row, item in zip(lists.padded(10), people.item_idx, strict=True)
    ]
    assert people.ndcg(lists) == pytest.approx(1 / np.log2(np.array(place) + 1.0))
