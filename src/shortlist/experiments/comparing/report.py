"""The report of a comparison as markup: tables with scope, pictures with words for them, nothing loaded."""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING

from shortlist.data.split import describe_order
from shortlist.experiments import protocols, segments
from shortlist.experiments.comparing import figures, tables
from shortlist.experiments.markup import figure_markup, list_markup, pairs_markup, table_markup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shortlist.experiments.comparing.comparison import Comparison


def title(comparison: Comparison) -> str:
    """Return the title of the report, as text."""
    others = [entry.name for entry in comparison.entries if entry.name != comparison.baseline]
    named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return (
        f"Compared on {comparison.parts.name}: {named}"
        if named
        else f"{comparison.baseline} on {comparison.parts.name}"
    )


def body(comparison: Comparison) -> str:
    """Return the report as markup, for the body of a page. Every name in it is escaped."""
    parts = [f"<h1>{escape(title(comparison))}</h1>", *_lead(comparison), _compared(comparison)]
    for protocol in comparison.evaluation.protocols:
        parts += _of_protocol(comparison, protocol)
    parts += ["<h2>Costs</h2>", table_markup(tables.cost_table(comparison))]
    if comparison.spreads:
        parts += ["<h2>Seeds</h2>", table_markup(tables.seed_table(comparison))]
    parts += _models(comparison)
    parts += ["<h2>How to read this</h2>", list_markup(tables.notes(comparison)), _segments(comparison)]
    parts += _reproduce(comparison)
    return "\n".join(["<main>", *parts, "</main>"])


def _lead(comparison: Comparison) -> Iterator[str]:
    for protocol in comparison.evaluation.protocols:
        best = comparison.ranked(protocol)[0]
        result = comparison.evaluation.result(comparison.metric, best, protocol=protocol)
        words = f"Under “{protocol}”, {best} has the largest {comparison.label}: {result.value:.4f}."
        yield f'<p class="lead">{escape(words)}</p>'


def _compared(comparison: Comparison) -> str:
    parts, evaluation = comparison.parts, comparison.evaluation
    counts = evaluation.counts
    dropped = counts["users_without_positive"] + counts["users_only_seen"]
    return "<h2>What was compared</h2>\n" + pairs_markup(
        {
            "data": f"{parts.name}: {parts.size}",
            "split": parts.split or "parts given by the caller",
            "time": describe_order(evaluation.time_ordered),
            "users": f"{counts['users_evaluated']:,} of {counts['test_users']:,} test users measured, {dropped:,} "
            f"without a relevant item dropped ({evaluation.protocols[0]})",
            "lists": f"{evaluation.k} items a user",
            "baseline": comparison.baseline,
        }
    )


def _of_protocol(comparison: Comparison, protocol: str) -> Iterator[str]:
    heading = f"Quality: {protocol}"
    yield f"<h2>{escape(heading)}</h2>"
    yield f"<p>{escape(protocols.DEFINITIONS[protocol])}.</p>"
    yield table_markup(tables.main_table(comparison, protocol))
    yield figure_markup(
        figures.forest(comparison, protocol),
        figures.overview_alt(comparison),
        f"{comparison.label} and its difference from {comparison.baseline}, with intervals; "
        "blue above 0, orange below, grey where the interval of the difference holds 0",
    )
    yield from map(table_markup, tables.best_tables(comparison, protocol))
    yield "<h3>All metrics</h3>"
    yield from (table_markup(table) for table in tables.metric_tables(comparison, protocol, all_metrics=True))
    yield "<h3>Quality beside time</h3>"
    yield figure_markup(
        figures.quality_and_cost(comparison, protocol),
        f"{comparison.label} of each model against the time of one list and of the fit, as the tables have them",
        "Up is better, left is faster",
    )
    yield "<h3>Segments</h3>"
    yield from (table_markup(table) for table in tables.segment_tables(comparison, protocol))
    yield figure_markup(
        figures.segment_figure(comparison, protocol),
        "the figures of the segment tables with their intervals",
        "By segment, with intervals; in brackets the users",
    )


def _models(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Parameters</h2>"
    yield "<dl>"
    for entry in comparison.entries:
        origin = f" <span>({escape(entry.origin)})</span>" if entry.origin else ""
        seed = "" if entry.seed is None else f", seed {entry.seed}"
        yield f"<dt>{escape(entry.name)}</dt><dd><code>{escape(entry.parameters)}</code>{seed}{origin}</dd>"
    yield "</dl>"


def _segments(comparison: Comparison) -> str:
    known = dict.fromkeys(result.segment for result in comparison.evaluation.results)
    return "<h3>Segments</h3>\n" + pairs_markup({name: segments.DEFINITIONS[name] for name in known})


def _reproduce(comparison: Comparison) -> Iterator[str]:
    here, parts = comparison.environment, comparison.parts
    files = [entry.origin for entry in comparison.entries if entry.origin]
    yield "<h2>How to repeat it</h2>"
    if files:
        command = ["shortlist", "compare", *dict.fromkeys(files), *_options(comparison)]
        yield f"<p><code>{escape(shlex.join(command))}</code></p>"
    yield pairs_markup(
        {
            "seed": str(comparison.seed),
            "training part": f"SHA-256 {parts.train_sha256}",
            "test part": f"SHA-256 {parts.test_sha256}",
            "versions": ", ".join(f"{name} {version}" for name, version in here.versions.items()),
            "machine": f"{here.machine}, Python {here.python}, {here.threads} thread{'s' if here.threads > 1 else ''}",
        }
    )


def _options(comparison: Comparison) -> Iterator[str]:
    """Return the options of the command that lead to this comparison again."""
    yield from ("-k", str(comparison.evaluation.k), "--metric", comparison.metric)
    if comparison.entry(comparison.baseline).origin:
        yield from ("--baseline", comparison.baseline)
    if comparison.spreads:
        yield from ("--seeds", str(len(comparison.spreads[0].values)))
