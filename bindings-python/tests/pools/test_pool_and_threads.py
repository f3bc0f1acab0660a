"""A `LoopPool` whose groups other threads create tasks in."""

from __future__ import annotations

import contextlib
import threading
import time

from support import value

from thrasks import LoopPool, ThreadedTaskGroup

#: How many groups are cancelled while threads create tasks in them. Of so many one or the other
#: is cancelled just as a task is on its way to the pool.
GROUPS = 6000


class TestLeaving:
    async def test_does_not_wait_for_what_was_cancelled_as_it_was_created(self) -> None:
        groups: list[ThreadedTaskGroup] = []
        over = threading.Event()

        def create() -> None:
            while not over.is_set():
                for group in groups:
                    with contextlib.suppress(RuntimeError):
                        group.create_task(value(None))

        threads = [threading.Thread(target=create) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            async with LoopPool(1) as pool:
                for number in range(GROUPS):
                    async with ThreadedTaskGroup(pool=pool) as group:
                        groups.append(group)
                        # Not slept through: waking up takes longer than what is to be met.
                        end = time.perf_counter() + (20 + number % 50) * 1e-6
                        while time.perf_counter() < end:
                            pass
                        group.cancel()
                    groups.clear()
                over.set()
        finally:
            over.set()
            for thread in threads:
                thread.join()
