"""Sources as a configuration names them."""

import sqlite3
from contextlib import closing

import pytest

from shortlist import config
from shortlist.errors import ConfigError, DataError

MODEL = '[models.a]\ntype = "Popularity"\n'


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    folder = tmp_path / "project"
    (folder / "events").mkdir(parents=True)
    for name, row in (("a", "1,2"), ("b", "3,4")):
        (folder / "events" / f"{name}.csv").write_text(f"user,item\n{row}\n")
    with closing(sqlite3.connect(folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE visits (user INTEGER, item TEXT)")
        database.execute("INSERT INTO visits VALUES (7, 'é')")
    database.close()

    def reading(data):
        file = folder / "CONFIG.toml"
        file.write_text(f"[data]\n{data}\n{MODEL}")
        return config.read(file)

    return reading


@pytest.mark.parametrize("interactions", ['"events/*.csv"', '"events"', '["events/b.csv", "events/a.csv"]'])
def test_patterns_folders_and_lists_are_relative_to_the_file(read, interactions):
    assert read(f"interactions = {interactions}").dataset().users.ids.to_list() == [1, 3]


def test_a_query_is_a_table_and_its_path_relative_to_the_file(read, monkeypatch):
    monkeypatch.setenv("SHOP", "shop")
    data = read('interactions = { url = "sqlite:///$SHOP.db", query = "SELECT * FROM visits" }').dataset()
    assert data.users.ids.to_list() == [7]
    assert data.items.ids.to_list() == ["é"]


def test_encoding_and_delimiter_are_keys(read, tmp_path):
    (tmp_path / "project" / "c.csv").write_bytes("user;item\n1;é\n".encode("latin-1"))
    data = read('interactions = "c.csv"\nencoding = "latin-1"\ndelimiter = ";"').dataset()
    assert data.items.ids.to_list() == ["é"]


@pytest.mark.parametrize(
    ("interactions", "words"),
    [
        ('{ url = "sqlite:///shop.db", qurey = "x" }', "interactions.*no key 'qurey'. Did you mean 'query'"),
        ('{ url = "sqlite:///shop.db" }', "interactions.*needs query"),
        ('{ url = "", query = "SELECT 1" }', "url must be a text that is not empty"),
        ("3", "needs a string or a path or a list; .* or a table of url, query"),
    ],
)
def test_a_source_that_is_none_is_an_error_of_the_file(read, interactions, words):
    with pytest.raises(ConfigError, match=words):
        read(f"interactions = {interactions}")


def test_an_unset_variable_is_named_when_the_data_is_read(read):
    configuration = read('interactions = { url = "postgresql://u:$NO_SUCH_@h/d", query = "SELECT 1" }')
    with pytest.raises(DataError, match=r"names \$NO_SUCH_, and no environment variable"):
        configuration.dataset()
