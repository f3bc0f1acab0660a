"""`map`: functions and iterables that raise, results that come too late."""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support import PATIENCE, Signal, eventually_async, for_ever, reports

from .support import AsyncNumbers, Gate, Kind, Numbers, double, identity, turns


class OfTheJobError(Exception):
    pass


class OfTheInputError(Exception):
    pass


async def rest(results: Any) -> list[Any]:
    return [each async for each in results]


class TestFunctionsThatRaise:
    async def test_results_before_it_are_delivered(self, kind: Kind) -> None:
        async def work(number: int) -> int:
            if number == 3:
                raise OfTheJobError
            return number

        async with kind.open() as executor:
            results = executor.map(work, range(10))
            assert [await anext(results) for _ in range(3)] == [0, 1, 2]
            with pytest.raises(OfTheJobError):
                await anext(results)
            # And it is over.
            assert await rest(results) == []

    async def test_the_rest_has_ended_when_it_arrives(self, kind: Kind) -> None:
        gate = Gate()
        error = OfTheJobError("of the first")

        async def work(number: int) -> int:
            if number == 0:
                await gate.inside(2)
                raise error
            return await gate.hold(number)

        async with kind.open(3) as executor:
            results = executor.map(work, range(10))
            with pytest.raises(OfTheJobError) as caught:
                await anext(results)
            assert caught.value is error
            # Those that had begun; the others never do.
            assert sorted(gate.entered) == sorted(gate.ended)
            assert gate.alive.now == 0
            entered = len(gate.entered)
            await turns()
            assert len(gate.entered) == entered
            # The executor goes on.
            assert await executor.submit(double, 2) == 4

    async def test_unordered_the_first_comes_first(self, kind: Kind) -> None:
        gate = Gate()

        async def work(number: int) -> int:
            if number == 2:
                await gate.inside(2)
                raise OfTheJobError
            return await gate.hold(number)

        async with kind.open(3) as executor:
            results = executor.map(work, range(10), ordered=False)
            with pytest.raises(OfTheJobError):
                await anext(results)
            # Another may have begun in its place.
            assert sorted(gate.entered) == sorted(gate.ended)
            assert sorted(gate.entered)[:2] == [0, 1]

    async def test_ordered_it_waits_for_its_turn(self, kind: Kind) -> None:
        gate = Gate()

        async def work(number: int) -> int:
            if number == 1:
                raise OfTheJobError
            return await gate.hold(number)

        async with kind.open(3) as executor:
            results = executor.map(work, range(3))
            taking = asyncio.ensure_future(anext(results))
            await gate.inside(2)
            await turns()
            assert not taking.done()
            gate.open()
            assert await taking == 0
            with pytest.raises(OfTheJobError):
                await anext(results)

    async def test_its_traceback_leads_to_the_job(self, kind: Kind) -> None:
        async def work(_: int) -> None:
            raise OfTheJobError

        async with kind.open() as executor:
            with pytest.raises(OfTheJobError) as caught:
                await anext(executor.map(work, [1]))
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names[-1] == "work"
        assert caught.value.__context__ is None

    async def test_the_others_failures_are_not_told(self, kind: Kind) -> None:
        async def work(number: int) -> None:
            raise OfTheJobError(number)

        with reports() as seen:
            async with kind.open() as executor:
                results = executor.map(work, range(10))
                with pytest.raises(OfTheJobError, match="0"):
                    await anext(results)
                del results
                gc.collect()
                await turns()
        assert seen == []

    async def test_a_job_that_cancels_itself(self, kind: Kind) -> None:
        async def work(number: int) -> int:
            if number == 1:
                raise asyncio.CancelledError
            return number

        async with kind.open() as executor:
            results = executor.map(work, range(5))
            assert await anext(results) == 0
            with pytest.raises(asyncio.CancelledError):
                await anext(results)
            assert await rest(results) == []

    async def test_while_an_asynchronous_input_is_waited_for(self, kind: Kind) -> None:
        ended = Signal()

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 0
                await for_ever()
            finally:
                await asyncio.sleep(0)
                ended.set()

        async def work(_: int) -> None:
            raise OfTheJobError

        async with kind.open() as executor:
            with pytest.raises(OfTheJobError):
                await asyncio.wait_for(rest(executor.map(work, numbers())), PATIENCE)
            assert ended.is_set()


class TestReturnExceptions:
    @pytest.mark.parametrize("ordered", [True, False])
    async def test_they_are_results(self, kind: Kind, ordered: bool) -> None:
        async def work(number: int) -> int:
            await asyncio.sleep(0)
            if number % 3 == 0:
                raise OfTheJobError(number)
            if number % 3 == 1:
                raise asyncio.CancelledError
            return number

        async with kind.open() as executor:
            results = await rest(
                executor.map(work, range(30), return_exceptions=True, ordered=ordered)
            )
        assert len(results) == 30
        assert sum(isinstance(each, OfTheJobError) for each in results) == 10
        assert sum(isinstance(each, asyncio.CancelledError) for each in results) == 10
        if ordered:
            assert [each for each in results if isinstance(each, int)] == [*range(2, 30, 3)]
            assert isinstance(results[3], OfTheJobError)

    async def test_those_of_iterables_are_raised(self, kind: Kind) -> None:
        async with kind.open() as executor:
            numbers = Numbers(2, OfTheInputError())
            results = executor.map(double, numbers, return_exceptions=True)
            assert [await anext(results) for _ in range(2)] == [0, 2]
            with pytest.raises(OfTheInputError):
                await anext(results)

    async def test_those_that_are_cancelled_from_outside(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(1) as executor:
            results = executor.map(gate.hold, range(3), return_exceptions=True)
            await gate.inside(1)
            await executor.shutdown(wait=False, cancel_futures=True)
            gate.open()
            taken = await rest(results)
        assert taken[0] == 0
        assert [type(each) for each in taken[1:]] == [asyncio.CancelledError] * 2


class TestIterablesThatRaise:
    @pytest.mark.parametrize("buffersize", [None, 1, 2, 10])
    @pytest.mark.parametrize("source", [Numbers, AsyncNumbers])
    async def test_results_before_it_are_delivered(
        self, kind: Kind, source: Any, buffersize: int | None
    ) -> None:
        async with kind.open() as executor:
            numbers = source(4, OfTheInputError("midway"))
            results = executor.map(double, numbers, buffersize=buffersize)
            assert [await anext(results) for _ in range(4)] == [0, 2, 4, 6]
            with pytest.raises(OfTheInputError, match="midway"):
                await anext(results)
            assert await rest(results) == []

    @pytest.mark.parametrize("source", [Numbers, AsyncNumbers])
    async def test_unordered(self, kind: Kind, source: Any) -> None:
        async with kind.open() as executor:
            results = executor.map(double, source(4, OfTheInputError()), ordered=False)
            assert sorted([await anext(results) for _ in range(4)]) == [0, 2, 4, 6]
            with pytest.raises(OfTheInputError):
                await anext(results)

    @pytest.mark.parametrize("source", [Numbers, AsyncNumbers])
    async def test_at_once(self, kind: Kind, source: Any) -> None:
        async with kind.open() as executor:
            results = executor.map(double, source(0, OfTheInputError()))
            with pytest.raises(OfTheInputError):
                await anext(results)

    async def test_in_the_call_of_iter(self, kind: Kind) -> None:
        class Refuses:
            def __iter__(self) -> Iterator[int]:
                raise OfTheInputError

        async with kind.open() as executor:
            with pytest.raises(OfTheInputError):
                await rest(executor.map(double, Refuses()))

    async def test_in_the_call_of_aiter(self, kind: Kind) -> None:
        class Refuses:
            def __aiter__(self) -> AsyncIterator[int]:
                raise OfTheInputError

        async with kind.open() as executor:
            with pytest.raises(OfTheInputError):
                await rest(executor.map(double, Refuses()))

    async def test_one_of_several(self, kind: Kind) -> None:
        async def pair(one: int, other: int) -> int:
            return one + other

        async with kind.open() as executor:
            for one, other in (
                (Numbers(), Numbers(2, OfTheInputError())),
                (AsyncNumbers(), Numbers(2, OfTheInputError())),
                (Numbers(), AsyncNumbers(2, OfTheInputError())),
            ):
                inputs: Any = (one, other)
                results = executor.map(pair, *inputs, buffersize=5)
                assert [await anext(results) for _ in range(2)] == [0, 2]
                with pytest.raises(OfTheInputError):
                    await anext(results)

    async def test_and_nobody_asks(self, kind: Kind) -> None:
        with reports() as seen:
            async with kind.open() as executor:
                results = executor.map(double, Numbers(2, OfTheInputError()))
                await anext(results)
                await results.aclose()
                del results
                results = executor.map(double, AsyncNumbers(2, OfTheInputError()))
                await anext(results)
                await turns()
                del results
                await turns()
        gc.collect()
        assert seen == []


class TestTimeout:
    async def test_none(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert await rest(executor.map(double, range(3), timeout=None)) == [0, 2, 4]

    async def test_long_enough(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert await rest(executor.map(double, range(3), timeout=PATIENCE)) == [0, 2, 4]

    @pytest.mark.parametrize("timeout", [0, 0.0, -1, 0.01])
    @pytest.mark.parametrize("ordered", [True, False])
    async def test_too_short(self, kind: Kind, ordered: bool, timeout: float) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            results = executor.map(gate.hold, range(5), timeout=timeout, ordered=ordered)
            with pytest.raises(TimeoutError, match="did not come within its timeout"):
                await anext(results)
            # What was under way has ended.
            assert gate.alive.now == 0
            assert await rest(results) == []
            assert await executor.submit(double, 2) == 4

    async def test_results_that_are_there_are_delivered_after_it(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(3) as executor:
            results = executor.map(
                lambda n: gate.hold(n) if n == 2 else identity(n), range(3), timeout=0.05
            )
            await gate.inside(1)
            await asyncio.sleep(0.1)
            assert [await anext(results) for _ in range(2)] == [0, 1]
            with pytest.raises(TimeoutError):
                await anext(results)

    async def test_it_is_counted_from_the_call(self, kind: Kind) -> None:
        async with kind.open(1) as executor:
            results = executor.map(asyncio.sleep, [0.0] * 1000 + [PATIENCE], timeout=0.3)
            with pytest.raises(TimeoutError):
                await rest(results)

    async def test_while_an_input_is_waited_for(self, kind: Kind) -> None:
        async def silent() -> AsyncIterator[int]:
            await for_ever()
            yield 0

        async with kind.open() as executor:
            with pytest.raises(TimeoutError):
                await rest(executor.map(double, silent(), timeout=0.01))

    def test_by_a_timer_that_is_called_early(self, kind: Kind) -> None:
        class Hasty(asyncio.SelectorEventLoop):
            """Its timers come before their time, as those of every loop may: by less elsewhere."""

            def __init__(self) -> None:
                super().__init__()
                self._clock_resolution = 0.1

        async def main() -> None:
            loop = asyncio.get_running_loop()
            over = False

            def turn() -> None:
                if not over:
                    loop.call_soon(turn)

            # It looks at its timers all the time.
            turn()
            async with kind.open() as executor:
                with pytest.raises(TimeoutError):
                    await rest(executor.map(asyncio.sleep, [PATIENCE], timeout=0.2))
            over = True

        with asyncio.Runner(loop_factory=Hasty) as runner:
            runner.run(main())

    async def test_jobs_that_refuse_are_waited_for(self, kind: Kind) -> None:
        ended = []

        async def refuse(number: int) -> None:
            try:
                await for_ever()
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)
                ended.append(number)

        async with kind.open() as executor:
            results = executor.map(refuse, range(2), timeout=0.05)
            with pytest.raises(TimeoutError):
                await anext(results)
        assert len(ended) <= 2

    async def test_one_that_is_not_needed_leaves_nothing(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(3), timeout=1000)
            await anext(results)
            await results.aclose()
            assert await rest(executor.map(double, range(3), timeout=1000)) == [0, 2, 4]

    async def test_a_wait_of_its_own_beside_it(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            results = executor.map(gate.hold, range(2), timeout=PATIENCE)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(results), 0.01)
            gate.open()
            assert await rest(results) == [0, 1]


async def test_a_job_that_fails_after_its_map_was_closed(kind: Kind) -> None:
    async def fail(_: int) -> None:
        try:
            await for_ever(inside)
        finally:
            raise OfTheJobError

    inside = Signal()
    with reports() as seen:
        async with kind.open() as executor:
            results = executor.map(fail, [1])
            await inside.wait()
            del results
            assert await eventually_async(lambda: "running" not in repr(executor))
        gc.collect()
        await turns()
    assert seen == []
