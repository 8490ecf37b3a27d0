"""The documents do what they say: their files are written, their commands and Python blocks run, in order.

In README.md and docs/ a fenced block after `<!-- file: NAME -->` is saved under NAME; in a `console` block each line
that begins with `$ ` is run and must succeed; `python` blocks of one document share their names. A block after
`<!-- not run -->` is left alone. `<!-- copy: PATH -->` brings a file of the repository.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shortlist.cli import app

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL_SYNTAX = re.compile(r"[|<>&;$*?~`]")
COPY = re.compile(r"<!-- copy: (\S+) -->")
BLOCK = re.compile(
    r"(?:<!-- (?P<note>file: (?P<file>\S+)|not run) -->\n+)?```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def blocks_of(document):
    return list(BLOCK.finditer(document.read_text(encoding="utf-8")))


def run_console(text, folder):
    for line in text.splitlines():
        if line.startswith("$ "):
            command = line[2:]
            of_a_shell = not command.startswith("shortlist ") or SHELL_SYNTAX.search(command)
            status, printed = (in_a_shell if of_a_shell else in_this_process)(command, folder)
            assert status == 0, f"{line}\n{printed}"


def in_a_shell(command, folder):
    bin_folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def in_this_process(command, folder):
    """A command of ours costs two seconds more in a process of its own; the tests' working directory is `folder`."""
    done = CliRunner(env={"COLUMNS": "100"}).invoke(app, shlex.split(command)[1:])
    return done.exit_code, done.output


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
