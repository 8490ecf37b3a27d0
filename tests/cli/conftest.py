"""A small shop: files to read, and a pipeline fitted on them through the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from shortlist.cli import app

N_USERS, N_ITEMS = 40, 30
BRACKETS = "[bold]Item 3[/bold] :smile:"
TITLES = {3: BRACKETS, 5: "Amélie"}

CONFIG = """
[data]
interactions = "ratings.csv"
items = "items.csv"
kind = "ratings"
scale = [1, 5]

[split]
kind = "leave_last_out"
fraction = 0.3

[models.taste]
type = "WALS"
dim = 4
n_epochs = 3

[[sources]]
type = "Nearest"
model = "taste"
k = 15

[[sources]]
type = "RelatedToRecent"
model = "taste"

[[sources]]
type = "Popular"

[scorer]
type = "ModelScorer"
model = "taste"

[evaluate]
k = 5
n_bootstrap = 50
"""


@dataclass(frozen=True)
class Shop:
    """Where the files of the shop are; user 40 has only disliked items, item 31 is nobody's."""

    folder: Path

    @property
    def saved(self) -> str:
        return str(self.folder / "shop")

    @property
    def ratings(self) -> Path:
        return self.folder / "ratings.csv"

    @property
    def items(self) -> Path:
        return self.folder / "items.csv"

    @property
    def config(self) -> Path:
        return self.folder / "shop.toml"

    def variant(self, name: str, *changes: tuple[str, str]) -> str:
        """Return the path of a configuration beside the shop's own, with each `old` text made `new`."""
        text = CONFIG
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (self.folder / name).write_text(text)
        return str(self.folder / name)


Run = Callable[..., Result]


@pytest.fixture(scope="session")
def run() -> Run:
    """Return a function that runs the command line in this process, 100 columns wide."""
    runner = CliRunner(env={"COLUMNS": "100"})

    def invoke(*arguments: str) -> Result:
        return runner.invoke(app, list(arguments))

    return invoke


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Shop:
    """Return the shop, its pipeline fitted."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.ratings.write_text(ratings_text(np.random.default_rng(5)))
    rows = [f'{item},"{TITLES.get(item, f"Item {item}")}"' for item in range(1, N_ITEMS + 2)]
    shop.items.write_text("\n".join(["item_id,title", *rows]) + "\n")
    result = run("fit", shop.variant("shop.toml"), "--out", shop.saved)
    assert result.exit_code == 0, result.output
    return shop


def ratings_text(rng: np.random.Generator) -> str:
    """Return a CSV in which users 1 to 39 like items of their own parity, and user 40 likes nothing."""
    lines = ["user_id,item_id,rating,timestamp"]
    for user in range(1, N_USERS + 1):
        for at, item in enumerate(rng.permutation(N_ITEMS)[:12] + 1):
            liked = user < N_USERS and item % 2 == user % 2
            lines.append(f"{user},{item},{5 if liked else 2},{1_000_000_000 + 1000 * at + user}")
    return "\n".join(lines) + "\n"
