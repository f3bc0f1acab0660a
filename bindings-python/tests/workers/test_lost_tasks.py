"""Debug mode: a task that will never be woken ends with its cancellation, and no other does."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import Any

import pytest
from support import Signal, eventually, for_ever, is_closed, value

from thrasks import LoopPool, ThreadedTask, ThreadedTaskGroup


async def awaits(futures: list[asyncio.Future[None]], waiting: Signal) -> None:
    """Await a future of this loop, which goes into a list."""
    loop = asyncio.get_running_loop()
    futures.append(loop.create_future())
    loop.call_soon(waiting.set)
    await futures[0]


class TestCancelled:
    def run(self, main: Any) -> None:
        asyncio.run(main(), debug=True)

    def test_one_whose_future_another_thread_has_set_is_closed_on_its_own(self) -> None:
        waiting = Signal()
        futures: list[asyncio.Future[None]] = []
        closed_on: list[str] = []

        async def child() -> None:
            name = threading.current_thread().name
            try:
                await awaits(futures, waiting)
            finally:
                closed_on.extend((name, threading.current_thread().name))

        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
                await waiting.wait()
                with pytest.raises(RuntimeError, match="Non-thread-safe"):
                    futures[0].set_result(None)
                task.cancel()
            assert task.cancelled()
            # Not some time later, by whoever lets go of it.
            assert len(closed_on) == 2
            assert len(set(closed_on)) == 1

        self.run(main)

    def test_one_that_cannot_be_closed_is_reported_and_ends_all_the_same(self) -> None:
        waiting = Signal()
        futures: list[asyncio.Future[None]] = []
        seen: list[tuple[str, type]] = []

        async def child() -> None:
            try:
                await awaits(futures, waiting)
            finally:
                raise LookupError("of the clean-up")

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: seen.append((context["message"], type(context["exception"])))
            )
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
                await waiting.wait()
                with pytest.raises(RuntimeError, match="Non-thread-safe"):
                    futures[0].set_result(None)
                task.cancel()
            assert task.cancelled()
            ((message, kind),) = seen
            assert "could not be closed" in message
            assert kind is LookupError

        self.run(main)

    def test_one_whose_future_its_own_thread_has_just_set_goes_on(self) -> None:
        ready = Signal()
        tasks: list[ThreadedTask[str]] = []

        async def child() -> str:
            await ready.wait()
            loop = asyncio.get_running_loop()
            future = loop.create_future()

            def cancel_and_set() -> None:
                # The worker hears of the first before the task hears of the second.
                tasks[0].cancel()
                future.set_result(None)

            loop.call_soon(cancel_and_set)
            try:
                await future
            except asyncio.CancelledError:
                for _ in range(5):
                    await asyncio.sleep(0)
                return "went on"
            return "was not cancelled"

        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:
                tasks.append(group.create_task(child()))
                ready.set()
            assert tasks[0].result() == "went on"

        self.run(main)

    def test_one_that_awaits_what_is_slow_to_end_waits_for_it(self) -> None:
        started = Signal()
        ended: list[str] = []

        async def inner() -> None:
            try:
                await for_ever(started)
            finally:
                for _ in range(5):
                    await asyncio.sleep(0)
                ended.append("inner")

        async def child() -> None:
            try:
                await asyncio.create_task(inner())
            finally:
                ended.append("child")

        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
                await started.wait()
                task.cancel()
            assert task.cancelled()

        self.run(main)
        assert ended == ["inner", "child"]


class TestThatCouldNotBeMade:
    @pytest.mark.skipif(sys.version_info < (3, 12), reason="no task starts eagerly")
    async def test_is_not_known_to_the_workers_loop(self) -> None:
        context = contextvars.copy_context()
        tasks: list[ThreadedTask[int]] = []

        async def look() -> tuple[bool, int]:
            task = asyncio.current_task()
            return asyncio.all_tasks() == {task}, len(asyncio.tasks._eager_tasks)  # type: ignore[attr-defined]

        async with LoopPool(1) as pool:
            before = await pool.run(look())

            def create() -> None:
                # It cannot be entered on the worker while it is entered here.
                coro = value(1)
                tasks.append(pool.run(coro, context=context))
                assert eventually(lambda: is_closed(coro))

            entered = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.call_soon(create, context=context)
            loop.call_soon(entered.set)
            await entered.wait()
            with pytest.raises(RuntimeError, match="cannot enter context"):
                await tasks[0]
            assert await pool.run(look()) == before
            assert before[0]
