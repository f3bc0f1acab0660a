"""What all of the examples have in common."""

from __future__ import annotations

import ast
import asyncio
import re

import pytest

from .program import FOLDER, to_end

pytestmark = pytest.mark.process

#: Not a program.
SHARED = "command_line"

NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != SHARED)

#: What each takes that is a number of something, and what it has to have besides.
COUNTS = {
    "affinity": ("--threads", ()),
    "callback_elements": ("--books", ()),
    "crawl": ("--at-once", ("http://127.0.0.1:1/",)),
    "demo": ("--threads", ()),
    "fetch_pages": ("--pages", ()),
    "http_service": ("--threads", ()),
    "pipeline": ("--buffer", ()),
    "sqlite_rows": ("--rows", ()),
    "tcp_server": ("--loops", ()),
    "uvloop_loops": ("--messages", ()),
}


def test_each_has_a_test() -> None:
    assert len(NAMES) >= 10
    tests = {path.stem for path in FOLDER.parents[1].glob("bindings-python/tests/**/test_*.py")}
    assert [name for name in NAMES if f"test_{name}" not in tests] == []
    assert sorted(COUNTS) == NAMES


def test_each_is_in_the_index() -> None:
    folder = FOLDER.parent
    links = set(re.findall(r"\]\(([^)]+)\)", (folder / "README.md").read_text("utf-8")))
    assert [link for link in links if not (folder / link).exists()] == []
    programs = [*folder.glob("python/*.py"), *folder.glob("rust/*.rs")]
    assert len(programs) >= 16
    assert {str(path.relative_to(folder)) for path in programs} - links == set()


@pytest.mark.parametrize("name", NAMES)
def test_each_says_which_question_it_answers_and_how_to_run_it(name: str) -> None:
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text("utf-8")))
    assert text is not None
    if name != "demo":  # It is `cargo xtask demo`.
        assert re.match(r"How do I .+\? ", text)
        assert f"    python {name}.py" in text


@pytest.mark.parametrize("name", NAMES)
async def test_says_how_it_is_used_and_what_is_wrong(name: str) -> None:
    option, others = COUNTS[name]
    helped, refused = await asyncio.gather(
        to_end(f"{name}.py", "--help"), to_end(f"{name}.py", *others, f"{option}=0")
    )
    assert (helped.code, helped.errors) == (0, "")
    assert option in helped.output
    assert (refused.code, refused.output) == (2, "")
    assert f"argument {option}: must be " in refused.errors
    assert ", got " in refused.errors


@pytest.mark.parametrize(
    ("option", "texts", "expected"),
    [
        ("--loops", ("-1", "many", "1.5", ""), "must be a whole number from 1 on"),
        ("--port", ("65536", "-1", "http"), "must be a port from 0 (any) to 65535"),
        ("--grace", ("0", "-1", "nan", "inf", "soon"), "must be a number of seconds above 0"),
    ],
)
async def test_a_bad_number_says_what_is_to_be_written(
    option: str, texts: tuple[str, ...], expected: str
) -> None:
    all_ended = await asyncio.gather(
        *(to_end("tcp_server.py", f"{option}={text}") for text in texts)
    )
    for text, ended in zip(texts, all_ended, strict=True):
        assert (ended.code, ended.output) == (2, "")
        assert ended.errors.endswith(f"argument {option}: {expected}, got {text!r}\n")
