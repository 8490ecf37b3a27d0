"""The modules that commands work with, each loaded when it is first used, so that `--help` answers at once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from shortlist import artifacts, config, output_file, pipeline, privacy, registry
    from shortlist.cli import batch, compilation
    from shortlist.config import rewriting, template, template_order
    from shortlist.data import discovery, import_report, labels, read, reject_file, sql
    from shortlist.experiments import baseline, charts, demo, evaluate
    from shortlist.experiments.comparing import agreement, compare
    from shortlist.experiments.report import outcome as report_outcome
    from shortlist.experiments.report import report
    from shortlist.experiments.sweep import outcome as sweep_outcome
    from shortlist.experiments.sweep import sizes as sweep_sizes
    from shortlist.experiments.sweep import sweep
    from shortlist.experiments.tuning import tune, tuning
    from shortlist.retrieval import related_items

__all__ = [
    "agreement",
    "artifacts",
    "baseline",
    "batch",
    "charts",
    "compare",
    "compilation",
    "config",
    "demo",
    "discovery",
    "evaluate",
    "import_report",
    "labels",
    "output_file",
    "pipeline",
    "privacy",
    "read",
    "registry",
    "reject_file",
    "related_items",
    "report",
    "report_outcome",
    "rewriting",
    "sql",
    "sweep",
    "sweep_outcome",
    "sweep_sizes",
    "template",
    "template_order",
    "tune",
    "tuning",
]

_HOME = {
    "agreement": "shortlist.experiments.comparing.agreement",
    "artifacts": "shortlist.artifacts",
    "baseline": "shortlist.experiments.baseline",
    "batch": "shortlist.cli.batch",
    "charts": "shortlist.experiments.charts",
    "compare": "shortlist.experiments.comparing.compare",
    "compilation": "shortlist.cli.compilation",
    "config": "shortlist.config",
    "demo": "shortlist.experiments.demo",
    "discovery": "shortlist.data.discovery",
    "evaluate": "shortlist.experiments.evaluate",
    "import_report": "shortlist.data.import_report",
    "labels": "shortlist.data.labels",
    "output_file": "shortlist.output_file",
    "pipeline": "shortlist.pipeline",
    "privacy": "shortlist.privacy",
    "read": "shortlist.data.read",
    "registry": "shortlist.registry",
    "reject_file": "shortlist.data.reject_file",
    "related_items": "shortlist.retrieval.related_items",
    "report": "shortlist.experiments.report.report",
    "report_outcome": "shortlist.experiments.report.outcome",
    "rewriting": "shortlist.config.rewriting",
    "sql": "shortlist.data.sql",
    "sweep": "shortlist.experiments.sweep.sweep",
    "sweep_outcome": "shortlist.experiments.sweep.outcome",
    "sweep_sizes": "shortlist.experiments.sweep.sizes",
    "template": "shortlist.config.template",
    "template_order": "shortlist.config.template_order",
    "tune": "shortlist.experiments.tuning.tune",
    "tuning": "shortlist.experiments.tuning.tuning",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_HOME[name])
    globals()[name] = module
    return module
