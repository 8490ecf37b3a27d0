"""What `recommend` promises, told by plain Python sets and lists that know nothing of how it is done."""

import itertools
import json
import math
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from contract.asking import Asked
from contract.worlds import World, run
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli import app
from shortlist.errors import UnknownIdError


@dataclass
class Fitted:
    """A world made: the names that its script defines, and the artifact of its recommender."""

    world: World
    names: dict
    _folder: tempfile.TemporaryDirectory = field(default_factory=tempfile.TemporaryDirectory)

    @classmethod
    def of(cls, world: World) -> "Fitted":
        return cls(world, run(world.script()))

    @cached_property
    def saved(self) -> Path:
        return self.names["model"].save(Path(self._folder.name) / "artifact")

    @cached_property
    def loaded(self):
        return sl.load(self.saved)

    def recommend(self, asked: Asked, recommender=None):
        names = self.names if recommender is None else {**self.names, "model": recommender}
        return eval(asked.source(), names)

    def close(self) -> None:
        self._folder.cleanup()


@dataclass
class Case:
    """One request to one fitted recommender, and what is true of it."""

    fitted: Fitted
    asked: Asked

    @property
    def world(self) -> World:
        return self.fitted.world

    @cached_property
    def shown(self):
        return self.fitted.recommend(self.asked)

    @cached_property
    def lists(self) -> dict:
        """Return user → [(item, score, rank)], as the frame has them."""
        rows = self.shown.frame.rows()
        return {
            user: [row[1:4] for row in group] for user, group in itertools.groupby(rows, lambda row: row[0])
        }

    @cached_property
    def users(self) -> list:
        if self.asked.users is not None:
            return list(self.asked.users)
        return sorted({event.user for event in self.world.strangers})

    @cached_property
    def known(self) -> set:
        of = self.world.recipe.knows if self.asked.users is not None else self.world.recipe.folds_in
        return of(self.world) & set(self.users)

    @cached_property
    def listed(self) -> set:
        return self.world.recipe.lists(self.world)

    @cached_property
    def offered(self) -> set:
        """Return the items that may be shown to somebody who has seen nothing."""
        items = self.world.catalogue if self.asked.items is None else set(self.asked.items)
        return items - set(self.asked.exclude or ()) - self.denied

    @property
    def denied(self) -> set:
        """Return the items that a rule denies to everybody."""
        return set(self.fitted.names["model"].rules[0].items) if self.world.recipe.denies else set()

    @property
    def select(self):
        """Return the step that chooses lists, None where there is none."""
        return self.fitted.names["model"].rerank[-1] if self.world.recipe.chooses else None

    @property
    def chosen_for(self) -> set:
        """Return the users whose lists are chosen by `select`."""
        return self.known - self.shown.fallback if self.select else set()

    def labels(self, column: str, item) -> set:
        """Return the labels of an item in a column."""
        of = {item: {maker} - {None} for item, maker in self.world.maker_of.items()}
        return set(self.world.genres_of[item]) if column == "genres" else of[item]

    def seen(self, user) -> set:
        """Return the items that the user has an event with, up to the moment asked for."""
        return {item for item, _, _ in self._past(user)}

    def _past(self, user) -> list:
        pasts = self.world.pasts if self.asked.users is not None else self.world.pasts_of_strangers
        now = math.inf if self.asked.second is None else self.asked.second
        return [event for event in pasts.get(user, ()) if event[1] is None or event[1] <= now]

    def listable(self, user) -> set:
        """Return the items that a single model may list for the user."""
        return self.listed & self.liked(user) if self.world.recipe.only_past else self.listed

    def liked(self, user) -> set:
        """Return the items that the user has a positive event with, up to the moment asked for."""
        return {item for item, _, positive in self._past(user) if positive}

    def permitted(self, user) -> set:
        return self.offered - self.seen(user) if self.asked.exclude_seen else self.offered

    @property
    def at_another_moment(self) -> bool:
        """Return whether scores go by the past up to another moment than the last of the data."""
        return self.world.recipe.by_history and self.asked.second is not None

    @property
    def refused(self) -> bool:
        return self.asked.on_unknown == "raise" and bool(set(self.users) - self.known)


# Promises about one answer.


def unknown_users_raise_and_are_named(case: Case) -> None:
    refusal = None
    try:
        _ = case.shown
    except UnknownIdError as error:
        refusal = str(error)
    assert (refusal is not None) == case.refused, f"unknown: {set(case.users) - case.known}; said: {refusal}"
    if refusal is not None:
        before_examples = f"{refusal.split('; the ')[0]},"
        named = {
            user
            for user in case.users
            if f" {user!r}," in before_examples or f" {user!r} " in before_examples
        }
        assert named, f"{refusal} names nobody"
        assert not named & case.known, f"{refusal} names {named & case.known}, who are known"


def the_frame_has_its_columns(case: Case) -> None:
    frame = case.shown.frame
    titles = dict(case.world.items or ())
    wanted = {
        "user_id": _id_type(case.users),
        "item_id": _id_type(case.world.catalogue),
        "score": pl.Float32,
        "rank": pl.Int32,
    } | ({"title": pl.String} if case.world.items is not None else {})
    assert dict(frame.schema) == wanted
    if case.world.items is not None:
        assert frame["title"].to_list() == [titles.get(item) for item in frame["item_id"].to_list()]


def users_come_in_the_order_asked(case: Case) -> None:
    order = {user: n for n, user in enumerate(case.users)}
    places = [order[user] for user in case.shown.frame["user_id"].to_list()]
    assert places == sorted(places)
    assert case.shown.user_ids.to_list() == case.users


def lists_are_short_distinct_and_ranked(case: Case) -> None:
    for user, rows in case.lists.items():
        items = [item for item, _, _ in rows]
        assert [rank for _, _, rank in rows] == list(range(1, len(rows) + 1)), f"ranks of {user!r}"
        assert len(rows) <= case.asked.k, f"{len(rows)} items for {user!r}"
        assert len(set(items)) == len(items), f"an item twice for {user!r}"
        if not case.world.recipe.chooses or user in case.shown.fallback:
            assert rows == sorted(rows, key=lambda row: (-row[1], row[0])), f"order of {user!r}"


def pins_stand_at_their_place(case: Case) -> None:
    for user in case.chosen_for:
        items = [item for item, _, _ in case.lists.get(user, [])]
        for item, place in case.select.pins:
            if item in case.permitted(user) & case.listed and place <= len(items) == case.asked.k:
                assert items[place - 1] == item, f"{item!r} is pinned to {place} for {user!r}"


def caps_hold(case: Case) -> None:
    pinned = {item for item, _ in case.select.pins} if case.select else set()
    for user in case.chosen_for:
        items = [item for item, _, _ in case.lists.get(user, [])]
        for column, most in case.select.caps.items():
            for label in {label for item in items for label in case.labels(column, item)}:
                own = [item for item in items if label in case.labels(column, item)]
                assert len(own) <= max(most, len(pinned & set(own))), f"{len(own)} of {label!r} for {user!r}"


def scores_are_finite(case: Case) -> None:
    scores = case.shown.frame["score"].to_list()
    assert all(math.isfinite(score) and abs(score) < 1e30 for score in scores), scores


def only_permitted_items_are_shown(case: Case) -> None:
    for user, rows in case.lists.items():
        wrong = {item for item, _, _ in rows} - case.permitted(user)
        assert not wrong, f"{user!r} is shown {wrong}"


def lists_are_as_long_as_they_can_be(case: Case) -> None:
    sure = 0 if case.at_another_moment else case.world.recipe.guaranteed
    for user in case.known:
        fit = len(case.permitted(user) & case.listable(user))
        length = len(case.lists.get(user, []))
        if sure is None:
            assert length == min(case.asked.k, fit), f"{length} of {fit} items for {user!r}"
        else:
            most = min(case.asked.k, len(case.permitted(user) & case.listed))
            assert min(case.asked.k, sure, fit) <= length <= most, f"{length} for {user!r}"


def a_short_list_has_a_true_reason(case: Case) -> None:
    short = {user for user in case.users if len(case.lists.get(user, [])) < case.asked.k}
    assert set(case.shown.shortfalls) == short
    for user, reason in case.shown.shortfalls.items():
        if case.asked.on_unknown == "skip" and user not in case.known:
            assert reason == "unknown user, skipped"
        elif case.world.recipe.only_past and case.world.recipe.scores and user in case.known:
            chosen, length = len(case.liked(user)), len(case.lists.get(user, []))
            assert reason == f"this user chose {chosen} items before, of which {length} may be shown"
        elif reason.startswith("Select left "):
            assert user in case.chosen_for
            kept = case.shown.trace(user)["removed_by"].null_count()
            assert f"left {len(case.lists.get(user, []))} of {kept} candidates" in reason
            assert len(case.lists.get(user, [])) < kept
            assert case.select.caps or case.select.pool <= len(case.lists[user])
        elif len(case.permitted(user)) < case.asked.k:
            assert f"only {len(case.permitted(user))} items may be shown" in reason
            assert f"{len(case.lists.get(user, []))} listed" in reason
        else:
            assert (
                f"only {len(case.lists.get(user, []))} of the {len(case.permitted(user))} permitted" in reason
            )


def unknown_users_get_what_was_asked_for_them(case: Case) -> None:
    unknown = set(case.users) - case.known
    assert case.shown.fallback == (unknown if case.asked.on_unknown == "fallback" else set())
    for user in unknown:
        rows = [row[:2] for row in case.lists.get(user, [])]
        if case.asked.on_unknown == "skip":
            assert rows == []
        else:
            count = case.world.recipe.popular(case.world)
            ranked = sorted(
                (item for item in case.permitted(user) if item in count), key=lambda i: (-count[i], i)
            )
            assert rows == [(item, count[item]) for item in ranked[: case.asked.k]], f"fallback of {user!r}"


def every_item_has_a_reason(case: Case) -> None:
    reasons, frame = case.shown.reasons, case.shown.frame
    assert [row[:2] for row in reasons.rows()] == [row[:2] for row in frame.rows()]
    assert reasons.columns == ["user_id", "item_id", "reason"]
    assert all(reasons["reason"].to_list())


def the_trace_tells_the_list(case: Case) -> None:
    user = case.users[len(case.asked.source()) % len(case.users)]
    rows = case.lists.get(user, [])
    trace = case.shown.trace(user)
    if case.shown.candidates is None:
        assert trace.select("item_id", "score", "rank").rows() == rows
        return
    if user in case.shown.fallback:
        assert trace.height == 0
        return
    entries = trace.to_dicts()
    items = [entry["item_id"] for entry in entries]
    assert len(set(items)) == len(items)
    kept = [(e["item_id"], e["score"]) for e in entries if e["removed_by"] is None]
    best = sorted(kept, key=lambda row: (-row[1], row[0]))[: case.asked.k]
    if case.world.recipe.chooses:
        assert {row[:2] for row in rows} <= set(kept)
    else:
        assert best == [row[:2] for row in rows]
    assert [e["rank"] for e in entries if e["rank"] is not None] == list(range(1, len(rows) + 1))
    beyond = [entry["removed_by"] == "beyond the merge size" for entry in entries]
    of_rules = ("seen", "not in items=", "in exclude=", "DenyList")
    if any(beyond):
        taken = sum(e["removed_by"] not in of_rules for e in entries) - sum(beyond)
        pinned = len(case.select.pins) if case.select else 0  # which the size leaves in
        assert taken <= case.fitted.names["model"].merge.size + pinned
    for entry in entries:
        _check_removal(case, user, entry)
        if entry["removed_by"] is None:
            own = {entry[f"{name}_score"] for name in case.world.recipe.agreeing} - {None}
            first = next((name for name in entry if name.startswith("score after ")), "score")
            assert own <= {entry[first]}, f"{entry['item_id']!r}: one model gives {own} and {entry[first]}"


def _check_removal(case: Case, user, entry: dict) -> None:
    item, rule = entry["item_id"], entry["removed_by"]
    true = {
        "seen": case.asked.exclude_seen and item in case.seen(user),
        "not in items=": case.asked.items is not None and item not in case.asked.items,
        "in exclude=": item in (case.asked.exclude or ()),
        "DenyList": item in case.denied,
    }
    if rule in (None, "beyond the merge size"):
        assert not any(true.values()), f"{item!r} is {'kept' if rule is None else rule}"
    elif rule in true:
        assert true[rule], f"{item!r} is removed as {rule!r}"
    else:
        assert item not in case.listed, f"{item!r} is removed as {rule!r}"


# Promises that compare two answers.


def one_user_gets_what_a_batch_gives(case: Case) -> None:
    if case.asked.users is None:
        return
    for user in case.users[:3]:
        alone = case.fitted.recommend(replace(case.asked, users=(user,)))
        assert _rows(alone) == [row for row in _rows(case.shown) if row[0] == user], f"list of {user!r}"
        assert alone.shortfalls.get(user) == case.shown.shortfalls.get(user)
        assert alone.trace(user).equals(case.shown.trace(user)), f"trace of {user!r}"


def the_order_of_users_changes_no_list(case: Case) -> None:
    if case.asked.users is not None:
        backwards = case.fitted.recommend(replace(case.asked, users=case.asked.users[::-1]))
        assert sorted(_rows(backwards), key=str) == sorted(_rows(case.shown), key=str)


def a_shorter_list_is_the_beginning_of_a_longer_one(case: Case) -> None:
    k = case.asked.k // 2
    if case.select is not None and case.select.pins:
        return  # a pin beyond the shorter list is an item like any other there
    shorter = case.fitted.recommend(replace(case.asked, k=k))
    longer = case.shown.frame
    assert shorter.frame.equals(longer.filter(longer["rank"] <= k))


def saved_and_loaded_answers_the_same(case: Case) -> None:
    again = case.fitted.recommend(case.asked, case.fitted.loaded)
    assert again.frame.equals(case.shown.frame)
    assert again.reasons.equals(case.shown.reasons)
    assert again.shortfalls == case.shown.shortfalls
    assert again.fallback == case.shown.fallback


def the_score_of_a_pair_is_the_score_on_the_list(case: Case) -> None:
    recipe, asked = case.world.recipe, case.asked
    if not recipe.scores or asked.users is None or (recipe.only_past and asked.second is not None):
        return
    if case.at_another_moment:
        return
    frame = case.shown.frame.filter(
        pl.Series([u in case.known for u in case.shown.frame["user_id"]], dtype=bool)
    )
    score = case.fitted.names["model"].score(frame["user_id"], frame["item_id"])
    assert score.dtype == np.float32
    assert score.tolist() == frame["score"].to_list()


def threads_change_no_list(case: Case) -> None:
    with threads(3):
        assert _rows(case.fitted.recommend(case.asked)) == _rows(case.shown)


def threads_change_no_fit(case: Case) -> None:
    with threads(1 + len(case.asked.source()) % 4):
        again = run(case.world.script())["model"].to_state()
    assert _same_state(again, case.fitted.names["model"].to_state())


@contextmanager
def threads(n: int):
    """Run what is inside on `n` threads."""
    before = sl.num_threads()
    sl.set_num_threads(n)
    try:
        yield
    finally:
        sl.set_num_threads(before)


def _same_array(one, other) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _same_state(one, other) -> bool:
    return (
        one.values == other.values
        and one.arrays.keys() == other.arrays.keys()
        and all(_same_array(array, other.arrays[name]) for name, array in one.arrays.items())
        and one.parts.keys() == other.parts.keys()
        and all(_same_state(part, other.parts[name]) for name, part in one.parts.items())
    )


# Promises of the command line, which reads ids as text and writes them as JSON and Parquet.


def json_gives_the_ids_back(case: Case) -> None:
    user = case.users[-1]
    if (
        case.asked.users is None
        or case.asked.k == 0
        or (user not in case.known and case.asked.on_unknown == "raise")
    ):
        return
    if not _can_be_typed(case):
        return
    arguments = [f"--user={user}", f"-k{case.asked.k}", *_typed(case), "--json"]
    document = json.loads(_command(case, *arguments))
    rows = [(item["item_id"], np.float32(item["score"]), item["rank"]) for item in document["items"]]
    assert document["user_id"] == user
    assert rows == case.lists.get(user, [])
    titles = dict(case.world.items or ())
    assert [item.get("title") for item in document["items"]] == [titles.get(row[0]) for row in rows]


def parquet_gives_the_ids_back(case: Case) -> None:
    everybody = replace(case.asked, users=tuple(sorted(case.world.people)), forms=("list",) * 3 + ("iso",))
    if case.asked.k == 0 or not _can_be_typed(case):
        return
    if case.asked.on_unknown == "raise":
        everybody = replace(everybody, on_unknown="skip")
    case = Case(case.fitted, everybody)
    file = case.fitted.saved.with_name("lists.parquet")
    _command(case, "--all", f"--out={file}", f"-k{case.asked.k}", *_typed(case))
    assert pl.read_parquet(file).equals(case.shown.frame)


def _can_be_typed(case: Case) -> bool:
    """Return whether a file with one id a line can hold the items asked for."""
    return not any(
        set("\r\n") & set(str(item)) for item in (*(case.asked.items or ()), *(case.asked.exclude or ()))
    )


def _typed(case: Case) -> list[str]:
    asked, arguments = case.asked, [f"--on-unknown={case.asked.on_unknown}"]
    if not asked.exclude_seen:
        arguments.append("--include-seen")
    if asked.second is not None:
        arguments.append(f"--at={eval(replace(asked, forms=('list', 'list', 'list', 'iso')).moment())}")
    for name, items in (("items", asked.items), ("exclude", asked.exclude)):
        if items is not None:
            file = case.fitted.saved.with_name(f"{name}.txt")
            file.write_text("".join(f"{item}\n" for item in items), "utf-8", newline="")
            arguments.append(f"--{name}=@{file}")
    return arguments


def _command(case: Case, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["recommend", str(case.fitted.saved), *arguments])
    assert done.exit_code == 0, f"shortlist recommend {arguments}: {done.output}"
    return done.stdout


def _rows(shown) -> list[tuple]:
    return [(*row, reason) for row, reason in zip(shown.frame.rows(), shown.reasons["reason"], strict=True)]


def _id_type(ids) -> type[pl.DataType]:
    return pl.Int64 if isinstance(next(iter(ids)), int) else pl.String


# Every `n`-th case is held to the promise: those of one answer cost little, a command or a fit more.
PROMISES: dict[Callable[[Case], None], int] = {
    the_frame_has_its_columns: 1,
    users_come_in_the_order_asked: 1,
    lists_are_short_distinct_and_ranked: 1,
    pins_stand_at_their_place: 1,
    caps_hold: 1,
    scores_are_finite: 1,
    only_permitted_items_are_shown: 1,
    lists_are_as_long_as_they_can_be: 1,
    a_short_list_has_a_true_reason: 1,
    unknown_users_get_what_was_asked_for_them: 1,
    every_item_has_a_reason: 3,
    the_trace_tells_the_list: 3,
    the_score_of_a_pair_is_the_score_on_the_list: 3,
    one_user_gets_what_a_batch_gives: 11,
    the_order_of_users_changes_no_list: 17,
    a_shorter_list_is_the_beginning_of_a_longer_one: 11,
    threads_change_no_list: 13,
    threads_change_no_fit: 101,
}
# These need the recommender saved, which is done in every third world.
PROMISES_OF_THE_SAVED: dict[Callable[[Case], None], int] = {
    saved_and_loaded_answers_the_same: 3,
    json_gives_the_ids_back: 29,
    parquet_gives_the_ids_back: 31,
}
ALL_PROMISES = {
    promise.__name__: promise
    for promise in (unknown_users_raise_and_are_named, *PROMISES, *PROMISES_OF_THE_SAVED)
}


def check(case: Case, number: int, *, saved: bool) -> None:
    """Hold the case to every promise whose turn it is. Raises `AssertionError`, or what the package raised."""
    unknown_users_raise_and_are_named(case)
    if not case.refused:
        for promise, every in (PROMISES | PROMISES_OF_THE_SAVED if saved else PROMISES).items():
            if number % every == 0:
                promise(case)
