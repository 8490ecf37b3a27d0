"""A rewritten configuration says what the old one said but for the changes, and keeps its comments and order."""

import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import config
from shortlist.config.rewriting import _respelled, rewritten
from shortlist.errors import ConfigError, MissingExtraError

TEXT = """\
# my shop
seed = 3

[data]
interactions = "in/events.csv"   # the events
items = "items.csv"
columns = { user_id = "in/who" }

[models.taste]   # the taste
type = "WALS"
dim = 64       # length

# about what is popular
[models."a.b"]
type = "Popularity"  # last

[[sources]]
type = "Nearest"
model = "taste"

[[sources]]
type = "Popular"
name = "hits"
model = "a.b"
k = 20
# and the scorer
[scorer]
type = "ModelScorer"
model = "taste"
"""
CHANGES = {
    "models.taste.dim": 128,
    "models.taste.reg": 1e-05,
    "models.a.b.by": "mean",
    "sources.Nearest.k": 7,
    "sources.hits.k": 8,
}
CHANGED = (
    TEXT.replace("dim = 64 ", "dim = 128 ")
    .replace("# length\n", "# length\nreg = 1e-05\n")
    .replace("# last\n", '# last\nby = "mean"\n')
    .replace('type = "Nearest"\nmodel = "taste"\n', 'type = "Nearest"\nmodel = "taste"\nk = 7\n')
    .replace("k = 20\n", "k = 8\n")
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "c.toml").write_text(TEXT)
    return tmp_path / "c.toml"


def test_values_change_where_they_stand_and_new_ones_end_their_table(file: Path) -> None:
    assert rewritten(file, CHANGES, folder=file.parent) == CHANGED


def test_line_endings_and_a_byte_order_mark_do_no_harm(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert rewritten(file, CHANGES, folder=file.parent, heading=["x"]) == (
        "# x\r\n\r\n" + CHANGED.replace("\n", "\r\n")
    )


def test_a_heading_replaces_the_one_of_before(file: Path) -> None:
    first = rewritten(file, {}, folder=file.parent, heading=["Found by it: 1", "so"])
    assert first == f"# Found by it: 1\n# so\n\n{TEXT}"
    file.write_text(first)
    assert (
        rewritten(file, {}, folder=file.parent, heading=["Found by it: 2"]) == f"# Found by it: 2\n\n{TEXT}"
    )
    file.write_text(TEXT)
    assert rewritten(file, {}, folder=file.parent) == TEXT


def test_relative_paths_lead_to_the_same_files_from_another_folder(file: Path, monkeypatch) -> None:
    (file.parent / "other" / "deep").mkdir(parents=True)
    there = file.parent / "other" / "deep"
    monkeypatch.chdir(file.parent)
    for source, folder in ((file, there), (Path("c.toml"), Path("other/deep"))):
        data = tomllib.loads(rewritten(source, {}, folder=folder))["data"]
        assert data == {
            "interactions": "../../in/events.csv",
            "items": "../../items.csv",
            "columns": {"user_id": "in/who"},
        }
    linked = file.parent / "linked"
    linked.symlink_to(there)
    data = tomllib.loads(rewritten(file, {}, folder=linked))["data"]
    assert Path(os.path.realpath(linked / data["items"])) == file.parent.resolve() / "items.csv"


def test_lists_of_files_and_objects_with_paths_are_moved_too(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"

    @dataclass
    class Asked:
        url: str
        folder: Path = old

    def meant(folder: Path) -> list[object]:
        return [folder / "a.csv", Path("/b.csv"), Asked("sqlite:///c.db", folder), {"d": folder / "d.csv"}]

    value = ["a.csv", "/b.csv", {"url": "sqlite:///c.db"}, {"d": "d.csv"}]
    assert _respelled(value, meant(old), meant(new), new) == [
        "../old/a.csv",
        "/b.csv",
        {"url": "sqlite:///c.db", "folder": "../old"},
        {"d": "../old/d.csv"},
    ]
    assert _respelled(value, meant(old), meant(old), new) == value


def test_absolute_paths_and_samples_stay(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for data in (
        'interactions = "/in/events.csv"\n',
        'interactions = "~/e.csv"\n',
        'dataset = "online_retail"\n',
    ):
        file.write_text(f"[data]\n{data}")
        assert rewritten(file, {}, folder=tmp_path / "other") == f"[data]\n{data}"


@pytest.mark.parametrize(
    "text",
    [
        'models.m.type = "WALS"\nmodels.m.dim = 3 # x\n[data]\ndataset = "online_retail"\n',
        'models = { m = { type = "WALS", dim = 3 } } # x\n[data]\ndataset = "online_retail"\n',
        '[models]\nm.type = "WALS"\nm.dim = 3\n[data]\ndataset = "online_retail"\n',
        '[models]\nm = { type = "WALS" }',
        '[models.m]\ntype = "WALS"',
        '[models.m]\ntype = "WALS"\n[models.m.extra]\nx = 1\n',
        '[models.m]\n  type = "WALS"\n  dim = 3\n\n\n# end',
    ],
)
@given(dim=st.integers(1, 999), reg=st.floats(0, 1e9))
def test_every_way_to_write_a_table_is_kept_to(tmp_path_factory, text: str, dim: int, reg: float) -> None:
    file = tmp_path_factory.mktemp("c") / "c.toml"
    file.write_text(text)
    found = tomllib.loads(rewritten(file, {"models.m.dim": dim, "models.m.reg": reg}, folder=file.parent))
    expected = tomllib.loads(text)
    expected["models"]["m"] |= {"dim": dim, "reg": reg}
    assert found == expected


def test_what_is_written_is_read(file: Path) -> None:
    file.write_text(rewritten(file, CHANGES, folder=file.parent))
    recommender = config.read(file).recommender
    nearest, hits = recommender.sources  # type: ignore[union-attr]
    assert (nearest.model.dim, nearest.model.reg, nearest.k) == (128, 1e-05, 7)
    assert (hits.model.by, hits.k) == ("mean", 8)


def test_an_address_without_a_table_is_refused(file: Path) -> None:
    for address in ("models.x.dim", "sources.x.k", "x", "scorers.x"):
        with pytest.raises(ConfigError, match=f"c.toml: there is no table for {address}"):
            rewritten(file, {address: 1}, folder=file.parent)


def test_without_the_extra_the_command_that_installs_it_is_said(file: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'shortlist\[experiments\]'"):
        rewritten(file, CHANGES, folder=file.parent)
