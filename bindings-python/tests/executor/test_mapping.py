"""`map`: which results, in which order, and when the jobs begin."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from support import PATIENCE, Signal, eventually_async, value

from .support import Gate, Kind, double, identity, turns

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def pair(one: Any, other: Any) -> tuple[Any, Any]:
    await asyncio.sleep(0)
    return one, other


class TestOrdered:
    async def test_results_come_in_the_order_of_the_inputs(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = [each async for each in executor.map(double, range(50))]
        assert results == [2 * number for number in range(50)]

    async def test_whichever_ends_first(self, kind: Kind) -> None:
        last = Signal()

        async def work(number: int) -> int:
            # The first ends only after the last.
            if number == 3:
                last.set()
            else:
                await last.wait()
            return number

        async with kind.open() as executor:
            assert [each async for each in executor.map(work, range(4))] == [0, 1, 2, 3]

    async def test_awaited_first_as_in_its_model(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(3))
            assert await results is results
            assert [each async for each in await results] == [0, 2, 4]

    async def test_one_by_one(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(3))
            assert aiter(results) is results
            assert [await anext(results) for _ in range(3)] == [0, 2, 4]
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(results)
            assert await anext(results, "default") == "default"

    async def test_the_results_that_are_there_are_delivered_at_once(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            results = executor.map(lambda n: gate.hold(n) if n == 1 else identity(n), range(3))
            assert await anext(results) == 0
            taking = asyncio.ensure_future(anext(results))
            await gate.inside(1)
            await turns()
            assert not taking.done()
            gate.open()
            assert await taking == 1
            assert await anext(results) == 2

    async def test_several_maps_at_once(self, kind: Kind) -> None:
        async with kind.open(2) as executor:
            maps = [executor.map(pair, [index] * 5, range(5)) for index in range(4)]
            for index, results in enumerate(maps):
                assert [each async for each in results] == [(index, n) for n in range(5)]


class TestUnordered:
    async def test_results_come_as_soon_as_they_are_there(self, kind: Kind) -> None:
        gates = [Gate() for _ in range(4)]

        async def work(number: int) -> int:
            return await gates[number].hold(number)

        async with kind.open() as executor:
            results = executor.map(work, range(4), ordered=False)
            taken = []
            for number in (2, 0, 3, 1):
                gates[number].open()
                taken.append(await asyncio.wait_for(anext(results), PATIENCE))
            assert taken == [2, 0, 3, 1]
            with pytest.raises(StopAsyncIteration):
                await anext(results)

    async def test_none_is_lost_and_none_comes_twice(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = [each async for each in executor.map(double, range(300), ordered=False)]
        assert sorted(results) == [2 * number for number in range(300)]

    async def test_within_a_bound(self, kind: Kind) -> None:
        async with kind.open() as executor:
            mapping = executor.map(double, range(300), ordered=False, buffersize=7)
            results = [each async for each in mapping]
        assert sorted(results) == [2 * number for number in range(300)]

    async def test_a_slow_one_does_not_keep_the_others(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(3) as executor:
            results = executor.map(
                lambda n: gate.hold(n) if n == 0 else identity(n),
                range(100),
                ordered=False,
                buffersize=3,
            )
            taken = [await asyncio.wait_for(anext(results), PATIENCE) for _ in range(99)]
            gate.open()
            assert sorted(taken) == [*range(1, 100)]
            assert await anext(results) == 0


class TestInputs:
    async def test_of_several_iterables(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(pair, range(3), "abc")
            assert [each async for each in results] == [(0, "a"), (1, "b"), (2, "c")]

    async def test_until_the_shortest_ends(self, kind: Kind) -> None:
        async with kind.open() as executor:
            for iterables in (("ab", range(9)), (range(9), "ab"), (iter("ab"), iter(range(9)))):
                assert len([each async for each in executor.map(pair, *iterables)]) == 2

    async def test_none(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert [each async for each in executor.map(double, [])] == []
            assert [each async for each in executor.map(double, [], ordered=False)] == []
            assert [each async for each in executor.map(pair, range(5), [])] == []
            # As of `zip()`.
            nothing: Any = executor.map
            assert [each async for each in nothing(double)] == []

    async def test_they_may_be_anything(self, kind: Kind) -> None:
        odd = [None, (), (1, 2), StopIteration(), NotImplemented, [1]]
        async with kind.open() as executor:
            results = executor.map(identity, odd)
            for expected in odd:
                assert await anext(results) is expected

    async def test_results_may_be_anything(self, kind: Kind) -> None:
        error = ValueError("returned and not raised")
        async with kind.open() as executor:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            odd: list[Any] = [None, error, StopAsyncIteration(), future]
            for ordered in (True, False):
                results = [e async for e in executor.map(identity, odd, ordered=ordered)]
                assert {id(each) for each in results} == {id(each) for each in odd}
            future.cancel()

    async def test_a_generator_is_read_on_this_thread(self, kind: Kind) -> None:
        threads = set()

        def numbers() -> Iterator[int]:
            for number in range(10):
                threads.add(threading.current_thread())
                yield number

        async with kind.open() as executor:
            results = executor.map(double, numbers(), buffersize=2)
            assert [each async for each in results] == [2 * number for number in range(10)]
        assert threads == {threading.current_thread()}

    async def test_an_iterable_of_one_iteration_is_iterated_over_once(self, kind: Kind) -> None:
        class Once:
            iterated = 0

            def __iter__(self) -> Iterator[int]:
                self.iterated += 1
                assert self.iterated == 1
                return iter(range(3))

        async with kind.open() as executor:
            assert [each async for each in executor.map(double, Once())] == [0, 2, 4]

    async def test_a_sequence_without_iter(self, kind: Kind) -> None:
        class Letters:
            def __getitem__(self, index: int) -> str:
                return "abc"[index]

        letters: Any = Letters()
        async with kind.open() as executor:
            assert [each async for each in executor.map(identity, letters)] == ["a", "b", "c"]


class TestFunctions:
    async def test_that_is_no_coroutine_function(self, kind: Kind) -> None:
        def begin(number: int) -> Awaitable[int]:
            return double(number)

        async with kind.open() as executor:
            assert [each async for each in executor.map(begin, range(3))] == [0, 2, 4]

    async def test_that_returns_no_awaitable(self, kind: Kind) -> None:
        function: Any = str
        async with kind.open() as executor:
            with pytest.raises(TypeError, match="must return an awaitable, got '0'"):
                async for _ in executor.map(function, range(3)):
                    raise AssertionError

    async def test_contexts_are_of_whoever_has_the_jobs_begin(self, kind: Kind) -> None:
        async def look(_: int) -> str:
            before = variable.get()
            variable.set("of a job")
            await asyncio.sleep(0)
            return before

        variable.set("of the call")
        async with kind.open(1) as executor:
            results = executor.map(look, range(5))
            variable.set("later")
            assert {each async for each in results} == {"of the call"}
            results = executor.map(look, range(5), buffersize=1)
            assert {each async for each in results} == {"later"}


class TestBeginning:
    async def test_jobs_are_submitted_before_a_result_is_asked_for(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(3) as executor:
            results = executor.map(gate.hold, range(5))
            await gate.inside(3)
            gate.open()
            assert await eventually_async(lambda: len(gate.ended) == 5)
            assert [each async for each in results] == [*range(5)]

    async def test_in_the_call_itself(self, kind: Kind) -> None:
        read = []

        def numbers() -> Iterator[int]:
            for number in range(5):
                read.append(number)
                yield number

        async with kind.open() as executor:
            results = executor.map(double, numbers())
            assert read == [*range(5)]
            bounded = executor.map(double, numbers(), buffersize=2)
            assert read == [*range(5), 0, 1]
            assert [each async for each in results] == [0, 2, 4, 6, 8]
            assert [each async for each in bounded] == [0, 2, 4, 6, 8]

    async def test_results_may_wait_for_as_long_as_it_takes(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(5))
        # All are done, and the executor is shut down.
        assert [each async for each in results] == [0, 2, 4, 6, 8]


class TestTaking:
    async def test_by_two_at_once_is_refused(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            results = executor.map(gate.hold, range(2))
            first = asyncio.ensure_future(anext(results))
            await turns(2)
            with pytest.raises(RuntimeError, match="another task waits for the next result"):
                await anext(results)
            gate.open()
            # The first is none the worse for it.
            assert await first == 0
            assert await anext(results) == 1

    async def test_by_one_after_the_other(self, kind: Kind) -> None:
        taken: list[int] = []

        async def take(count: int) -> None:
            for _ in range(count):
                taken.append(await anext(results))

        async with kind.open() as executor:
            results = executor.map(double, range(6))
            for _ in range(3):
                await asyncio.ensure_future(take(2))
        assert taken == [0, 2, 4, 6, 8, 10]

    async def test_on_another_loop_is_refused(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(2))

            async def take() -> None:
                with pytest.raises(RuntimeError, match="only on the loop that it was begun on"):
                    await anext(results)

            await asyncio.to_thread(lambda: asyncio.run(take()))
            assert [each async for each in results] == [0, 2]

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_a_wait_that_is_cancelled_loses_nothing(self, kind: Kind, ordered: bool) -> None:
        gates = [Gate() for _ in range(5)]

        async def work(number: int) -> int:
            return await gates[number].hold(number)

        taken = []
        async with kind.open() as executor:
            results = executor.map(work, range(5), ordered=ordered)
            for gate in gates:
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(anext(results), 0.001)
                gate.open()
                taken.append(await anext(results))
        assert taken == [*range(5)]

    async def test_a_wait_that_is_cancelled_as_the_result_comes(self, kind: Kind) -> None:
        taken: list[int] = []
        async with kind.open(2) as executor:
            results = executor.map(value, range(200), buffersize=3)

            async def take() -> None:
                taken.append(await anext(results))

            while len(taken) < 200:
                task = asyncio.ensure_future(take())
                await turns(len(taken) % 3)
                task.cancel()
                await asyncio.wait([task])
                # Whether it was taken or not, it is not lost.
                if task.cancelled():
                    taken.append(await anext(results))
        assert taken == [*range(200)]

    async def test_repr(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(9), buffersize=2)
            assert repr(results) == "<MapIterator 2 under way or to be taken>"
            await results.aclose()
            assert repr(results) == "<MapIterator closed>"
