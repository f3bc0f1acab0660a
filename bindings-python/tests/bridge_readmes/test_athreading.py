"""Every program that the README of athreading shows, in our own words, with what it prints.

`athreading` is `thrasks` here. Its programs sleep for half a second in each step, and print the
time; here those that are said to run at once meet. In the README's order:

==================================  ================================================================
Heading                             Test
==================================  ================================================================
Callable → Coroutine                TestCall.test_synchronous, TestCall.test_asynchronous
Iterator → AsyncIterator            TestIterate.test_synchronous, TestIterate.test_asynchronous
Generator → AsyncGenerator          TestGenerate (the README has the headings, and no programs yet)
Maintenance                         (how that project is developed)
==================================  ================================================================

What its sentences say of `iterate` and `generate` is each other's: it is as the headings say that
they work, there and here.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import Everybody, Signal, python

import thrasks

STREAMS, STEPS = 4, 3

#: (1.4142135623730951, 1.7320508075688772, 2.0)
ROOTS = tuple(math.sqrt(x) for x in (2, 3, 4))


def thread() -> str:
    return threading.current_thread().name


class TestCall:
    @staticmethod
    def print_root(meet: Callable[[], None]) -> Callable[[float], float]:
        def print_root(x: float) -> float:
            meet()
            root = math.sqrt(x)
            # In one piece: print() writes the end of the line by itself, and lines of threads mix.
            print(f"{root}\n", end="")
            return root

        return print_root

    def test_synchronous(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_root = self.print_root(lambda: None)
        print((print_root(2), print_root(3), print_root(4)))
        assert capsys.readouterr().out.splitlines() == [*map(str, ROOTS), str(ROOTS)]

    def test_asynchronous(self, capsys: pytest.CaptureFixture[str]) -> None:
        # Nobody would get past this, were one to end before the next begins.
        together = Everybody(3)

        async def main() -> None:
            aprint_root = thrasks.call(self.print_root(together.meet_blocking))
            found = await asyncio.gather(aprint_root(2), aprint_root(3), aprint_root(4))
            print(tuple(found))

        asyncio.run(main())
        # The three threads print in any order.
        *printed, last = capsys.readouterr().out.splitlines()
        assert sorted(printed) == [str(root) for root in ROOTS]
        assert last == str(ROOTS)


class TestIterate:
    def test_synchronous(self, capsys: pytest.CaptureFixture[str]) -> None:
        def worker(count: int) -> Iterator[int]:
            yield from range(count)

        def print_stream(number: int, stream: Iterator[int]) -> None:
            for step in stream:
                print("stream", number, "step", step)

        for number in range(STREAMS):
            print_stream(number, worker(STEPS))
        # One stream after the other.
        assert capsys.readouterr().out.splitlines() == [
            f"stream {number} step {step}" for number in range(STREAMS) for step in range(STEPS)
        ]

    @pytest.mark.parametrize("convert", [thrasks.iterate, thrasks.generate])
    def test_asynchronous(
        self,
        convert: Callable[[Generator[int], ThreadPoolExecutor], thrasks.ThreadedAsyncIterator[int]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        # All take a step at once, and the next one when all have printed the last.
        steps = [Everybody(STREAMS) for _ in range(STEPS)]
        printed = [Signal() for _ in range(STEPS)]
        missing = [STREAMS] * STEPS
        threads: dict[int, set[str]] = {number: set() for number in range(STREAMS)}

        def worker(number: int) -> Generator[int]:
            for step in range(STEPS):
                if step:
                    printed[step - 1].block()
                steps[step].meet_blocking()
                threads[number].add(thread())
                yield step

        async def aprint_stream(number: int, stream: thrasks.ThreadedAsyncIterator[int]) -> None:
            async with stream:
                async for step in stream:
                    print("stream", number, "step", step)
                    missing[step] -= 1
                    if not missing[step]:
                        printed[step].set()

        async def run() -> None:
            with ThreadPoolExecutor(STREAMS, thread_name_prefix="mine") as executor:
                await asyncio.gather(
                    *[
                        aprint_stream(number, convert(worker(number), executor))
                        for number in range(STREAMS)
                    ]
                )

        asyncio.run(run())
        lines = capsys.readouterr().out.splitlines()
        for step in range(STEPS):
            of_step = lines[step * STREAMS : (step + 1) * STREAMS]
            assert sorted(of_step) == [f"stream {i} step {step}" for i in range(STREAMS)]
        # Each on one thread of the executor.
        assert all(len(names) == 1 for names in threads.values())
        assert set().union(*threads.values()) == {f"mine_{i}" for i in range(STREAMS)}

    def test_asynchronous_as_a_whole_program(self) -> None:
        # Nobody shuts its executor down.
        done = python(
            """
            import asyncio
            from concurrent.futures import ThreadPoolExecutor
            import thrasks

            def worker(count):
                yield from range(count)

            async def aprint_stream(number, stream):
                async with stream:
                    async for step in stream:
                        print(number, step)

            async def run():
                executor = ThreadPoolExecutor(max_workers=4)
                await asyncio.gather(
                    *[aprint_stream(i, thrasks.iterate(worker(3), executor)) for i in range(4)]
                )

            asyncio.run(run())
            """
        )
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert sorted(lines) == [f"{number} {step}" for number in range(4) for step in range(3)]
        for number in "0123":
            steps = [line.split()[1] for line in lines if line.startswith(number)]
            assert steps == ["0", "1", "2"]


class TestGenerate:
    """The heading's promise: what a generator can do, as an asynchronous generator can."""

    @staticmethod
    def average() -> Generator[float, float, None]:
        total, count, mean = 0.0, 0, 0.0
        while True:
            total += yield mean
            count += 1
            mean = total / count

    def test_synchronous(self) -> None:
        averages = self.average()
        next(averages)
        assert [averages.send(x) for x in (10, 20, 60)] == [10, 15, 30]
        averages.close()

    @pytest.mark.parametrize("of_a_function", [True, False])
    async def test_asynchronous(self, of_a_function: bool) -> None:
        make = thrasks.generate(self.average)
        averages = make() if of_a_function else thrasks.generate(self.average())
        assert isinstance(averages, AsyncGenerator)
        await anext(averages)
        assert [await averages.asend(x) for x in (10, 20, 60)] == [10, 15, 30]
        await averages.aclose()
        with pytest.raises(StopAsyncIteration):
            await averages.asend(1)

    async def test_what_the_headings_convert_to(self) -> None:
        def worker(count: int) -> Generator[int, None, None]:
            yield from range(count)

        iterator = thrasks.iterate(worker)(3)
        generator = thrasks.generate(worker)(3)
        assert isinstance(iterator, AsyncIterator)
        assert not isinstance(iterator, AsyncGenerator)
        assert isinstance(generator, AsyncGenerator)
        assert [i async for i in iterator] == [i async for i in generator] == [0, 1, 2]
