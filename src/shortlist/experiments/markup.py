"""Markup of reports: tables with scope, pictures with words for them, lists and pairs. Text is escaped here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from shortlist.experiments.charts import svg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shortlist.experiments.charts import Chart
    from shortlist.experiments.comparing.tables import Table

STYLE = """\
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
p, li, dd { max-width: 75ch; }
.lead { color: var(--soft); }
.scroll { overflow-x: auto; margin: .6rem 0 1.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem; }
caption { text-align: left; color: var(--soft); padding: .3rem 0; caption-side: top; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
thead th { vertical-align: bottom; background: var(--band); white-space: normal; min-width: 4.5rem; }
th:first-child { text-align: left; }
tbody th { font-weight: 600; }
figure { margin: .6rem 0 1.2rem; overflow-x: auto; }
figure svg { min-width: 36rem; }
figcaption { color: var(--soft); font-size: .93rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88rem; overflow-wrap: anywhere; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""


def table_markup(table: Table) -> str:
    """Return a table that can be scrolled, its first cells the heads of their rows."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}"><table>\n'
        f"<caption>{escape(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table></div>"
    )


def figure_markup(chart: Chart, alt: str, caption: str) -> str:
    """Return a picture, `alt` in its place for those who cannot see it, and a caption below."""
    return f"<figure>{svg(chart, alt=alt, ink=None)}\n<figcaption>{escape(caption)}</figcaption></figure>"


def list_markup(lines: Iterable[str]) -> str:
    """Return a list of lines of text."""
    return "<ul>\n" + "\n".join(f"<li>{escape(line)}</li>" for line in lines) + "\n</ul>"


def pairs_markup(entries: dict[str, str]) -> str:
    """Return names and what belongs to them, both as text."""
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries.items())
    return "<dl>\n" + "\n".join(rows) + "\n</dl>"
