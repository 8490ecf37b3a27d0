"""The report as markup: findings, tables with scope, pictures with words for them, nothing loaded."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from shortlist.experiments.markup import figure_markup, list_markup, pairs_markup, table_markup
from shortlist.experiments.report import drawing, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shortlist.experiments.report.outcome import Report


def title(report: Report) -> str:
    """Return the title of the report, as text."""
    return f"What the lists are like: {report.setting.recommender}"


def lead(report: Report) -> str:
    """Return in a sentence what was measured."""
    setting = report.setting
    way = (
        f"with the re-ranking ({', '.join(setting.reranking)}) and without it, from the same scored candidates"
        if report.compares
        else "as they are: nothing re-ranks here, so there is nothing to compare with"
    )
    ranked = "" if setting.objective is None else f", ranked for {setting.objective}"
    return f"Lists of {setting.k} for {setting.n_people:,} people{ranked}, {way}."


def body(report: Report) -> str:
    """Return the report as markup, for the body of a page. Every name in it is escaped."""
    parts = [
        f"<h1>{escape(title(report))}</h1>",
        f'<p class="lead">{escape(lead(report))}</p>',
        *_findings(report),
        *_figures(report),
        *_terms(report),
        *_groups(report),
        "<h2>How evenly items are shown</h2>",
        figure_markup(
            drawing.curves(report),
            "the share of the exposure that the least shown share of the items has, beside an even spread",
            "The further below the dashed line, the fewer items have the exposure",
        ),
        "<h2>How to read this</h2>",
        list_markup(tables.remarks(report)),
        pairs_markup(tables.meanings(report)),
        *_reproduce(report),
    ]
    return "\n".join(["<main>", *parts, "</main>"])


def _findings(report: Report) -> Iterator[str]:
    for heading, lines in tables.findings(report).items():
        yield f"<h2>{escape(heading)}</h2>"
        yield list_markup(lines)


def _figures(report: Report) -> Iterator[str]:
    yield "<h2>The figures</h2>"
    yield table_markup(tables.figure_table(report))
    yield figure_markup(
        drawing.figures(report),
        drawing.figures_alt(report),
        "Each figure on a scale of its own, which need not begin at 0, with its interval. The intervals of two values "
        "may overlap although that of their difference leaves out 0: each person is compared with themselves",
    )


def _terms(report: Report) -> Iterator[str]:
    if report.terms:
        yield "<h2>The terms</h2>"
        yield table_markup(tables.term_table(report))


def _groups(report: Report) -> Iterator[str]:
    for column, groups in report.groups.items():
        yield f"<h2>Exposure by {escape(column)}</h2>"
        yield table_markup(tables.group_table(report, column, groups))
        yield figure_markup(
            drawing.exposure(report, column),
            drawing.exposure_alt(report, column),
            "The share of each group in the exposure of a list, a mean over people, with its interval",
        )


def _reproduce(report: Report) -> Iterator[str]:
    setting, here = report.setting, report.environment
    yield "<h2>How to repeat it</h2>"
    ranked = {} if setting.objective is None else {"ranked for": setting.objective}
    yield pairs_markup(
        {
            "recommender": setting.recommender,
            **ranked,
            "re-ranking": ", ".join(setting.reranking) or "none",
            "lists": f"{setting.k} items, {'without' if setting.exclude_seen else 'with'} what people have seen",
            "seed": str(setting.seed),
            "data": f"SHA-256 {setting.data_sha256}",
            "versions": ", ".join(f"{name} {version}" for name, version in here.versions.items()),
            "machine": f"{here.machine}, Python {here.python}",
        }
    )
