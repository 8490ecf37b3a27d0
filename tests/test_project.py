"""What holds for the project as a whole: a quick import, and pinned versions for everything it may install."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

HEAVY = (
    "altair",
    "numba",
    "optuna",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "sqlalchemy",
    "tomlkit",
    "torch",
)


def in_fresh_interpreter(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def definition() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def declared() -> list[Requirement]:
    """Return every requirement of another package; an extra may also name extras of the project itself."""
    project = definition()["project"]
    lists = [definition()["build-system"]["requires"], project["dependencies"]]
    lists += project["optional-dependencies"].values()
    found = [Requirement(text) for texts in lists for text in texts]
    return [requirement for requirement in found if requirement.name != project["name"]]


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_import_takes_less_than_half_a_second() -> None:
    code = "import time; start = time.perf_counter(); import shortlist; print(time.perf_counter() - start)"
    assert min(float(in_fresh_interpreter(code)) for _ in range(3)) < 0.5


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, shortlist; print(*(name for name in {HEAVY} if name in sys.modules))"
    assert in_fresh_interpreter(code).split() == []


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_a_declared_package_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    version = pinned().get(canonicalize_name(requirement.name))
    assert version is not None
    assert version in requirement.specifier


def test_extras_name_extras_that_exist() -> None:
    extras = definition()["project"]["optional-dependencies"]
    own = [Requirement(text) for texts in extras.values() for text in texts if text.startswith("shortlist[")]
    assert own
    assert all(requirement.extras <= extras.keys() for requirement in own)


def test_constraints_pin_exactly_and_once() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    assert len(pinned()) == len(lines)


def test_every_file_of_kernels_is_free_of_frames_at_run_time() -> None:
    code = (
        "import importlib, pkgutil, sys, shortlist.kernels as kernels\n"
        "for module in pkgutil.iter_modules(kernels.__path__, 'shortlist.kernels.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*(name for name in ('pandas', 'polars', 'pyarrow', 'torch') if name in sys.modules))"
    )
    assert in_fresh_interpreter(code).split() == []
