import inspect
import re
import tomllib
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist import config
from shortlist.cli.tune import SUPPLIED as TUNE_SUPPLIED
from shortlist.config import key_meanings as meanings
from shortlist.config.arguments import SEED, parameter_types
from shortlist.config.template import dim_for, path_from, template
from shortlist.data import split
from shortlist.data.discovery import discover
from shortlist.data.read import read
from shortlist.eligibility.deny_category import DenyCategory
from shortlist.eligibility.deny_list import DenyList
from shortlist.eligibility.disliked import Disliked
from shortlist.errors import ParameterError
from shortlist.experiments.evaluate import evaluate
from shortlist.experiments.tuning.tune import tune

# Polars itself takes a name like "^a$" for a pattern, also in methods of a Series.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda name: not name.startswith("^")
)


def written(folder, *sources, **given):
    """Return the text of the configuration for the sources, and what `config.read` makes of it."""
    text = template(discover(sources, **given), folder, evaluate, tune)
    (folder / "c.toml").write_text(text, encoding="utf-8")
    return text, config.read(folder / "c.toml")


def log(n_users=30, n_items=20, size=600, **columns):
    rng = np.random.default_rng(2)
    events = {"user": rng.integers(0, n_users, size), "item": rng.integers(0, n_items, size)}
    return pl.DataFrame(events | columns)


@pytest.mark.parametrize(
    ("target", "keys", "supplied"),
    [
        (read, meanings.DATA_KEYS, ()),
        (split.global_time, meanings.SPLIT_KEYS["global_time"], ("dataset",)),
        (split.leave_last_out, meanings.SPLIT_KEYS["leave_last_out"], ("dataset",)),
        (split.random, meanings.SPLIT_KEYS["random"], ("dataset",)),
        (sl.WALS, meanings.WALS_KEYS, ()),
        (sl.Popularity, meanings.POPULARITY_KEYS, ()),
        (sl.ItemNeighbors, meanings.NEIGHBORS_KEYS, ()),
        (sl.BuyAgain, meanings.BUY_AGAIN_KEYS, ()),
        (sl.MatrixFactorization, meanings.FACTORIZATION_KEYS, ()),
        (sl.Nearest, meanings.NEAREST_KEYS, ()),
        (sl.RelatedToRecent, meanings.RELATED_KEYS, ()),
        (sl.Popular, meanings.POPULAR_KEYS, ()),
        (sl.TopInGroup, meanings.TOP_IN_GROUP_KEYS, ()),
        (sl.TopInUserGroup, meanings.TOP_IN_USER_GROUP_KEYS, ()),
        (sl.Trending, meanings.TRENDING_KEYS, ()),
        (sl.Fresh, meanings.FRESH_KEYS, ()),
        (sl.BoughtTogether, meanings.BOUGHT_TOGETHER_KEYS, ()),
        (sl.NextItem, meanings.NEXT_ITEM_KEYS, ()),
        (sl.Again, meanings.AGAIN_KEYS, ()),
        (sl.Merge, meanings.MERGE_KEYS, ()),
        (Disliked, meanings.DISLIKED_KEYS, ()),
        (DenyCategory, meanings.DENY_CATEGORY_KEYS, ()),
        (DenyList, meanings.DENY_LIST_KEYS, ()),
        (sl.ModelScorer, meanings.SCORER_KEYS, ()),
        (sl.LambdaMARTScorer, meanings.LAMBDA_MART_KEYS, ()),
        (sl.Objective, meanings.OBJECTIVE_KEYS, ("scorer",)),
        (sl.Freshness, meanings.FRESHNESS_KEYS, ()),
        (sl.Boost, meanings.BOOST_KEYS, ()),
        (sl.Select, meanings.SELECT_KEYS, ("terms",)),
        (evaluate, meanings.EVALUATE_KEYS, ("models", "train", "test")),
        (tune, meanings.TUNE_KEYS, TUNE_SUPPLIED),
    ],
)
def test_every_key_that_a_file_may_hold_has_its_comment(target, keys, supplied):
    allowed = {SEED if name == "rng" else name for name in parameter_types(target)}
    assert set(keys) == allowed - set(supplied)


def switched_on(text):
    """Return the lines with every key that is off switched on."""
    return re.sub(r"^(# )+(?=\w+ = |\[)", "", text, flags=re.MULTILINE)


def test_every_default_is_that_of_its_signature(tmp_path):
    log().write_csv(tmp_path / "log.csv")
    text, _ = written(tmp_path, tmp_path / "log.csv")
    wals = text[text.index("[models.taste]") : text.index("[models.popular]")]
    table = tomllib.loads(switched_on(wals))["models"]["taste"]
    defaults = {name: p.default for name, p in inspect.signature(sl.WALS).parameters.items()}
    assert table.pop("type") == "WALS"
    assert table.pop("dim") == 4
    # A default that no file can hold is not there, or shown as an example of what could be.
    del defaults["pair_weights"]
    dim = defaults.pop("dim")
    assert table == defaults | {"cold_items_like": meanings.FACTORIZATION_SHOWN["cold_items_like"]}
    assert f"(default {dim})" in wals


def test_what_is_off_is_right_once_it_is_switched_on(tmp_path):
    log(rating=np.arange(600) % 5 + 1).write_csv(tmp_path / "log.csv")
    text, _ = written(tmp_path, tmp_path / "log.csv")
    last = text.index("[evaluate]")
    on = switched_on(text[last:]).replace('"genres"', '"none"')
    (tmp_path / "c.toml").write_text(text[:last] + on)
    found = config.read(tmp_path / "c.toml")
    assert found.baseline[0] == "popular"
    for function, arguments in (
        (tune, found.tuning_arguments(tune, TUNE_SUPPLIED)),
        (evaluate, found.evaluation_arguments(evaluate, ("models", "train", "test", "baseline"))),
    ):
        parameters = inspect.signature(function).parameters
        same = {name for name, value in arguments.items() if value == parameters[name].default}
        shown = {*meanings.TUNE_SHOWN, *meanings.EVALUATE_SHOWN, "rng"}
        assert set(arguments) - same <= shown


@pytest.mark.parametrize("kind", ["global_time", "leave_last_out", "random"])
def test_each_of_the_splits_is_right(tmp_path, kind):
    log().write_csv(tmp_path / "log.csv")
    text, _ = written(tmp_path, tmp_path / "log.csv")
    assert text.count("\n[split]") == 1
    tables = text[text.index("[split]") : text.index("[models.taste]")].split("[split]")[1:]
    one = next(table for table in tables if f'kind = "{kind}"' in table)
    lines = switched_on(one).splitlines()
    body = "\n".join(line for line in lines if line.startswith(("kind =", "fraction =")))
    rest = text[: text.index("# How a test part")] + text[text.index("[models.taste]") :]
    (tmp_path / "c.toml").write_text(f"{rest}\n[split]\n{body}\n")
    assert config.read(tmp_path / "c.toml")._cut.function is getattr(split, kind)


def test_the_data_is_read_as_it_was(tmp_path):
    frame = log(rating=np.arange(600) % 5 + 1, timestamp=np.arange(600) * 50_000 + 1_600_000_000)
    frame.write_csv(tmp_path / "log.csv")
    items = pl.DataFrame({"item": range(20), "name": [f"n{i}" for i in range(20)], "tags": ["a|b", "b"] * 10})
    items.write_csv(tmp_path / "items.csv")
    sources = [tmp_path / "log.csv", tmp_path / "items.csv"]
    _, found = written(tmp_path, *sources)
    assert found.dataset().fingerprint == discover(sources).data.fingerprint
    assert found.dataset().feedback == sl.Feedback.ratings(1, 5)


def test_only_a_scale_that_was_observed_is_called_so(tmp_path):
    log(rating=np.arange(600) % 5 + 1).write_csv(tmp_path / "log.csv")
    text, _ = written(tmp_path, tmp_path / "log.csv")
    assert "AS OBSERVED" in text
    text, _ = written(tmp_path, tmp_path / "log.csv", kind="ratings", scale=(1, 6))
    assert "AS OBSERVED" not in text
    assert "positive_from = 4.8 " in text


def test_repeats_get_their_model_and_source(tmp_path):
    log(500, 20, 4000).write_csv(tmp_path / "log.csv")
    text, found = written(tmp_path, tmp_path / "log.csv")
    assert found.dataset().repeats
    models = [type(model).__name__ for model in found.models.values()]
    assert models == ["WALS", "Popularity", "ItemNeighbors", "BuyAgain"]
    assert "chosen before" in text
    assert "Again" in sources_of(found)
    once = log(500, 20, 4000).unique(maintain_order=True)
    once.write_csv(tmp_path / "log.csv")
    _, found = written(tmp_path, tmp_path / "log.csv")
    assert not found.dataset().repeats
    assert "again" not in found.models


def sources_of(found):
    return [source.name for source in found.recommender.sources]


def of_shoppers(folder, **columns):
    """Write events with times, items with tags and a date, and users with a country; return their files."""
    log(**columns).write_parquet(folder / "log.parquet")
    goods = {
        "item": range(20),
        "tags": [["a", "b"], ["b"]] * 10,
        "since": [datetime(2024, 1, 1, tzinfo=UTC)] * 20,
    }
    pl.DataFrame(goods).write_parquet(folder / "goods.parquet")
    people = {"user": range(30), "country": ["France", "Spain"] * 15}
    pl.DataFrame(people).write_parquet(folder / "people.parquet")
    return [folder / name for name in ("log.parquet", "goods.parquet", "people.parquet")]


def test_sources_are_those_that_the_data_supports(tmp_path):
    log(rating=np.arange(600) % 5 + 1).write_csv(tmp_path / "log.csv")
    _, found = written(tmp_path, tmp_path / "log.csv")
    assert sources_of(found) == ["Nearest", "RelatedToRecent", "Neighbours", "Popular"]
    files = of_shoppers(tmp_path, timestamp=np.arange(600) * 50_000 + 1_600_000_000)
    _, found = written(tmp_path, *files)
    assert sources_of(found) == [
        "Nearest", "RelatedToRecent", "Neighbours", "TopInGroup", "TopInUserGroup", "Trending", "Fresh",
        "BoughtTogether", "NextItem", "Again", "Popular",
    ]  # fmt: skip
    group, user_group, _, fresh = found.recommender.sources[3:7]
    assert (group.column, user_group.column, fresh.column) == ("tags", "country", "since")
    fitted = found.recommender.fit(found.dataset(), rng=0)
    assert set(fitted.recommend([1], 5, exclude_seen=False).candidates.sources) == set(sources_of(found))


def test_merge_and_rules_are_right_once_they_are_switched_on(tmp_path):
    files = of_shoppers(tmp_path, rating=np.arange(600) % 5 + 1)
    text, _ = written(tmp_path, *files)
    first, last = text.index("# [merge]"), text.index("\n[scorer]")
    once = re.sub(r"^# (?=(# )?\w+ = |\[)", "", text[first:last], flags=re.MULTILINE)
    (tmp_path / "c.toml").write_text(text[:first] + once + text[last:])
    found = config.read(tmp_path / "c.toml").recommender
    assert found.merge == sl.Merge(200, {"Nearest": 2.0}, {"Popular": [5, 20]})
    assert [type(rule).__name__ for rule in found.rules] == ["Disliked", "DenyCategory", "DenyList"]
    assert (found.rules[1].column, list(found.rules[1].values)) == ("tags", ["a"])


@pytest.mark.parametrize(
    ("n_users", "n_items", "dim"), [(1, 1, 2), (15, 400, 2), (16, 16, 4), (300, 250, 32), (10**4, 10**4, 64)]
)
def test_vectors_are_as_long_as_the_data_can_fill(n_users, n_items, dim):
    at = np.arange(2 * max(n_users, n_items))
    data = sl.read(pl.DataFrame({"user": at % n_users, "item": at % n_items}))
    assert (len(data.users), len(data.items)) == (n_users, n_items)
    assert dim_for(data) == dim


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=5, max_size=5, unique_by=lambda name: name.strip()), NAMES)
def test_columns_and_files_may_have_any_name(tmp_path_factory, names, file):
    folder = tmp_path_factory.mktemp("odd")
    if any(not name.strip() for name in names) or "id" in names:
        return
    user, item, value, feature, other = names
    path = folder / (file.replace("/", "_") + ".parquet")
    frame = log(value=np.arange(600) % 5 + 1, other=1).rename({"user": user, "item": item})
    frame.rename({"value": value, "other": other}).write_parquet(path)
    goods = pl.DataFrame({item: range(20), feature: ["x", "y"] * 10})
    goods.write_parquet(folder / "goods.parquet")
    columns = {"user_id": user, "item_id": item, "value": value, "items": {"item_id": item}}
    text, found = written(folder, path, columns=columns, items=folder / "goods.parquet")
    assert tomllib.loads(text)["data"]["columns"]["user_id" if user != "user_id" else "item_id"]
    data = found.dataset()
    assert len(data.interactions) == 600
    assert data.item_features.kinds == {feature: data.item_features.kinds[feature]}


def test_a_frame_is_no_file(tmp_path):
    with pytest.raises(ParameterError, match="names files"):
        written(tmp_path, log())


def test_paths_are_relative_unless_a_file_would_read_them_otherwise(tmp_path):
    assert path_from(tmp_path / "a", tmp_path / "b" / "x.csv") == "../b/x.csv"
    assert path_from(tmp_path, tmp_path / "~x.csv") == str(tmp_path / "~x.csv")
