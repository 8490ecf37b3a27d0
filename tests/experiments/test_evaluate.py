import json
from itertools import pairwise

import numpy as np
import pytest
from experiments.hand_data import Rater, Told, dataset, parts
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import evaluation as oracle

from shortlist.data import split
from shortlist.data.datasets import movielens_small
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, NonFiniteError, NotFittedError, ParameterError
from shortlist.experiments.columns import RANKING, Column
from shortlist.experiments.evaluate import evaluate
from shortlist.experiments.summary import Bootstrap, _Figure
from shortlist.metrics import Resampler, mean_interval
from shortlist.models.popularity import Popularity

GENRES = [["a"], ["a"], ["b"], ["a", "b"], []]
# Users 0 and 1 like something in the test part, user 2 only what was seen, user 3 nothing, user 4 is cold.
TRAIN = [(0, 0, 5), (0, 1, 2), (1, 0, 4), (1, 2, 5), (2, 0, 4), (3, 1, 5)]
TEST = [(0, 2, 5), (0, 3, 4), (0, 4, 1), (1, 1, 5), (2, 0, 5), (3, 2, 3), (4, 3, 5)]
LISTS = {0: [3, 4], 1: [3, 1], 4: [0, 3]}


@pytest.fixture
def hand():
    return parts(TRAIN, [(*event, 10 + at) for at, event in enumerate(TEST)], 5, 5, tags=GENRES)


def hand_parts(**keywords):
    return parts(TRAIN, TEST, 5, 5, timed=False, **keywords)


def value(result, metric, model=None, segment="all"):
    return result.result(metric, model, segment).value


def test_known_answers_at_two(hand):
    found = evaluate(Told(hand[0], LISTS), *hand, k=2)
    second = 1 / np.log2(3)
    # User 0: hit at 1 of {2, 3}; user 1: hit at 2 of {1}; user 4: hit at 2 of {3}.
    expected = {
        "precision": 1 / 2,
        "recall": (1 / 2 + 1 + 1) / 3,
        "recall_capped": (1 / 2 + 1 + 1) / 3,
        "ndcg": (1 / (1 + second) + second + second) / 3,
        "map": (1 / 2 + 1 / 2 + 1 / 2) / 3,
        "mrr": (1 + 1 / 2 + 1 / 2) / 3,
        "hit_rate": 1.0,
        # Of 4 training users nobody has 3 or 4 (3 bits each), item 0 has three, item 1 two.
        "novelty": ((3 + 3) / 2 + (3 + 1) / 2 + (np.log2(4 / 3) + 3) / 2) / 3,
        # a,b against nothing: 1; a,b against a, twice: 1 − 1/√2.
        "diversity": (1 + 2 * (1 - 1 / np.sqrt(2))) / 3,
        "catalogue_coverage": 4 / 5,
        # Shown 0, 1, 1, 1, 3 times: Σ (2j − 6) x_j = −2 + 0 + 2 + 12 over 5 · 6.
        "gini": 12 / 30,
    }
    assert {metric: value(found, metric) for metric in expected} == pytest.approx(expected)


def test_everybody_dropped_is_counted(hand):
    found = evaluate(Told(hand[0], LISTS), *hand, k=2)
    assert found.counts == {
        "test_events": 7,
        "test_users": 5,
        "test_users_warm": 4,
        "users_evaluated": 3,
        "users_without_positive": 1,
        "users_only_seen": 1,
        "users_warm": 2,
        "pairs_positive": 5,
        "pairs_seen": 1,
        "pairs_relevant": 4,
        "pairs_new": 2,
    }


def test_seen_items_return_to_the_truth_where_they_are_shown(hand):
    found = evaluate(Told(hand[0], {**LISTS, 2: [0]}), *hand, k=2, exclude_seen=False)
    assert found.counts["users_evaluated"] == 4
    assert found.counts["users_only_seen"] == 0
    assert found.counts["pairs_relevant"] == found.counts["pairs_positive"] == 5
    assert found.per_user.filter(user_id=102)["ndcg"].to_list() == [1.0]


def test_exclude_seen_is_handed_on(hand):
    shown = Popularity().fit(hand[0])
    assert value(evaluate(shown, *hand, k=1, exclude_seen=False), "catalogue_coverage") == 1 / 5
    assert value(evaluate(shown, *hand, k=1), "catalogue_coverage") > 1 / 5


def test_per_user_rows_are_by_hand(hand):
    rows = evaluate({"told": Told(hand[0], LISTS)}, *hand, k=2).per_user
    assert rows["user_id"].to_list() == [100, 101, 102, 103, 104]
    assert rows["n_relevant"].to_list() == [2, 1, 0, 0, 1]
    assert rows["mrr"].to_list() == [1.0, 0.5, None, None, 0.5]
    assert set(rows["model"]) == {"told"}


def test_segments_are_by_hand(hand):
    found = evaluate(Told(hand[0], LISTS), *hand, k=2)
    second = 1 / np.log2(3)
    assert value(found, "ndcg", segment="cold users") == pytest.approx(second)
    assert value(found, "ndcg", segment="warm users") == pytest.approx((1 / (1 + second) + second) / 2)
    # Warm test users have 2, 2, 1 and 1 training events, the median is 1.5.
    assert found.result("ndcg", segment="more active users").n_users == 2
    assert "less active users" not in set(found.frame["segment"])  # neither of them has a relevant item
    # Item 0 alone holds 3 of the 5 positive pairs, and is in nobody's truth.
    assert "head items" not in set(found.frame["segment"])
    assert value(found, "recall", segment="tail items") == value(found, "recall")


def test_errors_of_ratings_are_by_hand(hand):
    found = evaluate(Rater(hand[0], LISTS), *hand, k=2)
    # user + item/10, clipped to [1, 5], against the seven test ratings
    off = np.array([1 - 5, 1 - 4, 1 - 1, 1.1 - 5, 2 - 5, 3.2 - 3, 4.3 - 5])
    assert value(found, "rmse") == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-6)
    assert value(found, "mae") == pytest.approx(np.mean(np.abs(off)), rel=1e-6)
    assert found.result("rmse").n_users == 5
    assert value(found, "mae", segment="cold users") == pytest.approx(0.7, rel=1e-6)


def test_only_models_that_predict_ratings_have_errors(hand):
    found = evaluate({"a": Told(hand[0], LISTS), "b": Rater(hand[0], LISTS)}, *hand, k=2, baseline="a")
    assert set(found.frame.filter(metric="rmse")["model"]) == {"b"}
    assert found.result("rmse", "b").difference is None


def test_events_have_no_errors_of_ratings():
    train, test = hand_parts(feedback=Feedback.events())
    assert "rmse" not in set(evaluate(Rater(train, LISTS), train, test, k=2).frame["metric"])


def test_a_prediction_that_is_not_finite_is_named(hand):
    model = Rater(hand[0], LISTS)
    model.predict = lambda users, items: np.full(users.len(), np.nan, np.float32)
    with pytest.raises(NonFiniteError, match="test event 0 is nan"):
        evaluate(model, *hand)


@st.composite
def cases(draw):
    """Return n_users, n_items, train and test events, tags, and lists of distinct items, some short or empty."""
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    train, test = (
        [
            (int(rng.integers(n_users)), int(rng.integers(n_items)), int(rng.integers(1, 6)))
            for _ in range(size)
        ]
        for size in (draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    )
    tags = [[tag for tag in "abc" if rng.random() < 0.5] for _ in range(n_items)]
    lists = {u: rng.permutation(n_items)[: rng.integers(n_items + 1)].tolist() for u in range(n_users)}
    return n_users, n_items, train, test, tags, lists


@given(cases(), st.integers(1, 8), st.booleans())
def test_it_agrees_with_the_definitions(case, k, exclude_seen):
    n_users, n_items, train, test, tags, lists = case
    relevant = oracle.truth(train, test, 4, exclude_seen)
    fit, held = parts(train, test, n_users, n_items, tags=tags, timed=False)
    if not relevant:
        with pytest.raises(DataError, match="has a relevant item"):
            evaluate(Rater(fit, lists), fit, held, k, exclude_seen=exclude_seen)
        return
    found = evaluate(Rater(fit, lists), fit, held, k, exclude_seen=exclude_seen, n_bootstrap=0)
    users = sorted(relevant)
    shown = [lists[u][:k] for u in users]
    per_user = [oracle.ranking(lists[u], relevant[u], k) for u in users]
    expected = {metric: np.mean([row[metric] for row in per_user]) for metric in RANKING}
    expected["catalogue_coverage"] = oracle.coverage(shown, n_items)
    filled = [one for one in shown if one]
    if filled:
        expected["novelty"] = np.mean([oracle.novelty(one, train) for one in filled])
        expected["gini"] = oracle.gini(shown, n_items)
    pairs = [one for one in shown if len(one) > 1]
    if pairs:
        expected["diversity"] = np.mean([oracle.diversity(one, [set(t) for t in tags]) for one in pairs])
    predicted = [u + i / 10 for u, i, _ in test]
    expected["rmse"], expected["mae"] = oracle.errors(test, predicted, (1, 5))
    whole = {r.metric: r.value for r in found.results if r.segment == "all"}
    assert whole == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert found.counts["users_evaluated"] == len(users)


@given(cases(), st.integers(1, 8))
def test_item_segments_agree_with_the_definitions(case, k):
    n_users, n_items, train, test, _, lists = case
    relevant = oracle.truth(train, test, 4, exclude_seen=True)
    if not relevant:
        return
    fit, held = parts(train, test, n_users, n_items, timed=False)
    found = evaluate(Told(fit, lists), fit, held, k, n_bootstrap=0)
    head = oracle.head_items(train, 4, n_items)
    for name, items in (("head items", head), ("tail items", set(range(n_items)) - head)):
        cut = {u: r & items for u, r in relevant.items() if r & items}
        expected = [oracle.ranking(lists[u], cut[u], k)["recall"] for u in cut]
        rows = [r for r in found.results if r.segment == name]
        assert [r.n_users for r in rows] == ([len(cut)] if cut else [])
        if cut:
            assert rows[0].value == pytest.approx(np.mean(expected))


def test_whoever_knows_the_truth_has_ndcg_one(hand):
    found = evaluate(Told(hand[0], {0: [2, 3], 1: [1], 4: [3]}), *hand, k=2)
    for metric in ("ndcg", "recall", "recall_capped", "map", "mrr", "hit_rate"):
        assert value(found, metric) == 1.0


def test_blocks_of_users_change_nothing(hand):
    models = [Told(hand[0], LISTS, unknown=[4]) for _ in range(2)]
    whole, apart = (
        evaluate({"m": model}, *hand, k=2, block_users=size)
        for model, size in zip(models, (100, 1), strict=True)
    )
    assert (models[0].asked, models[1].asked) == ([3], [1, 1, 1])
    assert whole.to_values() == apart.to_values()
    assert whole.per_user.equals(apart.per_user)


def test_users_unknown_to_a_model_get_its_fallback_and_are_counted(hand):
    found = evaluate({"m": Told(hand[0], LISTS, unknown=[4])}, *hand, k=2)
    assert found.model_counts == {"m": {"fallback": 1, "short": 1}}
    assert found.per_user.filter(fallback=True)["user_id"].to_list() == [104]
    assert found.per_user.filter(user_id=104)["ndcg"].to_list() == [0.0]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_naming_users_and_items_otherwise_changes_no_figure(seed):
    rng = np.random.default_rng(seed)
    n_users, n_items = 6, 8
    # Distinct popularity of every item, so that no tie is broken by id.
    train = [(u, i, 5 if u <= i else 2) for u in range(n_users - 1) for i in range(n_users - 1)]
    test = [
        (u, i, int(rng.integers(1, 6))) for u in range(n_users) for i in range(n_items) if rng.random() < 0.6
    ]
    test.append((n_users - 1, n_items - 1, 5))
    tags = [[tag for tag in "abc" if rng.random() < 0.5] for _ in range(n_items)]
    user_as, item_as = rng.permutation(n_users), rng.permutation(n_items)
    found = []
    for users, items in ((np.arange(n_users), np.arange(n_items)), (user_as, item_as)):
        renamed = [[(int(users[u]), int(items[i]), v) for u, i, v in part] for part in (train, test)]
        carried = [tags[i] for i in np.argsort(items)]
        fit, held = parts(*renamed, n_users, n_items, tags=carried, timed=False)
        model = Popularity().fit(fit)
        found.append(evaluate(model, fit, held, 3, n_bootstrap=0))
    kept = [{(r.segment, r.metric): (r.value, r.n_users) for r in one.results} for one in found]
    assert kept[0].keys() == kept[1].keys()
    for key, (figure, n) in kept[0].items():
        assert kept[1][key] == (pytest.approx(figure), n)
    assert found[0].counts == found[1].counts


def many(rng, n_users=80, n_items=30):
    train = [(u, int(i), 5) for u in range(n_users) for i in rng.permutation(n_items)[:5]]
    seen = {(u, i) for u, i, _ in train}
    test = [
        (u, int(i), 4)
        for u in range(n_users)
        for i in rng.permutation(n_items)[:6]
        if (u, int(i)) not in seen
    ]
    fit, held = parts(train, test, n_users, n_items, timed=False)
    lists = [{u: rng.permutation(n_items)[:10].tolist() for u in range(n_users)} for _ in range(2)]
    return fit, held, lists


def test_intervals_are_those_of_the_paired_bootstrap(rng):
    fit, held, lists = many(rng)
    models = {"a": Told(fit, lists[0]), "b": Told(fit, lists[1])}
    found = evaluate(models, fit, held, 5, baseline="a", n_bootstrap=400, level=0.9, rng=7)
    a, b = (found.per_user.filter(model=name).drop_nulls("ndcg")["ndcg"].to_numpy() for name in models)
    resampler = Resampler(a.size, 400, rng=np.random.default_rng(7))
    alone, paired = (mean_interval(b, base, resampler=resampler, level=0.9) for base in (None, a))
    result = found.result("ndcg", "b")
    assert (result.value, result.low, result.high) == pytest.approx(alone)
    assert (result.difference, result.difference_low, result.difference_high) == pytest.approx(paired)
    assert result.is_significant == (paired.low > 0 or paired.high < 0)


def test_a_model_differs_from_itself_by_nothing(rng):
    fit, held, lists = many(rng)
    same = {"a": Rater(fit, lists[0]), "b": Rater(fit, lists[0])}
    found = evaluate(same, fit, held, 5, baseline="a")
    rows = [r for r in found.results if r.model == "b"]
    assert {r.difference for r in rows} == {0.0}
    assert {r.difference_low for r in rows} <= {0.0, None}
    assert not any(r.is_significant for r in rows)


def test_a_model_that_always_wins_is_significant(rng):
    fit, held, lists = many(rng)
    relevant = {u: held.interactions.item_idx[held.interactions.user_idx == u].tolist() for u in range(80)}
    found = evaluate(
        {"chance": Told(fit, lists[0]), "oracle": Told(fit, relevant)}, fit, held, 5, baseline="chance"
    )
    assert found.result("ndcg", "oracle").is_significant
    assert not found.result("ndcg", "chance").is_significant


def test_rmse_interval_surrounds_its_figure(rng):
    fit, held, lists = many(rng)
    for metric in ("rmse", "mae"):
        result = evaluate(Rater(fit, lists[0]), fit, held, 5).result(metric)
        assert result.low < result.value < result.high


def test_resamples_without_anybody_to_measure_are_left_out(rng):
    # One user of 80 has a list: of the resamples that draw that user, each gives the same novelty.
    fit, held, lists = many(rng)
    found = evaluate(Told(fit, {3: lists[0][3]}), fit, held, 5).result("novelty")
    assert found.n_users == 1
    assert (found.low, found.high) == pytest.approx((found.value, found.value))


def test_the_same_seed_gives_the_same_intervals(rng):
    fit, held, lists = many(rng)
    first, again, other = (evaluate(Told(fit, lists[0]), fit, held, rng=seed).frame for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_without_resamples_there_are_no_intervals(hand):
    frame = evaluate(Told(hand[0], LISTS), *hand, k=2, n_bootstrap=0).frame
    assert frame["low"].null_count() == frame["high"].null_count() == frame.height
    assert frame["value"].null_count() == 0


def test_a_model_fitted_on_the_test_part_too_is_refused():
    whole = dataset([(u, i, 5) for u in range(4) for i in range(5)], 4, 5)
    train, test = split.leave_last_out(whole)
    with pytest.raises(ParameterError, match="'leaky' was fitted on other data than train"):
        evaluate({"honest": Popularity().fit(train), "leaky": Popularity().fit(whole)}, train, test)


def test_a_train_part_that_holds_the_test_part_is_refused():
    whole = dataset([(u, i, 5) for u in range(4) for i in range(5)], 4, 5)
    _, test = split.leave_last_out(whole)
    with pytest.raises(ParameterError, match="every test event is a training event too"):
        evaluate(Popularity().fit(whole), whole, test)


def test_an_unfitted_model_is_refused(hand):
    with pytest.raises(NotFittedError, match="'new' is not fitted"):
        evaluate({"new": Popularity()}, *hand)


def test_parts_of_different_data_are_refused(hand):
    other = dataset(TEST, 5, 6)
    with pytest.raises(ParameterError, match="different items"):
        evaluate(Told(hand[0], LISTS), hand[0], other)


def test_an_unknown_baseline_is_refused(hand):
    with pytest.raises(ParameterError, match="baseline='x' is not one of the models told"):
        evaluate({"told": Told(hand[0], LISTS)}, *hand, baseline="x")


@pytest.mark.parametrize(
    "wrong",
    [{"k": 0}, {"k": 2.0}, {"n_bootstrap": -1}, {"level": 1.0}, {"block_users": 0}, {"diversity_by": "x"}],
)
def test_a_parameter_out_of_range_is_refused(hand, wrong):
    with pytest.raises(ParameterError):
        evaluate(Told(hand[0], LISTS), *hand, **wrong)


def test_no_model_and_no_test_event_are_refused(hand):
    with pytest.raises(ParameterError, match="no model"):
        evaluate({}, *hand)
    empty = hand[1].with_interactions(hand[1].interactions.take(np.zeros(0, np.int64)))
    with pytest.raises(DataError, match="no events"):
        evaluate(Told(hand[0], LISTS), hand[0], empty)


def test_diversity_left_out_says_why(hand):
    train, test = hand_parts()
    assert "no item features" in evaluate(Told(train, LISTS), train, test).notes[0]
    found = evaluate(Told(hand[0], LISTS), *hand, k=1)
    assert "one item" in found.notes[0]
    assert "diversity" not in set(found.frame["metric"])
    with pytest.raises(ParameterError, match="no item features"):
        evaluate(Told(train, LISTS), train, test, diversity_by="genres")


def test_order_in_time_is_what_the_events_say(hand):
    assert evaluate(Told(hand[0], LISTS), *hand).time_ordered == "global"
    train, test = hand_parts()
    assert evaluate(Told(train, LISTS), train, test).time_ordered == "no"


def test_the_frame_has_the_named_columns(hand):
    frame = evaluate({"a": Told(hand[0], LISTS), "b": Told(hand[0], LISTS)}, *hand, baseline="a").frame
    assert frame.columns == [
        "model", "protocol", "segment", "metric", "value", "low", "high",
        "difference", "difference_low", "difference_high", "n_users",
    ]  # fmt: skip
    assert frame.filter(model="a")["difference"].null_count() == frame.filter(model="a").height
    assert not frame.select("model", "protocol", "segment", "metric").is_duplicated().any()


def test_values_are_json_and_complete(hand):
    found = evaluate({"a": Rater(hand[0], LISTS), "b": Told(hand[0], LISTS)}, *hand, k=2, baseline="a")
    values = json.loads(json.dumps(found.to_values(), allow_nan=False))
    assert [row["metric"] for row in values["results"]] == found.frame["metric"].to_list()
    assert values["protocols"]["new items"]["counts"] == found.counts
    assert values["time_ordered"] == "global"
    assert set(values["segments"]) == set(found.frame["segment"])


def test_the_text_says_what_was_measured(rng):
    fit, held, lists = many(rng)
    found = evaluate({"a": Told(fit, lists[0]), "b": Told(fit, lists[1])}, fit, held, 5, baseline="a")
    text = found.to_text()
    assert repr(found) == text
    for part in (
        "80 of 80 measured",
        "no order in time",
        "ndcg@5",
        "warm users: ndcg@5",
        "minus a",
        "95% interval",
    ):
        assert part in text
    result = found.result("ndcg", "b")
    assert f"{result.value:.4f}  [{result.low:.4f}, {result.high:.4f}]" in text
    assert f"{result.difference:+.4f} [{result.difference_low:+.4f}, {result.difference_high:+.4f}]" in text
    columns = {line.index("a ") for line in text.split("\n\n")[2].splitlines()[1::2]}
    assert len(columns) == 1  # aligned


def test_one_figure_must_be_named_exactly(hand):
    found = evaluate({"a": Told(hand[0], LISTS), "b": Told(hand[0], LISTS)}, *hand)
    with pytest.raises(KeyError, match="2 results"):
        found.result("ndcg")
    with pytest.raises(KeyError, match="0 results"):
        found.result("ndgc", "a")


def test_results_of_all_users_come_first(hand):
    segments = evaluate(Told(hand[0], LISTS), *hand).frame["segment"].to_list()
    changes = [a for a, b in pairwise(segments) if a != b]
    assert changes[0] == "all"
    assert len(changes) == len(set(segments)) - 1


def test_equal_lists_differ_by_nothing():
    train, test = split.leave_last_out(movielens_small())
    counts = {name: Popularity().fit(train) for name in ("one", "other")}
    found = evaluate(counts, train, test, baseline="one", n_bootstrap=200)
    compared = [result for result in found.results if result.difference_low is not None]
    assert compared
    assert {(r.difference, r.difference_low, r.difference_high) for r in compared} == {(0, 0, 0)}


def test_rounding_is_no_difference():
    bootstrap = Bootstrap(0, 0.95, np.random.default_rng(0))
    column = Column("ndcg", np.ones(3), np.ones(3))
    draws = np.array([0.1, 0.2, 0.3])
    one, other = (_Figure(column, 0.2, drawn, 3) for drawn in (draws + 2e-17, draws))
    noisy = _Figure(column, 0.2, draws + np.array([3e-17, 6e-17, 6e-17]), 3)
    assert (noisy.draws - draws).any()
    for figure in (one, noisy):
        found = bootstrap._result("ours", "all", figure, other)
        assert (found.difference_low, found.difference_high) == (0, 0)
