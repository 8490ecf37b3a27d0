"""A misspelt key of any table of a configuration, nested ones too, is answered with the nearest right one."""

import polars as pl
import pytest

from shortlist import config
from shortlist.cli.evaluate import SUPPLIED as EVALUATE_SUPPLIED
from shortlist.cli.tune import SUPPLIED as TUNE_SUPPLIED
from shortlist.errors import ConfigError, DataError
from shortlist.experiments.evaluate import evaluate
from shortlist.experiments.tuning.tune import tune

TEXT = """
seed = 0

[data]
interactions = "log.csv"
items = "items.csv"
kind = "ratings"
scale = [1, 5]
columns = { user_id = "who", item_id = "item", items = { item_id = "item" } }

[data.features.items]
title = "text"
genres = { kind = "tags", separator = "|" }

[split]
kind = "leave_last_out"
fraction = 0.2

[models.taste]
type = "WALS"
dim = 2

[[sources]]
type = "Nearest"
model = "taste"

[scorer]
type = "ModelScorer"
model = "taste"

[evaluate]
k = 10

[tune]
trials = 5
"""


def use(file):
    """Ask the configuration for everything that its tables describe."""
    found = config.read(file)
    found.evaluation_arguments(evaluate, EVALUATE_SUPPLIED)
    found.tuning_arguments(tune, TUNE_SUPPLIED)
    found.split(found.dataset())


@pytest.fixture
def folder(tmp_path):
    log = {"who": [1, 1, 1, 1, 1, 2], "item": [1, 2, 3, 4, 5, 1], "rating": [5, 4, 3, 2, 1, 5]}
    pl.DataFrame(log).write_csv(tmp_path / "log.csv")
    items = {"item": [1, 2], "title": ["a", "b"], "genres": ["x|y", "y"]}
    pl.DataFrame(items).write_csv(tmp_path / "items.csv")
    return tmp_path


def test_without_a_mistake_it_can_be_used(folder):
    (folder / "c.toml").write_text(TEXT)
    use(folder / "c.toml")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("seed", "sede"),
        ("[evaluate]", "[evalute]"),
        ("[split]", "[spilt]"),
        ("kind", "knid"),
        ("scale", "scales"),
        ("columns", "colums"),
        ("item_id", "item_ids"),
        ("items = {", "itmes = {"),
        (".features", ".featurs"),
        (".items]", ".itms]"),
        ("title", "titel"),
        ('"text"', '"txet"'),
        ("leave_last_out", "leave_last"),
        ("fraction", "fractoin"),
        ("WALS", "WASL"),
        ("dim", "dmi"),
        ("Nearest", "Neerest"),
        ('model = "taste"', 'model = "tatse"'),
        ("ModelScorer", "ModelScore"),
        ("k = 10", "n_bootsrap = 10"),
        ("trials", "trails"),
    ],
)
def test_the_nearest_right_one_is_named(folder, right, wrong):
    assert right in TEXT
    (folder / "c.toml").write_text(TEXT.replace(right, wrong, 1))
    with pytest.raises((ConfigError, DataError), match=r"[Dd]id you mean '(\w+)'") as error:
        use(folder / "c.toml")
    meant = str(error.value).split("id you mean '")[1].split("'")[0]
    assert meant in (right if "bootsrap" not in wrong else "n_bootstrap")


def test_where_few_keys_are_possible_they_are_all_named(folder):
    for right, wrong, named in (
        ("separator", "seperator", '"separator": "|"'),
        ('items = { item_id = "item" }', 'items = { itemid = "item" }', '"item_id"'),
    ):
        (folder / "c.toml").write_text(TEXT.replace(right, wrong, 1))
        with pytest.raises(ConfigError) as error:
            use(folder / "c.toml")
        assert named in str(error.value)
