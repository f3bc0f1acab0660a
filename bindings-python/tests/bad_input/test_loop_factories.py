"""A loop factory that makes no loop."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from support import eventually_async, is_closed, value, worker_threads

from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather


class NotNowError(Exception):
    """What our factories raise."""


def factory_that_raises() -> asyncio.AbstractEventLoop:
    raise NotNowError("no loop today")


def factory_of_something_else() -> asyncio.AbstractEventLoop:
    return 42  # type: ignore[return-value]


factories = pytest.mark.parametrize(
    ("factory", "error", "text"),
    [
        (factory_that_raises, NotNowError, "no loop today"),
        (factory_of_something_else, TypeError, "loop_factory.*42"),
    ],
    ids=["raises", "something else"],
)


class TestLoopFactory:
    @factories
    async def test_of_a_group(self, factory: Any, error: type[Exception], text: str) -> None:
        group = ThreadedTaskGroup(2, loop_factory=factory)
        with pytest.raises(error, match=text):
            async with group:
                raise AssertionError("it was entered")
        coro = value(1)
        with pytest.raises(RuntimeError, match="has not been entered"):
            group.create_task(coro)
        assert is_closed(coro)

    @factories
    async def test_of_a_pool(self, factory: Any, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            async with LoopPool(2, loop_factory=factory):
                raise AssertionError("it was entered")

    async def test_that_fails_for_the_second_loop_only(self) -> None:
        lock = threading.Lock()
        calls = 0

        def factory() -> asyncio.AbstractEventLoop:
            nonlocal calls
            with lock:
                calls += 1
                fails = calls == 2
            if fails:
                raise NotNowError("one is enough")
            return asyncio.new_event_loop()

        with pytest.raises(NotNowError, match="one is enough"):
            async with ThreadedTaskGroup(2, loop_factory=factory):
                raise AssertionError("it was entered")

    async def test_leaves_no_thread_behind(self) -> None:
        before = worker_threads()
        with pytest.raises(NotNowError):
            async with ThreadedTaskGroup(4, loop_factory=factory_that_raises):
                raise AssertionError("it was entered")
        for thread in worker_threads() - before:
            thread.join(10)
        assert worker_threads() <= before

    async def test_a_group_can_be_entered_once_the_factory_works(self) -> None:
        works = False

        def factory() -> asyncio.AbstractEventLoop:
            if not works:
                raise NotNowError
            return asyncio.new_event_loop()

        group = ThreadedTaskGroup(2, loop_factory=factory)
        with pytest.raises(NotNowError):
            await group.__aenter__()
        works = True
        async with group:
            task = group.create_task(value(1))
        assert task.result() == 1


class TestLoopFactoryOfAGather:
    @factories
    async def test_is_raised_and_the_coroutines_are_closed(
        self, factory: Any, error: type[Exception], text: str
    ) -> None:
        coros = [value(i) for i in range(5)]
        with pytest.raises(error, match=text):
            await threaded_gather(*coros, num_threads=2, loop_factory=factory)
        # The first error is raised at once, and the others come soon.
        assert await eventually_async(lambda: all(is_closed(coro) for coro in coros))

    @factories
    async def test_is_a_result_with_return_exceptions(
        self, factory: Any, error: type[Exception], text: str
    ) -> None:
        coros = [value(i) for i in range(3)]
        found = await threaded_gather(
            *coros, num_threads=2, loop_factory=factory, return_exceptions=True
        )
        assert [type(each) for each in found] == [error] * 3
        assert all(is_closed(coro) for coro in coros)
        del found
