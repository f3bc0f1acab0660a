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

    async def test_shows_who_gathers_a_task_of_the_callers_loop(self) -> None:
        async def wait_for_it() -> None:
            await go.wait()

        go = asyncio.Event()
        task = asyncio.create_task(wait_for_it())
        outer = threaded_gather(task)
        await asyncio.sleep(0)
        if sys.version_info >= (3, 14):
            graph = asyncio.capture_call_graph(task)
            assert graph is not None
            assert [by.future for by in graph.awaited_by] == [asyncio.current_task()]
            go.set()
            await outer
            assert not task._asyncio_awaited_by  # type: ignore[attr-defined]
