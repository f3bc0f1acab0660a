"""The programs of the READMEs run and print what is said there; what is compared is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

#: This one is alone on the package index: links to files beside it would lead nowhere.
ALONE = ROOT / "bindings-python" / "README.md"
PAGES = (ROOT / "README.md", ROOT / "MIGRATING.md", ALONE)

#: A program, and what follows it at once: its output. (The Rust ones are tested in `examples`.)
PROGRAM = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)

LINK = re.compile(r"\]\(([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def programs() -> list[Any]:
    return [
        pytest.param(program, output, id=f"{path.relative_to(ROOT)}, program {number}")
        for path in PAGES
        for number, (program, output) in enumerate(PROGRAM.findall(path.read_text("utf-8")), 1)
    ]


def prose(path: Path) -> str:
    return FENCED.sub("", path.read_text("utf-8"))


def anchors(path: Path) -> set[str]:
    """What a code host makes of the headings."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(prose(path))
    }


def test_links_lead_somewhere() -> None:
    links = [(path, link) for path in PAGES for link in LINK.findall(prose(path))]
    assert len(links) > 50
    lost = []
    for path, link in links:
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_page_of_the_package_index_stands_alone() -> None:
    assert LINK.findall(prose(ALONE)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_page_has_a_program(path: Path) -> None:
    assert PROGRAM.search(path.read_text("utf-8"))


@pytest.mark.parametrize(("program", "output"), programs())
def test_prints_what_it_says(program: str, output: str) -> None:
    # One without output would not be compared with anything.
    assert output
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == output


@pytest.mark.slow
def test_what_the_comparison_says_of_thrasks_is_so() -> None:
    """Every cell has a program. Those of the other packages need these to be installed."""
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "benches/python/compare_features.py",
            "--only=thrasks",
            "--check",
            ROOT / "README.md",
        ],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
