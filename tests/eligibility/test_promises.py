"""Whatever the catalogue, the people and the chain of rules: nothing forbidden is shown, and lists are full."""

from dataclasses import replace

import numpy as np
import pytest
from eligibility.catalogues import World, chain_of, rules_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.eligibility import first_rule

import shortlist as sl
from shortlist.data.memory import Limits
from shortlist.eligibility import class_masks
from shortlist.eligibility.within_rules import within_rules

SEEDS = st.integers(0, 2**32 - 1)
SEEN = "seen"


def fitted(world, chain, k=8):
    likes = sl.Popularity()
    sources = [sl.Nearest(likes, k=k), sl.Popular(k=1)]
    return sl.Pipeline(sources, sl.ModelScorer(likes), rules=rules_of(chain)).fit(world.data)


def allowed(world, chain, user, past, now, *, exclude_seen=False):
    seen = {item for item, _ in past} if exclude_seen else set()
    return {
        item["id"]
        for item in world.items
        if first_rule(chain, item, user, past, now) is None and item["id"] not in seen
    }


def lists_of(shown):
    grouped = shown.frame.group_by("user_id", maintain_order=True).agg("item_id").rows()
    return dict(grouped)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_lists_hold_what_is_permitted_and_are_full_while_there_is_any(seed):
    rng = np.random.default_rng(seed)
    world = World(rng)
    chain = chain_of(world, int(rng.integers(1, 6)))
    now, k = int(rng.integers(0, 12)), int(rng.integers(1, 9))
    pipeline = fitted(world, chain, k)
    ids = [*(user["id"] for user in world.users), "a stranger"]
    exclude_seen = bool(rng.random() < 0.5)
    shown = pipeline.recommend(ids, k, at=now, exclude_seen=exclude_seen, on_unknown="fallback")
    lists = lists_of(shown)
    stranger = {"id": None, "country": None, "age": None, "likes": None}
    for at, (user_id, user) in enumerate(zip(ids, [*world.users, stranger], strict=True)):
        past = world.past(at, now) if at < len(world.users) else []
        permitted = allowed(world, chain, user, past, now, exclude_seen=exclude_seen)
        listed = lists.get(user_id, [])
        assert set(listed) <= permitted
        assert len(listed) == min(k, len(permitted))
        assert (user_id in shown.shortfalls) == (len(permitted) < k)
    one = str(rng.choice(ids))
    alone = pipeline.recommend(one, k, at=now, exclude_seen=exclude_seen, on_unknown="fallback")
    assert lists_of(alone).get(one, []) == lists.get(one, [])
    assert alone.shortfalls.get(one) == shown.shortfalls.get(one)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_each_forbidden_item_has_the_name_of_the_first_rule(seed):
    """Of users of the data and of strangers with features and a history, and again with saved and loaded rules."""
    rng = np.random.default_rng(seed)
    world = World(rng)
    chain = chain_of(world, int(rng.integers(1, 9)))
    now, people = int(rng.integers(0, 12)), [{"id": None, **world.person()} for _ in range(3)]
    rules = [rule.bind(world.data) for rule in rules_of(chain)]
    if rng.random() < 0.5:
        rules = [type(rule).from_state(rule.to_state(), None) for rule in rules]
    index = np.concatenate([rng.permutation(len(world.users)), np.full(len(people), -1)]).astype(np.int32)
    pasts = [world.past(u, now) for u in index.tolist()[: len(world.users)]]
    whose = rng.integers(0, len(world.users), len(people))  # the history that a stranger is given
    history = world.data.memory.history.take(np.concatenate([index[: len(world.users)], whose]))
    exclude_seen = bool(rng.random() < 0.5)
    limits = Limits(exclude_seen=exclude_seen, at=now)
    request = world.data.memory.request(index, 5, limits, history=history)
    everybody = [*(world.users[u] for u in index[: len(world.users)]), *people]
    said = {
        name: np.array([None, *(user[name] for user in everybody)], object)[1:]
        for name in people[0]
        if name != "id"
    }
    pasts += [world.past(int(u), now) for u in whose]
    seen_rows = []
    with pytest.MonkeyPatch.context() as patch:  # what users are denied becomes pairs, masks, or some of each
        patch.setattr(class_masks, "MOST_PAIRS_A_CLASS", int(rng.choice([0, 3, 1 << 15])))
        parts = list(within_rules(replace(request, features=said), rules))
    for rows, part in parts:
        seen_rows += rows.tolist()
        for place, row in enumerate(rows.tolist()):
            every = np.arange(len(world.items), dtype=np.int32)
            codes = part.eligible.rule_of(np.full(every.size, place), every)
            names = [part.eligible.rules[code - 1] if code else None for code in codes.tolist()]
            seen = {item for item, _ in pasts[row]} if exclude_seen else set()
            wanted = [
                SEEN if item["id"] in seen else first_rule(chain, item, everybody[row], pasts[row], now)
                for item in world.items
            ]
            assert names == wanted
            counted = {name: wanted.count(name) for name in set(wanted) - {None}}
            assert part.eligible.n_forbidden(place) == counted
            assert part.eligible.n_allowed()[place] == wanted.count(None)
    assert sorted(seen_rows) == list(range(len(everybody)))


@given(seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_a_loaded_pipeline_and_one_with_fresh_items_forbid_the_same(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    world = World(rng)
    chain = chain_of(world, 5)
    pipeline = fitted(world, chain)
    ids = [user["id"] for user in world.users]
    before = pipeline.recommend(ids, 8, exclude_seen=False)
    loaded = sl.load(pipeline.save(tmp_path_factory.mktemp("rules") / "p"))
    again = loaded.recommend(ids, 8, exclude_seen=False)
    assert again.frame.equals(before.frame)
    assert again.shortfalls == before.shortfalls
    assert loaded.audit().equals(pipeline.audit())
    newer = World(rng)  # other attributes of the same items
    goes_by_items = any(hasattr(rule, "item_columns") for rule in pipeline.rules)
    if not goes_by_items:
        return
    fresh = loaded.with_items(newer.table())
    world.items, old = newer.items, world.items
    lists = lists_of(fresh.recommend(ids, 8, exclude_seen=False))
    for at, user in enumerate(world.users):
        permitted = allowed(world, chain, user, world.past(at), 9)
        assert set(lists.get(user["id"], [])) == permitted
    world.items = old
    assert loaded.recommend(ids, 8, exclude_seen=False).frame.equals(before.frame)
