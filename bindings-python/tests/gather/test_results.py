"""What a gather gives, and when it is not awaited."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading

import pytest
from support import Everybody, Signal, fail, fail_later, for_ever, me, value, where

from thrasks import LoopPool, SchedulingMode, threaded_gather

QUEUE = SchedulingMode.QUEUE
ROUND_ROBIN = SchedulingMode.ROUND_ROBIN

HERE = threading.main_thread().name


class TestResults:
    async def test_are_in_the_order_of_the_arguments(self, mode: SchedulingMode) -> None:
        # They end in the opposite order.
        gates = [Signal() for _ in range(10)]
        gates[-1].set()

        async def child(i: int) -> int:
            await gates[i].wait()
            if i:
                gates[i - 1].set()
            return i

        found = await threaded_gather(*[child(i) for i in range(10)], num_threads=3, mode=mode)
        assert found == list(range(10))

    async def test_of_ten_thousand(self, mode: SchedulingMode) -> None:
        found = await threaded_gather(*[value(i) for i in range(10_000)], num_threads=2, mode=mode)
        assert found == list(range(10_000))

    async def test_of_no_arguments_are_an_empty_list(self) -> None:
        outer: asyncio.Future[list[object]] = threaded_gather()
        assert await outer == []

    async def test_come_from_the_workers(self, mode: SchedulingMode) -> None:
        names = await threaded_gather(*[where() for _ in range(8)], num_threads=2, mode=mode)
        assert HERE not in names

    async def test_round_robin_places_job_i_on_worker_i_mod_n(self) -> None:
        names = await threaded_gather(
            *[where() for _ in range(10)], num_threads=3, mode=ROUND_ROBIN
        )
        assert len(set(names[:3])) == 3
        assert names == [names[i % 3] for i in range(10)]

    async def test_queue_leaves_no_worker_idle(self) -> None:
        together = Everybody(4)

        async def child() -> str:
            together.meet_blocking()
            return threading.current_thread().name

        names = await threaded_gather(*[child() for _ in range(4)], num_threads=4, mode=QUEUE)
        assert len(set(names)) == 4

    async def test_can_be_awaited_more_than_once(self) -> None:
        outer = threaded_gather(*[value(1)])
        assert await outer == [1]
        assert await outer == [1]
        assert outer.result() == [1]


class TestReturnExceptions:
    async def test_makes_exceptions_and_cancellations_results(self, mode: SchedulingMode) -> None:
        async def cancelled() -> None:
            raise asyncio.CancelledError("by itself")

        async def cancels_its_task() -> None:
            me().cancel()
            await asyncio.sleep(0)

        error = ValueError("the error")
        found = await threaded_gather(
            *[value(1), fail(error), cancelled(), fail_later(error), value(2), cancels_its_task()],
            num_threads=2,
            mode=mode,
            return_exceptions=True,
        )
        assert found[0] == 1
        assert found[1] is error
        assert isinstance(found[2], asyncio.CancelledError)
        assert found[2].args == ("by itself",)
        assert found[3] is error
        assert found[4] == 2
        assert isinstance(found[5], asyncio.CancelledError)

    async def test_waits_for_all(self) -> None:
        started, go = Signal(), Signal()

        async def slow() -> str:
            started.set()
            await go.wait()
            return "slow"

        outer = threaded_gather(fail(ValueError()), slow(), return_exceptions=True)
        await started.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not outer.done()
        go.set()
        error, text = await outer
        assert isinstance(error, ValueError)
        assert text == "slow"


class TestOneObjectTwice:
    async def test_runs_once(self, mode: SchedulingMode) -> None:
        runs = 0

        async def child() -> object:
            nonlocal runs
            runs += 1
            return object()

        coro = child()
        first, second, third = await threaded_gather(coro, value(1), coro, mode=mode)
        assert first is third
        assert second == 1
        assert runs == 1

    async def test_or_is_awaited_once(self) -> None:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        outer = threaded_gather(future, value(1), future)
        future.set_result("once")
        assert list(await outer) == ["once", 1, "once"]


class TestNesting:
    async def test_inside_a_child(self, mode: SchedulingMode) -> None:
        async def level(depth: int) -> int:
            if depth == 0:
                return 1
            deeper = [level(depth - 1) for _ in range(2)]
            return sum(await threaded_gather(*deeper, num_threads=2, mode=mode))

        assert await level(4) == 16

    async def test_with_timeouts_inside_and_around(self) -> None:
        async def child() -> str:
            try:
                async with asyncio.timeout(0.01):
                    await for_ever()
            except TimeoutError:
                return "timed out"
            return "did not"

        async with asyncio.timeout(60):
            assert await threaded_gather(*[child(), child()]) == ["timed out"] * 2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await threaded_gather(for_ever(), for_ever())

    async def test_many_at_once(self) -> None:
        outers = [threaded_gather(*[value(i), value(-i)], num_threads=1) for i in range(20)]
        assert [await outer for outer in outers] == [[i, -i] for i in range(20)]


class TestOnAPool:
    async def test_runs_there(self) -> None:
        async with LoopPool(2) as pool:
            names = await threaded_gather(*[where() for _ in range(10)], pool=pool)
            assert set(names) <= {loop.name for loop in pool.stats().loops}
            assert pool.stats().done >= 10
