"""WALS in CONFIG.toml: features and cold items by name, and what no file can hold."""

import polars as pl
import pytest

from shortlist import config
from shortlist.errors import ConfigError

TABLES = """
[data]
interactions = "events.csv"
items = "items.csv"
kind = "events"
features.items = { genres = "categorical" }

[models.taste]
type = "WALS"
dim = 2
"""


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a configuration of events and four items, the last without an event."""
    pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": [1, 2, 1, 3, 3]}).write_csv(tmp_path / "events.csv")
    pl.DataFrame({"item_id": [1, 2, 3, 4], "genres": ["a", "b", "a", "b"]}).write_csv(tmp_path / "items.csv")

    def of(lines):
        (tmp_path / "c.toml").write_text(TABLES + lines, encoding="utf-8")
        return config.read(tmp_path / "c.toml")

    return of


@pytest.mark.parametrize(
    "lines",
    [
        'item_features = ["genres"]\nfeature_weight = 2',
        'item_features = true\nsolver = "cg"',
        'cold_items_like = "genres"\nsolver = "gravity"\nitem_weight_exponent = 0.3',
    ],
)
def test_an_item_without_events_is_known_by_its_genre(read, lines):
    found = read(lines)
    model = found.recommender.fit(found.dataset(), rng=0)
    assert model.known_items_.all()
    assert set(model.recommend([3], k=4).frame["item_id"]) == {1, 2, 4}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('pair_weights = "popularity"', "pair_weights"),
        ('item_features = "genres"', "item_features: needs true or false or a list"),
        ('item_features = true\nsolver = "sgd"', "takes no side features"),
        ("item_weight_exponent = -0.3", "item_weight_exponent must be a number at least 0"),
    ],
)
def test_what_a_file_cannot_hold_is_told(read, lines, message):
    with pytest.raises(ConfigError, match=message):
        read(lines)
