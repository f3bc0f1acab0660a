"""Decision 2: QUEUE is idle pull."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

from support import WORKER_PREFIX, Everybody, Signal, block_until, where

from thrasks import SchedulingMode, ThreadedTaskGroup

QUEUE = SchedulingMode.QUEUE


class TestQueue:  # decision 2
    async def test_idle_workers_each_get_one_of_as_many_jobs(self) -> None:
        together = Everybody(4)

        async def child() -> str:
            # Stands on its thread: no other job can run there meanwhile.
            together.meet_blocking()
            return threading.current_thread().name

        async with ThreadedTaskGroup(4, mode=QUEUE) as group:
            tasks = [group.create_task(child()) for _ in range(4)]
        assert len({task.result() for task in tasks}) == 4

    async def test_a_busy_worker_takes_nothing(self) -> None:
        busy, release = Signal(), Signal()

        async def blocker() -> str:
            await block_until(release, busy)
            return threading.current_thread().name

        async with ThreadedTaskGroup(2, mode=QUEUE) as group:
            blocked = group.create_task(blocker())
            await busy.wait()
            tasks = [group.create_task(where()) for _ in range(20)]
            names = {await task for task in tasks}
            # All of them ran though a worker was blocked all the time.
            assert not blocked.done()
            release.set()
        assert len(names) == 1
        assert blocked.result() not in names

    async def test_a_suspended_job_frees_its_worker(self) -> None:
        together = Everybody(50)

        async def child() -> None:
            await together.meet()

        async with ThreadedTaskGroup(1, mode=QUEUE) as group:
            for _ in range(50):
                group.create_task(child())

    async def test_jobs_start_in_the_order_of_their_creation(self) -> None:
        order: list[int] = []

        async def child(i: int) -> None:
            order.append(i)

        async with ThreadedTaskGroup(1, mode=QUEUE) as group:
            for i in range(100):
                group.create_task(child(i))
        assert order == list(range(100))

    async def test_a_job_may_wait_for_one_that_it_has_created(self) -> None:
        async with ThreadedTaskGroup(1, mode=QUEUE) as group:

            async def first() -> str:
                return await group.create_task(where())

            task = group.create_task(first())
        assert task.result().startswith(WORKER_PREFIX)

    async def test_work_that_begins_with_a_wait_is_shared(self) -> None:
        async def wait_then_work() -> str:
            await asyncio.to_thread(int)
            time.sleep(0.002)  # noqa: ASYNC251 -- stands for work that keeps the worker busy
            return threading.current_thread().name

        async with ThreadedTaskGroup(2, mode=QUEUE) as group:
            tasks = [group.create_task(wait_then_work()) for _ in range(150)]
        counts = Counter(task.result() for task in tasks)
        # While one worker works, the other, whose tasks all wait, does not take the lot.
        assert len(counts) == 2
        assert min(counts.values()) > 30
