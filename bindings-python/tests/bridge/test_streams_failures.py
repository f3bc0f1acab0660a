"""Exceptions of producers: they arrive after the items before them, whole; and odd consumers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from support import PATIENCE, Signal, eventually_async, reports

from thrasks import iterate, iterate_callback, threaded, threaded_iterable, threaded_separate

from .support import SIZELESS, WAYS, Source, is_stuck_at


@pytest.mark.parametrize("way", [*WAYS, *SIZELESS])
async def test_an_exception_arrives_after_the_items_before_it(way: str) -> None:
    error = ValueError("of the producer")
    source = Source(stop=10, error=error)
    stream: Any = WAYS[way](source, 3) if way in WAYS else SIZELESS[way](source)
    items: list[int] = []
    with pytest.raises(ValueError, match="of the producer") as caught:
        async for item in stream:
            items.append(item)
    assert items == [*range(10)]
    assert caught.value is error
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[-1] == "__call__"
    assert error.__context__ is None
    await source.has_ended_where_it_began()
    # It is told once.
    assert await anext(stream, "end") == "end"
    await stream.aclose()


async def test_one_before_the_first_item() -> None:
    @threaded_iterable
    def nothing() -> Iterator[int]:
        yield from ()
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        await anext(nothing())


async def test_one_of_the_function_that_makes_the_iterator() -> None:
    def make(number: int) -> Iterator[int]:
        raise ValueError(number)

    with pytest.raises(ValueError, match="3"):
        await anext(iterate(make)(3))


async def test_what_is_not_iterable_after_all() -> None:
    def make() -> Any:
        return 42

    with pytest.raises(TypeError, match="not iterable"):
        await anext(iterate(make)())


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
async def test_one_that_means_an_end_does_not_end_silently(kind: type[Exception]) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise kind("of the producer")

    # The interpreter says so for the first, we for the second.
    with pytest.raises(RuntimeError, match=f"raised {kind.__name__}") as caught:
        _ = [item async for item in threaded_iterable(numbers)()]
    assert isinstance(caught.value.__cause__, kind)


async def test_base_exceptions_arrive_too() -> None:
    class Mine(BaseException):
        pass

    source = Source(stop=1, error=Mine())
    with pytest.raises(Mine):
        _ = [item async for item in threaded_iterable(source.generator)()]
    # Nor did the thread end by it.
    assert await threaded(int)() == 0


async def test_an_exception_in_the_buffer_is_dropped_with_the_rest() -> None:
    source = Source(stop=2, error=ValueError("nobody wants it"))
    with reports() as reported:
        async with threaded_iterable(source.generator, max_size=8)() as stream:
            assert await anext(stream) == 0
            await source.has_ended_where_it_began()
        await threaded(int)()
    assert reported == []


class TestWhileItIsClosed:
    def failing(self) -> Any:
        @threaded_iterable(max_size=2)
        def numbers() -> Iterator[int]:
            try:
                while True:
                    yield 1
            finally:
                raise ValueError("of the finally")

        return numbers()

    async def test_who_waits_for_the_end_is_told(self) -> None:
        stream = self.failing()
        await anext(stream)
        with pytest.raises(ValueError, match="of the finally"):
            await stream.aclose()
        # Once.
        await stream.aclose()

    async def test_also_in_an_async_with(self) -> None:
        with pytest.raises(ValueError, match="of the finally"):
            async with self.failing() as stream:
                await anext(stream)
                raise KeyError("of the body")

    async def test_otherwise_the_loop_is(self) -> None:
        with reports() as reported:
            stream = self.failing()
            await anext(stream)
            del stream
            assert await eventually_async(lambda: bool(reported))
        [context] = reported
        assert str(context["exception"]) == "of the finally"
        assert "numbers was being closed" in context["message"]

    async def test_the_loop_is_when_it_is_dropped_after_it_has_failed(self) -> None:
        failed = Signal()

        @threaded_iterable(max_size=2)
        def numbers() -> Iterator[int]:
            try:
                while True:
                    yield 1
            finally:
                failed.set()
                raise ValueError("of the finally")

        with reports() as reported:
            held = [numbers()]
            await anext(held[0])
            held[0].close()
            assert await eventually_async(lambda: held[0].closed)
            assert failed.is_set()
            assert reported == []
            held.clear()
            assert await eventually_async(lambda: bool(reported))
        assert [str(context["exception"]) for context in reported] == ["of the finally"]

    async def test_a_generator_that_yields_in_spite_of_it_is_an_error(self) -> None:
        @threaded_iterable(max_size=2)
        def stubborn() -> Iterator[int]:
            while True:
                try:
                    yield 1
                except GeneratorExit:
                    yield 2
                    return

        stream = stubborn()
        await anext(stream)
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            await stream.aclose()

    async def test_an_iterator_without_close_is_only_dropped(self) -> None:
        dropped = Signal()

        class Numbers:
            def __iter__(self) -> Numbers:
                return self

            def __next__(self) -> int:
                return 1

            def __del__(self) -> None:
                dropped.set()

        stream = iterate(Numbers, buffer_maxsize=2)()
        assert await anext(stream) == 1
        await stream.aclose()
        assert await eventually_async(dropped.is_set)


class TestConsumers:
    async def test_a_timeout_loses_no_item(self) -> None:
        gates = [Signal() for _ in range(20)]

        @threaded_separate
        def numbers() -> Generator[int, None, None]:
            for number, gate in enumerate(gates):
                gate.block()
                yield number

        stream = numbers()
        seen: list[int] = []
        for gate in gates:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.001)
            gate.set()
            # It comes while nobody waits, while somebody begins to, or while they give up.
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(TimeoutError):
                        seen.append(await asyncio.wait_for(anext(stream), 0.0005))
                        break
        assert seen == [*range(20)]
        assert await anext(stream, "end") == "end"

    async def test_a_cancelled_wait_loses_no_item(self) -> None:
        source = Source(stop=300)
        stream = iterate(source.generator, buffer_maxsize=2)()
        seen: list[int] = []
        cancelled = 0
        while True:
            waiting = asyncio.ensure_future(anext(stream, -1))
            await asyncio.sleep(0)
            waiting.cancel()
            try:
                item = await waiting
            except asyncio.CancelledError:
                cancelled += 1
                item = await anext(stream, -1)
            if item == -1:
                break
            seen.append(item)
        assert seen == [*range(300)]

    async def test_whoever_gave_up_keeps_nobody_else_from_waiting(self) -> None:
        gate = Signal()

        @threaded_iterable
        def numbers() -> Iterator[int]:
            gate.block()
            yield 1

        stream = numbers()
        # Their tracebacks refer to what was awaited.
        errors: list[BaseException] = []
        asks: list[Callable[[], Any]] = [
            lambda: anext(stream),
            lambda: anext(stream, 0),
            stream.__anext__,
        ]
        for ask in asks:
            try:
                await asyncio.wait_for(ask(), 0.001)
            except TimeoutError as error:
                errors.append(error)
        assert len(errors) == 3
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        gate.set()
        assert await waiting == 1
        # An exception in a cycle with its traceback is not what this is about.
        errors.clear()
        await stream.aclose()

    async def test_what_is_thrown_into_a_wait_is_raised(self) -> None:
        gate = Signal()

        @threaded_iterable
        def numbers() -> Iterator[int]:
            gate.block()
            yield 1

        stream = numbers()
        asked = stream.__anext__()
        with pytest.raises(KeyError, match="thrown"):
            asked.throw(KeyError("thrown"))
        asked = stream.__anext__()
        future = asked.send(None)
        assert asyncio.isfuture(future)
        with pytest.raises(KeyError, match="thrown"):
            asked.throw(KeyError("thrown"))
        asked = stream.__anext__()
        asked.send(None)
        asked.close()
        gate.set()
        assert await anext(stream) == 1

    async def test_an_item_asked_for_and_not_awaited_is_not_taken(self) -> None:
        source = Source(stop=3)
        stream = threaded_iterable(source.generator)()
        asked = stream.__anext__()
        del asked
        assert [item async for item in stream] == [0, 1, 2]

    async def test_two_tasks_at_once_are_refused(self) -> None:
        gate = Signal()

        @threaded_iterable
        def numbers() -> Iterator[int]:
            gate.block()
            yield 1

        stream = numbers()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already running: another task awaits"):
            await anext(stream)
        # The first does not suffer from it.
        gate.set()
        assert await first == 1
        assert await anext(stream, "end") == "end"

    async def test_one_after_another_may_take_turns(self) -> None:
        source = Source(stop=100)
        stream = threaded_iterable(source.generator, max_size=4)()
        lock = asyncio.Lock()
        seen: list[int] = []

        async def consume() -> None:
            while True:
                async with lock:
                    item = await anext(stream, None)
                    if item is None:
                        return
                    seen.append(item)
                await asyncio.sleep(0)

        await asyncio.gather(*(consume() for _ in range(5)))
        assert seen == [*range(100)]

    async def test_after_a_cancelled_wait_another_task_may_wait(self) -> None:
        gate = Signal()

        @threaded_iterable
        def numbers() -> Iterator[int]:
            gate.block()
            yield 1

        stream = numbers()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        gate.set()
        assert await second == 1
        await stream.aclose()

    async def test_a_second_loop_is_refused(self) -> None:
        from .support import run

        source = Source()
        async with threaded_iterable(source.generator, max_size=2)() as stream:
            assert await anext(stream) == 0

            async def take() -> None:
                await anext(stream)

            with pytest.raises(RuntimeError, match="is used by another event loop"):
                await threaded(run)(take())
            assert await anext(stream) == 1

    async def test_one_that_raises_in_an_async_with_gets_its_own_error(self) -> None:
        source = Source()
        with pytest.raises(KeyError):
            async with threaded_iterable(source.generator, max_size=2)() as stream:
                async for item in stream:
                    raise KeyError(item)
        assert source.ended.is_set()

    async def test_closing_twice_and_from_two_tasks(self) -> None:
        source = Source()
        stream = threaded_iterable(source.generator, max_size=2)()
        await anext(stream)
        await is_stuck_at(source, 3)
        await asyncio.gather(stream.aclose(), stream.aclose(), stream.wait_closed())
        await stream.aclose()

    def test_who_waits_before_it_has_begun_does_not_bind_it_to_a_loop(self) -> None:
        stream = threaded_iterable(max_size=2)(itertools.count)()

        async def use() -> int:
            async with stream:
                return await anext(stream)

        asyncio.run(stream.wait_closed())
        assert asyncio.run(use()) == 0

    async def test_whoever_waits_for_the_end_hears_of_it_though_others_did_before(self) -> None:
        # The one who found the end let go of the loop, and the news for the others were lost.
        for _ in range(500):
            stream = threaded_iterable(max_size=2)(itertools.count)()
            await anext(stream)
            waits = [stream.aclose(), stream.aclose(), stream.wait_closed(), stream.wait_closed()]
            await asyncio.wait_for(asyncio.gather(*waits), PATIENCE)

    async def test_a_cancelled_aclose_still_closes(self) -> None:
        gate, inside = Signal(), Signal()
        ended = Signal()

        @threaded_iterable(max_size=1)
        def numbers() -> Iterator[int]:
            try:
                yield 1
                inside.set()
                gate.block()
                yield 2
            finally:
                ended.set()

        stream = numbers()
        assert await anext(stream) == 1
        await asyncio.wait_for(inside.wait(), PATIENCE)
        closing = asyncio.create_task(stream.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        gate.set()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        await stream.wait_closed()


async def test_an_exception_of_a_callbacks_function_arrives_after_its_values() -> None:
    @iterate_callback
    def values(callback: Any) -> None:
        callback(1)
        callback(2)
        raise ValueError("of the function")

    seen: list[int] = []
    with pytest.raises(ValueError, match="of the function"):
        async for value in values():
            seen.append(value)
    assert seen == [1, 2]
