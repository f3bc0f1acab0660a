"""The programs of the READMEs run, and print what the READMEs say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


READMES = (ROOT / "README.md", ROOT / "bindings-python" / "README.md")

LINK = re.compile(r"\]\(([^)#:]+)\)")


def programs() -> list[tuple[str, str, str]]:
    return [
        (f"{path.relative_to(ROOT)}, program {number}", program, output)
        for path in READMES
        for number, (program, output) in enumerate(PROGRAM.findall(path.read_text("utf-8")), 1)
    ]


def test_links_lead_somewhere() -> None:
    links = [(path, link) for path in READMES for link in LINK.findall(path.read_text("utf-8"))]
    assert len(links) > 30
    assert [link for path, link in links if not (path.parent / link).exists()] == []


def test_each_readme_has_a_program() -> None:
    assert len(programs()) >= 2


@pytest.mark.parametrize(
    ("program", "output"), [pytest.param(p, o, id=name) for name, p, o in programs()]
)
def test_prints_what_it_says(program: str, output: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == output
