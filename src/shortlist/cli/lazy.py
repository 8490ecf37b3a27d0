"""The modules that commands work with, each loaded when it is first used, so that `--help` answers at once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from shortlist import config, pipeline, registry
    from shortlist.cli import compilation, export
    from shortlist.data import import_report, read
    from shortlist.experiments import baseline, demo, evaluate

__all__ = [
    "baseline",
    "compilation",
    "config",
    "demo",
    "evaluate",
    "export",
    "import_report",
    "pipeline",
    "read",
    "registry",
]

_HOME = {
    "baseline": "shortlist.experiments.baseline",
    "compilation": "shortlist.cli.compilation",
    "config": "shortlist.config",
    "demo": "shortlist.experiments.demo",
    "evaluate": "shortlist.experiments.evaluate",
    "export": "shortlist.cli.export",
    "import_report": "shortlist.data.import_report",
    "pipeline": "shortlist.pipeline",
    "read": "shortlist.data.read",
    "registry": "shortlist.registry",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_HOME[name])
    globals()[name] = module
    return module
