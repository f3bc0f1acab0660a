"""A loop that runs again does not shut down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support import Signal, for_ever

from thrasks import LoopPool, ThreadedTaskGroup, _shutdown, threaded_gather

Waits = Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, Any]]
End = Callable[[asyncio.Task[Any]], Coroutine[Any, Any, None]]


async def in_a_group(child: Coroutine[Any, Any, None]) -> None:
    async with ThreadedTaskGroup(1) as group:
        group.create_task(child)


async def in_a_gather(child: Coroutine[Any, Any, None]) -> None:
    await threaded_gather(child, num_threads=1)


async def in_a_pool(child: Coroutine[Any, Any, None]) -> None:
    async with LoopPool(1) as pool:
        await pool.run(child)


async def by_awaiting(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_gathering(task: asyncio.Task[Any]) -> None:
    # As whoever shuts a loop down does, but this task is not being cancelled itself.
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


@pytest.mark.parametrize("end", [None, by_awaiting, by_gathering])
@pytest.mark.parametrize("waits", [in_a_group, in_a_gather, in_a_pool])
def test_what_is_cancelled_in_a_later_run_is_waited_for(
    waits: Waits, end: End | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in the next cell of a notebook.
    monkeypatch.setattr(_shutdown, "EXIT_TIME", 0.01)
    started = Signal()
    ended: list[str] = []
    seen: list[dict[str, Any]] = []

    async def child() -> None:
        try:
            await for_ever(started)
        finally:
            # Many times the patience that there would be.
            await asyncio.sleep(0.3)
            ended.append("child")

    async def begin() -> asyncio.Task[Any]:
        task = asyncio.create_task(waits(child()))
        await started.wait()
        return task

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context))
        task = runner.run(begin())
        if end is not None:
            runner.run(end(task))
        else:
            # Alone on the loop: every task there is being cancelled, but nobody gathers them.
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(task)
        ended.append("wait")
    assert ended == ["child", "wait"]
    assert seen == []


def test_a_stuck_task_is_left_behind_when_the_loop_ends_in_a_later_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_shutdown, "EXIT_TIME", 0.05)
    started, go = Signal(), Signal()
    seen: list[dict[str, Any]] = []

    async def stuck() -> None:
        started.set()
        go.block()

    async def begin() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
        tasks.append(asyncio.create_task(in_a_group(stuck())))
        await started.wait()

    async def something_else() -> None:
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    with asyncio.Runner() as runner:
        runner.run(begin())
        runner.run(something_else())
    go.set()
    assert tasks[0].cancelled()
    assert ["while the loop shuts down" in report["message"] for report in seen] == [True]


def test_a_keyboard_interrupt_on_a_worker_is_not_the_end_of_its_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_shutdown, "EXIT_TIME", 0.01)
    started = Signal()
    ended: list[str] = []

    async def slow_to_end() -> None:
        try:
            await for_ever(started)
        finally:
            await asyncio.sleep(0.3)
            ended.append("task")

    async def nested() -> None:
        try:
            async with ThreadedTaskGroup(1) as inner:
                inner.create_task(slow_to_end())
        finally:
            ended.append("group")

    async def gather() -> None:
        # What then runs on the worker is cancelled and gathered, as when a loop shuts down.
        await asyncio.gather(nested())

    async def interrupt() -> None:
        await started.wait()
        raise KeyboardInterrupt

    async def main() -> None:
        with pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(gather())
                group.create_task(interrupt())

    asyncio.run(main())
    assert ended == ["task", "group"]
