"""`uvloop_loops.py`."""

from __future__ import annotations

import re
import sys

import pytest

from .program import needs_signals, running, to_end

pytestmark = pytest.mark.process

needs_uvloop = pytest.mark.skipif(
    sys.platform == "win32" or sys.implementation.name != "cpython", reason="there is no uvloop"
)


@needs_uvloop
async def test_the_same_tasks_run_on_both_kinds_of_loop() -> None:
    ended = await to_end("uvloop_loops.py", "--threads", "3", "--messages", "20")
    assert (ended.code, ended.errors) == (0, "")
    pairs, *lines = ended.output.splitlines()
    assert pairs == "8 pairs of sockets, 20 messages over each"
    kinds = [
        re.fullmatch(r"(\w+): [\d,]+ messages a second on 3 loops of (\w+)", line) for line in lines
    ]
    assert [kind and kind.groups() for kind in kinds] == [
        ("asyncio", "asyncio"),
        ("uvloop", "uvloop"),
    ]


@needs_uvloop
@needs_signals
@pytest.mark.parametrize(("after", "messages"), [("sockets", "100000000"), ("asyncio", "3000")])
async def test_ctrl_c_ends_it_in_order(after: str, messages: str) -> None:
    async with running("uvloop_loops.py", "--messages", messages) as program:
        await program.wait_for(after)
        ended = await program.interrupted()
    assert ended.errors == "Interrupted.\n"
    assert ("loops of uvloop" in ended.output) is False


async def test_says_how_to_get_it() -> None:
    ended = await to_end("uvloop_loops.py", change="sys.modules['uvloop'] = None")
    expected = "uvloop_loops.py: uvloop is not installed: pip install uvloop\n"
    assert (ended.code, ended.output, ended.errors) == (1, "", expected)
