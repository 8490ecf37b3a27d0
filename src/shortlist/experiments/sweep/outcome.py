"""Sweep: what `sweep` returns, as frames, text, plain values, a picture, a page, and a folder of all of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.errors import DataError, ParameterError
from shortlist.experiments.charts import page, require_drawable, save_chart
from shortlist.experiments.comparing.comparison import Environment, Parts
from shortlist.experiments.markup import STYLE
from shortlist.experiments.sweep import drawing, report, tables
from shortlist.experiments.sweep.figures import Contrast, SizeFigures, estimates
from shortlist.experiments.sweep.knee import bend, knee
from shortlist.experiments.sweep.measured import NDCG, RECALL
from shortlist.output_file import require_writable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shortlist.experiments.sweep.figures import Estimate

FORMAT_VERSION = 1
JSON, PAGE, PICTURE = "sweep.json", "sweep.html", "sweep.png"
FILES = (JSON, PAGE, PICTURE)


@dataclass(frozen=True)
class Setting:
    """How a sweep was measured.

    - k: length of the lists; protocol: what was done with seen items
    - n_users: measured; n_unknown: with a relevant item, whom the scorer does not know, left out; n_requests: timed
    - scorer, sources: how they would be made, as text; training: how the scorer is trained for a size
    - n_bootstrap, level: of the intervals; margin: of the knee, a share; seed: of everything drawn
    - load: of the machine for each of its cores, in the minute before the last request was timed (1: as much work as it
      has cores); None where the system does not say
    """

    k: int
    protocol: str
    n_users: int
    n_unknown: int
    n_requests: int
    scorer: str
    sources: Sequence[str]
    training: str
    n_bootstrap: int
    level: float
    margin: float
    seed: int
    load: float | None = None


@dataclass(frozen=True, eq=False)
class Sweep:
    """A pipeline measured at several sizes of its candidate set.

    - sizes: the figures of each size, ascending; contrast: those of two sizes in particular, None where not both are
      among them
    - setting, parts, environment: how and on what it was measured; notes: what else is to be known
    """

    sizes: Sequence[SizeFigures]
    contrast: Contrast | None
    setting: Setting
    parts: Parts
    environment: Environment = field(default_factory=Environment.here)
    notes: Sequence[str] = ()

    @property
    def largest(self) -> SizeFigures:
        """Return the figures of the largest size."""
        return self.sizes[-1]

    @property
    def knee(self) -> int | None:
        """Return the smallest size whose NDCG is not inferior to the largest size's (`knee.knee`); None: only that."""
        high = {of.size: of.lost[NDCG].high for of in self.sizes[:-1]}
        return knee(high, self.largest.figures[NDCG].value, self.setting.margin)

    @property
    def bend(self) -> int | None:
        """Return where the curve of candidate recall bends most (`knee.bend`); None for fewer than three sizes."""
        return bend([of.size for of in self.sizes], [of.figures[RECALL].value for of in self.sizes])

    @property
    def best(self) -> int:
        """Return the size of the largest NDCG, ties by the smaller. It was chosen by these very figures."""
        return max(self.sizes, key=lambda of: of.figures[NDCG].value).size

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return a row a size: size, n_candidates, each figure and what is lost with bounds, ms of a whole request."""
        return pl.DataFrame([_size_row(of) for of in self.sizes], infer_schema_length=None)

    @cached_property
    def sources(self) -> pl.DataFrame:
        """Return a row a size and source: its parts of the shown and of the hits, and what is lost without it."""
        rows = [
            {"size": of.size, "source": one.name}
            | _flat(
                {
                    "shown": one.shown,
                    "hits": one.hits,
                    "recall_lost": one.recall_lost,
                    "ndcg_lost": one.ndcg_lost,
                }
            )
            for of in self.sizes
            for one in of.sources
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    @cached_property
    def latency(self) -> pl.DataFrame:
        """Return a row a size and stage: milliseconds of a request for one user, median and 99th percentile."""
        rows = [
            {"size": of.size, "stage": stage} | _flat(dict(found))
            for of in self.sizes
            for stage, found in of.milliseconds.items()
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def to_text(self) -> str:
        """Return the tables and the answers for people."""
        head = f"data: {self.parts.name}, {self.parts.size}"
        body = [table.to_text() for table in tables.all_tables(self)]
        return "\n\n".join([head, *body, "\n".join(tables.answers(self)), "\n".join(tables.remarks(self))])

    def __repr__(self) -> str:
        return self.to_text()

    def to_values(self) -> dict[str, Any]:
        """Return everything as plain JSON values, all numbers finite."""
        return {
            "format": FORMAT_VERSION,
            "setting": asdict(self.setting),
            "data": asdict(self.parts),
            "sizes": [asdict(of) for of in self.sizes],
            "knee": self.knee,
            "bend": self.bend,
            "best": self.best,
            "contrast": None if self.contrast is None else asdict(self.contrast),
            "answers": tables.answers(self),
            "environment": asdict(self.environment),
            "notes": list(self.notes),
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Sweep:
        """Return what `to_values` described, to be drawn or compared. Raises `DataError` for another format."""
        if values.get("format") != FORMAT_VERSION:
            raise DataError(
                f"these are results of format {values.get('format')!r}, and a sweep has {FORMAT_VERSION}: sweep again"
            )
        given = values["contrast"]
        pair = given and Contrast(given["smaller"], given["larger"], estimates(given["differences"]))
        return cls(
            [SizeFigures.from_values(of) for of in values["sizes"]],
            pair,
            Setting(**values["setting"]),
            Parts(**values["data"]),
            Environment(**values["environment"]),
            values["notes"],
        )

    def to_html(self) -> str:
        """Return the report as one HTML document that loads nothing. Raises `MissingExtraError` without Altair."""
        return page(report.title(self), report.body(self), style=STYLE).decode()

    def save_html(self, file: str | Path) -> Path:
        """Write the report to `file` and return its path. Raises what `to_html` raises, `ParameterError`, `OSError`."""
        return write_atomically(require_writable(file), self.to_html().encode())

    def save_chart(self, file: str | Path) -> Path:
        """Write the picture (.png, .svg, .html) and return its path.

        Raises `MissingExtraError` without Altair, `ParameterError` for another suffix or where nothing can be written.
        """
        path = require_drawable(file)
        return save_chart(
            drawing.overview(self), path, title=report.title(self), alt=drawing.overview_alt(self)
        )

    def save(self, folder: str | Path) -> Path:
        """Write sweep.json, sweep.html and sweep.png into `folder` and return its path; it is made where it is not."""
        path = require_folder(folder)
        text = json.dumps(self.to_values(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        write_atomically(path / JSON, text.encode())
        self.save_html(path / PAGE)
        self.save_chart(path / PICTURE)
        return path


def require_folder(folder: str | Path) -> Path:
    """Return `folder` as a path, made where it was not; its files can be written.

    Raises `ParameterError` where they cannot, `MissingExtraError` without the extra `experiments`.
    """
    path = Path(folder)
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise ParameterError(
            f"{path} cannot be made a folder: {error.strerror or error}; give another"
        ) from error
    for name in FILES:
        require_writable(path / name)
    require_drawable(path / PICTURE)
    return path


def _size_row(of: SizeFigures) -> dict[str, Any]:
    whole = list(of.milliseconds.values())[-1]
    lost = {f"{name}_lost": estimate for name, estimate in of.lost.items()}
    times = {f"ms_{name}": estimate for name, estimate in whole.items()}
    return {"size": of.size, "n_candidates": of.n_candidates} | _flat({**of.figures, **lost, **times})


def _flat(estimates: dict[str, Estimate | None]) -> dict[str, float | None]:
    return dict(_cells(estimates))


def _cells(estimates: dict[str, Estimate | None]) -> Iterator[tuple[str, float | None]]:
    for name, estimate in estimates.items():
        yield name, None if estimate is None else estimate.value
        yield f"{name}_low", None if estimate is None else estimate.low
        yield f"{name}_high", None if estimate is None else estimate.high
