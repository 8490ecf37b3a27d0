"""The sweep against plain loops, on data of a few users, and on data whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from experiments.hand_data import parts
from experiments.sweep import oracle
from experiments.sweep.told import FixedLister, Learner, Lister, TableScorer

import shortlist as sl
from shortlist.errors import DataError, ParameterError
from shortlist.experiments.sweep.outcome import Sweep
from shortlist.experiments.sweep.sweep import sweep
from shortlist.retrieval.merge import Merge

LIKE, DISLIKE = 5, 1
N_USERS, N_ITEMS = 6, 12
FAST = {"n_bootstrap": 20, "n_requests": 2}


@pytest.fixture(scope="module")
def world():
    """Return both parts, the lists of two sources, and a table of scores, all drawn; user 5 has nothing relevant."""
    rng = np.random.default_rng(4)
    order = [rng.permutation(N_ITEMS) for _ in range(N_USERS)]
    train = [(u, int(i), LIKE) for u in range(N_USERS) for i in order[u][:3]]
    test = [
        (u, int(i), LIKE if u < 5 else DISLIKE, 100 + n)
        for u in range(N_USERS)
        for n, i in enumerate(order[u][3 : 5 + u % 3])
    ]
    train = [(*event, at) for at, event in enumerate(train)]
    lists = [{u: rng.permutation(N_ITEMS).tolist() for u in range(N_USERS)} for _ in range(2)]
    return (*parts(train, test, N_USERS, N_ITEMS), lists, rng.random((N_USERS, N_ITEMS)).tolist())


def pipeline_of(lists, table, **scorer):
    sources = [Lister(lists[0], name="one"), FixedLister(lists[1], name="two")]
    return sl.Pipeline(sources, TableScorer(table, **scorer))


def expected(world, size, k, without=None):
    """Return the figures of each user with something relevant, by the oracle."""
    train, test, lists, table = world
    rows = []
    for user in range(5):
        had = set(train.interactions.item_idx[train.interactions.user_idx == user].tolist())
        relevant = set(test.interactions.item_idx[test.interactions.user_idx == user].tolist())
        permitted = set(range(N_ITEMS)) - had
        proposals = [lists[0][user][:size], lists[1][user][:2]]
        if without is not None:
            proposals[without] = []
        found = oracle.turns(proposals, size, permitted)
        items = oracle.shown(found, table[user], k)
        hits = [item for item in items if item in relevant]
        rows.append(
            {
                "candidates": len(found),
                "candidate_recall": oracle.recall(found, relevant),
                "ndcg_ceiling": oracle.ceiling(found, relevant, k),
                "ndcg": oracle.ndcg(items, relevant, k),
                "precision": len(hits) / k,
                "shown": oracle.parts(items, proposals, permitted),
                "hits": oracle.parts(hits, proposals, permitted),
            }
        )
    return rows


def mean(rows, name):
    return np.mean([row[name] for row in rows])


@pytest.mark.parametrize("block_users", [1, 100])
def test_every_figure_is_that_of_plain_loops(world, block_users):
    train, test, lists, table = world
    k, sizes = 3, (3, 4, 8)
    found = sweep(pipeline_of(lists, table), train, test, sizes, k, block_users=block_users, **FAST)
    for of in found.sizes:
        rows = expected(world, of.size, k)
        assert of.n_candidates == mean(rows, "candidates")
        for name, figure in of.figures.items():
            assert figure.value == pytest.approx(mean(rows, name), abs=1e-12), (of.size, name)
            largest = expected(world, 8, k)
            assert of.lost[name].value == pytest.approx(mean(largest, name) - mean(rows, name), abs=1e-12)
        for part in ("shown", "hits"):
            of_all = np.sum([row[part] for row in rows], axis=0)
            shares = [getattr(source, part).value for source in of.sources]
            assert shares == pytest.approx((of_all / of_all.sum()).tolist())
        for s, source in enumerate(of.sources):
            left = expected(world, of.size, k, without=s)
            assert source.recall_lost.value == pytest.approx(
                mean(rows, "candidate_recall") - mean(left, "candidate_recall"), abs=1e-12
            )
            assert source.ndcg_lost.value == pytest.approx(mean(rows, "ndcg") - mean(left, "ndcg"), abs=1e-12)


def test_the_lists_are_those_that_evaluate_measures(world):
    train, test, lists, table = world
    pipeline = pipeline_of(lists, table)
    found = sweep(pipeline, train, test, (3, 8), 3, **FAST)
    for of in found.sizes:
        sources = [Lister(lists[0], k=of.size, name="one"), pipeline.sources[1]]
        same = sl.Pipeline(sources, pipeline.scorer, merge=Merge(size=of.size)).fit(train)
        measured = sl.evaluate(same, train, test, 3, n_bootstrap=0)
        for metric in ("ndcg", "precision"):
            assert of.figures[metric].value == pytest.approx(measured.result(metric).value, abs=1e-12)


def test_a_source_that_alone_finds_everything_is_missed_and_one_that_repeats_it_is_not():
    train, test = parts(
        [(u, 0, LIKE, u) for u in range(4)], [(u, 1 + u, LIKE, 10 + u) for u in range(4)], 4, 8
    )
    right = {u: [1 + u] for u in range(4)}
    wrong = {u: [6, 7] for u in range(4)}
    table = np.eye(4, 8, 1).tolist()
    alone = sl.Pipeline([Lister(right, name="right"), Lister(wrong, name="wrong")], TableScorer(table))
    of = sweep(alone, train, test, (2,), 1, **FAST).sizes[0]
    assert [(one.shown.value, one.ndcg_lost.value, one.recall_lost.value) for one in of.sources] == [
        (1, 1, 1),
        (0, 0, 0),
    ]
    twice = sl.Pipeline([Lister(right, name="right"), Lister(right, name="again")], TableScorer(table))
    of = sweep(twice, train, test, (2,), 1, **FAST).sizes[0]
    assert [(one.shown.value, one.hits.value, one.ndcg_lost.value) for one in of.sources] == [
        (0.5, 0.5, 0)
    ] * 2


def test_the_same_seed_gives_the_same_figures_and_sizes_do_not_depend_on_each_other(world):
    train, test, lists, _table = world

    def figures(sizes, rng):
        source = Lister(lists[0], name="one")
        pipeline = sl.Pipeline([source, sl.Popular()], sl.ModelScorer(sl.WALS(dim=2, n_epochs=1)))
        return sweep(pipeline, train, test, sizes, 3, rng=rng, **FAST).frame.drop(pl.col("^ms_.*$"))

    once = figures((3, 6), 1)
    assert once.equals(figures((3, 6), 1))
    own = ["size", "n_candidates", "candidate_recall", "ndcg", "precision"]
    assert once.select(own).tail(1).equals(figures((6,), 1).select(own))


def test_the_scorer_is_fitted_anew_for_each_size_and_the_sources_once(world, monkeypatch):
    train, test, _, _ = world
    fitted = []
    plain = sl.WALS._fit
    monkeypatch.setattr(
        sl.WALS, "_fit", lambda self, data, fitting: (fitted.append(self.dim), plain(self, data, fitting))[1]
    )
    taste, other = sl.WALS(dim=2, n_epochs=1), sl.WALS(dim=3, n_epochs=1)
    pipeline = sl.Pipeline([sl.Nearest(taste), sl.RelatedToRecent(taste)], sl.ModelScorer(other))
    found = sweep(pipeline, train, test, (3, 5, 9), 3, **FAST)
    assert fitted == [2, 3, 3, 3]
    assert not taste.is_fitted
    assert "fitted anew" in found.setting.training


def test_a_scorer_that_learns_from_candidates_gets_those_of_the_size_from_before_the_cut():
    events = [(u, (u + n) % 9, LIKE, 10 * n + u) for u in range(6) for n in range(5)]
    events += [(u, (u + 5) % 9, LIKE, 90 + u) for u in range(6)]
    data, test = parts(events, [(u, (u + 6) % 9, LIKE, 200) for u in range(6)], 6, 9)
    lists = {u: [(u + n) % 9 for n in (5, 6, 7, 8)] if u < 4 else [(u + 6) % 9] * (u == 4) for u in range(6)}
    Learner.seen.clear()
    pipeline = sl.Pipeline([Lister(lists)], Learner(np.ones((6, 9)).tolist()))
    found = sweep(pipeline, data, test, (1, 3), 1, training_split=sl.split.leave_last_out, **FAST)
    assert [examples.candidates.item_idx.size for examples, _ in Learner.seen] == [5, 13]
    for (examples, _), size in zip(Learner.seen, (1, 3), strict=True):
        # User 4 took nothing of what they were proposed, 5 was proposed nothing; the last event of the others is
        # the first on the list.
        assert examples.request.user_idx.tolist() == [0, 1, 2, 3, 4]
        assert examples.took.tolist() == [True] * 4 + [False]
        assert np.diff(examples.candidates.ptr).tolist() == [size] * 4 + [1]
        taken = examples.request.user_idx[examples.candidates.row] + 5
        assert (examples.positive == (examples.candidates.item_idx == taken % 9)).all()
        assert examples.request.history.item_idx.size == 5 * 5
    assert Learner.seen[0][1] != Learner.seen[1][1]
    assert "learns anew from the candidates" in found.setting.training


def test_a_scorer_without_anything_to_learn_from_is_told_so(world):
    train, test, _lists, table = world
    nothing = {u: [] for u in range(N_USERS)}
    pipeline = sl.Pipeline([Lister(nothing)], Learner(table))
    with pytest.raises(DataError, match="has nothing to learn from"):
        sweep(
            pipeline,
            train,
            test,
            (3,),
            3,
            training_split=lambda part: sl.split.leave_last_out(part, n=1),
            **FAST,
        )


def test_users_the_scorer_does_not_know_are_left_out_and_counted(world):
    train, test, lists, table = world
    found = sweep(pipeline_of(lists, table, known=[0, 1, 2]), train, test, (8,), 3, **FAST)
    assert (found.setting.n_users, found.setting.n_unknown) == (3, 2)
    rows = expected(world, 8, 3)[:3]
    assert found.largest.figures["ndcg"].value == pytest.approx(mean(rows, "ndcg"))
    assert "2 users with a relevant item are unknown" in found.to_text()
    with pytest.raises(DataError, match="knows none of the 5 test users"):
        sweep(pipeline_of(lists, table, known=[]), train, test, (8,), 3, **FAST)


def test_what_is_not_there_is_said(world):
    train, test, lists, table = world
    pipeline = sl.Pipeline([FixedLister(lists[0])], TableScorer(table))
    found = sweep(pipeline, train, test, (3, 5, 40, 50), 2, **FAST)
    assert [of.size for of in found.sizes] == [3, 5, 12]
    text = found.to_text()
    assert "the catalogue has 12 items: of the sizes 40, 50 one is measured" in text
    assert "from 3 to 5 nothing is added" in text
    assert found.sizes[0].sources[0].ndcg_lost is None
    assert "lost without" not in text
    bare = sweep(pipeline, train, test, (3, 5), 2, n_bootstrap=0, n_requests=1)
    assert (bare.knee, bare.largest.figures["ndcg"].low) == (None, None)
    assert "No intervals" in bare.to_text()


def test_two_sizes_are_answered_for_and_a_sample_of_users_is_measured(world):
    train, test, lists, table = world
    found = sweep(pipeline_of(lists, table), train, test, (3, 5, 8), 3, versus=(3, 8), n_users=4, **FAST)
    more = found.contrast.differences["ndcg"]
    assert more.value == pytest.approx(found.sizes[0].lost["ndcg"].value)
    assert (more.low, more.high) == (found.sizes[0].lost["ndcg"].low, found.sizes[0].lost["ndcg"].high)
    assert "8 instead of 3: ndcg@3" in found.to_text()
    assert found.setting.n_users == 4
    assert sweep(pipeline_of(lists, table), train, test, (3, 5), 3, **FAST).contrast is None


def test_the_other_protocol_shows_what_was_seen(world):
    train, test, lists, table = world
    found = sweep(pipeline_of(lists, table), train, test, (12,), 3, exclude_seen=False, **FAST)
    relevant = [set(test.interactions.item_idx[test.interactions.user_idx == u].tolist()) for u in range(5)]
    items = [oracle.shown(range(N_ITEMS), table[u], 3) for u in range(5)]
    wanted = np.mean([oracle.ndcg(items[u], relevant[u], 3) for u in range(5)])
    assert found.largest.figures["ndcg"].value == pytest.approx(wanted)
    assert found.largest.figures["candidate_recall"].value == 1
    assert found.setting.protocol == "repeats allowed"


def test_a_busy_machine_is_told_of(world, monkeypatch):
    train, test, lists, table = world
    for load, said in ((0.9, False), (8.0, True)):
        monkeypatch.setattr("shortlist.experiments.sweep.sweep.load_per_core", lambda load=load: load)
        found = sweep(pipeline_of(lists, table), train, test, (3,), 3, **FAST)
        assert (found.setting.load, "8.0 times as much to do as it has cores" in found.to_text()) == (
            load,
            said,
        )


def test_rules_hold_and_are_timed_with_what_is_between_the_stages(world):
    train, test, lists, table = world
    denied = train.items.ids[:4].to_list()
    pipeline = pipeline_of(lists, table).unfitted(rules=[sl.DenyList(denied)], rerank=[_Halved()])
    found = sweep(pipeline, train, test, (12,), 3, **FAST)
    assert found.largest.figures["candidate_recall"].value < 1
    assert found.largest.n_candidates < N_ITEMS - 4
    assert list(found.largest.milliseconds) == [
        "one", "two", "merge", "scoring", "re-ranking", "the rest", "whole request",
    ]  # fmt: skip


class _Halved:
    name = "halved"

    def adjust(self, _request, candidates):
        return candidates.score / 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"retrieve": (5, 3)}, "retrieve must ascend, and 3 comes after 5"),
        ({"retrieve": (3, 3)}, "has the size 3 twice"),
        ({"retrieve": (0, 3)}, "at least 1, got 0"),
        ({"retrieve": (3, 4.5)}, "got 4.5"),
        ({"retrieve": ()}, "give the sizes as a list"),
        ({"retrieve": (2, 5)}, "a list of k=3 items cannot be made of 2 candidates"),
        ({"k": 0}, "k must be a whole number of at least 1"),
        ({"versus": (5, 3)}, "the smaller first"),
        ({"margin": 0}, "margin must be a number above 0"),
        ({"n_users": 0}, "n_users"),
        ({"n_requests": 0}, "n_requests"),
        ({"level": 1.0}, "level"),
        ({"exclude_seen": None}, "a sweep has one protocol"),
    ],
)
def test_wrong_parameters_are_refused_before_any_fit(world, monkeypatch, changes, words):
    train, test, lists, table = world
    monkeypatch.setattr(sl.Pipeline, "fit", None)
    with pytest.raises(ParameterError, match=words):
        sweep(pipeline_of(lists, table), train, test, **{"retrieve": (3, 5), "k": 3} | changes)


def test_what_is_no_experiment_is_refused(world):
    train, test, lists, table = world
    model = sl.WALS(dim=2)
    for same in (model, sl.WALS(dim=2)):
        shared = sl.Pipeline([Lister(lists[0]), sl.Nearest(model, name="taste")], sl.ModelScorer(same))
        with pytest.raises(ParameterError, match=r"WALS\(dim=2.*the source 'taste' too"):
            sweep(shared, train, test, (3,), 3)
    with pytest.raises(ParameterError, match="a WALS retrieves nothing"):
        sweep(model, train, test, (3,), 3)
    promised = pipeline_of(lists, table).unfitted(merge=Merge(size=9, quotas={"one": (4, 9)}))
    with pytest.raises(ParameterError, match="retrieve has the size 3, and quotas promise 4"):
        sweep(promised, train, test, (3, 8), 3)
    dislikes = test.with_interactions(replace(test.interactions, value=np.ones_like(test.interactions.value)))
    with pytest.raises(DataError, match="has a relevant item"):
        sweep(pipeline_of(lists, table), train, dislikes, (3,), 3)


def test_everything_is_written_and_the_page_loads_nothing(world, tmp_path):
    train, test, lists, table = world
    pipeline = pipeline_of(lists, table).unfitted(
        sources=[Lister(lists[0], name="<one>"), FixedLister(lists[1])]
    )
    found = sweep(pipeline, train, test, (3, 5, 8), 3, versus=(3, 8), **FAST)
    folder = found.save(tmp_path / "results")
    values = json.loads((folder / "sweep.json").read_text())
    assert values["knee"] == found.knee
    again = Sweep.from_values(values)
    assert again.to_text() == found.to_text()
    assert again.to_values() == json.loads(json.dumps(found.to_values()))
    with pytest.raises(DataError, match="sweep again"):
        Sweep.from_values(values | {"format": 0})
    assert [of["size"] for of in values["sizes"]] == [3, 5, 8]
    assert set(values["sizes"][0]["milliseconds"]) == {
        "<one>", "FixedLister", "merge", "scoring", "the rest", "whole request",
    }  # fmt: skip
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    html = (folder / "sweep.html").read_text()
    assert "<script" not in html
    assert 'src="http' not in html
    assert "<one>" not in html
    assert "&lt;one&gt;" in html
    assert html.count("<svg") == 3
    assert "8 instead of 3" in html
    assert found.sources.height == 6
    assert found.latency.filter(pl.col("stage") == "whole request")["p50"].min() > 0


def test_a_folder_that_cannot_be_written_is_refused(world, tmp_path):
    train, test, lists, table = world
    found = sweep(pipeline_of(lists, table), train, test, (3,), 3, **FAST)
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "none" / "deep"):
        with pytest.raises(ParameterError, match="give another"):
            found.save(place)
