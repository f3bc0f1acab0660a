"""Decision 9: workers are like their caller's loop."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from support import reports, value

from thrasks import ThreadedTaskGroup, threaded_gather


class TestWorkersAreLikeTheParent:  # decision 9
    @pytest.mark.parametrize("debug", [False, True])
    def test_in_debug_flag_and_slow_callback_duration(self, debug: bool) -> None:
        async def look() -> tuple[bool, float]:
            loop = asyncio.get_running_loop()
            return loop.get_debug(), loop.slow_callback_duration

        async def main() -> None:
            asyncio.get_running_loop().slow_callback_duration = 7.5
            assert await threaded_gather(*[look(), look()]) == [(debug, 7.5)] * 2

        asyncio.run(main(), debug=debug)

    async def test_in_the_exception_handler(self) -> None:
        error = ValueError("of a callback")

        async def child() -> None:
            def callback() -> None:
                raise error

            asyncio.get_running_loop().call_soon(callback)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert [report["exception"] for report in seen] == [error]

    async def test_but_not_in_the_task_factory(self) -> None:
        loop = asyncio.get_running_loop()

        def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
            return asyncio.Task(coro, loop=loop, **kwargs)

        async def look() -> object:
            return asyncio.get_running_loop().get_task_factory()

        loop.set_task_factory(factory)
        try:
            assert await threaded_gather(*[look()]) == [None]
        finally:
            loop.set_task_factory(None)

    async def test_nor_in_the_context(self) -> None:
        var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="empty")
        seen: list[str] = []

        def factory() -> asyncio.AbstractEventLoop:
            # On the worker's thread, outside of any task.
            seen.append(var.get())
            return asyncio.new_event_loop()

        var.set("the parent's")
        async with ThreadedTaskGroup(1, loop_factory=factory) as group:
            group.create_task(value(1))
        assert seen == ["empty"]
