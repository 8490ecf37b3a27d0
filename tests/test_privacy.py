"""Who is removed leaves no trace, everybody else's lists stay, and nobody's events are saved or said to others."""

import re

import numpy as np
import polars as pl
import privacy_world as world
import pytest
from privacy_world import MODELS, N_USERS, PIPELINES, SECRET

import shortlist as sl
from shortlist import registry
from shortlist.data.memory import Limits
from shortlist.data.recommendations import popular_reason
from shortlist.errors import ParameterError, UnknownIdError
from shortlist.privacy import require_separable
from shortlist.retrieval.trending import Trending

ALL = [*MODELS, *PIPELINES]
BY_NEIGHBOURS = ("UserNeighbors", "UserNeighbors of ratings")
HISTORY_IS_ALL = (*BY_NEIGHBOURS, "BuyAgain")
# Sources, in the pipeline of all of them, that have nothing to say of a known user without a history.
FACTS = {"country": ["France", "Spain"], "age": [40.0, 20.0]}
BY_HISTORY = {"Again", "BoughtTogether", "NextItem", "RelatedToRecent", "TopInGroup"}


def fitted(name):
    return world.pipeline(name) if name in PIPELINES else world.model(name)


def others():
    return [user for user in world.data().users.ids.to_list() if user != SECRET]


def lists(recommender, users=None, **limits):
    limits = {"at": world.data().memory.now, "on_unknown": "skip"} | limits
    return recommender.recommend(others() if users is None else users, 6, **limits).frame


def arrays_of(state, path=""):
    yield from ((f"{path}/{name}", array) for name, array in state.arrays.items())
    for name, part in state.parts.items():
        yield from arrays_of(part, f"{path}/{name}")


def files_of(folder):
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


def marks_of_the_secret(recommender):
    """Return bytes that nothing but the secret person's id, events, blocks and vectors has."""
    data = world.data()
    own = data.interactions.user_idx == data.users.index_of([SECRET])[0]
    marks = [SECRET.encode(), world.BLOCKED.encode()]
    for dtype in ("<i8", "<f8"):
        marks += [time.astype(dtype).tobytes() for time in data.interactions.timestamp[own]]
    marks += [np.array(v, d).tobytes() for v in (world.LIKED, world.DISLIKED) for d in ("<f4", "<f8")]
    models = recommender.models_ if isinstance(recommender, sl.Pipeline) else [recommender]
    for model in (deep for one in models for deep in one.with_models_within()):
        for name in model.BY_USER:
            rows = getattr(model, name)
            row = rows[data.users.index_of([SECRET])[0]] if len(rows) else rows
            # What all people of a country have is nobody's own.
            own_vector = name != "feature_part_" and row.size > 2 and (rows == row).all(axis=1).sum() == 1
            marks += [row.tobytes()] if own_vector else []
    return marks


@pytest.mark.parametrize("name", ALL)
def test_nothing_saved_holds_who_was_removed(name, tmp_path):
    recommender, marks = fitted(name), marks_of_the_secret(fitted(name))
    before = files_of(recommender.save(tmp_path))
    assert all(any(mark in file for file in before) for mark in (marks[0], *marks[2:5]))
    left = recommender.without_users([SECRET, "u11", "u30"])
    after = files_of(left.save(tmp_path))
    assert not [mark for mark in marks for file in after if mark in file]
    shapes = {path: array.shape for path, array in arrays_of(left.to_state())}
    assert not {path: s for path, s in shapes.items() if {N_USERS, N_USERS + 1} & set(s)}
    stay = left.memory_.users.ids.to_list()
    assert lists(sl.load(tmp_path), stay).equals(lists(left, stay))
    assert len(recommender.memory_.users) == N_USERS
    with pytest.raises(UnknownIdError, match=SECRET):
        left.recommend(SECRET)


@pytest.mark.parametrize("name", [name for name in ALL if name not in {*BY_NEIGHBOURS, "counted", "learned"}])
def test_everybody_else_keeps_their_lists_bit_for_bit(name):
    recommender = fitted(name)
    gone = [SECRET, "u07", "u49"]
    left = recommender.without_users(gone[:2]).without_users(gone[2])
    stay = [user for user in others() if user not in gone]
    for exclude_seen in (True, False):
        before = lists(recommender, stay, exclude_seen=exclude_seen)
        assert before.height or (name == "BuyAgain" and exclude_seen)
        after = lists(left, stay, exclude_seen=exclude_seen)
        if name == "BuyAgain":  # its scores are those at the last event, which was the removed person's
            before, after = before.drop("score"), after.drop("score")
        assert after.equals(before)


@pytest.mark.parametrize("name", BY_NEIGHBOURS)
def test_neighbours_are_those_of_a_fit_without_the_person(name):
    anew = MODELS[name]().fit(world.without_the_secret(world.data()), rng=1)
    assert lists(fitted(name).without_users(SECRET)).equals(lists(anew))


def test_what_is_counted_by_time_is_counted_anew():
    left, data = world.pipeline("counted").without_users(SECRET), world.without_the_secret(world.data())
    stages = [
        stage
        for stage in (*left.sources_, *left.rerank_)
        if isinstance(stage, Trending | sl.Fresh | sl.Freshness)
    ]
    assert len(stages) == 3
    for stage in stages:
        anew = stage.bind(data)
        for name in stage.FITTED:
            assert np.array_equal(getattr(stage, name), getattr(anew, name)), (stage, name)
    assert left.memory_.now == data.memory.now < world.data().memory.now
    assert np.array_equal(left.memory_.n_positive, data.memory.n_positive)


def test_a_recommender_without_somebody_is_fitted_anew():
    left = world.model("WALS").without_users(SECRET)
    pipeline = sl.Pipeline([sl.Nearest(left)], sl.ModelScorer(left)).fit(world.data(), rng=0)
    assert pipeline.models_[0] is not left
    assert len(pipeline.memory_.users) == N_USERS
    blend = sl.Blend({"a": left}, weights={"a": 1.0}).fit(world.data(), rng=0)
    assert blend.models_["a"] is not left
    started = world.MODELS["WALS"]().fit(world.data(), rng=0, start=left)
    assert started.recommend(SECRET).frame.height == 10


def test_wrong_removals_are_refused():
    model = world.model("WALS")
    with pytest.raises(UnknownIdError, match="'nobody'"):
        model.without_users(["u01", "nobody"])
    with pytest.raises(ParameterError, match="everybody"):
        model.without_users(world.data().users.ids.to_list())
    only = [user for user in others() if user != "u52"]  # who has no event
    with pytest.raises(ParameterError, match="DeepFM learned from none"):
        world.model("DeepFM").without_users([SECRET, *only[:-1]])


# Without histories.


def unseen(name, folder):
    return sl.load(fitted(name).save(folder, histories=False))


@pytest.mark.parametrize("name", HISTORY_IS_ALL)
def test_a_model_that_is_histories_is_not_saved_without(name, tmp_path):
    with pytest.raises(ParameterError, match=f"{name.split(' ')[0]} cannot be saved .*without histories"):
        fitted(name).save(tmp_path / "new", histories=False)
    assert not (tmp_path / "new").exists()
    model = MODELS[name]()
    pipeline = sl.Pipeline([sl.Nearest(sl.Blend({"a": model})), sl.Popular()], sl.ModelScorer(world.wals()))
    if name in BY_NEIGHBOURS:
        with pytest.raises(ParameterError, match="UserNeighbors"):
            require_separable(pipeline)


@pytest.mark.parametrize("name", [name for name in ALL if name not in HISTORY_IS_ALL])
def test_nobodys_events_are_saved(name, tmp_path):
    log, bare = world.data().interactions, unseen(name, tmp_path)
    assert bare.memory_.history.item_idx.size == 0
    assert np.array_equal(bare.memory_.n_positive, fitted(name).memory_.n_positive)
    values = np.array([world.LIKED, world.DISLIKED], np.float32)
    for path, array in arrays_of(bare.to_state()):
        assert not np.isin(array, log.timestamp).any(), path
        assert not np.isin(array, values).any(), path
        assert len(log) not in array.shape, path
        assert int(log.positive.sum()) not in array.shape, path
    written = {
        int(number) for number in re.findall(r"\d{16}", (tmp_path / "manifest.json").read_text("utf-8"))
    }
    assert not written & {*log.timestamp.tolist()}
    again = sl.load(bare.save(tmp_path, histories=False))
    assert again.memory_.fingerprint == bare.memory_.fingerprint != world.data().fingerprint


@pytest.mark.parametrize("name", [name for name in MODELS if name not in HISTORY_IS_ALL])
def test_a_model_without_histories_answers_or_says_why_not(name, tmp_path):
    model, bare, users = fitted(name), unseen(name, tmp_path), ["u01", "u20"]
    with pytest.raises(ParameterError, match=r"exclude_seen=False .* fold_in_users"):
        bare.recommend(users)
    now, item = bare.memory_.now, world.data().items.ids[3]
    if model.knows_by_history:
        assert not bare.known_users_.any()
        for ask in (lambda: bare.recommend(users, exclude_seen=False), lambda: bare.score(users[:1], [item])):
            with pytest.raises(ParameterError, match=f"{name.split(' ')[0]} knows its users by nothing else"):
                ask()
    else:
        before = model.recommend(users, exclude_seen=False, at=now)
        assert bare.recommend(users, exclude_seen=False).frame.equals(before.frame)
        assert np.array_equal(bare.score(users[:1], [item]), model.score(users[:1], [item]))
    if "events" in model.folds_in:
        people = [one.fold_in_users(strangers()) for one in (model, bare)]
        first, second = (one.recommend(who, 5).frame for one, who in zip((model, bare), people, strict=True))
        assert first.height
        assert first.equals(second)


def strangers():
    """Return the events of two people who are not in the data."""
    log = pl.DataFrame(
        {
            "user_id": ["s1", "s1", "s1", "s2"],
            "item_id": ["i01", "i05", "i09", "i20"],
            "value": [5.0, 4.0, 1.0, 5.0],
        }
    )
    return sl.read(log, kind="ratings", scale=(1, 5), users=pl.DataFrame({"user_id": ["s1", "s2"]} | FACTS))


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_without_histories_serves_who_brings_theirs(name, tmp_path):
    pipeline, bare = fitted(name), unseen(name, tmp_path)
    at = bare.memory_.now
    told = {column: values[0] for column, values in FACTS.items()}
    for ask in (
        lambda of: of.recommend_for(strangers(), k=6, at=at),
        lambda of: of.recommend_session(["i01", "i05"], 6, features=told, at=at),
    ):
        first, second = ask(pipeline), ask(bare)
        assert first.frame.height
        if name == "counted":  # the days of first events, where the pipeline has their times
            assert len(second.frame) == len(first.frame)
        elif name != "learned":
            assert second.frame.equals(first.frame)


def test_who_is_in_the_data_gets_what_needs_no_history_or_an_error_that_names_what_does(tmp_path):
    plain = unseen("plain", tmp_path / "plain")
    with pytest.raises(ParameterError, match=r"exclude_seen=False .* recommend_for"):
        plain.recommend("u01")
    shown = plain.recommend("u01", exclude_seen=False)
    assert shown.frame.height == 10
    assert shown.trace("u01")["RelatedToRecent_rank"].null_count() == len(shown.trace("u01"))
    assert plain.recommend("nobody", on_unknown="fallback").fallback == {"nobody"}
    for name, named in (("all", "Disliked, Calibration would"), ("learned", "LambdaMARTScorer would")):
        bare = unseen(name, tmp_path / name)
        with pytest.raises(ParameterError, match=f"saved without histories, and .*{named}"):
            bare.recommend("u01", exclude_seen=False)


def test_every_source_says_the_same_without_histories_or_nothing(tmp_path):
    silent = set()
    for name in ("all", "counted"):
        pipeline, bare = world.pipeline(name), unseen(name, tmp_path / name)
        users, limits = np.arange(9, dtype=np.int32), Limits(exclude_seen=False, at=bare.memory_.now)
        for source, kept in zip(pipeline.sources_, bare.sources_, strict=True):
            before = source.propose(pipeline.memory_.request(users, 9, limits))
            after = kept.propose(bare.memory_.request(users, 9, limits))
            if after.item_idx.size == 0 < before.item_idx.size:
                silent.add(source.name)
            elif source.name != "TopInUserGroup":  # whose lists of few people are gone
                assert np.array_equal(after.item_idx, before.item_idx), source
    assert silent == BY_HISTORY


def test_groups_of_a_few_people_are_not_saved_without_histories(tmp_path):
    source, bare = (
        next(source for source in pipeline.sources_ if source.name == "TopInUserGroup")
        for pipeline in (world.pipeline("all"), unseen("all", tmp_path))
    )
    of_one = source.labels_.index(world.COUNTRY)
    assert np.diff(source.list_ptr_)[of_one] > 0
    assert np.diff(bare.list_ptr_)[of_one] == 0
    assert np.array_equal(
        np.delete(np.diff(bare.list_ptr_), of_one), np.delete(np.diff(source.list_ptr_), of_one)
    )


def test_segments_of_few_people_are_not_saved_and_those_of_nobody_are_forgotten(tmp_path):
    segments = sl.KMeansSegments(15, dim=3)
    made = sl.Pipeline([sl.TopInSegment(segments), sl.Popular()], sl.ModelScorer(sl.Popularity()))
    pipeline, users = made.fit(world.data(), rng=1), world.data().users.ids
    model, lengths = pipeline.models_[0], np.diff(pipeline.sources_[0].list_ptr_)
    alone = np.flatnonzero(model.segment_sizes_ == 1)
    small = model.segment_sizes_ < 5
    assert alone.size
    assert 0 < small.sum() < 15
    bare = sl.load(pipeline.save(tmp_path, histories=False))
    gone = users.filter(pl.Series(model.segments_ == alone[0])).to_list()
    left = pipeline.without_users(gone)
    for of, empty in ((bare, small), (left, np.arange(15) == alone[0])):
        assert np.array_equal(np.diff(of.sources_[0].list_ptr_), np.where(empty, 0, lengths))
        assert not of.models_[0].item_factors_[:, empty].any()
        assert np.array_equal(of.models_[0].item_factors_[:, ~empty], model.item_factors_[:, ~empty])
    assert np.array_equal(bare.models_[0].known_users_, model.known_users_ & ~small[model.segments_])
    folded = bare.models_[0].fold_in_users(strangers())
    assert np.array_equal(folded.known, ~small[model.segment_of(model.fold_in_users(strangers()))])
    with pytest.raises(ParameterError, match="counted there"):
        bare.models_[0].popular(0)


# What is said to others.


@pytest.mark.parametrize("name", PIPELINES)
def test_what_is_said_to_a_person_names_nobody_else_and_nothing_of_theirs(name):
    pipeline, data = world.pipeline(name), world.data()
    users = [user for user in others() if user != "u52"]
    for exclude_seen in (True, False):
        shown = pipeline.recommend(users, 8, exclude_seen=exclude_seen, on_unknown="fallback")
        for user in users[::7]:
            own = set(data.memory.history.take(data.users.index_of([user])).item_idx.tolist())
            titles = {data.memory.title_of(item) for item in own}
            trace = shown.trace(user)
            assert set(trace["because_of"].drop_nulls().to_list()) <= titles
            told = [*(str(one.sentence) for one in shown.explain(user)), *trace.select(pl.col("^.*_reason$"))]
            cited = {part.item_id for one in shown.explain(user) for part in one.past}
            assert cited <= set(data.items.ids.gather(sorted(own)).to_list())
            text = " ".join(str(part.to_list() if isinstance(part, pl.Series) else part) for part in told)
            _says_nothing_of_others(text)
        _says_nothing_of_others(" ".join(shown.reasons["reason"].to_list()))


def _says_nothing_of_others(text):
    assert SECRET not in text
    assert "secrets" not in text
    assert world.COUNTRY not in text
    assert not re.search(r"\bu\d\d\b", text)
    assert all(int(n) >= 5 for n in re.findall(r"liked by (\d+)", text))


def test_a_sentence_gives_no_number_below_five():
    assert [popular_reason(n) for n in (1, 4, 5, 1200)] == [
        "popular: liked by fewer than 5 people",
        "popular: liked by fewer than 5 people",
        "popular: liked by 5 people",
        "popular: liked by 1200 people",
    ]


def test_every_class_there_is_is_looked_at():
    taste = world.wals()
    steps = [type(step).__name__ for step in world.rerank()]
    terms = [type(term).__name__ for term in world.rerank()[-1].parts]
    learned = world.pipeline("learned").scorer_
    scorers = {type(of).__name__ for of in (learned, learned.scorer, world.pipeline("plain").scorer_)}
    assert {name.split(" ")[0] for name in MODELS} == set(registry.MODELS)
    for made, table in (
        (world.sources(taste), registry.SOURCES),
        (world.rules(), registry.RULES),
        (steps, registry.RERANK),
        (terms, registry.TERMS),
        (scorers, registry.SCORERS),
    ):
        assert set(made) == set(table)
