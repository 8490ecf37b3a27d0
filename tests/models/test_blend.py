from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import blend as oracle

import shortlist as sl
from shortlist.errors import ArtifactError, DataError, NotFittedError, ParameterError
from shortlist.models import blended_lists, scores_by_request
from shortlist.models.blend_weights import Judged, best_shares, parts
from shortlist.models.model import Model
from shortlist.models.score_rows import rank_rows, score_rows
from shortlist.stages import Lists

USERS, ITEMS = 6, 20


class Told(Model):
    """Scores that were told to it, [users, items]; −inf: nothing to say."""

    FITTED: ClassVar[tuple[str, ...]] = ()

    def __init__(self, scores, known=None, shown=None):
        self.scores = scores
        self.known = known
        self.shown = shown

    def _fit(self, dataset, fitting):
        n_users, n_items = self.scores.shape
        self.known_users_ = np.ones(n_users, bool) if self.known is None else self.known
        self.known_items_ = np.ones(n_items, bool)
        self.listed_items_ = self.known_items_ if self.shown is None else self.shown

    def _rank(self, request):
        index = np.full((len(request), min(request.k, self.scores.shape[1])), -1, np.int32)
        score = np.zeros(index.shape, np.float32)
        for row, user in enumerate(request.user_idx.tolist()):
            items = np.flatnonzero(self.listed_items_ & ~np.isinf(self.scores[user])).astype(np.int32)
            rule = request.eligible.rule_of(np.full(items.size, row), items)
            items = items[rule == 0]
            best = items[np.lexsort((items, -self.scores[user, items]))][: index.shape[1]]
            index[row, : best.size], score[row, : best.size] = best, self.scores[user, best]
        return Lists.from_padded(index, score)

    def _score(self, user_idx, item_idx):
        found = self.scores[user_idx, item_idx]
        return np.where(np.isinf(found), np.float32(0), found)

    def _rank_vectors(self, users, request):
        raise ParameterError("nothing to fold in")

    def _similarity_vectors(self):
        raise ParameterError("no vectors")


def dataset(seed=0, n_users=USERS, n_items=ITEMS, n=30, times=True):
    """Return events of everybody; all users and items are there."""
    rng = np.random.default_rng(seed)
    users = np.concatenate([np.arange(n_users), rng.integers(0, n_users, n), np.zeros(n_items, int)])
    items = np.concatenate([rng.integers(0, n_items, n_users + n), np.arange(n_items)])
    table = {"user_id": users, "item_id": items}
    if times:
        table["timestamp"] = rng.integers(0, 10**9, users.size)
    return sl.read(pl.DataFrame(table), kind="events")


def planted(n_users=120, n_items=60, seed=1):
    """Return events of two tastes, each user's items of one half, plus a few items that everybody takes."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        half = user % 2 * n_items // 2
        liked = half + rng.choice(n_items // 2, 10, replace=False)
        common = rng.choice(6, 4, replace=False) + n_items
        rows += [(user, int(item), int(rng.integers(10**9))) for item in (*liked, *common)]
    return sl.read(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"), kind="events"
    )


TWO = {"taste": 0.7, "pop": 0.3}


def two(weights=None, **given):
    return sl.Blend({"taste": sl.WALS(4, n_epochs=2), "pop": sl.Popularity()}, weights=weights, **given)


def by_oracle(told, weights, data, user, permitted, k):
    """Return the user's list by plain loops over all items."""
    history = data.memory.history
    past = set(history.item_idx[history.ptr[user] : history.ptr[user + 1]].tolist())
    scores = [
        {
            item: None if np.isinf(score) else float(score)
            for item, score in enumerate(model.scores[user].tolist())
        }
        if model.known_users_[user]
        else {}
        for model in told
    ]
    listed = [set(np.flatnonzero(model.listed_items_).tolist()) for model in told]
    total, spoken = oracle.blended(scores, listed, weights, past)
    return oracle.best(total, spoken, permitted - past, k), total


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(1, 3), st.integers(0, 5), st.booleans(), st.sampled_from([1, 2, 100])
)
def test_lists_are_those_of_a_sum_over_all_items(seed, n_models, k, limited, first_depth):
    rng = np.random.default_rng(seed)
    data = dataset(seed % 5)
    told = []
    for _ in range(n_models):
        # Sixteenths: every sum is exact, and ties are many.
        scores = rng.integers(-8, 17, (USERS, ITEMS)).astype(np.float32) / 16
        scores[rng.random(scores.shape) < 0.2] = -np.inf
        told.append(Told(scores, rng.random(USERS) < 0.8, rng.random(ITEMS) < 0.8))
    weights = rng.integers(0, 4, n_models).astype(float)
    weights[rng.integers(n_models)] = 1.0
    names = [f"m{n}" for n in range(n_models)]
    blend = sl.Blend(dict(zip(names, told, strict=True)), weights=dict(zip(names, weights, strict=True)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blended_lists, "_FIRST_DEPTH", first_depth)
        patch.setattr(blended_lists, "_DEPTH_PER_ITEM", 1)
        patch.setattr(blended_lists, "_DEEPER", 2)
        blend.fit(data, rng=0)
        items = sorted(rng.choice(ITEMS, 5, replace=False).tolist()) if limited else None
        shown = blend.recommend(range(USERS), k, items=items, on_unknown="skip")
    heard = [model for model, weight in zip(blend.models_.values(), weights, strict=True) if weight]
    for user in range(USERS):
        if not any(model.known_users_[user] for model in heard):
            continue
        wanted, total = by_oracle(
            heard, weights[weights > 0], data, user, set(range(ITEMS) if items is None else items), k
        )
        start, stop = shown.lists.ptr[user], shown.lists.ptr[user + 1]
        found = shown.lists.item_idx[start:stop].tolist()
        assert shown.lists.score[start:stop].tolist() == pytest.approx([total[i] for i in found], abs=1e-6)
        assert [total[i] for i in found] == pytest.approx([total[i] for i in wanted], abs=1e-6)


def of_one_user(monkeypatch, tables, depth, k):
    """Return the list of a user with one past item, 19, from models told as tables item → score, equally weighed."""
    told = {}
    for n, table in enumerate(tables):
        scores = np.full((2, 20), -np.inf, np.float32)
        scores[0, list(table)] = list(table.values())
        told[f"m{n}"] = Told(scores)
    pairs = pl.DataFrame({"user_id": [0] + [1] * 20, "item_id": [19, *range(20)]})
    monkeypatch.setattr(blended_lists, "_FIRST_DEPTH", depth)
    monkeypatch.setattr(blended_lists, "_DEPTH_PER_ITEM", 1)
    blend = sl.Blend(told, weights=dict.fromkeys(told, 1.0)).fit(sl.read(pairs, kind="events"))
    return blend.recommend([0], k).frame["item_id"].to_list()


def test_a_deeper_item_that_ties_comes_first_by_its_id(monkeypatch):
    first = {9: 1.0, 1: 0.5, 5: 0.5, 0: -1.0}
    second = {0: 1.0, 2: 0.5, 5: 0.5}
    assert of_one_user(monkeypatch, [first, second], depth=2, k=1) == [5]


def test_a_model_that_is_silent_of_an_item_gives_it_0_however_low_its_list_goes(monkeypatch):
    first = {1: 1.0, 4: -0.5, 2: -1.0, 5: -2.0}
    second = {1: 1.0, 2: 0.95, 5: 0.1, 3: 0.05}
    assert of_one_user(monkeypatch, [first, second], depth=3, k=2) == [1, 3]


def test_one_user_alone_gets_the_bits_of_a_batch():
    data = planted()
    blend = two(TWO).fit(data, rng=0)
    together = blend.recommend(range(120), 7).frame
    for user in (0, 7, 119):
        assert blend.recommend([user], 7).frame.equals(together.filter(pl.col("user_id") == user))


@pytest.mark.parametrize("depth", [1, 3, 1000])
def test_the_depth_of_the_lists_changes_nothing(depth, monkeypatch):
    blend = two(TWO).fit(planted(), rng=0)
    wanted = blend.recommend(range(120), 5).frame
    monkeypatch.setattr(blended_lists, "_FIRST_DEPTH", depth)
    monkeypatch.setattr(blended_lists, "_DEEPER", 2)
    monkeypatch.setattr(blended_lists, "_BLOCK_ENTRIES", 7)
    assert blend.recommend(range(120), 5).frame.equals(wanted)


def test_a_score_is_the_one_on_the_list_whatever_may_be_shown():
    blend = two(TWO).fit(planted(), rng=0)
    for limits in ({}, {"items": [3, 5, 40]}, {"exclude": [61, 62]}, {"exclude_seen": False}):
        shown = blend.recommend(range(120), 6, **limits).frame
        score = blend.score(shown["user_id"], shown["item_id"])
        assert score.tolist() == shown["score"].to_list()


def test_each_models_best_new_item_counts_its_weight():
    blend = sl.Blend({"taste": sl.WALS(4)}, weights={"taste": 0.25}).fit(planted(), rng=0)
    shown = blend.recommend(range(120), 1).frame
    assert shown["score"].to_list() == [0.25] * 120


def test_at_a_moment_only_the_past_counts():
    data = planted()
    blend = sl.Blend({"again": sl.BuyAgain(), "pop": sl.Popularity()}, weights={"again": 1, "pop": 0}).fit(
        data
    )
    at = int(np.median(data.interactions.timestamp))
    shown = blend.recommend(range(120), 50, at=at, exclude_seen=False).frame
    history = data.memory.history.until(at)
    assert shown.height == history.item_idx.size
    alone = blend.models_["again"].recommend(range(120), 50, at=at, exclude_seen=False).frame
    assert shown["item_id"].to_list() == alone["item_id"].to_list()


def test_a_pair_scored_by_lists_has_the_bits_of_score(monkeypatch):
    data = planted()
    blend = two(TWO).fit(data, rng=0)
    wanted = blend.recommend(range(120), 9).frame
    monkeypatch.setattr(
        scores_by_request, "remembered", lambda model, request, people: np.zeros(len(request), bool)
    )
    monkeypatch.setattr(scores_by_request, "_BLOCK_ENTRIES", 200)
    monkeypatch.setattr(blended_lists, "_FIRST_DEPTH", 2)
    assert blend.recommend(range(120), 9).frame.equals(wanted)


def test_folding_in_a_users_events_gives_the_users_list():
    data = planted()
    walks = {"one": sl.WALS(4, n_epochs=2), "two": sl.WALS(3, n_epochs=2, unobserved_weight=0.3)}
    blend = sl.Blend(walks, weights={"one": 0.5, "two": 0.5}).fit(data, rng=0)
    folded = blend.recommend(blend.fold_in_users(data), 5).frame
    known = blend.recommend(range(120), 5).frame
    assert folded["item_id"].to_list() == known["item_id"].to_list()
    np.testing.assert_allclose(folded["score"], known["score"], rtol=1e-4)


def test_people_are_folded_in_by_the_models_that_can():
    data = planted()
    blend = two(TWO).fit(data, rng=0)
    people = blend.fold_in_users(data)
    assert list(people.parts) == ["taste"]
    shown = blend.recommend(people, 3).frame
    taste = blend.models_["taste"]
    assert (
        shown["item_id"].to_list() == taste.recommend(taste.fold_in_users(data), 3).frame["item_id"].to_list()
    )
    nobody = sl.Blend({"pop": sl.Popularity()}, weights={"pop": 1}).fit(data)
    with pytest.raises(ParameterError, match="can fold people in"):
        nobody.fold_in_users(data)


def test_weights_found_beat_each_model_alone():
    data = planted()
    train, test = sl.split.leave_last_out(data)
    blend = two(validation_k=5).fit(train, rng=0)
    alone = {name: two({"taste": 0, "pop": 0} | {name: 1}).fit(train, rng=0) for name in TWO}
    found = sl.evaluate({"blend": blend} | alone, train, test, k=5, n_bootstrap=0)
    ndcg = {name: found.result("ndcg", name).value for name in ("blend", *TWO)}
    assert min(blend.weights_.values()) > 0
    assert sum(blend.weights_.values()) == pytest.approx(1)
    assert ndcg["blend"] > max(ndcg["taste"], ndcg["pop"]) + 0.02


def test_found_weights_given_make_the_same_blend():
    data = planted()
    found = two().fit(data, rng=5)
    given_them = two(found.weights_).fit(data, rng=5)
    assert given_them.recommend(range(120), 5).frame.equals(found.recommend(range(120), 5).frame)


def test_the_same_seed_finds_the_same_weights():
    assert two().fit(planted(), rng=3).weights_ == two().fit(planted(), rng=3).weights_


def judged(scaled, relevant, row):
    scaled, relevant, row = np.asarray(scaled, np.float32), np.asarray(relevant, bool), np.asarray(row)
    return Judged(row, np.arange(row.size, dtype=np.int32), scaled, relevant, np.bincount(row[relevant]))


def test_ndcg_of_weights_by_hand():
    pool = judged([[3, 0], [2, 5], [1, 0], [1, 0], [0, 1]], [0, 1, 1, 0, 1], [0, 0, 0, 1, 1])
    ideal = 1 + 1 / np.log2(3)
    first = ((1 / np.log2(3) + 1 / np.log2(4)) / ideal + 1 / np.log2(3)) / 2
    assert pool.ndcg(np.array([1.0, 0.0]), 20) == pytest.approx(first)
    second = ((1 + 1 / np.log2(4)) / ideal + 1) / 2
    assert pool.ndcg(np.array([0.0, 1.0]), 20) == pytest.approx(second)
    assert pool.ndcg(np.array([1.0, 0.0]), 1) == 0


def test_the_search_ends_at_the_best_of_a_fine_grid():
    rng = np.random.default_rng(0)
    n, per = 80, 12
    row = np.repeat(np.arange(n), per)
    relevant = np.tile(np.arange(per) < 3, n)
    signal = rng.normal(size=(n * per, 2)) + relevant[:, None] * [1.0, 0.7]
    pool = judged(signal, relevant, row)
    grid = [pool.ndcg(np.array([share, 1 - share]), 5) for share in np.linspace(0, 1, 51)]
    found = best_shares(pool, 5)
    assert found.sum() == pytest.approx(1)
    assert pool.ndcg(found, 5) >= max(grid) - 1e-9


def test_three_shares_are_never_below_the_best_single_model():
    rng = np.random.default_rng(1)
    row, relevant = np.repeat(np.arange(50), 10), np.tile(np.arange(10) < 2, 50)
    pool = judged(rng.normal(size=(500, 3)) + relevant[:, None] * [0.2, 1.0, 0.5], relevant, row)
    found = best_shares(pool, 5)
    assert pool.ndcg(found, 5) > max(pool.ndcg(one, 5) for one in np.eye(3))
    assert (found >= 0).all()


def test_the_last_events_of_each_user_are_held_back():
    data = planted()
    train, held_back = parts(data, 0.2, np.random.default_rng(0))
    assert np.bincount(held_back.user_idx, minlength=120).tolist() == [2] * 120
    for user in range(120):
        kept = train.interactions.timestamp[train.interactions.user_idx == user]
        assert kept.max() <= held_back.timestamp[held_back.user_idx == user].min()


def test_without_times_random_events_are_held_back():
    data = dataset(times=False, n=200)
    train, held_back = parts(data, 0.2, np.random.default_rng(0))
    other, _ = parts(data, 0.2, np.random.default_rng(1))
    n = np.bincount(data.interactions.user_idx)
    assert np.bincount(held_back.user_idx, minlength=USERS).tolist() == (n // 5).tolist()
    assert len(train.interactions) + len(held_back) == n.sum()
    assert not np.array_equal(train.interactions.item_idx, other.interactions.item_idx)


def test_nobody_with_enough_events_is_said():
    pairs = pl.DataFrame({"user_id": [1, 2, 3], "item_id": [1, 1, 2]})
    with pytest.raises(DataError, match="give weights="):
        two().fit(sl.read(pairs, kind="events"))


def test_given_models_stay_as_they_are_and_fitted_ones_are_used():
    data = planted()
    unfitted, fitted = sl.WALS(4), sl.Popularity().fit(data)
    blend = sl.Blend({"a": unfitted, "b": fitted}, weights={"a": 1, "b": 1}).fit(data, rng=0)
    assert not unfitted.is_fitted
    assert blend.models_["b"] is fitted
    other = sl.split.leave_last_out(data).train
    assert blend.clone().fit(other, rng=0).models_["b"] is not fitted


def test_a_blend_of_blends_is_saved_and_loaded(tmp_path):
    data = planted()
    inner = two(TWO)
    blend = sl.Blend({"inner": inner, "again": sl.WALS(2)}, weights={"inner": 1, "again": 0.5}).fit(
        data, rng=0
    )
    loaded = sl.load(blend.save(tmp_path / "blend"))
    assert repr(loaded) == repr(blend)
    assert loaded.weights_ == blend.weights_
    assert loaded.space == blend.space
    assert loaded.recommend([1, 2], 5).frame.equals(blend.recommend([1, 2], 5).frame)
    assert loaded.models_["inner"].memory_ is loaded.memory_
    refitted = loaded.clone().fit(data, rng=0)
    assert refitted.recommend([1, 2], 5).frame.equals(blend.recommend([1, 2], 5).frame)
    people = blend.fold_in_users(data)
    assert loaded.recommend(people, 5).frame.equals(blend.recommend(people, 5).frame)


def test_a_state_without_its_classes_is_refused():
    state = two(TWO).fit(planted(), rng=0).to_state()
    with pytest.raises(ArtifactError, match=r"shortlist\.load"):
        sl.Blend.from_state(state)


def test_a_pipeline_keeps_a_blend(tmp_path):
    blend = two(TWO)
    pipeline = sl.Pipeline([sl.Nearest(blend, k=20)], sl.ModelScorer(blend)).fit(planted(), rng=0)
    loaded = sl.load(pipeline.save(tmp_path / "p"))
    assert loaded.recommend([3], 5).frame.equals(pipeline.recommend([3], 5).frame)


def test_clone_and_repr_have_all_parameters():
    blend = two(TWO, validation_k=7)
    again = blend.clone()
    assert repr(again) == repr(blend)
    assert "WALS(dim=4" in repr(blend)
    assert "'pop': 0.3" in repr(blend)


def test_a_reason_says_that_it_is_a_blend():
    shown = two(TWO).fit(planted(), rng=0).recommend([1], 1)
    assert shown.reasons["reason"].to_list() == [
        "scored highest for you in a blend of taste (0.7), pop (0.3)"
    ]


def test_models_start_from_those_of_an_earlier_blend():
    data = planted()
    old = two(TWO).fit(data, rng=0)
    epochs = []
    two(TWO).fit(data, rng=1, start=old, on_epoch=lambda epoch: epochs.append(epoch.n_epochs))
    assert epochs == [2, 2]
    others = sl.Blend({"taste": sl.WALS(4)}, weights={"taste": 1})
    with pytest.raises(ParameterError, match="must be the same"):
        others.fit(data, start=old)
    longer = sl.Blend({"taste": sl.WALS(5), "pop": sl.Popularity()}, weights=TWO)
    with pytest.raises(ParameterError, match="dim=4"):
        longer.fit(data, start=old)
    with pytest.raises(NotFittedError):
        two(TWO).fit(data, start=two(TWO))


@pytest.mark.parametrize(
    ("given_them", "said"),
    [
        ({"models": {}}, "by name"),
        ({"models": [sl.WALS()]}, "by name"),
        ({"models": {"a": 3}}, r"models\['a'\] must be a model"),
        ({"models": {1: sl.WALS()}}, "name of a model"),
        ({"weights": {"taste": 1}}, "a number for each of taste, pop"),
        ({"weights": {"taste": 1, "pop": 1, "x": 1}}, "a number for each"),
        ({"weights": {"taste": -1, "pop": 1}}, r"weights\['taste'\] must be a number at least 0"),
        ({"weights": {"taste": float("nan"), "pop": 1}}, r"weights\['taste'\]"),
        ({"weights": {"taste": 0, "pop": 0}}, "all 0"),
        ({"validation_share": 0}, "validation_share"),
        ({"validation_k": 0}, "validation_k"),
    ],
)
def test_wrong_parameters_are_said(given_them, said):
    models = {"taste": sl.WALS(), "pop": sl.Popularity()}
    with pytest.raises(ParameterError, match=said):
        sl.Blend(**{"models": models} | given_them)


def test_a_blend_has_no_item_vectors():
    with pytest.raises(ParameterError, match="ask one of its models"):
        two(TWO).fit(planted(), rng=0).similar_items([1])


def test_a_model_with_weight_0_says_nothing():
    data = planted()
    blend = two({"taste": 0, "pop": 1}).fit(data, rng=0)
    pop = sl.Popularity().fit(data)
    wanted = pop.recommend(range(120), 5).frame["item_id"].to_list()
    assert blend.recommend(range(120), 5).frame["item_id"].to_list() == wanted
    assert set(blend.models_) == {"taste", "pop"}


def test_rows_by_history_are_blended_too():
    """A model that scores by the request's history: the other seam."""
    data = planted()

    class Rows(Told):
        def _rows_of(self, history):
            out = np.zeros((len(history), 66), np.float32)
            np.add.at(out, (history.row, (history.item_idx + 1) % 66), 1)
            out[out == 0] = -np.inf
            return out

        def _rank(self, request):
            return rank_rows(self._rows_of, request, self.listed_items_)

        def _score(self, user_idx, item_idx):
            return score_rows(self._rows_of, self.memory_, user_idx, item_idx)

    models = {"rows": Rows(np.zeros((120, 66), np.float32)), "taste": sl.WALS(3)}
    blend = sl.Blend(models, weights={"rows": 0.4, "taste": 0.6}).fit(data, rng=0)
    at = int(np.median(data.interactions.timestamp))
    late, whole = blend.recommend(range(120), 8, at=at), blend.recommend(range(120), 8)
    assert not late.frame.equals(whole.frame)
    assert (
        blend.score(whole.frame["user_id"], whole.frame["item_id"]).tolist() == whole.frame["score"].to_list()
    )
    request = data.memory.history.until(at)
    rows = np.where(np.isinf(found := blend.models_["rows"]._rows_of(request)), 0, found)
    seen = [set(request.item_idx[request.ptr[u] : request.ptr[u + 1]].tolist()) for u in range(120)]
    taste = blend.models_["taste"]
    for user in (0, 50):
        new = [item for item in range(66) if item not in seen[user]]
        second = taste.score([user] * len(new), new)
        first = rows[user, new]
        total = 0.4 * first / (first.max() or 1) + 0.6 * second / second.max()
        mine = late.frame.filter(pl.col("user_id") == user)
        np.testing.assert_allclose(mine["score"], np.sort(total)[::-1][:8], rtol=1e-5)
