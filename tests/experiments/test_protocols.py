"""Evaluation of new items, of repeats, and of both."""

import json
from dataclasses import replace

import numpy as np
import pytest
from experiments.hand_data import Told, parts
from hypothesis import given
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError
from shortlist.experiments.evaluate import evaluate, require_parameters
from shortlist.experiments.protocols import (
    DEFINITIONS,
    NEW_ITEMS,
    REPEATS_ALLOWED,
    excludes_seen,
    protocols_of,
)

# User 0 comes back to item 0 and finds item 2; user 1 comes back to item 1 only; user 2 finds item 0.
TRAIN = [(0, 0, 5), (0, 1, 5), (1, 1, 5), (2, 2, 5)]
TEST = [(0, 0, 5, 10), (0, 2, 5, 11), (1, 1, 5, 12), (2, 0, 5, 13)]


@pytest.fixture
def hand():
    """Return train and test that declare repeats."""
    return tuple(replace(part, repeats=True) for part in parts([(*e, 1) for e in TRAIN], TEST, 3, 4))


class PerProtocol(Told):
    """Shows one set of lists of new items, and another where seen items may be shown."""

    def __init__(self, train, new, repeats):
        super().__init__(train, new)
        self.repeats = repeats

    def recommend(self, users, k=10, *, exclude_seen=True, items=None, on_unknown="raise"):
        told = Told(self.memory_train, self.lists if exclude_seen else self.repeats)
        return told.recommend(users, k, on_unknown=on_unknown)

    @property
    def memory_train(self):
        return type("Train", (), {"memory": self.memory_})


def test_both_protocols_are_by_hand(hand):
    model = PerProtocol(hand[0], {0: [2], 2: [3, 0]}, {0: [0, 2], 1: [0, 1], 2: [3]})
    found = evaluate(model, *hand, k=2)
    assert found.protocols == (NEW_ITEMS, REPEATS_ALLOWED)
    second = 1 / np.log2(3)
    # New items: user 0 wants 2, user 2 wants 0, user 1 nothing. With repeats: {0, 2}, {1} and {0}.
    assert found.result("ndcg").value == pytest.approx((1 + second) / 2)
    assert found.result("ndcg", protocol=REPEATS_ALLOWED).value == pytest.approx((1 + second + 0) / 3)
    assert found.result("recall", protocol=REPEATS_ALLOWED).n_users == 3
    assert found.result("recall", protocol=NEW_ITEMS).n_users == 2
    counts = {name: one.of_data for name, one in found.by_protocol.items()}
    assert found.counts == counts[NEW_ITEMS]
    differing = {key for key in counts[NEW_ITEMS] if counts[NEW_ITEMS][key] != counts[REPEATS_ALLOWED][key]}
    assert differing == {"users_evaluated", "users_only_seen", "users_warm", "pairs_relevant"}
    assert counts[NEW_ITEMS]["pairs_seen"] == 2


def test_each_of_two_protocols_gives_what_it_gives_alone(hand):
    model = sl.Popularity().fit(hand[0])
    both = evaluate(model, *hand, k=2, n_bootstrap=0)
    for protocol in DEFINITIONS:
        alone = evaluate(model, *hand, k=2, n_bootstrap=0, exclude_seen=excludes_seen(protocol))
        assert alone.protocols == (protocol,)
        assert list(alone.results) == both.results_of(protocol)
        assert alone.per_user.equals(both.per_user.filter(protocol=protocol))
        assert alone.by_protocol[protocol] == both.by_protocol[protocol]


def test_errors_of_ratings_are_the_same_under_both(hand):
    model = sl.MatrixFactorization(dim=2, n_epochs=1, min_ratings=1).fit(hand[0], rng=0)
    found = evaluate(model, *hand, k=2)
    rows = found.frame.filter(metric="rmse", segment="all").drop("protocol")
    assert rows.height == 2
    assert rows.n_unique() == 1


def test_which_protocols_are_measured_follows_the_declaration(hand):
    train, _ = hand
    undeclared = replace(train, repeats=False)
    assert protocols_of(train, None) == (NEW_ITEMS, REPEATS_ALLOWED)
    assert protocols_of(undeclared, None) == (NEW_ITEMS,)
    assert protocols_of(train, True) == (NEW_ITEMS,)
    assert protocols_of(undeclared, False) == (REPEATS_ALLOWED,)


def test_many_repeats_that_are_not_declared_get_a_note(hand):
    train, test = (replace(part, repeats=False) for part in hand)
    model = sl.Popularity().fit(train)
    assert any("50% of the positive test pairs are repeats" in n for n in evaluate(model, train, test).notes)
    asked = evaluate(model, train, test, exclude_seen=True)
    declared = evaluate(sl.Popularity().fit(hand[0]), *hand)
    assert not any("repeats" in note for note in (*asked.notes, *declared.notes))


def test_a_test_part_of_repeats_alone_is_measured_with_repeats():
    whole = parts([(0, 0, 5, 1), (1, 1, 5, 1)], [(0, 0, 5, 2), (1, 1, 5, 2)], 2, 3)
    train, test = (replace(part, repeats=True) for part in whole)
    found = evaluate(sl.BuyAgain().fit(train), train, test, k=1)
    assert found.protocols == (REPEATS_ALLOWED,)
    assert found.result("ndcg").value == 1.0
    assert any(
        note.startswith("new items: not measured, since none of the 2 test users") for note in found.notes
    )
    with pytest.raises(DataError, match="exclude_seen=False"):
        evaluate(sl.BuyAgain().fit(train), train, test, exclude_seen=True)


def test_nothing_relevant_under_either_is_refused(hand):
    train, test = hand
    disliked = test.with_interactions(replace(test.interactions, value=np.ones(4, np.float32)))
    with pytest.raises(DataError, match="has a relevant item"):
        evaluate(sl.Popularity().fit(train), train, disliked)


def test_text_and_values_have_both(hand):
    found = evaluate(sl.Popularity().fit(hand[0]), *hand, k=2)
    text = found.to_text()
    assert text.count("ndcg@2") >= 2
    for protocol, meaning in DEFINITIONS.items():
        assert f"{protocol}: {meaning}" in text
    values = json.loads(json.dumps(found.to_values(), allow_nan=False))
    assert list(values["protocols"]) == list(DEFINITIONS)
    assert {row["protocol"] for row in values["results"]} == set(DEFINITIONS)
    assert values["protocols"][REPEATS_ALLOWED]["counts"]["users_evaluated"] == 3
    with pytest.raises(KeyError, match="protocol='all'"):
        found.result("ndcg", protocol="all")


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_whoever_buys_again_has_everything_where_everything_is_bought_again(seed, k):
    rng = np.random.default_rng(seed)
    events = [(u, int(i), 1) for u in range(5) for i in rng.permutation(6)[:k]]
    train, test = parts(
        [(*e, 1) for e in events], [(*e, 2) for e in events], 5, 6, feedback=Feedback.events()
    )
    found = evaluate(sl.BuyAgain().fit(train), train, test, k, exclude_seen=False, n_bootstrap=0)
    assert found.result("recall").value == found.result("ndcg").value == 1.0


def test_parameters_can_be_checked_before_anything_is_fitted():
    require_parameters({})
    require_parameters({"k": 3, "n_bootstrap": 0, "level": 0.9, "block_users": 1, "baseline": "anything"})
    for wrong in ({"k": 0}, {"n_bootstrap": -1}, {"level": 1}, {"block_users": 0}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            require_parameters(wrong)
