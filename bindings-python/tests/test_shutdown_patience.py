"""A loop that shuts down waits a while for what is stuck on another thread, and no longer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support import (
    Signal,
    eventually_async,
    for_ever,
    reports,
    worker_threads,
)

from thrasks import LoopPool, ThreadedTaskGroup, _cleaning, _shutdown, threaded_gather

Wait = Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, None]]

#: The patience that there is in these tests, in seconds.
SOON = 0.05


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shutdown, "EXIT_TIME", SOON)


class Stuck:
    """A task in synchronous code, which no cancellation ends."""

    def __init__(self) -> None:
        self.started = Signal()
        self._go = Signal()
        self._ended = False

    async def task(self) -> None:
        self.started.set()
        try:
            self._go.block()
        finally:
            self._ended = True

    def let_go(self) -> bool:
        """Let it end at last, and return whether nobody waited for that."""
        was_left = not self._ended
        self._go.set()
        return was_left


async def at_the_end_of_a_group(child: Coroutine[Any, Any, Any]) -> None:
    async with ThreadedTaskGroup(1) as group:
        group.create_task(child)


async def in_the_block_of_a_group(child: Coroutine[Any, Any, Any]) -> None:
    async with ThreadedTaskGroup(1) as group:
        group.create_task(child)
        await for_ever()


async def at_the_end_of_a_pool(child: Coroutine[Any, Any, Any]) -> None:
    async with LoopPool(1) as pool:
        pool.run(child)


async def in_the_block_of_a_pool(child: Coroutine[Any, Any, Any]) -> None:
    async with LoopPool(1) as pool:
        pool.run(child)
        await for_ever()


async def for_a_task_of_a_group(child: Coroutine[Any, Any, Any]) -> None:
    async with ThreadedTaskGroup(1) as group:
        await group.create_task(child)


async def for_a_task_of_a_pool(child: Coroutine[Any, Any, Any]) -> None:
    async with LoopPool(1) as pool:
        await pool.run(child)


async def for_a_gather(child: Coroutine[Any, Any, Any]) -> None:
    await threaded_gather(child, num_threads=1)


WAITS = [
    at_the_end_of_a_group,
    in_the_block_of_a_group,
    at_the_end_of_a_pool,
    in_the_block_of_a_pool,
    for_a_task_of_a_group,
    for_a_task_of_a_pool,
    for_a_gather,
]


class ClockedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def run(
    *runs: Callable[[], Coroutine[Any, Any, None]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> list[str]:
    """Run one after another on one loop, which shuts down then, and return what it reported."""
    seen: list[str] = []
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: seen.append(context["message"]))
        for each in runs:
            runner.run(each())
    return seen


class TestTheCallersLoop:
    @pytest.mark.parametrize("wait", WAITS)
    def test_leaves_a_stuck_task_behind(self, wait: Wait) -> None:
        stuck = Stuck()
        tasks: list[asyncio.Task[None]] = []

        async def main() -> None:
            tasks.append(asyncio.create_task(wait(stuck.task())))
            await stuck.started.wait()

        messages = run(main)
        assert stuck.let_go()
        assert tasks[0].cancelled()
        # Of the handle that is awaited, and then of the group or pool.
        assert messages
        assert all("while the loop shuts down" in message for message in messages)

    def test_leaves_that_of_a_gather_behind_that_nobody_awaits(self) -> None:
        # And that nobody cancels: it ends with the asynchronous generators of the loop.
        stuck = Stuck()

        async def main() -> None:
            threaded_gather(stuck.task(), num_threads=1)
            await stuck.started.wait()

        (message,) = run(main)
        assert stuck.let_go()
        assert "while the loop shuts down" in message

    @pytest.mark.parametrize("wait", WAITS)
    def test_leaves_one_behind_that_was_cancelled_in_an_earlier_run(self, wait: Wait) -> None:
        stuck = Stuck()
        tasks: list[asyncio.Task[None]] = []

        async def begin() -> None:
            tasks.append(asyncio.create_task(wait(stuck.task())))
            await stuck.started.wait()

        async def cancel() -> None:
            tasks[0].cancel()
            # Long enough for a look at whether it is the end of the loop: it is not yet.
            await asyncio.sleep(3 * SOON)
            assert not tasks[0].done()

        messages = run(begin, cancel)
        assert stuck.let_go()
        assert tasks[0].cancelled()
        # Of the handle that is awaited, and then of the group or pool.
        assert messages
        assert all("while the loop shuts down" in message for message in messages)

    @pytest.mark.parametrize("wait", WAITS)
    def test_does_not_complain_of_what_has_ended_in_time(
        self, wait: Wait, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # More than it takes on any machine.
        monkeypatch.setattr(_shutdown, "EXIT_TIME", 60.0)
        loop = ClockedLoop()
        started, cancelled, go = Signal(), Signal(), Signal()
        ended: list[str] = []

        async def slow() -> None:
            try:
                await for_ever(started)
            finally:
                cancelled.set()
                while not go.is_set():
                    with contextlib.suppress(asyncio.CancelledError):
                        await go.wait()
                ended.append("child")

        async def keep_the_loop(task: asyncio.Task[None]) -> None:
            try:
                await for_ever()
            finally:
                await cancelled.wait()
                # For the second time: the loop has done it for the first.
                task.cancel()
                for _ in range(5):
                    await asyncio.sleep(0)
                go.set()
                await asyncio.wait([task])
                loop.ahead = 100.0
                # What is due by now has its turn.
                await asyncio.sleep(0.01)
                ended.append("loop")

        async def main() -> None:
            task = asyncio.create_task(wait(slow()))
            kept.append(asyncio.create_task(keep_the_loop(task)))
            await started.wait()

        kept: list[asyncio.Task[None]] = []
        assert run(main, loop_factory=lambda: loop) == []
        assert ended == ["child", "loop"]


class TestAWorkersLoop:
    @pytest.mark.parametrize(
        "wait",
        [
            at_the_end_of_a_group,
            in_the_block_of_a_group,
            at_the_end_of_a_pool,
            in_the_block_of_a_pool,
            for_a_gather,
        ],
    )
    async def test_leaves_a_stuck_task_behind_when_it_is_given_up(
        self, wait: Wait, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_cleaning, "CLEANING_TIME", SOON)
        stuck = Stuck()
        strays: list[asyncio.Task[None]] = []

        async def child() -> threading.Thread:
            strays.append(asyncio.create_task(wait(stuck.task())))
            await stuck.started.wait()
            return threading.current_thread()

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
            given_up = task.result()
            ended = await eventually_async(lambda: given_up not in worker_threads())
        assert stuck.let_go()
        assert ended
        assert strays[0].cancelled()
        refused, left = [report["message"] for report in seen]
        assert "did not end within" in refused
        assert "while the loop shuts down" in left
