"""`callback_elements.py`."""

from __future__ import annotations

import pytest

from .program import needs_signals, running, to_end

pytestmark = pytest.mark.process


async def test_finds_all_elements_some_and_what_is_wrong() -> None:
    ended = await to_end("callback_elements.py", "--books", "50")
    assert (ended.code, ended.errors) == (0, "")
    assert ended.output.splitlines() == [
        "the root is a library",
        "books: 50",
        "found volume 10, and the parser has ended",
        "in the broken file: Element(name='library', attributes={})",
        "in the broken file: Element(name='book', attributes={'title': 'one'})",
        "and then: unclosed token: line 1, column 28",
    ]


@needs_signals
async def test_ctrl_c_ends_it_in_order() -> None:
    async with running("callback_elements.py", "--books", "1000000") as program:
        await program.wait_for("the root")
        ended = await program.interrupted()
    assert (ended.output, ended.errors) == ("the root is a library\n", "Interrupted.\n")
