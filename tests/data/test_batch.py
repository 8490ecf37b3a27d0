"""Lists of all users in one file: those of `recommend`, and the same bytes however often the run was cut off."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.artifacts.fingerprint import fingerprint
from shortlist.data.batch import recommend_all
from shortlist.errors import DataError, NotFittedError, ParameterError, UnknownIdError

N_USERS = 50
KILLED = """
import os, signal, sys
import shortlist as sl
from shortlist.data.batch import recommend_all
saved, path, at = sys.argv[1:]
def stop(batch):
    if batch.users == int(at):
        os.kill(os.getpid(), signal.SIGKILL)
recommend_all(sl.load(saved), path, 5, block_users=10, on_block=stop)
"""


class StoppedError(RuntimeError):
    """The run is cut off here."""


def stop_at(users):
    def stop(batch):
        if batch.users >= users:
            raise StoppedError

    return stop


def shop(kind=str, seed=0):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({
        "user_id": [kind(100 + u) for u in range(N_USERS) for _ in range(6)],
        "item_id": [kind(i) for _ in range(N_USERS) for i in rng.permutation(30)[:6].tolist()],
        "value": rng.integers(1, 6, 6 * N_USERS),
    })  # fmt: skip
    return sl.read(frame, kind="ratings", scale=(1, 5))


@pytest.fixture(scope="module")
def model():
    return sl.WALS(dim=4, n_epochs=2).fit(shop(), rng=0)


@pytest.fixture(scope="module")
def pipeline():
    wals = sl.WALS(dim=4, n_epochs=2)
    stages = [sl.Nearest(wals, k=8), sl.RelatedToRecent(wals, 2, 5), sl.Popular(k=5)]
    return sl.Pipeline(stages, sl.ModelScorer(wals)).fit(shop(int), rng=0)


@pytest.mark.parametrize("name", ["model", "pipeline"])
@pytest.mark.parametrize("stops", [(10,), (20, 40), (50,)])
def test_a_run_that_was_cut_off_gives_the_same_bytes(name, stops, request, tmp_path):
    recommender = request.getfixturevalue(name)
    recommend_all(recommender, tmp_path / "whole.parquet", 5, block_users=10)
    path = tmp_path / "lists.parquet"
    for users in stops:
        with pytest.raises(StoppedError):
            recommend_all(recommender, path, 5, block_users=10, on_block=stop_at(users))
        assert not path.exists()
    done = recommend_all(recommender, path, 5, block_users=10)
    assert (done.before, done.users, done.total) == (stops[-1], N_USERS, N_USERS)
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lists.parquet", "whole.parquet"]
    expected = recommender.recommend(recommender.memory_.users.ids, 5, on_unknown="skip")
    found = pl.read_parquet(path)
    assert found.equals(expected.frame)
    assert found.schema == expected.frame.schema
    assert done.rows == found.height


def test_a_killed_run_goes_on_to_the_same_bytes(model, tmp_path):
    path, saved = tmp_path / "lists.parquet", model.save(tmp_path / "artifact")
    done = subprocess.run([sys.executable, "-c", KILLED, saved, path, "30"], check=False)
    assert done.returncode == -9
    assert not path.exists()
    assert recommend_all(model, path, 5, block_users=10).before == 30
    recommend_all(model, tmp_path / "whole.parquet", 5, block_users=10)
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def cut_the_journal(parts):
    text = (parts / "done.jsonl").read_bytes()
    (parts / "done.jsonl").write_bytes(text[:-20])


def change_a_part(parts):
    (parts / "00000001.parquet").write_bytes((parts / "00000000.parquet").read_bytes())


def remove_a_part(parts):
    (parts / "00000001.parquet").unlink()


@pytest.mark.parametrize("damage", [cut_the_journal, change_a_part, remove_a_part])
def test_a_damaged_part_is_made_again(model, tmp_path, damage):
    path = tmp_path / "lists.parquet"
    with pytest.raises(StoppedError):
        recommend_all(model, path, 5, block_users=10, on_block=stop_at(20))
    damage(tmp_path / "lists.parquet.parts")
    told = []
    with pytest.raises(StoppedError):  # what was repaired can be cut off, too
        recommend_all(
            model, path, 5, block_users=10, on_block=lambda b: (told.append(b.users), stop_at(30)(b))
        )
    assert told == [10, 20, 30]
    assert recommend_all(model, path, 5, block_users=10).before == 30
    assert pl.read_parquet(path).equals(model.recommend(model.memory_.users.ids, 5, on_unknown="skip").frame)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"k": 6}, "k was 5 and is 6"),
        ({"exclude_seen": False}, "exclude_seen was True and is False"),
        ({"items": ["1", "2"]}, "items was None and is '2 ids"),
        ({"users": ["101"]}, "users was '50 ids"),
        ({"at": 7}, "at was None and is 7"),
        ({"block_users": 11}, "block_users was 10 and is 11"),
        ({"reasons": True}, "reasons was False and is True"),
    ],
)
def test_other_lists_are_not_gone_on_with(model, tmp_path, changed, said):
    path, asked = tmp_path / "lists.parquet", {"k": 5, "block_users": 10}
    with pytest.raises(StoppedError):
        recommend_all(model, path, **asked, on_block=stop_at(20))
    with pytest.raises(ParameterError, match=said):
        recommend_all(model, path, **asked | changed)
    assert recommend_all(model, path, **asked).before == 20
    with pytest.raises(StoppedError):
        recommend_all(model, path, **asked, on_block=stop_at(20))
    assert recommend_all(model, path, **asked | changed, restart=True).before == 0


def test_another_recommender_does_not_go_on(model, tmp_path):
    path = tmp_path / "lists.parquet"
    other = sl.WALS(dim=4, n_epochs=3).fit(shop(), rng=0)
    with pytest.raises(StoppedError):
        recommend_all(model, path, 5, block_users=10, on_block=stop_at(20))
    with pytest.raises(ParameterError, match="recommender was"):
        recommend_all(other, path, 5, block_users=10)


def test_a_recommender_that_cannot_be_saved_begins_anew(tmp_path):
    class Own:
        name = "own"

        def propose(self, request):
            lists = sl.stages.Lists.from_padded(
                np.tile(np.int32([3, 4]), (len(request), 1)), np.ones((len(request), 2), np.float32)
            )
            return sl.Candidates.from_lists(lists, "own")

        def explain(self, n_liked):
            return "ours"

    own = sl.Pipeline([Own()], sl.ModelScorer(sl.WALS(dim=4, n_epochs=2))).fit(shop(), rng=0)
    with pytest.raises(StoppedError):
        recommend_all(own, tmp_path / "lists.parquet", 2, block_users=10, on_block=stop_at(20))
    assert recommend_all(own, tmp_path / "lists.parquet", 2, block_users=10).before == 0


def test_users_come_in_the_order_asked_with_their_reasons(pipeline, tmp_path):
    users, path = [120, 101, 999, 110], tmp_path / "lists.parquet"
    done = recommend_all(pipeline, path, 5, users=users, reasons=True, block_users=3)
    shown = pipeline.recommend(users, 5, on_unknown="skip")
    assert pl.read_parquet(path).equals(shown.frame.with_columns(shown.reasons["reason"]))
    assert (done.users, done.without) == (4, 1)
    with pytest.raises(UnknownIdError, match="999"):
        recommend_all(pipeline, path, 5, users=users, on_unknown="raise")


def test_short_lists_are_counted(model, tmp_path):
    done = recommend_all(model, tmp_path / "lists.parquet", 5, items=["1", "2", "3"], exclude_seen=False)
    assert (done.short, done.without, done.rows) == (N_USERS - 2, 2, 3 * (N_USERS - 2))


def test_nobody_gives_a_file_with_the_columns(model, tmp_path):
    recommend_all(model, tmp_path / "lists.parquet", 5, users=[])
    found = pl.read_parquet(tmp_path / "lists.parquet")
    assert found.height == 0
    assert found.schema == model.recommend(["101"]).frame.schema


def test_two_at_one_file_are_refused(model, tmp_path):
    path = tmp_path / "lists.parquet"

    def second(batch):
        with pytest.raises(ParameterError, match="another process is writing"):
            recommend_all(model, path, 5)

    assert recommend_all(model, path, 5, block_users=10, on_block=second).users == N_USERS


def test_a_folder_of_somebody_else_is_left_alone(model, tmp_path):
    (tmp_path / "lists.parquet.parts").mkdir()
    (tmp_path / "lists.parquet.parts" / "letter.txt").write_text("mine")
    with pytest.raises(ParameterError, match=r"holds other files \(letter.txt\)"):
        recommend_all(model, tmp_path / "lists.parquet", restart=True)
    assert (tmp_path / "lists.parquet.parts" / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"path": "lists.csv"}, ParameterError, "ends in .parquet"),
        ({"path": "no/lists.parquet"}, ParameterError, "there is no folder"),
        ({"users": ["101", "101"]}, ParameterError, "'101' is given twice"),
        ({"users": [None]}, DataError, "missing"),
        ({"block_users": 0}, ParameterError, "block_users"),
        ({"k": -1}, ParameterError, "k must"),
    ],
)
def test_what_cannot_be_written_is_refused(model, tmp_path, monkeypatch, arguments, error, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        recommend_all(model, **{"path": "lists.parquet"} | arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_unfitted_model_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        recommend_all(sl.WALS(), tmp_path / "lists.parquet")


def test_a_saved_recommender_has_the_same_fingerprint(model, pipeline, tmp_path):
    for number, recommender in enumerate((model, pipeline)):
        loaded = sl.load(recommender.save(tmp_path / str(number)))
        assert fingerprint(loaded.to_state()) == fingerprint(recommender.to_state())
    changed = model.to_state()
    changed.arrays["item_factors_"][0, 0] += 1e-3
    try:
        assert fingerprint(changed) != fingerprint(sl.load(tmp_path / "0").to_state())
    finally:
        changed.arrays["item_factors_"][0, 0] -= 1e-3
