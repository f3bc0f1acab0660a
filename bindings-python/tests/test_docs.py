"""The programs of the documentation run, and print what its pages show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import thrasks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PAGES = sorted(DOCS.glob("*.rst"))
PROGRAMS = sorted((DOCS / "programs").glob("*.py"))

#: What is another one each time, in the one program that measures.
TIME = re.compile(r" *\d+\.\d+ ms$", re.MULTILINE)


@pytest.mark.process
@pytest.mark.parametrize("program", [pytest.param(path, id=path.stem) for path in PROGRAMS])
def test_prints_what_its_page_shows(program: Path, tmp_path: Path) -> None:
    shown = program.with_suffix(".txt").read_text("utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if program.stem == "performance":
        assert len(TIME.findall(shown)) == 6
        assert TIME.sub("", done.stdout) == TIME.sub("", shown)
    else:
        assert done.stdout == shown


def test_each_chapter_has_one_program_and_its_output() -> None:
    included = {
        page.stem: re.findall(
            r"^\.\. literalinclude:: programs/(.+)$", page.read_text("utf-8"), re.M
        )
        for page in PAGES
        if page.stem != "api"
    }
    names = {"start" if name == "index" else name: files for name, files in included.items()}
    assert names == {name: [f"{name}.py", f"{name}.txt"] for name in names}
    assert set(names) == {path.stem for path in PROGRAMS}


def test_the_reference_has_everything_that_is_public() -> None:
    text = (DOCS / "api.rst").read_text("utf-8")
    directive = re.compile(r"^\.\. (?:auto\w+|data):: (\w+)", re.MULTILINE)
    assert sorted(directive.findall(text)) == sorted(thrasks.__all__)


def test_figures_are_those_of_the_benchmarks() -> None:
    page = (DOCS / "performance.rst").read_text("utf-8")
    table = page[page.index(".. list-table::") : page.index("All figures")]
    figures = re.findall(
        r"^     - (\d[\d .]*\d)(?: ([num]s))?$", table.replace("*", ""), re.MULTILINE
    )
    assert len(figures) == 21
    measured = (ROOT / "benches" / "README.md").read_text("utf-8")
    assert [figure for figure, _ in figures if figure not in measured] == []
