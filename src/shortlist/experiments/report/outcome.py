"""Report: what `report` returns, as frames, text, plain values, a picture, and a page that works offline."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.errors import ParameterError
from shortlist.experiments.charts import page, require_drawable, save_chart
from shortlist.experiments.comparing.comparison import Environment
from shortlist.experiments.markup import STYLE
from shortlist.experiments.report import drawing, tables
from shortlist.experiments.report import page as markup
from shortlist.experiments.sweep.figures import Estimate
from shortlist.output_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.experiments.report.measured import Figure, GroupFigure, TermFigure

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Setting:
    """How a report was made.

    - recommender: its class, with the names of sources and scorer; objective: what an `Objective` ranks for, else None
    - reranking: the names of the steps; columns: by which items are in groups
    - k, exclude_seen: of the lists; n_people: who have one; n_left_out: asked for without one; n_users: of the data
    - n_items, n_open: of the data, and those that may be shown to somebody of these people
    - n_bootstrap, level: of the intervals; seed: of people and resamples; data_sha256: what was fitted on
    """

    recommender: str
    objective: str | None
    reranking: Sequence[str]
    columns: Sequence[str]
    k: int
    exclude_seen: bool
    n_people: int
    n_left_out: int
    n_users: int
    n_items: int
    n_open: int
    n_bootstrap: int
    level: float
    seed: int
    data_sha256: str


@dataclass(frozen=True, eq=False)
class Report:
    """What the lists of some people are like together, with and without re-ranking. It names no person.

    - figures: of the lists; groups: the exposure of groups, by column; terms: what each term of `Select` does
    - curves: the Lorenz curves of the exposure of items, "shown" and "by score alone"
    - setting, environment: how it was made; notes: what was left out, and why
    """

    setting: Setting
    figures: Sequence[Figure]
    groups: Mapping[str, Sequence[GroupFigure]]
    terms: Sequence[TermFigure]
    curves: Mapping[str, Sequence[tuple[float, float]]]
    notes: Sequence[str] = ()
    environment: Environment = field(default_factory=Environment.here)

    @property
    def compares(self) -> bool:
        """Return whether anything re-ranks, so that there are lists by score alone to compare with."""
        return bool(self.setting.reranking)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return a row a figure: figure, of, n_people; shown, by_score, difference, each with _low and _high."""
        return _frame(self.figures)

    @cached_property
    def group_frame(self) -> pl.DataFrame:
        """Return a row a group: column, label, its shares and counts, and the estimates with _low and _high."""
        parts = [
            _frame(groups).insert_column(0, pl.Series("column", [column] * len(groups), dtype=pl.String))
            for column, groups in self.groups.items()
        ]
        return pl.concat(parts, how="vertical_relaxed") if parts else pl.DataFrame()

    @cached_property
    def term_frame(self) -> pl.DataFrame:
        """Return a row a term of `Select`: goal, what it gains and what it costs, with _low and _high."""
        return _frame(self.terms)

    def to_text(self) -> str:
        """Return findings, tables and remarks for people."""
        found = [
            "\n".join([heading, *(f"- {line}" for line in lines)])
            for heading, lines in tables.findings(self).items()
        ]
        drawn = [table.to_text() for table in tables.all_tables(self)]
        return "\n\n".join([markup.lead(self), *found, *drawn, "\n".join(tables.remarks(self))])

    def __repr__(self) -> str:
        return self.to_text()

    def to_values(self) -> dict[str, Any]:
        """Return everything as plain JSON values, all numbers finite; what has no value is None."""
        values: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "setting": asdict(self.setting),
            "figures": [asdict(figure) for figure in self.figures],
            "groups": {column: [asdict(group) for group in some] for column, some in self.groups.items()},
            "terms": [asdict(term) for term in self.terms],
            "curves": {name: [list(point) for point in points] for name, points in self.curves.items()},
            "findings": tables.findings(self),
            "environment": asdict(self.environment),
            "notes": list(self.notes),
        }
        finite: dict[str, Any] = _finite(values)
        return finite

    def to_html(self) -> str:
        """Return the report as one HTML document that loads nothing. Raises `MissingExtraError` without Altair."""
        return page(markup.title(self), markup.body(self), style=STYLE).decode()

    def save(self, file: str | Path) -> Path:
        """Write the report to `file`, an .html, and return its path.

        Raises `MissingExtraError` without the extra `experiments`, `ParameterError` where nothing can be written.
        """
        return write_atomically(require_page(file), self.to_html().encode())

    def save_chart(self, file: str | Path) -> Path:
        """Write the picture (.png, .svg, .html) and return its path; raises as `save`."""
        path = require_drawable(file)
        return save_chart(
            drawing.overview(self), path, title=markup.title(self), alt=drawing.figures_alt(self)
        )


def require_page(file: str | Path) -> Path:
    """Return `file` as a path; raise where no report can be written there, before the work that makes it.

    Raises `ParameterError` for a suffix other than .html or a place that cannot be written, `MissingExtraError` without
    the extra `experiments`.
    """
    path = Path(file)
    if path.suffix.lower() != ".html":
        raise ParameterError(f"{path}: the report is a page; give a name that ends in .html")
    return require_drawable(path)


def _frame(rows: Sequence[Any]) -> pl.DataFrame:
    return pl.DataFrame([_flat(row) for row in rows], infer_schema_length=None)


def _flat(row: Any) -> dict[str, Any]:
    """Return the fields of a row, an estimate as three of them."""
    found: dict[str, Any] = {}
    for name in row.__dataclass_fields__:
        value = getattr(row, name)
        if isinstance(value, Estimate):
            found |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        elif value is None and name in ("by_score", "difference"):
            found |= dict.fromkeys((name, f"{name}_low", f"{name}_high"))
        else:
            found[name] = value
    return found


def _finite(value: Any) -> Any:
    """Return plain values with None in place of what is no finite number."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
