"""`map` that is not iterated over to its end: what is under way is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
import weakref
from typing import Any

import pytest
from support import PATIENCE, Signal, eventually_async, for_ever, reports

from thrasks import MapIterator

from .support import AsyncNumbers, Gate, Kind, Numbers, double, turns


class Slow:
    """A map of which the first result is there and the others are under way or queued."""

    def __init__(self) -> None:
        self.gate = Gate()

    async def work(self, number: int) -> int:
        return number if number == 0 else await self.gate.hold(number)

    async def has_begun(self) -> None:
        await self.gate.inside(2)

    def has_ended(self) -> bool:
        return sorted(self.gate.entered) == sorted(self.gate.ended)


async def never_comes_back(slow: Slow) -> None:
    """Wait until all has ended, and see that no more begins."""
    assert await eventually_async(slow.has_ended)
    entered = len(slow.gate.entered)
    await turns()
    assert len(slow.gate.entered) == entered


class TestClosing:
    @pytest.mark.parametrize("ordered", [True, False])
    @pytest.mark.parametrize("buffersize", [None, 4])
    async def test_aclose_waits_for_what_is_under_way(
        self, kind: Kind, ordered: bool, buffersize: int | None
    ) -> None:
        slow = Slow()
        async with kind.open(2) as executor:
            results = executor.map(slow.work, range(20), ordered=ordered, buffersize=buffersize)
            assert await anext(results) == 0
            await slow.has_begun()
            await results.aclose()
            assert slow.has_ended()
            assert [each async for each in results] == []
            # The executor goes on.
            assert await executor.submit(double, 2) == 4

    async def test_the_block_of_one(self, kind: Kind) -> None:
        slow = Slow()
        async with kind.open(2) as executor:
            async with executor.map(slow.work, itertools.count(), buffersize=5) as results:
                async for each in results:
                    assert each == 0
                    await slow.has_begun()
                    break
            assert slow.has_ended()

    async def test_the_block_is_left_by_an_exception(self, kind: Kind) -> None:
        slow = Slow()
        async with kind.open(2) as executor:
            with pytest.raises(KeyError, match="of the body"):
                async with executor.map(slow.work, range(20)):
                    await slow.has_begun()
                    raise KeyError("of the body")
            assert slow.has_ended()

    async def test_by_contextlib(self, kind: Kind) -> None:
        slow = Slow()
        async with kind.open(2) as executor:
            async with contextlib.aclosing(executor.map(slow.work, range(20))) as results:
                assert await anext(results) == 0
                await slow.has_begun()
            assert slow.has_ended()

    async def test_before_anything_was_taken(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            results = executor.map(gate.hold, range(20))
            await gate.inside(2)
            await results.aclose()
            assert sorted(gate.entered) == sorted(gate.ended)
            results = executor.map(gate.hold, range(20))
            await results.aclose()
            assert gate.alive.now == 0

    async def test_more_than_once(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            results = executor.map(gate.hold, range(4))
            for _ in range(3):
                await results.aclose()
            results = executor.map(double, range(4))
            assert [each async for each in results] == [0, 2, 4, 6]
            await results.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(results)

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_as_the_jobs_end(self, kind: Kind, ordered: bool) -> None:
        # Whichever step they are at.
        async with kind.open(3) as executor:
            for count in range(40):
                results = executor.map(double, range(10), ordered=ordered, buffersize=5)
                await turns(count // 4)
                for _ in range(count % 4):
                    await anext(results)
                await results.aclose()

    async def test_while_another_task_waits(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            results = executor.map(gate.hold, range(4))
            taking = asyncio.ensure_future(anext(results, "over"))
            await gate.inside(2)
            await turns(2)
            await results.aclose()
            assert await asyncio.wait_for(taking, PATIENCE) == "over"

    async def test_jobs_that_take_their_time_are_waited_for(self, kind: Kind) -> None:
        let, cleaning = Signal(), Signal()

        async def work(_: int) -> None:
            try:
                await for_ever(inside)
            finally:
                cleaning.set()
                await let.wait()

        inside = Signal()
        async with kind.open(1) as executor:
            results = executor.map(work, range(3))
            await inside.wait()
            closing = asyncio.ensure_future(results.aclose())
            await cleaning.wait()
            await turns()
            assert not closing.done()
            let.set()
            await closing

    async def test_a_cancellation_does_not_end_the_wait(self, kind: Kind) -> None:
        let, cleaning = Signal(), Signal()
        ended: list[bool] = []

        async def work(_: int) -> None:
            try:
                await for_ever(inside)
            finally:
                cleaning.set()
                await let.wait()
                ended.append(True)

        inside = Signal()
        async with kind.open(1) as executor:
            results = executor.map(work, range(3))
            await inside.wait()
            closing = asyncio.ensure_future(results.aclose())
            await cleaning.wait()
            for _ in range(3):
                closing.cancel()
                await turns()
                assert not closing.done()
            let.set()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert ended == [True]

    async def test_the_task_that_iterates_is_cancelled(self, kind: Kind) -> None:
        slow = Slow()

        async def iterate() -> None:
            async with executor.map(slow.work, range(20)) as results:
                async for _ in results:
                    pass

        async with kind.open(2) as executor:
            task = asyncio.ensure_future(iterate())
            await slow.has_begun()
            await turns()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert slow.has_ended()


class TestDropping:
    @pytest.mark.parametrize("ordered", [True, False])
    async def test_what_is_under_way_is_cancelled(self, kind: Kind, ordered: bool) -> None:
        slow = Slow()
        async with kind.open(2) as executor:
            async for each in executor.map(slow.work, range(20), ordered=ordered):
                assert each == 0
                await slow.has_begun()
                break
            await never_comes_back(slow)

    async def test_the_end_of_the_executor_waits_for_it(self, kind: Kind) -> None:
        slow = Slow()
        async with kind.open(2) as executor:
            async for _ in executor.map(slow.work, itertools.count(), buffersize=5):
                await slow.has_begun()
                break
        assert slow.has_ended()

    async def test_in_a_cycle(self, kind: Kind) -> None:
        class Holder:
            results: MapIterator[int]
            me: Any

        slow = Slow()
        async with kind.open(2) as executor:
            holder = Holder()
            holder.me = holder
            holder.results = executor.map(slow.work, range(20))
            await slow.has_begun()
            del holder
            gc.collect()
            await never_comes_back(slow)

    async def test_on_another_thread(self, kind: Kind) -> None:
        slow = Slow()
        async with kind.open(2) as executor:
            kept = [executor.map(slow.work, range(20))]
            await slow.has_begun()
            thread = threading.Thread(target=kept.clear)
            thread.start()
            await never_comes_back(slow)
            thread.join()

    async def test_the_iterator_dies_at_once(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            results = executor.map(gate.hold, range(3))
            await gate.inside(2)
            dead = weakref.ref(results)
            del results
            assert dead() is None
            assert await eventually_async(lambda: not gate.alive.now)

    async def test_endless_inputs_end(self, kind: Kind) -> None:
        numbers, later = Numbers(), AsyncNumbers()
        async with kind.open(2) as executor:
            async for _ in executor.map(double, numbers, buffersize=3):
                break
            async for _ in executor.map(double, later, buffersize=3):
                break
            assert await eventually_async(later.closed.is_set)
            made = numbers.made, later.made
            await turns()
            assert (numbers.made, later.made) == made

    async def test_failures_that_nobody_took_are_not_told(self, kind: Kind) -> None:
        async def fail(number: int) -> None:
            raise ValueError(number)

        with reports() as seen:
            async with kind.open() as executor:
                for ordered in (True, False):
                    results = executor.map(fail, range(5), ordered=ordered)
                    await turns()
                    assert "to be taken" in repr(results)
                    del results
            gc.collect()
            await turns()
        assert seen == []

    async def test_after_its_end(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(5))
            assert [each async for each in results] == [0, 2, 4, 6, 8]
            del results
            results = executor.map(double, range(5))
        del results


class TestAfterTheLoop:
    @pytest.mark.parametrize("ordered", [True, False])
    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_the_iterator_outlives_asyncio_run(
        self, ordered: bool, num_threads: int | None
    ) -> None:
        from thrasks import TaskPoolExecutor

        kept = []

        async def fail(number: int) -> int:
            if number:
                raise ValueError(number)
            return number

        async def main() -> None:
            executor = TaskPoolExecutor(2, num_threads=num_threads)
            results = executor.map(fail, range(5), ordered=ordered)
            kept.append(results)
            await turns()
            kept.append(executor.map(double, range(5), ordered=ordered, buffersize=2))

        asyncio.run(main())
        # Nothing is said of the failures that nobody took: see the check after the test.
        kept.clear()
        gc.collect()
