"""Decision 5: what may be gathered, and what runs where."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Generator
from typing import Any

import pytest
from support import Signal, fail_later, for_ever, is_closed, value, where

from thrasks import SchedulingMode, ThreadedTaskGroup, threaded_gather

HERE = threading.main_thread().name


class OnItsLoop:
    """An awaitable that is not a coroutine."""

    def __init__(self) -> None:
        self.ran_on = ""

    def __await__(self) -> Generator[Any, None, str]:
        self.ran_on = threading.current_thread().name
        yield from asyncio.sleep(0).__await__()
        return "awaited"


class TestWhatStaysOnTheCallersLoop:  # decision 5
    async def test_futures_tasks_handles_and_awaitables(self, mode: SchedulingMode) -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "future")
        task = asyncio.create_task(where())
        awaitable = OnItsLoop()
        async with ThreadedTaskGroup(1) as group:
            handle = group.create_task(value("handle"))
            given: list[Awaitable[str]] = [future, task, handle, awaitable, where()]
            found = await threaded_gather(*given, num_threads=2, mode=mode)
        assert found[:4] == ["future", HERE, "handle", "awaited"]
        assert found[4] != HERE
        assert awaitable.ran_on == HERE

    async def test_with_futures_alone_no_worker_is_needed(self) -> None:
        tasks = [asyncio.create_task(where()) for _ in range(3)]
        assert await threaded_gather(*tasks) == [HERE] * 3

    async def test_a_failing_one_is_raised_like_any_other(self) -> None:
        started, go = Signal(), Signal()

        async def child() -> None:
            started.set()
            await go.wait()

        task = asyncio.create_task(fail_later(ValueError("of the task")))
        with pytest.raises(ValueError, match="of the task"):
            await threaded_gather(child(), task)
        go.set()

    async def test_cancel_reaches_them(self) -> None:
        started = Signal()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outer = threaded_gather(for_ever(started), future)
        await started.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert future.cancelled()


class TestInvalidArguments:
    @pytest.mark.parametrize("given", [42, None, "text"])
    async def test_are_found_before_anything_starts(self, given: Any) -> None:
        ran = False

        async def child() -> None:
            nonlocal ran
            ran = True

        coros = [child(), child()]
        with pytest.raises(TypeError, match=f"is required, got {given!r}"):
            threaded_gather(coros[0], given, coros[1])
        assert all(is_closed(coro) for coro in coros)
        assert not ran

    async def test_unhashable_ones_are_type_errors(self) -> None:
        class Unhashable(OnItsLoop):
            __hash__ = None  # type: ignore[assignment]

        coro = value(1)
        with pytest.raises(TypeError, match="unhashable"):
            threaded_gather(coro, Unhashable())
        assert is_closed(coro)

    async def test_a_future_of_another_loop_is_a_value_error_with_asyncios_text(self) -> None:
        other = asyncio.new_event_loop()
        try:
            future: asyncio.Future[None] = other.create_future()
            coro = value(1)
            with pytest.raises(ValueError, match="belongs to a different loop") as caught:
                threaded_gather(coro, future)
            assert is_closed(coro)
        finally:
            other.close()
        own = value(1)
        with pytest.raises(ValueError, match="different loop") as asyncios:
            await asyncio.gather(own, future)
        own.close()
        assert str(caught.value) == str(asyncios.value)


class TestContexts:
    async def test_each_child_has_a_copy_of_the_callers(self, mode: SchedulingMode) -> None:
        var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="nothing")

        async def child() -> str:
            seen = var.get()
            var.set("a child's")
            await asyncio.sleep(0)
            return seen

        var.set("at the call")
        outer = threaded_gather(*[child() for _ in range(6)], num_threads=2, mode=mode)
        var.set("after the call")
        assert await outer == ["at the call"] * 6
        assert var.get() == "after the call"
