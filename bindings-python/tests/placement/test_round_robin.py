"""Row 26: ROUND_ROBIN."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from support import where

from thrasks import SchedulingMode, ThreadedTask, ThreadedTaskGroup

ROUND_ROBIN = SchedulingMode.ROUND_ROBIN


class TestRoundRobin:  # row 26
    @pytest.mark.parametrize("threads", [1, 2, 3, 5])
    async def test_job_i_runs_on_worker_i_mod_n(self, threads: int) -> None:
        async with ThreadedTaskGroup(threads, mode=ROUND_ROBIN) as group:
            tasks = [group.create_task(where()) for _ in range(threads * 7 + 1)]
        names = [task.result() for task in tasks]
        assert len(set(names[:threads])) == threads
        assert names == [names[i % threads] for i in range(len(names))]

    async def test_one_counter_for_all_creators(self) -> None:
        # However the creators interleave, each worker gets its share.
        async with ThreadedTaskGroup(4, mode=ROUND_ROBIN) as group:

            def create() -> list[ThreadedTask[str]]:
                return [group.create_task(where()) for _ in range(100)]

            created = await asyncio.gather(*(asyncio.to_thread(create) for _ in range(4)))
        counts = Counter(task.result() for tasks in created for task in tasks)
        assert sorted(counts.values()) == [100] * 4
