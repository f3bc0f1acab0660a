"""`map`: how far ahead inputs are read, endless ones, and asynchronous ones."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import flavours
import pytest
from support import PATIENCE, eventually_async

from thrasks import ChannelClosed, FromThreadChannel, TaskPoolExecutor, iterate, threaded

from .support import AsyncNumbers, Gate, Kind, Numbers, double, identity, turns


async def pair(one: Any, other: Any) -> tuple[Any, Any]:
    return one, other


async def triple(one: Any, other: Any, third: Any) -> tuple[Any, Any, Any]:
    return one, other, third


class TestBuffersize:
    @pytest.mark.parametrize("ordered", [True, False])
    @pytest.mark.parametrize("buffersize", [1, 2, 10])
    async def test_so_many_inputs_are_read_ahead_and_no_more(
        self, kind: Kind, ordered: bool, buffersize: int
    ) -> None:
        numbers = Numbers(50)
        taken = 0
        async with kind.open(3) as executor:
            results = executor.map(double, numbers, buffersize=buffersize, ordered=ordered)
            assert numbers.made == buffersize
            await turns()
            assert numbers.made == buffersize
            async for _ in results:
                taken += 1
                assert numbers.made == min(taken + buffersize, 50)
                await turns(3)
                assert numbers.made == min(taken + buffersize, 50)
        assert taken == 50

    async def test_what_is_under_way_counts(self, kind: Kind) -> None:
        numbers, gate = Numbers(), Gate()
        async with (
            kind.open(10) as executor,
            executor.map(gate.hold, numbers, buffersize=4) as results,
        ):
            await gate.inside(4)
            await turns()
            assert (numbers.made, gate.alive.now) == (4, 4)
            gate.open()
            assert [await anext(results) for _ in range(10)] == [*range(10)]
            assert numbers.made == 14
        assert gate.alive.most <= 4

    async def test_larger_than_the_input(self, kind: Kind) -> None:
        async with kind.open() as executor:
            for buffersize in (3, 4, 1000, sys.maxsize, 2**100):
                results = executor.map(double, range(3), buffersize=buffersize)
                assert [each async for each in results] == [0, 2, 4]

    async def test_without_it_everything_is_read_at_once(self, kind: Kind) -> None:
        numbers = Numbers(500)
        async with kind.open() as executor:
            results = executor.map(double, numbers)
            assert numbers.made == 500
            assert [each async for each in results] == [2 * number for number in range(500)]

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_endless_inputs(self, kind: Kind, ordered: bool) -> None:
        async with kind.open() as executor:
            mapping = executor.map(double, itertools.count(), buffersize=8, ordered=ordered)
            taken = []
            async with mapping as results:
                async for each in results:
                    taken.append(each)
                    if len(taken) == 200:
                        break
        if ordered:
            assert taken == [2 * number for number in range(200)]
        assert len(set(taken)) == 200


class TestAsynchronous:
    async def test_a_generator(self, kind: Kind) -> None:
        numbers = AsyncNumbers(20)
        async with kind.open() as executor:
            results = executor.map(double, numbers)
            assert [each async for each in results] == [2 * number for number in range(20)]
        assert numbers.closed.is_set()

    async def test_unordered(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, AsyncNumbers(20), ordered=False)
            assert sorted([each async for each in results]) == [2 * n for n in range(20)]

    async def test_none(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert [each async for each in executor.map(double, AsyncNumbers(0))] == []

    async def test_jobs_begin_before_a_result_is_asked_for(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            results = executor.map(gate.hold, AsyncNumbers(4))
            await gate.inside(2)
            gate.open()
            assert [each async for each in results] == [*range(4)]

    @pytest.mark.parametrize("buffersize", [1, 3])
    async def test_so_many_are_read_ahead_and_no_more(self, kind: Kind, buffersize: int) -> None:
        numbers = AsyncNumbers(30)
        taken = 0
        async with kind.open() as executor:
            results = executor.map(double, numbers, buffersize=buffersize)
            assert await eventually_async(lambda: numbers.made == buffersize)
            await turns()
            assert numbers.made == buffersize
            async for _ in results:
                taken += 1
                assert numbers.made <= taken + buffersize
                await turns(10)
                assert numbers.made == min(taken + buffersize, 30)
        assert taken == 30

    async def test_two_for_each_worker_if_it_is_not_said(self, kind: Kind) -> None:
        numbers = AsyncNumbers()
        async with kind.open(3) as executor:
            async with executor.map(double, numbers):
                assert await eventually_async(lambda: numbers.made == 6)
                await turns(50)
                assert numbers.made == 6
            assert numbers.closed.is_set()

    async def test_endless(self, kind: Kind) -> None:
        numbers = AsyncNumbers()
        async with kind.open(2) as executor:
            async with executor.map(double, numbers) as results:
                assert [await anext(results) for _ in range(50)] == [2 * n for n in range(50)]
            assert await eventually_async(numbers.closed.is_set)

    async def test_mixed_with_synchronous_ones(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(triple, AsyncNumbers(), "abc", AsyncNumbers())
            assert [each async for each in results] == [(0, "a", 0), (1, "b", 1), (2, "c", 2)]
            results_2 = executor.map(pair, itertools.count(), AsyncNumbers(2))
            assert [each async for each in results_2] == [(0, 0), (1, 1)]

    async def test_an_iterator_that_is_only_one(self, kind: Kind) -> None:
        class Only:
            """What `async for` takes: nothing more is asked of an asynchronous iterator."""

            def __init__(self) -> None:
                self.left = 3

            async def __anext__(self) -> int:
                if not self.left:
                    raise StopAsyncIteration
                self.left -= 1
                return self.left

        class Source:
            def __aiter__(self) -> AsyncIterator[int]:
                return Only()  # type: ignore[return-value]

        async with kind.open() as executor:
            assert [each async for each in executor.map(double, Source())] == [4, 2, 0]

    async def test_a_channel_that_is_filled_by_a_thread(self, kind: Kind) -> None:
        channel = FromThreadChannel[int](2)

        @threaded
        def fill() -> None:
            for number in range(30):
                channel.put(number)
            channel.close()

        async def received() -> AsyncIterator[int]:
            with contextlib.suppress(ChannelClosed):
                while True:
                    yield await channel.get()

        filling = fill()
        async with kind.open() as executor:
            results = executor.map(double, received(), buffersize=3)
            assert [each async for each in results] == [2 * number for number in range(30)]
        await filling

    async def test_an_iterator_on_a_thread(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, iterate(range(30), buffer_maxsize=2))
            assert [each async for each in results] == [2 * number for number in range(30)]

    async def test_another_map(self, kind: Kind) -> None:
        async with kind.open() as one, kind.open() as other:
            first = one.map(double, range(20), buffersize=3)
            second = other.map(double, first, buffersize=3)
            assert [each async for each in second] == [4 * number for number in range(20)]

    async def test_results_come_while_an_input_is_waited_for(self, kind: Kind) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def numbers() -> AsyncIterator[int]:
            while (number := await queue.get()) >= 0:
                yield number

        async with kind.open() as executor:
            results = executor.map(double, numbers())
            for number in range(5):
                taking = asyncio.ensure_future(anext(results))
                await turns()
                assert not taking.done()
                queue.put_nowait(number)
                assert await asyncio.wait_for(taking, PATIENCE) == 2 * number
            queue.put_nowait(-1)
            with pytest.raises(StopAsyncIteration):
                await anext(results)


class TestMemory:
    @pytest.mark.process
    @pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
    @pytest.mark.parametrize("ordered", [True, False])
    @pytest.mark.parametrize("options", ["", "num_threads=2"], ids=["loop", "threads"])
    @pytest.mark.parametrize(
        "count", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)], ids=["100k", "1M"]
    )
    def test_it_is_flat(self, ordered: bool, options: str, count: int) -> None:
        program = f"""
import asyncio, gc, os
from thrasks import TaskPoolExecutor

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def work(blob):
    return blob

def inputs():
    for number in range({count}):
        yield bytearray(2000)

async def main():
    taken = 0
    async with TaskPoolExecutor(20, {options}) as executor:
        async for blob in executor.map(work, inputs(), buffersize=100, ordered={ordered}):
            taken += 1
            if taken == {count // 10}:
                gc.collect()
                before = resident()
    gc.collect()
    assert taken == {count}
    # What was mapped since is ten times and more of this.
    grown = resident() - before
    assert grown < 16_000_000, grown
    print("flat")

asyncio.run(main())
"""
        done = subprocess.run(
            [sys.executable, "-c", flavours.prelude() + program],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("flat\n", "")

    async def test_results_that_were_taken_are_let_go(self, kind: Kind) -> None:
        class Result:
            pass

        async def make(_: int) -> Result:
            return Result()

        def alive() -> int:
            gc.collect()
            return sum(type(each) is Result for each in gc.get_objects())

        async with kind.open(2) as executor:
            results = executor.map(make, range(50), buffersize=5)
            for _ in range(50):
                await anext(results)
                assert await eventually_async(lambda: alive() <= 5)
            assert await eventually_async(lambda: alive() == 0)

    async def test_a_map_of_many_is_not_deep(self) -> None:
        async with TaskPoolExecutor(1) as executor:
            results = [each async for each in executor.map(identity, range(20_000))]
        assert results == [*range(20_000)]
