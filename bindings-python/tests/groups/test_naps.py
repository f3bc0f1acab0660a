"""A worker that has run out of tasks naps: whoever has something for it does not wait for long."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading

from support import Signal, value

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather


class TestANappingWorker:
    async def test_starts_what_is_created_while_its_creator_blocks(
        self, mode: SchedulingMode
    ) -> None:
        async with ThreadedTaskGroup(2, mode=mode) as group:
            for _ in range(20):
                # Each worker has had a task, and may nap by now.
                for _ in range(2):
                    await group.create_task(value(1))
                started = Signal()

                async def child(started: Signal = started) -> None:
                    started.set()

                group.create_task(child())
                # This loop has no turn until the task has begun.
                started.block()

    async def test_starts_what_another_thread_creates(self, mode: SchedulingMode) -> None:
        async with ThreadedTaskGroup(1, mode=mode) as group:

            def create() -> list[int]:
                return [
                    asyncio.run_coroutine_threadsafe(awaiting(group, i), asyncio_loop).result()
                    for i in range(20)
                ]

            asyncio_loop = asyncio.get_running_loop()
            assert await asyncio.to_thread(create) == list(range(20))

    async def test_hears_of_a_cancellation(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            for _ in range(20):
                suspended = Signal()

                async def child(suspended: Signal = suspended) -> None:
                    suspended.set()
                    await asyncio.Event().wait()

                task = group.create_task(child())
                await suspended.wait()
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()

    async def test_takes_part_in_a_gather(self) -> None:
        async with LoopPool(1) as pool:
            for i in range(20):
                await pool.run(value(i))
                (result,) = await threaded_gather(value(i), pool=pool)
                assert result == i

    async def test_runs_tasks_that_it_creates_itself(self) -> None:
        async with ThreadedTaskGroup(1) as group:

            async def chain(left: int) -> str:
                if not left:
                    return threading.current_thread().name
                await asyncio.sleep(0)
                return await group.create_task(chain(left - 1))

            task = group.create_task(chain(20))
        assert task.result().startswith("thrasks-loop-")


async def awaiting(group: ThreadedTaskGroup, i: int) -> int:
    return await group.create_task(value(i))
