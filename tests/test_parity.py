"""One list, however it is asked for: in Python, on the command line, and in the file of everybody."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist import config
from shortlist.cli import app

K, N_USERS, N_ITEMS = 8, 60, 30
CONFIG = """
seed = 3

[data]
interactions = "events.parquet"
items = "items.parquet"
kind = "events"

[data.features.items]
genres = "tags"
maker = "categorical"

[models.taste]
type = "WALS"
dim = 4
n_epochs = 3

[[sources]]
type = "Nearest"
model = "taste"
k = 15

[[sources]]
type = "Popular"
k = 10

[scorer]
type = "LambdaMARTScorer"
model = "taste"
n_trees = 10
min_rows = 5

[[rerank]]
type = "Freshness"
half_life_days = 0.001

[[rerank]]
type = "Select"
caps = { maker = 3 }
pins = [[5, 2]]

[rerank.terms]
MMR = 0.1
DPP = 0.1
Calibration = { on = "genres", weight = 0.1 }
Exposure = { on = "maker", weight = 0.1 }
"""


def write_data(folder):
    rng = np.random.default_rng(0)
    log = [
        (user, int(item), 1_600_000_000 + at)
        for user in range(N_USERS)
        for at, item in enumerate(rng.choice(N_ITEMS, 8, replace=False, p=_taste(user)))
    ]
    pl.DataFrame(log, ["user_id", "item_id", "timestamp"], orient="row").write_parquet(
        folder / "events.parquet"
    )
    pl.DataFrame(
        {
            "item_id": range(N_ITEMS),
            "title": [f"Item {n}" for n in range(N_ITEMS)],
            "genres": [
                rng.choice(["a", "b", "c"], rng.integers(0, 3), False).tolist() for _ in range(N_ITEMS)
            ],
            "maker": rng.choice(["x", "y", "z"], N_ITEMS).tolist(),
        },
        schema_overrides={"genres": pl.List(pl.String)},
    ).write_parquet(folder / "items.parquet")
    (folder / "config.toml").write_text(CONFIG)


def _taste(user):
    weight = np.where(np.arange(N_ITEMS) % 3 == user % 3, 4.0, 1.0)
    return weight / weight.sum()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    write_data(folder)
    run("fit", folder / "config.toml", "--out", folder / "fitted")
    run("recommend", folder / "fitted", "--all", "--out", folder / "lists.parquet", "-k", K)
    return folder


def run(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def lists(frame, user):
    return frame.filter(pl.col("user_id") == user).select("item_id", "rank", "score").rows()


def test_python_the_command_line_and_the_file_give_the_same_lists(folder):
    asked = config.read(folder / "config.toml")
    pipeline = asked.recommender.fit(asked.dataset(), rng=asked.seed)
    everybody = pipeline.recommend(range(N_USERS), K).frame
    assert everybody["user_id"].n_unique() == N_USERS
    assert sl.load(folder / "fitted").recommend(range(N_USERS), K).frame.equals(everybody)
    assert pl.read_parquet(folder / "lists.parquet").equals(everybody)
    for user in (0, 7, 59):
        alone = lists(pipeline.recommend(user, K).frame, user)
        assert alone == lists(everybody, user)
        document = json.loads(run("recommend", folder / "fitted", "--user", user, "-k", K, "--json"))
        items = document["items"]
        assert [(i["item_id"], i["rank"], np.float32(i["score"])) for i in items] == alone


def test_several_users_on_the_command_line_get_the_lists_of_each(folder):
    document = json.loads(
        run("recommend", folder / "fitted", "--user", 3, "--user", 11, "-k", K, "--json", "--explain")
    )
    written = pl.read_parquet(folder / "lists.parquet")
    for said in document["users"]:
        items = [(i["item_id"], i["rank"], np.float32(i["score"])) for i in said["items"]]
        assert items == lists(written, said["user_id"])
        place = {item: rank for item, rank, _ in items}
        assert place.get(5, 2) == 2  # the pin, unless they have it already
