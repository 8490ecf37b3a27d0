"""The table [merge]: what it makes, and what is refused with its place."""

import pytest

import shortlist as sl
from shortlist import config
from shortlist.errors import ConfigError

PIPELINE = """
[data]
dataset = "movielens_small"
[models.popular]
type = "Popularity"
[[sources]]
type = "Popular"
[[sources]]
type = "Nearest"
model = "popular"
name = "close"
[scorer]
type = "ModelScorer"
model = "popular"
[merge]
"""


def read(folder, text):
    (folder / "c.toml").write_text(PIPELINE + text)
    return config.read(folder / "c.toml").recommender


def test_holds_the_arguments_of_a_merge(tmp_path):
    made = read(tmp_path, "size = 50\nweights = { close = 2 }\nquotas = { Popular = [5, 20] }\n")
    assert made.merge == sl.Merge(50, {"close": 2.0}, {"Popular": (5, 20)})
    assert read(tmp_path, "").merge == sl.Merge()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size = 0", "[merge]: size must be a whole number of at least 1, got 0"),
        ("sise = 5", "Merge has no such key. Did you mean 'size'?"),
        ("size = 5\nweights = { Close = 1 }", "no source is called 'Close', did you mean 'close'?"),
        ("size = 5\nweights = { close = -1 }", "[merge]: weights['close'] must be a number at least 0, got -1.0"),
        ("size = 5\nquotas = { close = [1, 2, 3] }", "a list of 2: a whole number, a whole number"),
        ("quotas = { close = [1, 2] }", "[merge]: weights and quotas say what is within the size of a merge"),
        ("size = 5\nquotas = { close = [3, 3], Popular = [3, 3] }", "quotas promise 6 candidates"),
    ],
)  # fmt: skip
def test_what_is_refused_names_its_place(tmp_path, text, words):
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert words in str(error.value)
