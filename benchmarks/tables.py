"""The tables and figures of README.md and docs/, made from benchmarks/results/*.json.

Between these markers stands a table; a file with one table needs no name after the stroke:

    <!-- table:NAME/TABLE -->
    <!-- /table -->

and between these one figure, at a path inside the results, with a format:

    <!-- value:NAME:PATH.TO.IT:.3f -->0.180<!-- /value -->

`python benchmarks/tables.py` rewrites the documents, `--check` only says whether they are current (status 1 if
not), `--print` prints every table. A marker that cannot be filled is an error with file and line (status 2).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent

# What stands between the markers of a table holds no other marker.
TABLE = re.compile(r"<!-- table:(?P<key>\S+) -->\n(?:(?!<!-- (?:table|value):).)*?<!-- /table -->", re.DOTALL)
VALUE = re.compile(r"<!-- value:(?P<key>\S+) -->(?:(?!<!-- (?:table|value):).)*?<!-- /value -->")
OPENING = re.compile(r"<!-- (?:table|value):")


class MarkerError(Exception):
    """A marker that cannot be filled: unknown file, table or path, or no closing marker."""


def fill(text: str, results: Path) -> str:
    """Return `text` with everything between markers made anew from the JSON files in `results`."""
    complete = {match.start() for pattern in (TABLE, VALUE) for match in pattern.finditer(text)}
    for marker in OPENING.finditer(text):
        if marker.start() not in complete:
            raise MarkerError(f"line {_line(marker)}: a marker that is not closed before the next")

    def table(match: re.Match[str]) -> str:
        return f"<!-- table:{match['key']} -->\n\n{_at(match, _table, results)}\n\n<!-- /table -->"

    def value(match: re.Match[str]) -> str:
        return f"<!-- value:{match['key']} -->{_at(match, _value, results)}<!-- /value -->"

    # Figures first: they stay within their line, so that an error names the line the author sees.
    return TABLE.sub(table, VALUE.sub(value, text))


def markdown(document: dict[str, Any], table: dict[str, Any]) -> str:
    """Return one table as Markdown, with a line below it that says when and on what it was measured."""
    columns = table["columns"]
    lines = [
        [_escape(column["title"]) for column in columns],
        ["---:" if column["format"] else "---" for column in columns],
        *(
            [_cell(cell, column["format"]) for cell, column in zip(row, columns, strict=True)]
            for row in table["rows"]
        ),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{_measured_on(document)}"


def tables(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tables of a results file by name."""
    found: dict[str, dict[str, Any]] = document["results"].get("tables", {})
    return found


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Rewrite the documents under `root`, check them, or print the tables; return the exit status."""
    parser = argparse.ArgumentParser(description="Tables of README.md and docs/ from benchmarks/results.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--check", action="store_true", help="change nothing; status 1 if a document is not current"
    )
    how.add_argument("--print", action="store_true", help="print every table")
    options = parser.parse_args(arguments)
    results = root / "benchmarks" / "results"
    if options.print:
        print("\n\n".join(_printed(results)))
        return 0
    try:
        stale = [path for path in _documents(root) if _renew(path, results, write=not options.check)]
    except MarkerError as error:
        print(error, file=sys.stderr)
        return 2
    for path in stale:
        name = path.relative_to(root)
        print(
            f"{name}: not what benchmarks/results says; run make tables"
            if options.check
            else f"{name}: renewed"
        )
    return 1 if stale and options.check else 0


def _documents(root: Path) -> list[Path]:
    return [path for path in (root / "README.md", *sorted((root / "docs").rglob("*.md"))) if path.is_file()]


def _renew(path: Path, results: Path, *, write: bool) -> bool:
    old = path.read_text(encoding="utf-8")
    try:
        new = fill(old, results)
    except MarkerError as error:
        raise MarkerError(f"{path}: {error}") from None
    if write and new != old:
        path.write_text(new, encoding="utf-8")
    return new != old


def _printed(results: Path) -> Iterator[str]:
    for path in sorted(results.glob("*.json")):
        document = _load(path)
        for name, table in tables(document).items():
            yield f"## {document['name']}: {name}\n\n{markdown(document, table)}"


def _at(match: re.Match[str], make: Callable[[str, Path], str], results: Path) -> str:
    try:
        return make(match["key"], results)
    except MarkerError as error:
        raise MarkerError(f"line {_line(match)}: {error}") from None


def _line(match: re.Match[str]) -> int:
    return match.string.count("\n", 0, match.start()) + 1


def _table(key: str, results: Path) -> str:
    name, _, wanted = key.partition("/")
    document = _load(results / f"{name}.json")
    found = tables(document)
    if not wanted and len(found) == 1:
        return markdown(document, next(iter(found.values())))
    if wanted not in found:
        raise MarkerError(f"no table {key!r}; {name}.json has: {', '.join(found) or 'none'}")
    return markdown(document, found[wanted])


def _value(key: str, results: Path) -> str:
    name, path, spec = (*key.split(":", 2), "", "")[:3]
    value = _load(results / f"{name}.json")["results"]
    for step in path.split("."):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise MarkerError(f"{key}: nothing at {step!r} in {name}.json") from None
    if isinstance(value, dict | list):
        raise MarkerError(f"{key}: {path!r} is no single figure")
    try:
        return format(value, spec)
    except ValueError:
        raise MarkerError(f"{key}: {value!r} cannot be written as {spec!r}") from None


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MarkerError(f"no results {path.name}; run make bench BENCH={path.stem}")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _cell(cell: object, spec: str) -> str:
    return "–" if cell is None else _escape(cell if isinstance(cell, str) else format(cell, spec))


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def _measured_on(document: dict[str, Any]) -> str:
    where = document["machine"]
    return (
        f"*Measured on {document['date']}: {where['cpu']}, {where['cores']} cores, {where['memory_gib']:.0f} GiB; "
        f"Python {where['python']}.*"
    )


if __name__ == "__main__":
    sys.exit(main())
