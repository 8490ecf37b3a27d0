"""[[rules]] of a configuration: what it makes, and how it says what is misspelled."""

import pytest

from shortlist import config
from shortlist.errors import ConfigError

PIPELINE = """
[data]
interactions = "events.csv"
[models.m]
type = "Popularity"
[[sources]]
type = "Nearest"
model = "m"
[scorer]
type = "ModelScorer"
model = "m"
"""


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a pipeline with some [[rules]]."""

    def made(*rules):
        text = "".join(f"[[rules]]\n{rule}\n" for rule in rules)
        (tmp_path / "c.toml").write_text(PIPELINE + text, encoding="utf-8")
        return config.read(tmp_path / "c.toml").recommender

    return made


def test_rules_are_made_in_their_order_with_their_arguments(read, tmp_path):
    (tmp_path / "recalled.csv").write_text("item_id\n7\n9\n")
    (tmp_path / "hidden.csv").write_text("user_id,item_id\nann,3\n")
    made = read(
        'type = "InStock"\ncolumn = "pieces"\nleast = 2\nmissing = "allow"',
        'type = "DenyList"\nitems = "recalled.csv"',
        'type = "DenyList"\nitems = [1, 2]\nname = "mine"',
        'type = "Hidden"\npairs = "hidden.csv"\non_unknown = "skip"',
        'type = "UserBlocks"\nblocks = [["ann", "bob"]]\ncolumn = "maker"',
        'type = "Disliked"',
        'type = "Hidden"\npairs = { ann = [3], bob = [1, 2] }\nname = "table"',
    )
    assert [rule.name for rule in made.rules] == [
        "InStock",
        "DenyList",
        "mine",
        "Hidden",
        "UserBlocks",
        "Disliked",
        "table",
    ]
    stock, recalled, mine, hidden, blocks, _, table = made.rules
    assert table.pairs == [["ann", 3], ["bob", 1], ["bob", 2]]
    assert (stock.column, stock.least, stock.missing) == ("pieces", 2.0, "allow")
    assert (recalled.items, mine.items) == ([7, 9], [1, 2])
    assert (hidden.pairs, hidden.on_unknown, blocks.blocks) == ([["ann", 3]], "skip", [["ann", "bob"]])


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('type = "InStok"', "no type of rule is called 'InStok'. Did you mean 'InStock'?"),
        ('type = "InStock"\ncolum = "x"', "InStock has no such key. Did you mean 'column'?"),
        ('type = "InStock"\nleast = "many"', 'least: needs a number, not "many"'),
        ('type = "InStock"\nmissing = "denied"', '"deny" or "allow"'),
        ('type = "OnlyCategory"', "OnlyCategory needs the key column"),
        ('type = "OnlyCategory"\ncolumn = "genre"', "needs values= or user_column="),
        ('type = "DenyList"\nitems = "nowhere.csv"', "nowhere.csv"),
    ],
)
def test_what_is_misspelled_is_named_with_its_place(read, rule, said):
    with pytest.raises(ConfigError) as caught:
        read(rule)
    assert said in str(caught.value)
    assert "c.toml: [[rules]] no. 1" in str(caught.value)


def test_rules_that_contradict_each_other_are_an_error_of_the_file(read):
    with pytest.raises(ConfigError, match="'AllowList' allows the item 1 and the rule 'DenyList' denies it"):
        read('type = "AllowList"\nitems = [1]', 'type = "DenyList"\nitems = [1]')
