"""Charts: an Altair chart as a picture or a page, drawn offline, all in one theme.

`PALETTE` and `theme` are the house style: colours that hold on white and on dark paper, and lines in the colour of
the text. A page (.html) carries its picture as SVG: no script, nothing from the network, dark where the reader's
system is.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shortlist.errors import MissingExtraError, ParameterError
from shortlist.output_file import require_writable, write_atomically

if TYPE_CHECKING:
    from types import ModuleType

    import altair as alt

    Chart = alt.TopLevelMixin

SUFFIXES = (".png", ".svg", ".html")
INSTALL: Final = "pip install 'shortlist[experiments]'"

# Each keeps a contrast of at least 3:1 with white and with the dark paper below.
PALETTE = ("#2f7ed8", "#d9702a", "#1f9d76", "#b5559f", "#8272d9", "#a8871c", "#d1495b", "#6b8796")
ACCENT, MUTED = PALETTE[0], "#8a9099"

PAGE_STYLE = """\
:root { color-scheme: light dark; --paper: #ffffff; --text: #1d2126; --soft: #5a626c; --line: #d9dde2;
  --band: #f4f6f8; --accent: #1d62b0; }
@media (prefers-color-scheme: dark) { :root { --paper: #16191d; --text: #e6e9ed; --soft: #a3abb5;
  --line: #3a4048; --band: #1f2429; --accent: #7ab5f5; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--paper); color: var(--text);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
svg { max-width: 100%; height: auto; color: var(--text); }
"""


def require_drawable(file: str | Path) -> Path:
    """Return `file` as a path; raise where no chart can be written there, before the work that makes the chart.

    Raises `ParameterError` for a suffix that is none of `SUFFIXES` or a place that cannot be written,
    `MissingExtraError` without the extra `experiments`.
    """
    path = Path(file)
    if path.suffix.lower() not in SUFFIXES:
        raise ParameterError(
            f"{path}: a chart is written as {', '.join(SUFFIXES)}; give a name that ends in one"
        )
    altair_module()
    _converter()
    return require_writable(path)


def save_chart(chart: Chart, path: str | Path, *, title: str = "shortlist", alt: str = "") -> Path:
    """Write `chart` to `path` in the format of its suffix (.png, .svg, .html) and return the path.

    - title: of the page; alt: what the picture shows, for those who cannot see it (SVG and page)

    The file is replaced as a whole or left as it was. Raises what `require_drawable` raises, and `OSError`.
    """
    file = require_drawable(path)
    suffix = file.suffix.lower()
    if suffix == ".png":
        return write_atomically(file, png(chart))
    if suffix == ".svg":
        return write_atomically(file, svg(chart, alt=alt).encode())
    return write_atomically(
        file, page(title, f"<h1>{html.escape(title)}</h1>\n{svg(chart, alt=alt, ink=None)}")
    )


def png(chart: Chart, *, scale: float = 2.0) -> bytes:
    """Return `chart` as a PNG on white, `scale` pixels for each of its units."""
    picture: bytes = _converter().vegalite_to_png(_specification(chart), scale=scale, config=theme())
    return picture


def svg(chart: Chart, *, alt: str = "", ink: str | None = "#1d2126") -> str:
    """Return `chart` as an SVG element that names no address to load.

    Text and lines are of colour `ink` on white; with None they take the colour of the text around them, on no ground.
    """
    style = theme("currentColor", None) if ink is None else theme(ink)
    drawn: str = _converter().vegalite_to_svg(_specification(chart), config=style)
    if not alt:
        return drawn
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)


def page(title: str, body: str, *, style: str = "") -> bytes:
    """Return a whole HTML document, UTF-8: `title` is text, `body` is markup, `style` is CSS after `PAGE_STYLE`."""
    # A lone surrogate, which a file name can hold, has no UTF-8.
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{PAGE_STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    ).encode("utf-8", "replace")


def theme(ink: str = "#1d2126", paper: str | None = "#ffffff") -> dict[str, Any]:
    """Return the house theme as a Vega-Lite configuration: `ink` of text and lines, `paper` behind (None: nothing)."""
    faint = {
        "gridColor": ink,
        "gridOpacity": 0.12,
        "domainColor": ink,
        "domainOpacity": 0.5,
        "tickColor": ink,
    }
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": paper or "transparent",
        "padding": 12,
        "font": "Liberation Sans, Segoe UI, Roboto, Helvetica, Arial, DejaVu Sans, sans-serif",
        "view": {"stroke": None},
        "axis": {**faint, **text, "tickOpacity": 0.5, "titleFontWeight": "normal", "labelLimit": 320},
        "axisX": {"labelFlush": False},
        "legend": {**text, "labelLimit": 320, "titleFontWeight": "bold"},
        "header": {**text, "labelFontSize": 13, "labelFontWeight": "bold", "labelLimit": 320},
        "title": {
            "color": ink,
            "subtitleColor": ink,
            "fontSize": 15,
            "subtitleFontSize": 12,
            "anchor": "start",
            "offset": 12,
        },
        "text": {"color": ink},
        "mark": {"color": ACCENT},
        "rule": {"color": ink},
        "range": {"category": list(PALETTE)},
    }


def altair_module() -> ModuleType:
    """Return Altair. Raises `MissingExtraError` with the command that installs it."""
    try:
        import altair as alt
    except ImportError as error:
        raise MissingExtraError(f"charts need Altair, which is not installed: {INSTALL}") from error
    return alt


def _converter() -> ModuleType:
    try:
        import vl_convert as module
    except ImportError as error:
        raise MissingExtraError(f"charts need vl-convert, which is not installed: {INSTALL}") from error
    return module


def _specification(chart: Chart) -> str:
    # Altair's own limit of 5,000 rows is for notebooks; nothing is kept here.
    with altair_module().data_transformers.enable("default", max_rows=None):
        specification = chart.to_dict()
    # The chart's own default configuration would go before the theme's.
    specification.pop("config", None)
    return json.dumps(specification, allow_nan=False)
