"""The documents do what they say: their files are written, their commands and Python blocks run, in order.

In README.md and docs/ a fenced block after `<!-- file: NAME -->` is saved under NAME; in a `console` block each line
that begins with `$ ` is run and must succeed; `python` blocks of one document share their names. A block after
`<!-- not run -->` is left alone. `<!-- copy: PATH -->` brings a file of the repository.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COPY = re.compile(r"<!-- copy: (\S+) -->")
BLOCK = re.compile(
    r"(?:<!-- (?P<note>file: (?P<file>\S+)|not run) -->\n+)?```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def blocks_of(document):
    return list(BLOCK.finditer(document.read_text(encoding="utf-8")))


def run_console(text, folder):
    bin_folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    for line in text.splitlines():
        if line.startswith("$ "):
            done = subprocess.run(
                line[2:], shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_snippet_runs(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for path in COPY.findall(document.read_text(encoding="utf-8")):
        shutil.copy(ROOT / path, tmp_path)
    for block in blocks_of(document):
        if block["note"] == "not run":
            continue
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"], encoding="utf-8")
        elif block["kind"] == "console":
            run_console(block["text"], tmp_path)
        elif block["kind"] == "python":
            where = (
                f"{document.name}:{document.read_text(encoding='utf-8')[: block.start()].count(chr(10)) + 1}"
            )
            exec(compile(block["text"], where, "exec"), names)


def test_links_lead_to_files():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (document.parent / target).exists(), f"{document.name} links to {target}"
