"""Nearest by an index: the same scores as by the model, for users and for people folded in, saved with the pipeline."""

import numpy as np
import pytest

import shortlist as sl
from shortlist.errors import ParameterError
from shortlist.retrieval import nearest
from shortlist.retrieval.index.approximate_index import ApproximateIndex

K = 30


@pytest.fixture(scope="module")
def films():
    return sl.datasets.movielens_small()


@pytest.fixture(scope="module")
def both(films):
    """Two pipelines of one model: searched exactly, and by an index."""
    model = sl.WALS(dim=8, n_epochs=2)
    return tuple(
        sl.Pipeline([sl.Nearest(model, k=K, index=index)], sl.ModelScorer(model)).fit(films, rng=0)
        for index in ("exact", "approximate")
    )


def by_user(recommendations):
    return {
        user: dict(zip(rows["item_id"], rows["score"], strict=True))
        for (user,), rows in recommendations.frame.group_by("user_id", maintain_order=True)
    }


def shared(approximate, exact):
    """Return the share of the exact lists that the approximate ones hold, after comparing all scores."""
    a, b = by_user(approximate), by_user(exact)
    assert a.keys() == b.keys()
    assert all(len(a[user]) == len(b[user]) for user in b)
    for user in b:
        assert all(a[user][item] == b[user][item] for item in a[user].keys() & b[user].keys())
    return np.mean([len(a[user].keys() & b[user].keys()) / len(b[user]) for user in b])


def test_an_approximate_search_finds_nearly_all_with_the_same_scores(both):
    exact, approximate = both
    source = approximate.sources_[0]
    assert 0.95 <= source.recall_ <= 1.0
    assert source.index_._proposer is not None
    assert f"recall@{K}" in repr(source.index_)
    users = range(1, 101)
    assert shared(approximate.recommend(users, K), exact.recommend(users, K)) >= 0.95
    for items in (range(1, 30), [5], []):  # masks that leave few go to exact search
        wanted = exact.recommend(users, K, items=items).frame
        assert approximate.recommend(users, K, items=items).frame.equals(wanted)


def test_one_user_alone_gets_what_all_get(both):
    _, approximate = both
    together = by_user(approximate.recommend(range(1, 41), K))
    assert all(by_user(approximate.recommend(user, K))[user] == together[user] for user in range(1, 41))


def test_people_who_are_folded_in_are_searched_for(both, films):
    exact, approximate = both
    some = films.interactions.take(np.flatnonzero(films.interactions.user_idx < 20))
    newcomers = sl.Dataset(some, films.users, films.items)
    found, wanted = (pipe.recommend_for(newcomers, k=K, on_unknown="skip") for pipe in (approximate, exact))
    assert len(by_user(found)) == 20
    assert shared(found, wanted) >= 0.95


def test_the_index_is_saved_with_the_pipeline(both, tmp_path):
    _, approximate = both
    loaded = sl.load(approximate.save(tmp_path / "pipeline"))
    source = loaded.sources_[0]
    assert (source.recall_, source.index_.effort_) == (
        approximate.sources_[0].recall_,
        approximate.sources_[0].index_.effort_,
    )
    users = range(1, 101)
    assert loaded.recommend(users, K).frame.equals(approximate.recommend(users, K).frame)


def test_the_size_of_the_catalogue_decides(films, monkeypatch):
    model = sl.WALS(dim=16, n_epochs=2).fit(films, rng=0)
    assert sl.Nearest(model).bind(films, model).index_ is None
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 1000)
    chosen = sl.Nearest(model).bind(films, model)
    assert chosen.index_._proposer is not None
    assert chosen.index_.exact_up_to == 1000
    assert sl.Nearest(model, index="exact").bind(films, model).index_ is None
    monkeypatch.setattr(ApproximateIndex, "_recall_of_proposals", lambda *_: 0.94)
    assert sl.Nearest(model).bind(films, model).index_ is None  # nobody asked for what lacks so much
    assert sl.Nearest(model, index="approximate").bind(films, model).recall_ == 0.94
    popular = sl.Popularity().fit(films)
    assert sl.Nearest(popular).bind(films, popular).index_ is None


def test_who_has_another_vector_at_another_moment_is_ranked_by_the_model(films):
    model = sl.PureSVD(dim=8).fit(films)
    exact, approximate = (
        sl.Pipeline([sl.Nearest(model, k=K, index=i)], sl.ModelScorer(model)).fit(films)
        for i in ("exact", "approximate")
    )
    log, then = films.interactions, "2010-01-01"
    later = np.unique(log.user_idx[log.timestamp > np.datetime64(then, "us").astype(np.int64)])
    users, limits = films.users.ids.gather(later).to_list(), {"at": then, "on_unknown": "skip"}
    wanted = exact.recommend(users, K, **limits).frame
    assert wanted.height > 100
    assert approximate.recommend(users, K, **limits).frame.equals(wanted)
    now = {"on_unknown": "skip"}
    assert shared(approximate.recommend(users, K, **now), exact.recommend(users, K, **now)) >= 0.95


def test_offsets_do_not_hide_items_from_an_index(films):
    model = sl.MatrixFactorization(dim=8, n_epochs=3).fit(films, rng=0)
    source = sl.Nearest(model, k=K, index="approximate").bind(films, model)
    assert source.recall_ >= 0.95


def test_index_is_refused_where_there_is_nothing_to_index(films):
    with pytest.raises(ParameterError, match="index='tree' is not one of exact, approximate"):
        sl.Nearest(sl.WALS(), index="tree")
    popular = sl.Popularity()
    with pytest.raises(ParameterError, match="Nearest: Popularity has no item vectors to index"):
        sl.Pipeline([sl.Nearest(popular, index="approximate")], sl.ModelScorer(popular)).fit(films)
