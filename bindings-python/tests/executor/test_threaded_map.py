"""`threaded_map`: a map over threads that nobody has to set up."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest
from support import (
    PATIENCE,
    WORKER_PREFIX,
    Everybody,
    Signal,
    eventually,
    eventually_async,
    for_ever,
    idle_workers,
    worker_threads,
)

from thrasks import LoopPool, SchedulingMode, threaded_map

from .support import AsyncNumbers, Gate, Numbers, double, turns


def busy() -> int:
    return len(worker_threads()) - idle_workers()


async def where(_: object = None) -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


class TestResults:
    @pytest.mark.parametrize("mode", [None, *SchedulingMode])
    async def test_in_the_order_of_the_inputs(self, mode: SchedulingMode | None) -> None:
        results = threaded_map(double, range(200), num_threads=3, mode=mode)
        assert [each async for each in results] == [2 * number for number in range(200)]

    async def test_as_they_come(self) -> None:
        gate = Gate()

        async def work(number: int) -> int:
            return await gate.hold(number) if number == 0 else number

        results = threaded_map(work, range(50), num_threads=2, ordered=False)
        taken = [await asyncio.wait_for(anext(results), PATIENCE) for _ in range(49)]
        gate.open()
        assert sorted(taken) == [*range(1, 50)]
        assert [each async for each in results] == [0]

    async def test_of_several_iterables(self) -> None:
        async def triple(*args: Any) -> tuple[Any, ...]:
            return args

        results = threaded_map(triple, itertools.count(), "abc", AsyncNumbers(), num_threads=2)
        assert [each async for each in results] == [(0, "a", 0), (1, "b", 1), (2, "c", 2)]

    async def test_they_run_on_all_threads(self) -> None:
        everybody = Everybody(3)

        async def meet(_: int) -> str:
            everybody.meet_blocking()
            return threading.current_thread().name

        names = {each async for each in threaded_map(meet, range(3), num_threads=3)}
        assert len(names) == 3
        assert all(name.startswith(WORKER_PREFIX) for name in names)

    async def test_functions_are_called_there(self) -> None:
        def begin(_: int) -> Awaitable[str]:
            called_on = threading.current_thread().name

            async def run() -> str:
                assert threading.current_thread().name == called_on
                return called_on

            return run()

        async for name in threaded_map(begin, range(10), num_threads=2):
            assert name.startswith(WORKER_PREFIX)

    async def test_inputs_are_read_here(self) -> None:
        threads = set()

        def numbers() -> Iterator[int]:
            for number in range(20):
                threads.add(threading.current_thread())
                yield number

        async for _ in threaded_map(double, numbers(), num_threads=2, buffersize=3):
            pass
        assert threads == {threading.current_thread()}

    async def test_no_inputs(self) -> None:
        assert [each async for each in threaded_map(double, [], num_threads=2)] == []
        assert [each async for each in threaded_map(double, AsyncNumbers(0))] == []

    async def test_awaited_first(self) -> None:
        results = await threaded_map(double, range(3), num_threads=1)
        assert [each async for each in results] == [0, 2, 4]

    async def test_on_a_pool(self) -> None:
        async with LoopPool(2) as pool:
            names = {each async for each in threaded_map(where, range(20), pool=pool)}
            assert len(names) <= 2
            # Which is as it was.
            assert await pool.run(double(2)) == 4
            assert [each async for each in threaded_map(double, range(3), pool=pool)] == [0, 2, 4]

    async def test_nested(self) -> None:
        async def inner(number: int) -> list[int]:
            return [each async for each in threaded_map(double, range(number), num_threads=2)]

        results = [each async for each in threaded_map(inner, range(6), num_threads=2)]
        assert results == [[2 * each for each in range(number)] for number in range(6)]


class TestBounds:
    async def test_64_inputs_for_each_thread_if_it_is_not_said(self) -> None:
        numbers = Numbers()
        async with threaded_map(double, numbers, num_threads=2) as results:
            assert numbers.made == 128
            await anext(results)
            assert numbers.made == 129

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_buffersize(self, ordered: bool) -> None:
        numbers, gate = Numbers(), Gate()
        mapping = threaded_map(gate.hold, numbers, num_threads=2, buffersize=5, ordered=ordered)
        async with mapping as results:
            await gate.inside(5)
            assert (numbers.made, gate.alive.now) == (5, 5)
            gate.open()
            for taken in range(1, 20):
                await anext(results)
                assert numbers.made == taken + 5
        assert gate.alive.most <= 5

    async def test_max_concurrency(self) -> None:
        numbers, gate = Numbers(20), Gate()
        results = threaded_map(gate.hold, numbers, num_threads=2, buffersize=10, max_concurrency=3)
        await gate.inside(3)
        await asyncio.sleep(0.02)
        assert (numbers.made, gate.alive.now) == (10, 3)
        gate.open()
        assert [each async for each in results] == [*range(20)]
        assert gate.alive.most == 3

    async def test_larger_than_any(self) -> None:
        results = threaded_map(double, range(5), buffersize=2**80, max_concurrency=2**80)
        assert [each async for each in results] == [0, 2, 4, 6, 8]


class TestFailures:
    @pytest.mark.parametrize("ordered", [True, False])
    async def test_of_the_function(self, ordered: bool) -> None:
        gate = Gate()

        async def work(number: int) -> int:
            if number == 2:
                await gate.inside(2)
                raise KeyError("of a job")
            return await gate.hold(number)

        before = busy()
        results = threaded_map(work, range(20), num_threads=2, ordered=ordered)
        if ordered:
            asyncio.get_running_loop().call_later(0.02, gate.open)
        with pytest.raises(KeyError, match="of a job"):
            async for _ in results:
                pass
        # All that had begun has ended, and the threads are given back.
        assert sorted(gate.entered) == sorted(gate.ended)
        assert await eventually_async(lambda: busy() <= before)

    async def test_of_an_iterable(self) -> None:
        for source in (Numbers(3, KeyError("midway")), AsyncNumbers(3, KeyError("midway"))):
            results = threaded_map(double, source, num_threads=2)
            assert [await anext(results) for _ in range(3)] == [0, 2, 4]
            with pytest.raises(KeyError, match="midway"):
                await anext(results)

    async def test_as_results(self) -> None:
        async def work(number: int) -> float:
            return 1 / number

        results = threaded_map(work, [1, 0, 2], num_threads=2, return_exceptions=True)
        taken: list[object] = [each async for each in results]
        assert taken[::2] == [1.0, 0.5]
        assert isinstance(taken[1], ZeroDivisionError)

    async def test_in_time(self) -> None:
        gate = Gate()
        with pytest.raises(TimeoutError):
            async for _ in threaded_map(gate.hold, range(5), num_threads=2, timeout=0.05):
                pass
        assert gate.alive.now == 0

    async def test_a_call_that_fails_leaves_no_thread(self) -> None:
        class Refuses:
            def __iter__(self) -> Iterator[int]:
                raise KeyError("no iterator")

        class HasNoLength(list[int]):
            def __len__(self) -> int:
                raise KeyError("no length")

        class Interrupts:
            def __iter__(self) -> Iterator[int]:
                yield 1
                raise KeyboardInterrupt

        before = busy()
        with pytest.raises(KeyError, match="no iterator"):
            threaded_map(double, Refuses(), num_threads=2)
        with pytest.raises(KeyError, match="no length"):
            threaded_map(double, HasNoLength(), num_threads=2, progress=print)
        with pytest.raises(KeyboardInterrupt):
            threaded_map(double, Interrupts(), num_threads=2)
        assert await eventually_async(lambda: busy() <= before)

    async def test_a_loop_that_cannot_be_made(self) -> None:
        def factory() -> asyncio.AbstractEventLoop:
            raise OSError("no loop today")

        results = threaded_map(double, range(5), num_threads=2, loop_factory=factory)
        with pytest.raises(OSError, match="no loop today"):
            await asyncio.wait_for(anext(results), PATIENCE)
        assert [each async for each in results] == []

    async def test_a_pool_that_is_not_open(self) -> None:
        pool = LoopPool(1)
        with pytest.raises(RuntimeError):
            threaded_map(double, range(5), pool=pool)
        async with pool:
            pass
        with pytest.raises(RuntimeError):
            threaded_map(double, range(5), pool=pool)

    async def test_a_pool_that_closes_meanwhile(self) -> None:
        gate = Gate()
        with pytest.raises(KeyError):
            async with LoopPool(2) as pool:
                results = threaded_map(gate.hold, range(20), pool=pool, buffersize=4)
                await gate.inside(4)
                raise KeyError
        assert sorted(gate.entered) == sorted(gate.ended)
        with pytest.raises((asyncio.CancelledError, RuntimeError)):
            await asyncio.wait_for(anext(results), PATIENCE)
        assert [each async for each in results] == []


class TestLeavingEarly:
    async def test_by_dropping_it(self) -> None:
        gate = Gate()
        before = busy()
        async for _ in threaded_map(
            lambda n: gate.hold(n) if n else double(n), itertools.count(), num_threads=2
        ):
            await gate.inside(5)
            break
        assert await eventually_async(lambda: sorted(gate.entered) == sorted(gate.ended))
        assert await eventually_async(lambda: busy() <= before)

    async def test_by_its_block(self) -> None:
        gate = Gate()
        async with threaded_map(gate.hold, itertools.count(), num_threads=2):
            await gate.inside(5)
        assert sorted(gate.entered) == sorted(gate.ended)

    async def test_by_a_cancellation(self) -> None:
        gate = Gate()

        async def use() -> None:
            async with threaded_map(gate.hold, itertools.count(), num_threads=2) as results:
                await anext(results)

        task = asyncio.ensure_future(use())
        await gate.inside(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(gate.entered) == sorted(gate.ended)

    async def test_on_another_thread(self) -> None:
        gate = Gate()
        kept = [threaded_map(gate.hold, itertools.count(), num_threads=2)]
        await gate.inside(5)
        await asyncio.to_thread(kept.clear)
        assert await eventually_async(lambda: sorted(gate.entered) == sorted(gate.ended))

    def test_by_the_end_of_the_loop(self) -> None:
        gate = Gate()
        kept = []

        async def main() -> None:
            kept.append(threaded_map(gate.hold, itertools.count(), num_threads=2))
            await gate.inside(5)

        asyncio.run(main())
        assert eventually(lambda: sorted(gate.entered) == sorted(gate.ended))
        kept.clear()
        gc.collect()

    def test_by_the_end_of_the_loop_while_inputs_are_waited_for(self) -> None:
        ended = Signal()

        async def silent() -> AsyncIterator[int]:
            try:
                yield 1
                await for_ever()
            finally:
                ended.set()

        async def main() -> None:
            results = threaded_map(double, silent(), num_threads=2)
            assert await anext(results) == 2
            kept.append(results)
            await turns()

        kept: list[object] = []
        asyncio.run(main())
        assert ended.is_set()
        kept.clear()
        gc.collect()
