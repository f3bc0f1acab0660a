"""Decision 2: how many run at once."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading

import pytest
from support import Everybody, Signal, is_closed, value

from thrasks import SchedulingMode, ThreadedTaskGroup


class TestMaxConcurrency:  # decision 2
    @pytest.mark.parametrize("limit", [1, 3])
    async def test_bounds_how_many_run_at_once(self, limit: int, mode: SchedulingMode) -> None:
        lock = threading.Lock()
        alive = most = 0

        async def child() -> None:
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            for _ in range(3):
                await asyncio.sleep(0)
            with lock:
                alive -= 1

        async with ThreadedTaskGroup(4, mode=mode, max_concurrency=limit) as group:
            for _ in range(40):
                group.create_task(child())
        assert most <= limit
        assert alive == 0

    async def test_is_reached(self, mode: SchedulingMode) -> None:
        together = Everybody(3)
        async with ThreadedTaskGroup(4, mode=mode, max_concurrency=3) as group:
            for _ in range(3):
                group.create_task(together.meet())

    async def test_a_job_that_waits_for_its_turn_can_be_cancelled(self) -> None:
        started, go = Signal(), Signal()

        async def first() -> None:
            started.set()
            await go.wait()

        async with ThreadedTaskGroup(2, max_concurrency=1) as group:
            group.create_task(first())
            await started.wait()
            coro = value(1)
            waiting = group.create_task(coro)
            last = group.create_task(value("last"))
            waiting.cancel()
            assert waiting.cancelled()
            assert is_closed(coro)
            go.set()
        assert last.result() == "last"

    async def test_one_that_is_cancelled_while_it_waits_frees_no_place(
        self, mode: SchedulingMode
    ) -> None:
        lock = threading.Lock()
        started, go = Signal(), Signal()
        alive = most = 0

        async def child() -> None:
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            started.set()
            await go.wait()
            await asyncio.sleep(0)
            with lock:
                alive -= 1

        async with ThreadedTaskGroup(3, mode=mode, max_concurrency=1) as group:
            tasks = [group.create_task(child()) for _ in range(20)]
            await started.wait()
            # It had none.
            tasks[-1].cancel()
            tasks[10].cancel()
            go.set()
        assert [task.cancelled() for task in tasks].count(True) == 2
        assert most == 1
