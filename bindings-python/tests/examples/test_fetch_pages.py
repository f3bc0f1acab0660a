"""`fetch_pages.py`: it starts its own server."""

from __future__ import annotations

import re

import pytest

from .program import needs_signals, running, to_end

pytestmark = pytest.mark.process


async def test_fetches_all_pages_on_all_threads() -> None:
    ended = await to_end("fetch_pages.py", "--pages", "60", "--threads", "3")
    assert (ended.code, "Traceback" in ended.errors) == (0, False), ended
    first, second, third = ended.output.splitlines()
    assert re.fullmatch(r"60 pages, 3600 links, \d+ pages a second", first)
    assert second == "the most linked page: /page/1"
    counts = third.removeprefix("pages of each thread: ").split(", ")
    assert (len(counts), sum(map(int, counts))) == (3, 60)


@needs_signals
async def test_ctrl_c_ends_it_and_its_server() -> None:
    async with running("fetch_pages.py", "--pages", "1000000") as program:
        # The progress bar: some are there.
        await program.wait_for(r"[1-9]\d*/1000000", "errors")
        await program.interrupted()
