"""The report of a sweep as markup: answers, tables with scope, pictures with words for them, nothing loaded."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from shortlist.experiments.markup import figure_markup, list_markup, pairs_markup, table_markup
from shortlist.experiments.sweep import drawing, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shortlist.experiments.sweep.outcome import Sweep


def title(sweep: Sweep) -> str:
    """Return the title of the report, as text."""
    return f"How many candidates to retrieve: {sweep.parts.name}"


def body(sweep: Sweep) -> str:
    """Return the report as markup, for the body of a page. Every name in it is escaped."""
    parts = [
        f"<h1>{escape(title(sweep))}</h1>",
        *(f'<p class="lead">{escape(answer)}</p>' for answer in tables.answers(sweep)),
        *_quality(sweep),
        *_times(sweep),
        *_sources(sweep),
        "<h2>How to read this</h2>",
        list_markup(tables.remarks(sweep)),
        *_reproduce(sweep),
    ]
    return "\n".join(["<main>", *parts, "</main>"])


def _quality(sweep: Sweep) -> Iterator[str]:
    yield "<h2>Quality</h2>"
    yield (
        "<p>The recall of the candidates is the share of a user's relevant items among them: no order of them can show "
        "more. The ceiling is the ndcg of their best order.</p>"
    )
    yield table_markup(tables.quality_table(sweep))
    yield figure_markup(
        drawing.quality(sweep),
        drawing.overview_alt(sweep),
        "With intervals; the dashed line is the knee, where there is one",
    )
    yield table_markup(tables.lost_table(sweep))


def _times(sweep: Sweep) -> Iterator[str]:
    yield "<h2>Time</h2>"
    yield table_markup(tables.times_table(sweep))
    yield figure_markup(
        drawing.times(sweep),
        "milliseconds of each stage by size, as the table has them",
        "Requests for one user each, sizes in turns; bars are the medians of the stages, ticks those of the whole",
    )


def _sources(sweep: Sweep) -> Iterator[str]:
    yield "<h2>Sources</h2>"
    yield (
        "<p>An item that several sources proposed counts in equal parts for each. What is lost without a source is "
        "measured with the others filling its places.</p>"
    )
    yield from map(table_markup, tables.source_tables(sweep))
    yield figure_markup(
        drawing.sources(sweep),
        "the part of each source and what is lost without it, as the tables have them",
        "Of the shown items, of the hits among them, and the loss without each source with its interval",
    )


def _reproduce(sweep: Sweep) -> Iterator[str]:
    setting, parts, here = sweep.setting, sweep.parts, sweep.environment
    yield "<h2>How to repeat it</h2>"
    yield pairs_markup(
        {
            "data": f"{parts.name}: {parts.size}",
            "split": parts.split or "parts given by the caller",
            "sources": "; ".join(setting.sources),
            "scorer": setting.scorer,
            "seed": str(setting.seed),
            "training part": f"SHA-256 {parts.train_sha256}",
            "test part": f"SHA-256 {parts.test_sha256}",
            "versions": ", ".join(f"{name} {version}" for name, version in here.versions.items()),
            "machine": f"{here.machine}, Python {here.python}, {here.threads} thread{'s' if here.threads > 1 else ''}",
        }
    )
