"""`as_completed`: asyncio's, with coroutines on threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from support import (
    PATIENCE,
    WORKER_PREFIX,
    Everybody,
    Signal,
    eventually,
    eventually_async,
    fail,
    for_ever,
    idle_workers,
    is_closed,
    value,
    worker_threads,
)

from thrasks import LoopPool, SchedulingMode, as_completed

from .support import Gate, double, turns


def busy() -> int:
    return len(worker_threads()) - idle_workers()


class TestFutures:
    @pytest.mark.parametrize("mode", [None, *SchedulingMode])
    async def test_each_is_done_and_comes_once(self, mode: SchedulingMode | None) -> None:
        results = []
        futures = set()
        coroutines = [double(number) for number in range(50)]
        async for future in as_completed(coroutines, num_threads=3, mode=mode):
            assert future.done()
            futures.add(future)
            results.append(await future)
        assert len(futures) == 50
        assert sorted(results) == [2 * number for number in range(50)]

    async def test_as_they_complete(self) -> None:
        gates = [Gate() for _ in range(4)]
        completing = as_completed([gates[n].hold(n) for n in range(4)], num_threads=2)
        for number in (2, 0, 3, 1):
            gates[number].open()
            future = await asyncio.wait_for(anext(completing), PATIENCE)
            assert future.result() == number
        with pytest.raises(StopAsyncIteration):
            await anext(completing)

    async def test_of_this_loop_they_are_themselves(self) -> None:
        task = asyncio.ensure_future(double(1))
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(3)
        completing = as_completed([task, double(2), future], num_threads=2)
        seen = [each async for each in completing]
        assert {task, future} < set(seen)
        assert sorted([each.result() for each in seen]) == [2, 3, 4]

    async def test_failures_and_cancellations(self) -> None:
        error = ValueError("of a coroutine")
        pending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pending.cancel()
        aws: list[Any] = [fail(error), double(1), pending, fail(asyncio.CancelledError())]
        seen = [each async for each in as_completed(aws, num_threads=2)]
        assert sum(each.cancelled() for each in seen) == 2
        assert [each.exception() for each in seen if not each.cancelled()].count(error) == 1

    async def test_twice_is_once(self) -> None:
        coroutine = double(1)
        task = asyncio.ensure_future(double(2))
        aws: list[Any] = [coroutine, task, coroutine, task, task]
        results = [each.result() async for each in as_completed(aws, num_threads=2)]
        assert sorted(results) == [2, 4]

    async def test_none(self) -> None:
        none: list[asyncio.Future[None]] = []
        assert [each async for each in as_completed(none, num_threads=2)] == []
        assert [*as_completed([], num_threads=2, timeout=0)] == []

    async def test_coroutines_run_on_threads(self) -> None:
        everybody = Everybody(3)

        async def meet() -> str:
            everybody.meet_blocking()
            return threading.current_thread().name

        names = {
            each.result() async for each in as_completed([meet() for _ in range(3)], num_threads=3)
        }
        assert len(names) == 3
        assert all(name.startswith(WORKER_PREFIX) for name in names)

    async def test_what_is_not_a_coroutine_stays_here(self) -> None:
        class Lazy:
            thread: threading.Thread | None = None

            def __await__(self) -> Generator[Any, None, None]:
                yield from asyncio.sleep(0).__await__()
                self.thread = threading.current_thread()

        lazy = Lazy()
        async for future in as_completed([lazy], num_threads=1):
            assert future.done()
        assert lazy.thread is threading.current_thread()

    async def test_any_iterable_of_them(self) -> None:
        completing = as_completed((double(number) for number in range(5)), num_threads=2)
        assert sorted([each.result() async for each in completing]) == [0, 2, 4, 6, 8]

    async def test_max_concurrency(self) -> None:
        gate = Gate()
        coroutines = [gate.hold(number) for number in range(10)]
        completing = as_completed(coroutines, num_threads=2, max_concurrency=3)
        await gate.inside(3)
        await asyncio.sleep(0.02)
        assert gate.alive.now == 3
        gate.open()
        assert sorted([each.result() async for each in completing]) == [*range(10)]
        assert gate.alive.most == 3

    async def test_on_a_pool(self) -> None:
        async with LoopPool(2) as pool:
            for _ in range(2):
                coroutines = [double(number) for number in range(10)]
                seen = [each.result() async for each in as_completed(coroutines, pool=pool)]
                assert sorted(seen) == [2 * number for number in range(10)]

    async def test_a_wait_that_is_cancelled_loses_nothing(self) -> None:
        gates = [Gate() for _ in range(4)]
        completing = as_completed([gates[n].hold(n) for n in range(4)], num_threads=2)
        seen = []
        for gate in gates:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(completing), 0.001)
            gate.open()
            seen.append((await anext(completing)).result())
        assert seen == [0, 1, 2, 3]
        with pytest.raises(StopAsyncIteration):
            await anext(completing)

    async def test_taken_by_several_tasks(self) -> None:
        completing = as_completed([double(number) for number in range(20)], num_threads=2)
        taken: list[int] = []

        async def take() -> None:
            async for each in completing:
                taken.append(each.result())

        # More than there are futures: nobody is left waiting.
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(take() for _ in range(30)))
        assert sorted(taken) == [2 * number for number in range(20)]


class TestCoroutines:
    async def test_each_is_the_next_result(self) -> None:
        gates = [Gate() for _ in range(3)]
        seen = []
        order = iter([1, 2, 0])
        for coroutine in as_completed([gates[n].hold(n) for n in range(3)], num_threads=2):
            gates[next(order)].open()
            seen.append(await coroutine)
        assert seen == [1, 2, 0]

    async def test_there_are_as_many_as_awaitables(self) -> None:
        completing = [*as_completed([double(number) for number in range(10)], num_threads=2)]
        assert len(completing) == 10
        assert sorted(await asyncio.gather(*completing)) == [2 * number for number in range(10)]

    async def test_failures_are_raised(self) -> None:
        for coroutine in as_completed([fail(KeyError("of a coroutine"))], num_threads=1):
            with pytest.raises(KeyError, match="of a coroutine"):
                await coroutine

    async def test_both_ways(self) -> None:
        completing = as_completed([double(number) for number in range(4)], num_threads=2)
        seen = [await next(completing), (await anext(completing)).result()]
        seen += [await coroutine for coroutine in completing]
        assert sorted(seen) == [0, 2, 4, 6]
        with pytest.raises(StopAsyncIteration):
            await anext(completing)


class TestTimeout:
    async def test_long_enough(self) -> None:
        completing = as_completed([double(1), double(2)], num_threads=2, timeout=PATIENCE)
        assert sorted([each.result() async for each in completing]) == [2, 4]

    @pytest.mark.parametrize("timeout", [0, -1, 0.01])
    async def test_too_short(self, timeout: float) -> None:
        gate = Gate()
        completing = as_completed([gate.hold(0)], num_threads=2, timeout=timeout)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(completing), PATIENCE)
        gate.open()

    async def test_what_came_before_is_delivered(self) -> None:
        gate = Gate()
        completing = as_completed([gate.hold(0), double(1)], num_threads=2, timeout=0.1)
        await gate.inside(1)
        await asyncio.sleep(0.2)
        assert (await anext(completing)).result() == 2
        with pytest.raises(TimeoutError):
            await anext(completing)
        gate.open()

    async def test_for_each_that_is_late_and_then_it_is_over(self) -> None:
        gate = Gate()
        completing = as_completed([gate.hold(n) for n in range(3)], num_threads=2, timeout=0.01)
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                with pytest.raises(TimeoutError, match="not all awaitables completed"):
                    await anext(completing)
            with pytest.raises(StopAsyncIteration):
                await anext(completing)
        gate.open()

    async def test_of_the_coroutines(self) -> None:
        gate = Gate()
        for coroutine in as_completed([gate.hold(n) for n in range(3)], timeout=0.01):
            with pytest.raises(TimeoutError):
                await coroutine
        gate.open()

    async def test_the_work_goes_on(self) -> None:
        gate = Gate()
        completing = as_completed([gate.hold(0)], num_threads=1, timeout=0.05)
        await gate.inside(1)
        with pytest.raises(TimeoutError):
            await anext(completing)
        assert gate.alive.now == 1
        gate.open()
        assert await eventually_async(lambda: gate.ended == [0])


class TestLeftEarly:
    async def test_the_work_goes_on(self) -> None:
        gate = Gate()
        before = busy()
        async for _ in as_completed([value(1), *(gate.hold(n) for n in range(3))], num_threads=2):
            break
        await gate.inside(3)
        gate.open()
        assert await eventually_async(lambda: sorted(gate.ended) == [0, 1, 2])
        assert await eventually_async(lambda: busy() <= before)

    def test_until_the_loop_ends(self) -> None:
        started, ended = Signal(), Signal()

        async def work() -> None:
            try:
                await for_ever(started)
            finally:
                ended.set()

        async def main() -> None:
            async for _ in as_completed([value(None), work()], num_threads=2):
                break
            await started.wait()

        asyncio.run(main())
        assert eventually(ended.is_set)


class TestBadInput:
    """Coroutines that are refused are closed: otherwise they would complain."""

    async def test_one_awaitable(self) -> None:
        coroutine: Any = double(1)
        with pytest.raises(TypeError, match="an iterable of awaitables was expected"):
            as_completed(coroutine)
        assert is_closed(coroutine)
        future: Any = asyncio.get_running_loop().create_future()
        with pytest.raises(TypeError, match="an iterable of awaitables was expected"):
            as_completed(future)

    async def test_one_that_is_not_awaitable(self) -> None:
        coroutine = double(1)
        aws: Any = [coroutine, 42]
        with pytest.raises(TypeError, match="is required, got 42"):
            as_completed(aws, num_threads=2)
        assert is_closed(coroutine)

    async def test_one_that_is_not_hashable(self) -> None:
        class Unhashable:
            __hash__ = None  # type: ignore[assignment]

            def __await__(self) -> Iterator[Any]:
                yield

        coroutine = double(1)
        aws: Any = [coroutine, Unhashable()]
        with pytest.raises(TypeError, match="unhashable"):
            as_completed(aws, num_threads=2)
        assert is_closed(coroutine)

    async def test_an_iterable_that_raises(self) -> None:
        coroutine = double(1)

        def aws() -> Iterator[Any]:
            yield coroutine
            raise KeyError("midway")

        with pytest.raises(KeyError, match="midway"):
            as_completed(aws(), num_threads=2)
        assert is_closed(coroutine)

    async def test_no_iterable(self) -> None:
        number: Any = 42
        with pytest.raises(TypeError, match="not iterable"):
            as_completed(number)

    async def test_a_future_of_another_loop(self) -> None:
        other = asyncio.new_event_loop()
        future: asyncio.Future[int] = other.create_future()
        coroutine = double(1)
        aws: list[Any] = [coroutine, future]
        with pytest.raises(ValueError, match="belongs to a different loop"):
            as_completed(aws, num_threads=2)
        assert is_closed(coroutine)
        other.close()

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"num_threads": 0}, ValueError, "num_threads must be at least 1"),
            ({"num_threads": "2"}, TypeError, "num_threads must be an int"),
            ({"max_concurrency": 0}, ValueError, "max_concurrency must be at least 1"),
            ({"mode": "fast"}, TypeError, "mode must be a SchedulingMode"),
            ({"timeout": "1"}, TypeError, "timeout must be a number of seconds or None"),
            ({"loop_factory": 1}, TypeError, "loop_factory must be callable"),
            ({"pool": 1}, TypeError, "pool must be a LoopPool"),
            ({"pool": LoopPool(1)}, RuntimeError, "LoopPool"),
        ],
    )
    async def test_options(
        self, options: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        coroutine = double(1)
        with pytest.raises(error, match=text):
            as_completed([coroutine], **options)
        assert is_closed(coroutine)

    def test_without_a_loop(self) -> None:
        coroutine = double(1)
        with pytest.raises(RuntimeError, match="no running event loop"):
            as_completed([coroutine])
        assert is_closed(coroutine)

    async def test_a_loop_that_cannot_be_made(self) -> None:
        def factory() -> asyncio.AbstractEventLoop:
            raise OSError("no loop today")

        completing = as_completed([double(1), double(2)], num_threads=2, loop_factory=factory)
        async with asyncio.timeout(PATIENCE):
            errors = [each.exception() async for each in completing]
        assert [type(each) for each in errors] == [OSError, OSError]

    async def test_a_pool_that_closes_meanwhile(self) -> None:
        gate = Gate()
        with pytest.raises(KeyError):
            async with LoopPool(2) as pool:
                completing = as_completed([gate.hold(n) for n in range(4)], pool=pool)
                await gate.inside(4)
                raise KeyError
        async with asyncio.timeout(PATIENCE):
            assert [each.cancelled() async for each in completing] == [True] * 4
        await turns()
