"""Decision 4: what `threaded_gather` returns."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest
from support import Signal, fail, for_ever, value

from thrasks import threaded_gather

HERE = threading.main_thread().name


class TestReturnsAFuture:  # decision 4
    async def test_that_is_a_coroutine_as_well(self) -> None:
        outer = threaded_gather(value(1), value(2))
        assert isinstance(outer, asyncio.Future)
        assert isinstance(outer, Coroutine)
        assert isinstance(outer, Awaitable)
        assert asyncio.isfuture(outer)
        assert outer.get_loop() is asyncio.get_running_loop()
        assert list(await outer) == [1, 2]

    async def test_and_schedules_at_the_call(self) -> None:
        started = Signal()

        async def child() -> str:
            started.set()
            return "ran"

        outer = threaded_gather(*[child()])
        # Without our loop having had a turn.
        started.block()
        assert await outer == ["ran"]

    async def test_that_create_task_takes(self) -> None:
        task = asyncio.create_task(threaded_gather(*[value(1)]))
        assert await task == [1]

    async def test_that_ensure_future_takes_as_it_is(self) -> None:
        outer = threaded_gather(*[value(1)])
        assert asyncio.ensure_future(outer) is outer
        assert await outer == [1]

    async def test_that_gather_takes(self) -> None:
        found = await asyncio.gather(threaded_gather(*[value(1)]), threaded_gather(*[value(2)]))
        assert list(found) == [[1], [2]]
        assert list(await threaded_gather(threaded_gather(*[value(1)]), value(2))) == [[1], 2]

    async def test_that_wait_for_takes(self) -> None:
        assert await asyncio.wait_for(threaded_gather(*[value(2)]), 60) == [2]

    async def test_that_wait_for_cancels_when_the_time_is_up(self) -> None:
        ended = Signal()

        async def child() -> None:
            try:
                await for_ever()
            finally:
                ended.set()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threaded_gather(child()), 0.05)
        assert ended.is_set()

    async def test_that_task_groups_take(self) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(threaded_gather(*[value(1)]))
        assert task.result() == [1]

    async def test_that_tells_its_callbacks_on_the_callers_loop(self) -> None:
        called: list[threading.Thread] = []
        outer = threaded_gather(value(1))
        outer.add_done_callback(lambda _: called.append(threading.current_thread()))
        await outer
        await asyncio.sleep(0)
        assert called == [threading.current_thread()]

    def test_or_a_coroutine_that_starts_when_awaited_without_a_running_loop(self) -> None:
        ran = False

        async def child() -> str:
            nonlocal ran
            ran = True
            return threading.current_thread().name

        coro: Any = threaded_gather(*[child()])
        assert not ran
        (name,) = asyncio.run(coro)
        assert name != HERE

    def test_whose_error_is_raised_there(self) -> None:
        coro: Any = threaded_gather(fail(ValueError("of the child")))
        with pytest.raises(ValueError, match="of the child"):
            asyncio.run(coro)

    def test_and_one_that_is_never_awaited_can_be_closed(self) -> None:
        child = value(1)
        coro: Any = threaded_gather(child)
        coro.close()
        child.close()
