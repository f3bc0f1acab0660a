"""How many run at once."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio

import pytest
from support import Alive, Everybody, Signal, eventually_async, fail, for_ever, is_closed, value

from thrasks import SchedulingMode, threaded_gather


class TestMaxConcurrency:
    @pytest.mark.parametrize("limit", [1, 3])
    async def test_bounds_what_is_alive(self, limit: int, mode: SchedulingMode) -> None:
        alive = Alive()

        async def child(i: int) -> int:
            with alive:
                for _ in range(3):
                    await asyncio.sleep(0)
            return i

        found = await threaded_gather(
            *[child(i) for i in range(40)], num_threads=4, mode=mode, max_concurrency=limit
        )
        assert found == list(range(40))
        assert alive.most <= limit

    async def test_is_reached(self, mode: SchedulingMode) -> None:
        together = Everybody(3)
        await threaded_gather(
            *[together.meet() for _ in range(3)], num_threads=4, mode=mode, max_concurrency=3
        )

    async def test_a_failure_does_not_stop_those_who_wait(self) -> None:
        ran = Signal()

        async def last() -> None:
            ran.set()

        with pytest.raises(ValueError) as raised:  # noqa: PT011  # It has no text.
            await threaded_gather(fail(ValueError()), value(1), last(), max_concurrency=1)
        assert not str(raised.value)
        assert await eventually_async(ran.is_set)

    async def test_those_who_wait_are_cancelled_with_the_gather(self) -> None:
        started = Signal()
        waiting = [value(i) for i in range(10)]
        outer = threaded_gather(for_ever(started), *waiting, max_concurrency=1)
        await started.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert all(is_closed(coro) for coro in waiting)
