"""Decision 2: how many run at once."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from support import Alive, Everybody, Signal, block_until, is_closed, value

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather


class TestMaxConcurrency:  # decision 2
    @pytest.mark.parametrize("limit", [1, 3])
    async def test_bounds_how_many_run_at_once(self, limit: int, mode: SchedulingMode) -> None:
        alive = Alive()

        async def child() -> None:
            with alive:
                for _ in range(3):
                    await asyncio.sleep(0)

        async with ThreadedTaskGroup(4, mode=mode, max_concurrency=limit) as group:
            for _ in range(40):
                group.create_task(child())
        assert alive.most <= limit
        assert alive.now == 0

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
        alive = Alive()
        started, go = Signal(), Signal()

        async def child() -> None:
            with alive:
                started.set()
                await go.wait()
                await asyncio.sleep(0)

        async with ThreadedTaskGroup(3, mode=mode, max_concurrency=1) as group:
            tasks = [group.create_task(child()) for _ in range(20)]
            await started.wait()
            # It had none.
            tasks[-1].cancel()
            tasks[10].cancel()
            go.set()
        assert [task.cancelled() for task in tasks].count(True) == 2
        assert alive.most == 1

    @pytest.mark.parametrize("kind", ["group", "gather"])
    async def test_none_that_waits_starts_in_the_place_of_one_that_is_cancelled(
        self, kind: str
    ) -> None:
        class FirstToTheBusyOne:
            def __init__(self) -> None:
                self.calls = 0

            def place(self, loads: Sequence[int]) -> int:
                self.calls += 1
                # The one that blocks, the first that has to wait for it, and all the others.
                return 0 if self.calls <= 2 else 1

        busy, release = Signal(), Signal()
        ran: list[int] = []

        async def child(number: int) -> None:
            ran.append(number)

        scheduler = FirstToTheBusyOne()
        async with LoopPool(2, mode=scheduler) as pool:
            pool.run(block_until(release, busy))
            await busy.wait()
            children = [child(i) for i in range(200)]
            try:
                if kind == "group":
                    async with ThreadedTaskGroup(pool=pool, max_concurrency=1) as group:
                        for coro in children:
                            group.create_task(coro)
                        group.cancel()
                else:
                    outer = threaded_gather(*children, pool=pool, max_concurrency=1)
                    outer.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await outer
            finally:
                release.set()
        assert ran == []
        # The others were not even sent on their way.
        assert scheduler.calls == 2
