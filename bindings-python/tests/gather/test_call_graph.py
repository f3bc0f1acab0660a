"""Who waits for whom."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from support import Signal

from thrasks import threaded_gather


@pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs are new in CPython 3.14")
class TestCallGraph:
    async def test_shows_who_awaits_the_gather(self) -> None:
        started, looked = Signal(), Signal()
        graphs: list[str] = []

        async def child() -> None:
            started.set()
            await looked.wait()

        outers: list[asyncio.Future[Any]] = []

        async def caller() -> None:
            outers.append(threaded_gather(child()))
            await outers[0]

        task = asyncio.create_task(caller(), name="the caller")
        await started.wait()
        await asyncio.sleep(0)
        if sys.version_info >= (3, 14):
            graphs.append(asyncio.format_call_graph(outers[0]))
        looked.set()
        await task
        assert "the caller" in graphs[0]
