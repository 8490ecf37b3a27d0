"""ItemNeighbors, UserNeighbors and RP3beta against their formulas in plain loops."""

import time

import numpy as np
import pytest
from experiments.hand_data import dataset, parts
from oracles import neighbors as oracle

import shortlist as sl
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError, UnknownIdError

N_USERS, N_ITEMS = 25, 18
MODELS = [sl.ItemNeighbors, sl.UserNeighbors]
RATERS = [(model, kind) for model in MODELS for kind in ("cosine", "jaccard", "adjusted_cosine", "pearson")]


def rated(seed=0, n=180):
    """Return (user, item, rating, day) rows with repeats; the last two users and the last item have nothing."""
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, N_USERS - 2, n), rng.integers(0, N_ITEMS - 1, n), rng.integers(1, 6, n)
    return list(zip(*(c.tolist() for c in columns), range(n), strict=True))


def last_ratings(events):
    people = [{} for _ in range(N_USERS)]
    for user, item, value, _ in events:
        people[user][item] = float(value)
    return people


def likes(events, least=4):
    people = [{} for _ in range(N_USERS)]
    for user, item, value, _ in events:
        if value >= least:
            people[user][item] = 1.0
    return people


def data(events, **keywords):
    return dataset(events, N_USERS, N_ITEMS, **keywords)


def shown(model, user, k=N_ITEMS, **limits):
    frame = model.recommend(user + 100, k, exclude_seen=False, **limits).frame
    return dict(zip((frame["item_id"] - 500).to_list(), frame["score"].to_list(), strict=True))


def ranked(scores, k=N_ITEMS):
    return sorted(scores, key=lambda i: (-np.float32(scores[i]), i))[:k]


def assert_lists(model, expected):
    """Hold the lists of every user to `expected`: user → {item: score}, absent where the user is unknown."""
    assert np.flatnonzero(model.known_users_).tolist() == sorted(expected)
    for user, scores in expected.items():
        found = shown(model, user)
        assert found == pytest.approx(scores, rel=1e-5, abs=1e-6)
        assert list(found) == sorted(found, key=lambda i: (-found[i], i))
        items = list(scores)
        assert model.score([user + 100] * len(items), [i + 500 for i in items]).tolist() == [
            found[i] for i in items
        ]


@pytest.mark.parametrize(
    ("weighting", "kind"),
    [
        ("binary", "cosine"),
        ("binary", "jaccard"),
        ("binary", "dot"),
        ("tfidf", "cosine"),
        ("bm25", "dot"),
        ("unit", "cosine"),
    ],
)
@pytest.mark.parametrize("n", [3, 100])
def test_likes_are_scored_by_the_formula(weighting, kind, n):
    events = rated(n)
    people = likes(events)
    settings = {"similarity": kind, "weighting": weighting, "shrinkage": 2.0, "bm25_k1": 1.4, "bm25_b": 0.6}

    def weighed(rows, n_columns):
        return rows if weighting == "binary" else oracle.weighed(rows, n_columns, weighting, 1.4, 0.6)

    rows = weighed(oracle.turned(people, N_ITEMS), N_USERS)
    near = [oracle.nearest(rows, row, n, kind, 2.0, without=i) for i, row in enumerate(rows)]
    by_items = {u: oracle.liked_by_items(past, near) for u, past in enumerate(people) if past}
    assert_lists(sl.ItemNeighbors(n, **settings).fit(data(events)), by_items)
    from_past = {
        u: oracle.liked_by_items(past, oracle.turned(near, N_ITEMS)) for u, past in enumerate(people) if past
    }
    assert_lists(sl.ItemNeighbors(n, neighbors_of="past", **settings).fit(data(events)), from_past)
    rows = weighed(people, N_ITEMS)
    by_people = {
        u: oracle.liked_by_people(oracle.nearest(rows, rows[u], n, kind, 2.0, without=u), people)
        for u, past in enumerate(people)
        if past
    }
    assert_lists(sl.UserNeighbors(n, **settings).fit(data(events)), by_people)


@pytest.mark.parametrize("kind", ["cosine", "jaccard", "adjusted_cosine", "pearson"])
@pytest.mark.parametrize(("baseline", "n", "least"), [("biases", 4, 2), ("mean", 100, 1)])
def test_ratings_are_predicted_by_the_formula(kind, baseline, n, least):
    events = rated(n)
    people = last_ratings(events)
    settings = {"similarity": kind, "feedback": "explicit", "baseline": baseline, "shrinkage": 1.0}
    settings |= {"item_reg": 3.0, "user_reg": 2.0, "min_neighbors": least}
    columns = oracle.turned(people, N_ITEMS)
    items, users = oracle.baselines(people, N_ITEMS, "biases" if baseline == "biases" else "item_mean", 3, 2)
    rows = oracle.centred(columns, N_USERS) if kind == "adjusted_cosine" else columns
    near = [oracle.nearest(rows, row, n, kind, 1.0, without=i) for i, row in enumerate(rows)]
    expected = {
        u: oracle.rated_by_items(past, near, items, users[u], least) for u, past in enumerate(people) if past
    }
    assert_lists(sl.ItemNeighbors(n, **settings).fit(data(events)), expected)
    items, users = oracle.baselines(people, N_ITEMS, "biases" if baseline == "biases" else "user_mean", 3, 2)
    rows = oracle.centred(people, N_ITEMS) if kind == "adjusted_cosine" else people
    expected = {}
    for u, past in enumerate(people):
        if past:
            near = oracle.nearest(rows, rows[u], n, kind, 1.0, without=u)
            expected[u] = oracle.rated_by_people(near, people, items, users, users[u], least)
    known = {i for i, column in enumerate(columns) if column}
    expected = {u: {i: s for i, s in scores.items() if i in known} for u, scores in expected.items()}
    assert_lists(sl.UserNeighbors(n, **settings).fit(data(events)), expected)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.7, 0.5), (0.0, 0.0)])
def test_walks_are_scored_by_the_formula(alpha, beta, normalize):
    events = rated(1)
    people = likes(events)
    ends = [oracle.walk(people, N_ITEMS, j, alpha, beta) for j in range(N_ITEMS)]
    kept = [{i: e[i] for i in ranked(e, 4)} for e in ends]
    if normalize:
        kept = [{i: value / sum(e.values()) for i, value in e.items()} for e in kept]
    expected = {}
    for u, past in enumerate(people):
        if past:
            expected[u] = {
                i: sum(kept[j].get(i, 0) for j in past) for i in set().union(*(kept[j] for j in past))
            }
    model = sl.RP3beta(alpha, beta, n_neighbors=4, normalize=normalize).fit(data(events))
    assert_lists(model, expected)
    near = model.similar_items([502], 3).frame
    assert (near["similar_item_id"] - 500).to_list() == ranked(kept[2], 3)


def test_strengths_of_events_are_the_term_frequencies():
    events = [(u, i, (u + i) % 3, 0) for u in range(6) for i in range(5) if (u * i) % 4 != 1] * 2
    people = [{} for _ in range(6)]
    for user, item, value, _ in events:
        if value:
            people[user][item] = people[user].get(item, 0.0) + value
    log = dataset(events, 6, 5, feedback=Feedback.events())
    rows = oracle.weighed(oracle.turned(people, 5), 6, "bm25")
    near = [oracle.nearest(rows, row, 9, "cosine", without=i) for i, row in enumerate(rows)]
    expected = {u: oracle.liked_by_items(past, near) for u, past in enumerate(people) if past}
    model = sl.ItemNeighbors(9, weighting="bm25", shrinkage=0.0).fit(log)
    assert_lists(model, {u: scores for u, scores in expected.items() if scores})


def fitted(model, kind="cosine", events=None, **settings):
    explicit = {"feedback": "explicit"} if model is not sl.RP3beta else {}
    own = {"similarity": kind} | explicit | settings if kind else settings
    return model(n_neighbors=6, **own).fit(data(events or rated()))


EVERY = [
    *((model, kind, {"min_neighbors": 1}) for model, kind in RATERS),
    *((model, "cosine", {"feedback": "implicit"}) for model in MODELS),
    (sl.RP3beta, None, {}),
]


@pytest.mark.parametrize(("model", "kind", "settings"), EVERY)
def test_folding_in_the_training_data_gives_what_training_users_get(model, kind, settings):
    one = fitted(model, kind, **settings)
    folded = one.fold_in_users(data(rated()))
    users = np.flatnonzero(one.known_users_)
    assert np.array_equal(folded.known, one.known_users_)
    there = one.recommend(folded.take(users), 7).frame
    assert there.equals(one.recommend((users + 100).tolist(), 7).frame)
    assert there.height > 30


@pytest.mark.parametrize(("model", "kind", "settings"), EVERY)
def test_one_user_alone_gets_what_many_get(model, kind, settings):
    one = fitted(model, kind, **settings)
    users = (np.flatnonzero(one.known_users_) + 100).tolist()
    together = one.recommend(users, 5).frame
    assert together.equals(
        together.clear().extend(one.recommend(users[0], 5).frame).vstack(one.recommend(users[1:], 5).frame)
    )


@pytest.mark.parametrize("model", MODELS)
def test_another_moment_counts_what_was_before_it(model):
    events = rated()
    one = fitted(model, None, events)
    early = data([event for event in events if event[3] <= 90])
    at_that_time = one.recommend(one.fold_in_users(early).take(np.array([0, 1, 5, 6])), 5).frame
    # All of these four have something by then.
    assert at_that_time.equals(one.recommend([100, 101, 105, 106], 5, at=90 * 86_400_000_000).frame)
    assert not at_that_time.equals(one.recommend([100, 101, 105, 106], 5).frame)


def test_nobody_is_their_own_neighbour():
    events = [(0, 0, 5, 0), (0, 1, 5, 1), (1, 0, 5, 2), (1, 2, 5, 3)]
    one = sl.UserNeighbors(1, shrinkage=0.0).fit(data(events))
    assert shown(one, 0) == {0: 0.5, 2: 0.5}
    stranger = dataset([(0, 0, 5, 0), (0, 1, 5, 1)], 1, N_ITEMS)
    assert one.recommend(one.fold_in_users(stranger), 9, exclude_seen=False).frame["item_id"].to_list() == [
        500,
        502,
    ]


@pytest.mark.parametrize("model", MODELS)
def test_saved_and_loaded_it_ranks_alike(model, tmp_path):
    for kind, settings in (("pearson", {"min_neighbors": 1}), (None, {})):
        one = fitted(model, kind, **settings)
        loaded = sl.load(one.save(tmp_path / f"{kind}"))
        assert loaded.params() == one.params()
        assert shown(loaded, 5) == shown(one, 5)


def test_one_five_star_neighbour_does_not_top_every_list():
    rows = [(u, i, 3, 0) for u in range(6) for i in range(4)] + [(0, 5, 5, 0), (1, 5, 5, 0), (2, 6, 3, 0)]
    loose = sl.ItemNeighbors(feedback="explicit", min_neighbors=1, shrinkage=0).fit(data(rows))
    strict = sl.ItemNeighbors(feedback="explicit", min_neighbors=5, shrinkage=0).fit(data(rows))
    assert 5 in shown(loose, 3)
    assert 5 not in shown(strict, 3)
    shortfall = strict.recommend(103, 10).shortfalls[103]
    assert "only" in shortfall


@pytest.mark.parametrize("model", MODELS)
def test_predictions_of_the_unknown_are_baselines(model):
    one = fitted(model, "pearson", min_neighbors=1, baseline="mean")
    mean = np.mean([value for row in last_ratings(rated()) for value in row.values()])
    people = last_ratings(rated())
    items, users = oracle.baselines(
        people, N_ITEMS, "item_mean" if model is sl.ItemNeighbors else "user_mean", 0, 0
    )
    expected = [items[2], mean] if model is sl.ItemNeighbors else [mean, users[3]]
    assert one.predict([999, 103], [502, 999]).tolist() == pytest.approx(expected, rel=1e-6)
    assert one.predict([103], [503], clip=False).tolist() == one.score([103], [503]).tolist()
    with pytest.raises(ParameterError, match="pairs"):
        one.predict([103], [])
    with pytest.raises(ParameterError, match="explicit"):
        fitted(model, None).predict([103], [503])


@pytest.mark.parametrize("model", MODELS)
def test_only_models_of_ratings_say_that_they_predict_them(model):
    assert model(feedback="explicit").predicts_ratings
    assert not model().predicts_ratings
    train, test = parts(rated(1), rated(2), N_USERS, N_ITEMS)
    table = sl.evaluate(model(feedback="explicit").fit(train), train, test, k=3).frame
    assert "rmse" in table["metric"].to_list()
    assert "rmse" not in sl.evaluate(model().fit(train), train, test, k=3).frame["metric"].to_list()


def test_similar_items_are_the_neighbours():
    one = fitted(sl.ItemNeighbors, None)
    shorter, longer = one.similar_items([502], 3), one.similar_items([502], 50)
    assert shorter.measure == "cosine"
    assert longer.frame.height == 6  # n_neighbors
    assert longer.frame.head(3).equals(shorter.frame)
    with pytest.raises(ParameterError, match="no item vectors"):
        one.similar_items([502], measure="cosine")
    with pytest.raises(ParameterError, match="compares people"):
        fitted(sl.UserNeighbors, None).similar_items([502])


def test_a_pipeline_relates_by_neighbours():
    train = data(rated())
    model = sl.ItemNeighbors(5)
    pipeline = sl.Pipeline([sl.RelatedToRecent(model)], sl.ModelScorer(model)).fit(train)
    assert pipeline.recommend(105, 5).frame.height > 0


def test_items_without_evidence_are_not_listed():
    one = sl.ItemNeighbors().fit(data([(0, 0, 5, 0), (0, 1, 5, 0), (1, 2, 5, 0)]))
    assert list(shown(one, 0)) == [0, 1]
    assert shown(one, 1) == {}
    assert "only 0 of" in one.recommend(101, 2).shortfalls[101]
    assert one.score([100], [502]).tolist() == [0.0]


@pytest.mark.parametrize(("model", "kind"), RATERS)
@pytest.mark.parametrize(
    "events",
    [
        [(0, 0, 4, 0)],
        [(0, i, 4, 0) for i in range(5)],
        [(u, 0, 4, 0) for u in range(5)],
        [(u, i, 4, 0) for u in range(5) for i in range(5)],
    ],
    ids=["one pair", "one user", "one item", "all equal"],
)
def test_data_that_says_nothing_gives_no_nan(model, kind, events):
    for settings in ({"feedback": "explicit", "similarity": kind, "min_neighbors": 1}, {}):
        one = model(**settings, shrinkage=0).fit(data(events))
        for user in sorted({event[0] for event in events} & set(np.flatnonzero(one.known_users_).tolist())):
            assert np.isfinite(list(shown(one, user).values())).all()
            assert np.isfinite(one.score([user + 100], [500])).all()


@pytest.mark.parametrize("model", [*MODELS, sl.RP3beta])
def test_a_million_users_of_one_event_each_are_no_burden(model):
    n = 1_000_000
    users, items = np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int32) % 1000
    log = sl.Interactions.of(users, items, np.ones(n), None, n, 1000, Feedback.events())
    vocabularies = sl.Vocabulary.of(np.arange(n)), sl.Vocabulary.of(np.arange(1000))
    started = time.process_time()
    one = model().fit(sl.Dataset(log, *vocabularies, name="once"))
    assert one.recommend([5], 3).frame.height == 0
    assert time.process_time() - started < 20


@pytest.mark.parametrize("model", [*MODELS, sl.RP3beta])
def test_data_without_a_like_is_refused(model):
    with pytest.raises(DataError, match="positive"):
        model().fit(data([(0, 0, 1, 0)]))


@pytest.mark.parametrize("model", MODELS)
def test_ratings_are_asked_for_where_they_are_predicted(model):
    with pytest.raises(DataError, match="predicts ratings"):
        model(feedback="explicit").fit(data([(0, 0, 1, 0)], feedback=Feedback.events()))
    with pytest.raises(UnknownIdError):
        fitted(model, None).recommend(124)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"n_neighbors": 0},
        {"similarity": "euclidean"},
        {"feedback": "both"},
        {"weighting": "idf"},
        {"shrinkage": -1},
        {"bm25_k1": -0.1},
        {"bm25_b": 1.5},
        {"baseline": "none"},
        {"item_reg": float("nan")},
        {"user_reg": "2"},
        {"min_neighbors": 0},
        {"similarity": "pearson"},
        {"similarity": "dot", "feedback": "explicit"},
        {"weighting": "bm25", "feedback": "explicit"},
        {"weighting": "bm25", "similarity": "jaccard"},
    ],
)
def test_a_parameter_out_of_range_is_refused(model, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        model(**wrong)


def test_neighbours_of_the_past_are_for_likes():
    with pytest.raises(ParameterError, match="neighbors_of"):
        sl.ItemNeighbors(neighbors_of="past", feedback="explicit")
    with pytest.raises(ParameterError, match="neighbors_of"):
        sl.ItemNeighbors(neighbors_of="future")


@pytest.mark.parametrize("wrong", [{"alpha": -1}, {"beta": -0.1}, {"n_neighbors": 0}, {"normalize": 1}])
def test_a_parameter_of_the_walk_out_of_range_is_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        sl.RP3beta(**wrong)
