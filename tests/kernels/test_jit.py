"""Where kernels keep their machine code: a read-only installation, and nowhere to keep it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ordinary_user import obey_permissions

import shortlist

WORK = """
import numpy as np
import shortlist, shortlist.models.wals
from shortlist.kernels import cholesky, csv_records, least_squares, ratings, topk
from shortlist.stages import Eligible, History
assert shortlist.__file__.startswith({site!r}), shortlist.__file__
from shortlist.models.exact_search import pair_scores
ones = np.ones((2, 3), np.float32)
print(pair_scores(ones, np.zeros(2, np.float32), ones, np.zeros(2, np.float32), np.arange(2), np.arange(2)))
"""


@pytest.fixture
def site(tmp_path):
    """Return a folder with a copy of the package that nobody may write in, and an empty home."""
    place = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__", "*.parquet")
    shutil.copytree(Path(shortlist.__file__).parent, place / "shortlist", ignore=ignored)
    (tmp_path / "home").mkdir()
    folders = [place, *(path for path in place.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield place
    for folder in [*folders, tmp_path / "home"]:
        folder.chmod(0o755)


def run(site, **environment):
    kept = {
        name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}
    }
    home = str(site.parent / "home")
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WORK.format(site=str(site))],
        env=kept | {"PYTHONPATH": str(site), "HOME": home} | environment,
        preexec_fn=obey_permissions,
        check=False,
        capture_output=True,
        text=True,
    )


def cached(folder):
    return sorted(path.name for path in folder.rglob("*.nbc"))


def test_a_read_only_installation_caches_in_the_home_of_the_user(site):
    done = run(site)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[3. 3.]\n"
    assert list(site.rglob("__pycache__")) == []
    first = cached(site.parent / "home")
    assert any("score_pairs" in name for name in first)
    assert run(site).returncode == 0
    assert cached(site.parent / "home") == first


def test_without_a_folder_to_cache_in_kernels_are_compiled_each_time(site):
    (site.parent / "home").chmod(0o555)
    done = run(site)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[3. 3.]\n"
    assert cached(site.parent) == []
