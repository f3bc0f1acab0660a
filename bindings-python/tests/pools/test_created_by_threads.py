"""Groups that are cancelled while other threads create tasks in them."""

from __future__ import annotations

import threading
import time

from support import value

from thrasks import LoopPool, ThreadedTaskGroup

#: How many groups are cancelled while threads create tasks in them. Of so many one or the other
#: is cancelled just as a task is on its way to the pool.
GROUPS = 6000


async def cancel_while_created(pool: LoopPool | None) -> set[str]:
    """Cancel one group after another. Return what threads that created tasks were told."""
    groups: list[ThreadedTaskGroup] = []
    over = threading.Event()
    told: set[str] = set()

    def create() -> None:
        while not over.is_set():
            for group in groups:
                try:
                    group.create_task(value(None))
                except RuntimeError as error:
                    told.add(str(error).rpartition("> ")[2])

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(GROUPS):
            async with ThreadedTaskGroup(None if pool else 1, pool=pool) as group:
                groups.append(group)
                # Not slept through: waking up takes longer than what is to be met.
                end = time.perf_counter() + (20 + number % 50) * 1e-6
                while time.perf_counter() < end:
                    pass
                group.cancel()
            groups.clear()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return told


REFUSALS = {"is shutting down", "is finished"}


class TestTasksOnTheirWay:
    async def test_keep_no_pool_open(self) -> None:
        async with LoopPool(1) as pool:
            assert await cancel_while_created(pool) <= REFUSALS

    async def test_are_not_told_that_the_workers_are_gone(self) -> None:
        assert await cancel_while_created(None) <= REFUSALS
