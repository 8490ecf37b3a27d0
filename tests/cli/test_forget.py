"""`shortlist forget`, and `fit --without-histories`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Run, Shop

import shortlist as sl
from shortlist import artifacts, registry


@pytest.fixture
def copy(shop: Shop, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop.saved, tmp_path / "shop"))


def test_people_are_removed_in_place_and_their_files_are_gone(copy: Path, run: Run, tmp_path: Path) -> None:
    before = sl.load(copy)
    (tmp_path / "ids.txt").write_text("8\n\n13\n")
    done = run("forget", str(copy), "--user", "3", "--user", f"@{tmp_path / 'ids.txt'}")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert f"removed from {copy}: 3 people, 37 stay" in said
    assert "what the parameters of items learned from them stays until the next fit" in said
    left = sl.load(copy)
    assert not {3, 8, 13} & set(left.memory_.users.ids)
    stay = [1, 2, 4, 39]
    assert left.recommend(stay).frame.equals(before.recommend(stay, at=left.memory_.now).frame)
    own = before.memory_.history.take(before.memory_.users.index_of([3, 8, 13])).timestamp
    files = [file.read_bytes() for file in (copy / "arrays").iterdir()]
    assert not [time for time in own if any(time.tobytes() in file for file in files)]
    assert artifacts.left_behind(copy) == []


def test_another_folder_leaves_the_first_as_it_was(copy: Path, run: Run, tmp_path: Path) -> None:
    manifest = (copy / "manifest.json").read_bytes()
    out = tmp_path / "left"
    done = run("forget", str(copy), "--user", "3", "--out", str(out), "--json")
    document = json.loads(done.stdout)
    assert (document["removed"], document["users"], document["events_removed"]) == (1, 39, 12)
    assert "until the next fit" in document["stays"]
    assert (copy / "manifest.json").read_bytes() == manifest
    assert 3 not in sl.load(out).memory_.users.ids
    said = run("forget", str(copy), "--user", "4", "--out", str(out))
    assert f"{copy} is as it was, and still holds them" in " ".join(said.stdout.split())


def test_wrong_ids_change_nothing(copy: Path, run: Run, tmp_path: Path) -> None:
    manifest = (copy / "manifest.json").read_bytes()
    unknown = run("forget", str(copy), "--user", "3", "--user", "311")
    assert unknown.exit_code == 2
    assert "there is no user '311' among the 40" in unknown.stderr
    assert "on-unknown" not in unknown.stderr
    (tmp_path / "all.txt").write_text("\n".join(str(user) for user in range(1, 41)))
    everybody = run("forget", str(copy), "--user", f"@{tmp_path / 'all.txt'}")
    assert everybody.exit_code == 2
    assert "delete the artifact instead" in " ".join(everybody.stderr.split())
    assert (copy / "manifest.json").read_bytes() == manifest


def test_a_file_that_cannot_be_removed_is_said(copy: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.artifacts.container.tidy", lambda folder, named: None)
    done = run("forget", str(copy), "--user", "3")
    assert done.exit_code != 0
    assert "could not be removed" in " ".join(done.stderr.split())


def test_what_was_saved_meanwhile_is_not_overwritten(
    copy: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = registry.load

    def slow(path: Path) -> sl.Pipeline:
        loaded = load(path)
        loaded.without_users(5).save(path)
        return loaded

    monkeypatch.setattr(registry, "load", slow)
    done = run("forget", str(copy), "--user", "3")
    assert done.exit_code != 0
    assert "saved anew meanwhile" in " ".join(done.stderr.split())
    assert len(load(copy).memory_.users) == 39


def test_a_fit_without_histories_saves_nobodys_events(shop: Shop, run: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "bare")
    done = run("fit", str(shop.config), "--out", out, "--without-histories")
    assert done.exit_code == 0, done.output
    assert "without histories" in done.stdout
    assert f"--session {sl.load(out).memory_.items.ids[0]}" in done.stdout
    times = {*sl.load(shop.saved).memory_.history.timestamp.tolist()}
    for file in (Path(out) / "arrays").iterdir():
        content = file.read_bytes()
        values = np.frombuffer(content[len(content) % 8 :], np.int64)
        assert not times & {*values.tolist()}
    refused = run("recommend", out, "--user", "3")
    assert refused.exit_code == 2
    assert "saved without histories" in " ".join(refused.stderr.split())
    assert run("recommend", out, "--user", "3", "--include-seen").exit_code == 0
    assert run("recommend", out, "--session", "3,5").exit_code == 0
    document = json.loads(run("fit", str(shop.config), "--out", out, "--without-histories", "--json").stdout)
    assert document["histories"] is False


def test_a_model_that_is_histories_is_refused_before_the_fit(shop: Shop, run: Run, tmp_path: Path) -> None:
    config = shop.variant("near.toml", ('"WALS"\ndim = 4\nn_epochs = 3', '"UserNeighbors"'))
    text = Path(config).read_text().replace('[[sources]]\ntype = "RelatedToRecent"\nmodel = "taste"\n', "")
    Path(config).write_text(text)
    done = run("fit", config, "--out", str(tmp_path / "near"), "--without-histories")
    assert done.exit_code == 2
    assert "UserNeighbors cannot be saved without histories" in " ".join(done.stderr.split())
    assert not (tmp_path / "near").exists()
