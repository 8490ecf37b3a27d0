"""SoftmaxNet on datasets: known answers, its own forward pass, who is known, fold-in, refitting, parameters."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import softmax_net as oracle

import shortlist as sl
from shortlist.errors import DataError, MissingExtraError, NonFiniteError, ParameterError
from shortlist.models import torch_extra


def events(rows, users=None):
    """Return a dataset of (user, item) rows, one a second; `users` maps ids to an age and a country."""
    columns = list(zip(*rows, strict=True))
    frame = pl.DataFrame({"user_id": columns[0], "item_id": columns[1], "timestamp": range(len(rows))})
    if users is None:
        return sl.read(frame, kind="events")
    table = pl.DataFrame(
        [(user, *values) for user, values in users.items()], ["user_id", "age", "land"], orient="row"
    )
    kinds = {"users": {"age": "numeric", "land": "categorical"}}
    return sl.read(frame, kind="events", users=table, features=kinds)


def two_tastes(seed=0, n=40):
    """Return rows of people who each like half of ten items of their own kind, and nothing of the other."""
    rng = np.random.default_rng(seed)
    return [
        (user, 10 * (user % 2) + int(item)) for user in range(n) for item in rng.choice(10, 5, replace=False)
    ]


def aged(n=40):
    return {user: (20.0 + user, "NO" if user % 2 else "SE") for user in range(n)}


def net(dim=4, **parameters):
    return sl.SoftmaxNet(dim, **{"n_epochs": 40, "batch_size": 8, "learning_rate": 0.06, **parameters})


FORMS = {
    "history": {},
    "untied history": {"tied": False, "n_epochs": 80},
    "ids": {"user_ids": True, "history": False},
    "features": {"history": False, "user_features": True},
    "everything, with layers": {"user_ids": True, "user_features": ["land"], "layers": [6, 5]},
    "dot products": {"similarity": "dot", "temperature": 1.0, "item_bias": True},
    "uniform": {"negatives": "uniform", "n_negatives": 6},
    "popularity": {"negatives": "popularity", "n_negatives": 6},
    "in_batch": {"negatives": "in_batch"},
    "early": {"validation_share": 0.2, "patience": 10},
}


@pytest.mark.parametrize("form", FORMS)
def test_people_are_listed_what_is_of_their_kind(form):
    data = events(two_tastes(), aged())
    model = net(**FORMS[form]).fit(data, rng=0)
    assert model.loss_history_[-1] < model.loss_history_[0]
    frame = model.recommend(range(40), 5).frame
    assert frame.height == 40 * 5
    own = frame["user_id"].to_numpy() % 2 == frame["item_id"].to_numpy() // 10
    # An embedding of one's own has nothing but one's own five items to learn from.
    assert own.mean() > (0.8 if form == "ids" else 0.97)


def plain_scores(model, data, user):
    """Return the scores of the user by plain loops over the fitted arrays."""
    known = {
        "constant": [model.constant_.tolist()],
        "ids": [row.tolist() for row in model.id_factors_[user : user + 1]],
        "features": [row.tolist() for row in model.feature_part_[user : user + 1]],
    }
    parts = [row for rows in known.values() for row in rows]
    raw = (model.item_factors_ * model.item_lengths_[:, None]).tolist()
    table = raw if model.history_factors_.size == 0 else model.history_factors_.tolist()
    if model.history:
        log = data.interactions
        own = sorted(set(log.item_idx[log.user_idx == user].tolist()))
        parts.append(oracle.mean([table[i] for i in own], len(parts[0])))
    layers = [(weights.tolist(), biases.tolist()) for weights, biases in model.dense_layers]
    cosine = model.similarity == "cosine"
    vector = oracle.person(parts, layers, cosine, model.temperature)
    return [
        oracle.dot(vector, item) + offset
        for item, offset in zip(model.item_factors_.tolist(), model.item_offsets_.tolist(), strict=True)
    ]


@pytest.mark.parametrize("form", ["history", "untied history", "everything, with layers", "dot products"])
def test_scores_are_those_of_plain_loops(form):
    data = events(two_tastes(), aged())
    model = net(**{**FORMS[form], "n_epochs": 3}).fit(data, rng=0)
    for user in (0, 7):
        wanted = plain_scores(model, data, user)
        assert_allclose(model.score([user] * 20, range(20)), wanted, rtol=2e-5, atol=1e-5)


def test_what_is_trained_is_what_answers():
    """The vectors of a net that was told to predict nothing but the past it sees are those of the training."""
    data = events(two_tastes(), aged())
    model = net(**FORMS["everything, with layers"], validation_share=0.3, n_epochs=1).fit(data, rng=0)
    log_shares = []
    for user in range(40):
        scores = model.score([user] * 20, range(20)).astype(float)
        mine = data.interactions.item_idx[data.interactions.user_idx == user]
        log_shares.extend((np.log(np.exp(scores).sum()) - scores[mine]).tolist())
    # The history is not quite the same (training keeps some items back), the loss is nearly.
    assert_allclose(np.mean(log_shares), model.validation_history_[0], rtol=0.15)


COUNTS = np.array([24, 12, 6, 3, 2, 1])


def alike(**parameters):
    """Return the shares that a net gives six items, fitted to people who are all alike."""
    items = np.repeat(np.arange(6), COUNTS)
    rows = [(user, int(item)) for user, item in enumerate(items)]
    data = events(rows, dict.fromkeys(range(len(rows)), (1.0, "NO")))
    settings = {"history": False, "user_features": ["land"], "similarity": "dot", "temperature": 1.0}
    model = sl.SoftmaxNet(
        2, item_bias=True, learning_rate=0.05, n_epochs=60, batch_size=12, **settings, **parameters
    ).fit(data, rng=0)
    scores = model.score([0] * 6, range(6)).astype(float)
    return np.exp(scores) / np.exp(scores).sum()


def test_full_softmax_of_people_alike_gives_each_item_its_share():
    assert_allclose(alike(), COUNTS / COUNTS.sum(), atol=0.04)


@pytest.mark.parametrize(
    "sample",
    [
        {"negatives": "popularity", "popularity_exponent": 1.0, "n_negatives": 4},
        {"negatives": "in_batch"},
    ],
)
def test_log_q_gives_the_shares_that_a_sample_without_it_misses(sample):
    wanted = COUNTS / COUNTS.sum()
    corrected, plain = (np.abs(alike(**sample, logq=logq) - wanted).sum() for logq in (True, False))
    assert corrected < 0.6 * plain
    assert corrected < 0.2


def test_folding_in_the_events_of_training_gives_the_vectors_of_training():
    data = events(two_tastes(), aged())
    for form in ({}, {"tied": False, "layers": [5], "user_features": True}):
        model = net(n_epochs=2, **form).fit(data, rng=0)
        folded = model.fold_in_users(data)
        assert_array_equal(folded.vectors, model.user_vectors(np.arange(40, dtype=np.int32))[0])
        assert folded.known.all()
        lists = model.recommend(folded, 4).frame.drop("user_id")
        assert lists.equals(model.recommend(range(40), 4).frame.drop("user_id"))


def test_people_with_features_alone_are_answered():
    model = net(user_features=["land"]).fit(events(two_tastes(), aged()), rng=0)
    lands = {"n": (None, "NO"), "s": (None, "SE"), "x": (None, None)}
    folded = model.fold_in_users(features=events([("n", 0), ("s", 0), ("x", 0)], lands).user_features)
    assert folded.known.tolist() == [True, True, False]
    frame = model.recommend(folded, 5, on_unknown="skip").frame
    kinds = dict(frame.group_by("user_id").agg((pl.col("item_id") // 10).mean()).iter_rows())
    assert kinds == {"n": 1.0, "s": 0.0}


def test_ids_alone_fold_nobody_in():
    data = events(two_tastes())
    model = net(user_ids=True, history=False, n_epochs=1).fit(data, rng=0)
    with pytest.raises(ParameterError, match="history=True or user_features"):
        model.fold_in_users(data)
    with pytest.raises(ParameterError, match="without user_features"):
        net(n_epochs=1).fit(data, rng=0).fold_in_users(features=events(two_tastes(), aged()).user_features)


def test_lists_go_by_the_events_until_the_moment_asked_for():
    rows = [(0, item) for item in range(5)] + [(0, item) for item in range(10, 15)] + two_tastes(1)
    model = net().fit(events(rows), rng=0)
    early = model.recommend(0, 5, at=4_000_000, exclude_seen=True).frame["item_id"].to_list()
    assert all(item < 10 for item in early)
    only = model.recommend(0, 5, at=-1, exclude_seen=False)
    assert only.frame.height == 0  # nothing was known of them then


def test_a_fit_goes_on_from_an_earlier_one():
    old, new = events(two_tastes(0, 30), aged()), events(two_tastes(0, 40), aged())
    for form in ("untied history", "everything, with layers", "dot products"):
        start = net(**FORMS[form]).fit(old, rng=0)
        settings = {"refit_epochs": 1, "learning_rate": 1e-6}
        model = start.clone()
        model = type(start)(**{**start.params(), **settings}).fit(new, rng=1, start=start)
        people = np.arange(30, dtype=np.int32)
        assert_allclose(model.item_factors_, start.item_factors_, atol=1e-3)
        assert_allclose(model.user_vectors(people)[0], start.user_vectors(people)[0], atol=0.02)


def test_a_net_of_another_form_is_not_taken_over():
    data = events(two_tastes())
    start = net(n_epochs=1).fit(data, rng=0)
    for other in ({"layers": [3]}, {"user_ids": True}, {"tied": False}):
        with pytest.raises(ParameterError, match="another form"):
            net(n_epochs=1, **other).fit(data, start=start)


def test_the_best_epoch_by_validation_is_kept():
    data, seen = events(two_tastes()), {}
    model = net(8, user_ids=True, n_epochs=60, learning_rate=0.2, validation_share=0.3, patience=4)
    model.fit(data, rng=0, on_epoch=lambda e: seen.update({e.number: e.model.item_factors_.copy()}))
    assert model.best_epoch_ == 1 + np.argmin(model.validation_history_) < len(model.validation_history_) < 60
    assert len(model.validation_history_) == model.best_epoch_ + 4
    assert_array_equal(model.item_factors_, seen[model.best_epoch_])


def test_losses_are_told_after_each_epoch():
    told = []
    model = net(n_epochs=3).fit(events(two_tastes()), rng=0, on_epoch=told.append)
    assert [epoch.loss for epoch in told] == model.loss_history_.tolist()
    assert all(epoch.validation_loss is None for epoch in told)


def test_steps_that_diverge_are_stopped():
    wild = net(similarity="dot", temperature=0.01, learning_rate=1e30)
    with pytest.raises(NonFiniteError, match="learning_rate"):
        wild.fit(events(two_tastes()), rng=0)


def test_a_batch_larger_than_the_data_is_all_of_it():
    data = events(two_tastes())
    first, second = (net(n_epochs=2, batch_size=size).fit(data, rng=0) for size in (40, 10_000))
    assert_array_equal(first.item_factors_, second.item_factors_)


def test_people_without_the_features_that_alone_are_looked_at_are_unknown():
    lands = {user: (None, "NO" if user % 3 else None) for user in range(40)}
    model = net(history=False, user_features=["land"], n_epochs=1).fit(events(two_tastes(), lands), rng=0)
    assert model.known_users_.tolist() == [user % 3 != 0 for user in range(40)]
    nobody = dict.fromkeys(range(100, 110), (None, "NO"))
    with pytest.raises(DataError, match="nobody has both"):
        net(history=False, user_features=["land"]).fit(
            events(two_tastes(), {**dict.fromkeys(range(40), (None, None)), **nobody})
        )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"history": False}, "looks at nothing"),
        ({"layers": [3], "tied": True}, "tied=True"),
        ({"layers": 3}, "layers"),
        ({"layers": [0]}, "layers"),
        ({"patience": 3}, "validation_share"),
        ({"temperature": 0.0}, "temperature"),
        ({"target_fraction": 1.5}, "target_fraction"),
        ({"negatives": "some"}, "negatives"),
        ({"item_bias": 1}, "item_bias"),
        ({"device": 0}, "device"),
    ],
)
def test_wrong_parameters_are_named(wrong, said):
    with pytest.raises(ParameterError, match=said):
        sl.SoftmaxNet(**wrong)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ParameterError, match="device='nowhere'"):
        net(device="nowhere").fit(events(two_tastes()))


def test_validation_of_so_few_pairs_that_none_is_held_back_is_refused():
    with pytest.raises(ParameterError, match="validation_share"):
        net(validation_share=0.01).fit(events([(0, 0), (1, 1)]), rng=0)


def test_without_pytorch_a_fit_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(torch_extra, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"SoftmaxNet needs PyTorch.*shortlist\[nets\]"):
        net().fit(events(two_tastes()))


def test_the_same_seed_gives_the_same_net():
    data = events(two_tastes(), aged())
    for form in ("everything, with layers", "popularity"):
        first, second = (net(**{**FORMS[form], "n_epochs": 2}).fit(data, rng=5) for _ in range(2))
        for name in type(first).FITTED:
            assert_array_equal(getattr(first, name), getattr(second, name))
