"""The pipeline on data whose answer is known: order, trace, reasons, sharing of models, saving."""

import numpy as np
import polars as pl
import pytest
from fixed_vectors import FixedVectors
from retrieval.test_sources import DISLIKE, LIKE, dataset_of

import shortlist as sl
from shortlist.errors import ArtifactError, NonFiniteError, NotFittedError, ParameterError, UnknownIdError

ITEMS = [[1, 0], [1, 0.1], [0, 1], [0.1, 1], [0.5, 0.5], [0, 0]]
EVENTS = [(0, 0, LIKE), (0, 2, DISLIKE), (1, 2, LIKE), (1, 4, LIKE), (2, 0, DISLIKE)]


def pipeline(**scorer):
    model = FixedVectors([[1, 0.2], [0.2, 1], [0, 0]], ITEMS)
    sources = [sl.Nearest(model, k=3), sl.RelatedToRecent(model, recent=1, per_item=2), sl.Popular(k=2)]
    return sl.Pipeline(sources, sl.ModelScorer(model, **scorer))


@pytest.fixture
def dataset():
    return dataset_of(EVENTS, 3, 6)


def test_lists_come_from_the_scorer_whatever_source_proposed(dataset):
    frame = pipeline().fit(dataset).recommend([0], 3).frame
    assert frame["item_id"].to_list() == [1, 4, 3]
    np.testing.assert_allclose(frame["score"], [1.02, 0.6, 0.3], rtol=1e-6)


def test_the_trace_names_sources_and_what_removed_an_item(dataset):
    trace = pipeline().fit(dataset).recommend([0, 1], 1, exclude=[3]).trace(0)
    rows = {row["item_id"]: row for row in trace.to_dicts()}
    assert rows[1]["rank"] == 1
    assert (rows[1]["Nearest_rank"], rows[1]["RelatedToRecent_rank"], rows[1]["Popular_rank"]) == (1, 1, None)
    assert rows[1]["because_of"] == "0"
    assert (rows[4]["rank"], rows[4]["removed_by"]) == (None, None)
    assert 3 not in rows  # excluded items are left out of the search of Nearest
    assert trace["item_id"].to_list()[0] == 1


def test_seen_items_stay_in_the_trace_with_their_rule():
    dataset = dataset_of([(0, 1, LIKE), (0, 0, LIKE), (1, 2, LIKE)], 3, 6)
    shown = pipeline().fit(dataset).recommend(0, 5)
    rows = {row["item_id"]: row for row in shown.trace(0).to_dicts()}
    assert rows[1]["removed_by"] == "seen"
    assert rows[1]["score"] is None
    assert 1 not in shown.frame["item_id"].to_list()


def test_reasons_name_a_liked_item_or_the_source(dataset):
    shown = pipeline().fit(dataset).recommend([0], 3)
    reasons = dict(shown.reasons.select("item_id", "reason").rows())
    assert reasons == {
        1: "because you liked 0",
        4: "because you liked 0",
        3: "close to your taste as a whole",
    }
    trace = {row["item_id"]: row["because_of"] for row in shown.trace(0).to_dicts()}
    for item, reason in reasons.items():
        assert (trace[item] is not None) == reason.startswith("because you liked")


def test_anchors_are_positive_events_of_the_user():
    data = sl.datasets.movielens_small()
    wals = sl.WALS(dim=8, n_epochs=2)
    fitted = sl.Pipeline([sl.RelatedToRecent(wals), sl.Nearest(wals)], sl.ModelScorer(wals)).fit(data, rng=0)
    users = data.users.ids.head(40).to_list()
    shown = fitted.recommend(users, 10, on_unknown="fallback")
    log = data.interactions
    liked = set(zip(log.user_idx[log.positive].tolist(), log.item_idx[log.positive].tolist(), strict=True))
    candidates = shown.candidates
    anchored = candidates.anchor >= 0
    assert anchored.sum() > 1000
    pairs = zip(candidates.row[anchored].tolist(), candidates.anchor[anchored].tolist(), strict=True)
    assert all((data.users.index_of([users[row]])[0], anchor) in liked for row, anchor in pairs)


def test_a_model_used_twice_is_fitted_once_and_the_given_one_stays_unfitted(dataset):
    given = pipeline()
    fitted = given.fit(dataset)
    assert len(fitted.models_) == 2
    assert fitted.sources_[0].model is fitted.sources_[1].model is fitted.scorer_.model
    assert not any(source.model.is_fitted for source in given.sources)


def test_a_model_fitted_on_the_same_data_is_used_as_it_is_and_one_fitted_on_other_data_is_not(dataset):
    model = FixedVectors(np.ones((3, 2)), ITEMS).fit(dataset)
    same = sl.Pipeline([sl.Nearest(model)], sl.ModelScorer(model)).fit(dataset)
    assert same.models_[0] is model
    other = sl.Pipeline([sl.Nearest(model)], sl.ModelScorer(model)).fit(dataset_of(EVENTS[1:], 3, 6))
    assert other.models_[0] is not model
    assert model.memory_ is dataset.memory


def test_users_the_scorer_does_not_know_are_unknown(dataset):
    fitted = pipeline().fit(dataset)
    with pytest.raises(UnknownIdError, match="what user 2 likes"):
        fitted.recommend([0, 2])
    shown = fitted.recommend([0, 2], 2, on_unknown="fallback")
    # Each of 0, 2 and 4 is liked by one; user 2 has seen 0.
    assert shown.frame.filter(pl.col("user_id") == 2)["item_id"].to_list() == [2, 4]
    assert shown.trace(2).height == 0


def test_a_list_that_the_size_of_the_merge_makes_short_says_so(dataset):
    merge = sl.Merge(1, {"Popular": 2})
    shown = pipeline().unfitted(merge=merge).fit(dataset).recommend([0], 2)
    trace = {row["item_id"]: row for row in shown.trace(0).to_dicts()}
    assert shown.frame["item_id"].to_list() == [4]  # it is Popular's turn, and 0 and 2 are seen
    assert trace[1]["removed_by"] == "beyond the merge size"
    assert trace[4]["Nearest_rank"] == 2
    assert shown.shortfalls[0].endswith("; the merge lets 1 candidates through")


class Halve:
    name = "Halve"

    def adjust(self, request, candidates):
        return np.where(candidates.item_idx == 1, 0.0, candidates.score).astype(np.float32)


class Broken:
    name = "Broken"

    def adjust(self, request, candidates):
        return np.full(candidates.score.size, np.nan, np.float32)


def test_adjustments_change_the_order(dataset):
    base = pipeline()
    adjusted = sl.Pipeline(base.sources, base.scorer, rerank=[Halve()]).fit(dataset)
    assert adjusted.recommend([0], 3).frame["item_id"].to_list() == [4, 3, 1]


def test_scores_that_are_not_finite_stop_with_the_name_of_the_stage(dataset):
    base = pipeline()
    with pytest.raises(NonFiniteError, match=r"Broken gave . scores"):
        sl.Pipeline(base.sources, base.scorer, rerank=[Broken()]).fit(dataset).recommend([0])


def test_a_stage_of_ones_own_works_but_is_not_saved(dataset, tmp_path):
    base = pipeline()
    with pytest.raises(ArtifactError, match="only shortlist's own"):
        sl.Pipeline(base.sources, base.scorer, rerank=[Halve()]).fit(dataset).save(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_two_sources_of_one_name_are_refused():
    model = sl.Popularity()
    with pytest.raises(ParameterError, match="two sources are called 'Nearest'"):
        sl.Pipeline([sl.Nearest(model), sl.Nearest(model)], sl.ModelScorer(model))
    with pytest.raises(ParameterError, match="at least one source"):
        sl.Pipeline([], sl.ModelScorer(model))


def test_a_loaded_pipeline_shares_its_parts_and_can_be_fitted_again(tmp_path):
    data = sl.datasets.movielens_small()
    wals = sl.WALS(dim=4, n_epochs=1)
    made = sl.Pipeline([sl.Nearest(wals), sl.Popular()], sl.ModelScorer(wals)).fit(data, rng=1)
    loaded = sl.load(made.save(tmp_path / "p"))
    assert loaded.models_[0].memory_ is loaded.memory_
    assert loaded.sources_[0].model is loaded.scorer_.model
    again = loaded.fit(data, rng=1).recommend([1, 2], 5)
    assert again.frame.equals(made.recommend([1, 2], 5).frame)


def test_strangers_get_the_popular_source_of_the_pipeline(dataset):
    model = FixedVectors([[1, 0.2], [0.2, 1], [0, 0]], ITEMS)
    popular = sl.Popular(model=sl.Popularity("mean", shrinkage=0))
    fitted = sl.Pipeline([sl.Nearest(model), popular], sl.ModelScorer(model)).fit(dataset)
    shown = fitted.recommend([99], 4, on_unknown="fallback")
    # Means: items 4 (5), then 0 and 2 (5 and 1 each: 3); counts of likes would put 0 first.
    assert shown.frame["item_id"].to_list() == [4, 0, 2]
    with pytest.raises(ParameterError, match="takes a Popularity"):
        sl.Popular(model=model)


def as_it_is(pipeline):
    return dict(vars(pipeline))


@pytest.mark.parametrize("is_fitted", [False, True])
def test_a_fit_that_is_broken_off_leaves_the_pipeline_as_it_was(is_fitted):
    data = sl.datasets.movielens_small()
    first, second = sl.WALS(dim=2, n_epochs=2), sl.WALS(dim=3, n_epochs=2)
    made = sl.Pipeline([sl.Nearest(first), sl.RelatedToRecent(second)], sl.ModelScorer(second))
    if is_fitted:
        made.fit(data, rng=0)
    before, seen = as_it_is(made), []

    def watch(epoch):
        seen.append((epoch.model.dim, epoch.number, epoch.n_epochs))
        if len(seen) == 3:
            raise KeyboardInterrupt

    other = sl.split.leave_last_out(data).train
    with pytest.raises(KeyboardInterrupt):
        made.fit(other, on_epoch=watch)
    assert seen == [(2, 1, 2), (2, 2, 2), (3, 1, 2)]
    assert made.is_fitted == is_fitted
    after = as_it_is(made)
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)


def test_each_model_starts_at_the_one_in_its_place():
    data = sl.datasets.movielens_small()
    train = sl.split.leave_last_out(data).train
    wals = sl.WALS(dim=4, n_epochs=2, refit_epochs=1)
    made = sl.Pipeline([sl.Popular(), sl.Nearest(wals)], sl.ModelScorer(wals))
    old = made.fit(train, rng=0).models_
    made.fit(data, rng=0, start=made)
    alone = wals.clone().fit(data, start=old[1])
    np.testing.assert_array_equal(made.models_[1].user_factors_, alone.user_factors_)
    cold = sl.Pipeline([sl.Popular(), sl.Nearest(wals)], sl.ModelScorer(wals)).fit(data, rng=0).models_[1]
    assert np.abs(cold.user_factors_ - alone.user_factors_).max() > 1e-3


def test_a_start_that_does_not_match_is_refused(dataset):
    made, other = pipeline(), sl.Pipeline([sl.Popular()], sl.ModelScorer(sl.Popularity()))
    with pytest.raises(ParameterError, match="start must be a fitted Pipeline"):
        made.fit(dataset, start=sl.Popularity().fit(dataset))
    with pytest.raises(NotFittedError, match="not fitted"):
        made.fit(dataset, start=other)
    words = r"start has the models Popularity, Popularity, this pipeline FixedVectors, Popularity"
    with pytest.raises(ParameterError, match=words):
        made.fit(dataset, start=other.fit(dataset))
    assert not made.is_fitted
