"""A stream that is left early, in whatever way: its generator is closed, on its own thread."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import (
    FREE_THREADED,
    PATIENCE,
    Blocking,
    Signal,
    eventually,
    eventually_async,
    no_gc,
    reports,
)

from thrasks import ThreadedAsyncIterator, iterate, threaded, threaded_iterable, threaded_separate

from .support import (
    CAP,
    SIZELESS,
    WAYS,
    Source,
    Thing,
    is_idle,
    is_stuck_at,
    new_loop,
    nothing_runs,
    occupy,
    run,
)

Leaving = Callable[[Any, Source], Any]


async def by_break(stream: Any, source: Source) -> None:
    async for item in stream:
        if item == 3:
            break


async def by_an_exception(stream: Any, source: Source) -> None:
    with pytest.raises(ValueError, match="of the consumer"):
        async for item in stream:
            if item == 3:
                raise ValueError("of the consumer")


async def by_return(stream: Any, source: Source) -> None:
    async def first() -> Any:
        async for item in stream:
            return item
        return None

    assert await first() == 0


async def by_cancellation(stream: Any, source: Source) -> None:
    at_it = asyncio.Event()

    async def consume(stream: Any) -> None:
        async for _ in stream:
            at_it.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(consume(stream))
    del stream
    await asyncio.wait_for(at_it.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_aclose(stream: Any, source: Source) -> None:
    assert await anext(stream) == 0
    await stream.aclose()
    # It was waited for.
    assert source.ended.is_set()


async def by_async_with(stream: Any, source: Source) -> None:
    async with stream:
        assert await anext(stream) == 0
        assert not source.ended.is_set()
    assert source.ended.is_set()


async def by_close(stream: Any, source: Source) -> None:
    assert await anext(stream) == 0
    stream.close()


async def by_close_on_another_thread(stream: Any, source: Source) -> None:
    assert await anext(stream) == 0
    await threaded(stream.close)()


LEAVING: dict[str, Leaving] = {
    function.__name__: function
    for function in (
        by_break,
        by_an_exception,
        by_return,
        by_cancellation,
        by_aclose,
        by_async_with,
        by_close,
        by_close_on_another_thread,
    )
}


@pytest.fixture(params=LEAVING)
def leave(request: pytest.FixtureRequest) -> Leaving:
    return LEAVING[request.param]


@pytest.mark.parametrize("way", WAYS)
async def test_its_generator_is_closed_where_it_runs(leave: Leaving, way: str) -> None:
    before = Blocking.now()
    source = Source()
    # The generator has filled the buffer, and waits.
    await leave(WAYS[way](source, 4), source)
    await source.has_ended_where_it_began()
    await nothing_runs(before)


@pytest.mark.parametrize("way", SIZELESS)
async def test_so_with_a_buffer_of_the_default_size(leave: Leaving, way: str) -> None:
    before = Blocking.now()
    source = Source()
    await leave(SIZELESS[way](source), source)
    await source.has_ended_where_it_began()
    await nothing_runs(before)


async def test_it_stops_at_once_when_blocked_on_a_full_buffer() -> None:
    source = Source()
    stream = threaded_iterable(source.generator, max_size=2)()
    assert await anext(stream) == 0
    await is_stuck_at(source, 3)
    await stream.aclose()
    assert source.made == 3
    await source.has_ended_where_it_began()


async def test_one_that_is_at_an_item_ends_with_it() -> None:
    gate, in_second = Signal(), Signal()
    made: list[int] = []

    @threaded_iterable
    def numbers() -> Iterator[int]:
        try:
            made.append(1)
            yield 1
            in_second.set()
            gate.block()
            made.append(2)
            yield 2
            made.append(3)
        finally:
            made.append(-1)

    stream = numbers()
    assert await anext(stream) == 1
    await asyncio.wait_for(in_second.wait(), PATIENCE)
    closing = asyncio.create_task(stream.aclose())
    # A thread that is stuck delays only itself.
    assert await threaded(int)() == 0
    assert not closing.done()
    gate.set()
    await closing
    assert made == [1, 2, -1]


async def test_no_item_comes_after_it_was_closed() -> None:
    source = Source()
    stream = threaded_iterable(source.generator, max_size=4)()
    assert await anext(stream) == 0
    await is_stuck_at(source, 5)
    stream.close()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await stream.aclose()
    await stream.wait_closed()
    assert stream.closed
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_one_that_waits_for_an_item_is_told_of_the_close() -> None:
    gate = Signal()

    def nothing() -> Iterator[int]:
        gate.block()
        yield 1

    stream = iterate(nothing)()
    waiting = asyncio.ensure_future(anext(stream, "none"))
    await asyncio.sleep(0)
    await threaded(stream.close)()
    assert await asyncio.wait_for(waiting, PATIENCE) == "none"
    gate.set()
    await stream.wait_closed()


@pytest.mark.slow
async def test_closing_at_any_moment_on_another_thread_leaves_nobody_waiting() -> None:
    # As the consumer is about to wait, as it begins, as its first item comes.
    for turn in range(400):
        source = Source()
        stream = iterate(source.generator, buffer_maxsize=2)()
        started = threading.Event()

        def close(
            started: threading.Event = started,
            stream: ThreadedAsyncIterator[int] = stream,
            turn: int = turn,
        ) -> None:
            started.wait(PATIENCE)
            for _ in range(turn):
                pass
            stream.close()

        closer = threading.Thread(target=close)
        closer.start()
        started.set()
        async with asyncio.timeout(PATIENCE):
            async for _ in stream:
                pass
            await stream.wait_closed()
        closer.join()
        assert stream.closed
        assert source.ended.is_set() is source.began.is_set()


async def test_one_never_started_runs_nothing() -> None:
    source = Source()
    stream = threaded_iterable(source.generator)()
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    async with threaded_iterable(source.generator)():
        pass
    del stream
    assert not source.began.is_set()


async def test_one_that_waits_for_a_thread_never_begins() -> None:
    occupied = await occupy(CAP)
    source = Source()
    stream = threaded_iterable(source.generator)()
    waiting = asyncio.ensure_future(anext(stream, "none"))
    await asyncio.sleep(0)
    assert Blocking.now().queued == 1
    await stream.aclose()
    assert await waiting == "none"
    occupied.free()
    await asyncio.gather(*occupied.calls)
    assert await threaded(int)() == 0
    assert not source.began.is_set()


class TestCollected:
    @pytest.mark.parametrize("way", [*WAYS, *SIZELESS])
    async def test_it_dies_with_its_last_reference(self, way: str) -> None:
        source = Source()
        with no_gc():
            stream = WAYS[way](source, 4) if way in WAYS else SIZELESS[way](source)
            assert await anext(stream) == 0
            dead = weakref.ref(stream)
            del stream
            assert dead() is None
            await source.has_ended_where_it_began()

    async def test_on_another_thread(self) -> None:
        source = Source()
        held = [threaded_iterable(source.generator, max_size=4)()]
        assert await anext(held[0]) == 0
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()
        await source.has_ended_where_it_began()

    async def test_by_the_collector(self) -> None:
        source = Source()
        stream: Any = threaded_iterable(source.generator, max_size=4)()
        assert await anext(stream) == 0
        stream.me = stream
        del stream
        assert await eventually_async(lambda: gc.collect() >= 0 and source.ended.is_set())
        await source.has_ended_where_it_began()

    async def test_on_the_thread_that_it_runs_on(self) -> None:
        held: list[Any] = []
        gate = Signal()
        ended = Signal()

        @threaded_iterable(max_size=4)
        def numbers() -> Iterator[int]:
            try:
                yield 1
                gate.block()
                held.clear()
                while True:
                    yield 2
            finally:
                ended.set()

        held.append(numbers())
        assert await anext(held[0]) == 1
        gate.set()
        # On a free-threaded build the thread that has made it frees it, once that runs again.
        assert await eventually_async(ended.is_set)
        assert held == []

    async def test_one_that_its_own_method_made(self) -> None:
        class Owner:
            def __init__(self) -> None:
                self.source = Source()
                self.stream = self.numbers()

            @threaded_iterable(max_size=4)
            def numbers(self) -> Iterator[int]:
                yield from self.source()

        # Not begun, they refer to each other and nothing else does.
        owner = Owner()
        dead = weakref.ref(owner)
        del owner
        gc.collect()
        assert dead() is None


class TestTheLoopIsClosed:
    @pytest.mark.parametrize("way", [*WAYS, *SIZELESS])
    def test_one_that_is_kept_stops(self, way: str) -> None:
        source = Source()
        kept: list[Any] = []

        async def main() -> None:
            kept.append(WAYS[way](source, 4) if way in WAYS else SIZELESS[way](source))
            assert await anext(kept[0]) == 0

        run(main())
        assert eventually(source.ended.is_set)
        assert source.ended_on is source.thread
        assert is_idle()

    def test_one_with_room_in_the_buffer_stops_before_its_next_item(self) -> None:
        feed: queue.SimpleQueue[int] = queue.SimpleQueue()
        kept: list[Any] = []
        made: list[int] = []
        ended = Signal()

        @threaded_separate
        def numbers() -> Iterator[int]:
            try:
                while True:
                    made.append(feed.get(timeout=PATIENCE))
                    yield made[-1]
            finally:
                ended.set()

        async def main() -> None:
            kept.append(numbers())
            feed.put(0)
            assert await anext(kept[0]) == 0

        run(main())
        # The item that it is at is its last. It may look for the loop only now and then.
        for number in range(1, 1000):
            feed.put(number)
            if eventually(ended.is_set, 0.02):
                break
        assert ended.is_set()
        assert len(made) < 100

    def test_with_a_consumer_that_waits(self) -> None:
        source = Source()
        gate = Signal()
        loop = new_loop()

        @threaded_iterable
        def numbers() -> Iterator[int]:
            gate.block()
            yield from source()

        async def consume() -> None:
            async for _ in numbers():
                pass

        task = loop.create_task(consume())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        # It would tell that it is destroyed while it is pending.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task
        gate.set()
        assert eventually(lambda: gc.collect() >= 0 and not Blocking.now().busy)
        assert source.ended.is_set() is source.began.is_set()

    def test_a_run_that_ends_ends_what_its_tasks_iterate_over(self) -> None:
        source = Source()

        async def main() -> None:
            async def consume() -> None:
                async for _ in threaded_iterable(source.generator, max_size=4)():
                    await asyncio.sleep(0)

            consumer = asyncio.create_task(consume())
            await source.began.wait()
            assert not consumer.done()

        run(main())
        assert eventually(source.ended.is_set)
        assert is_idle()


async def test_what_is_left_in_the_buffer_is_dropped() -> None:
    made: list[weakref.ref[Thing]] = []

    @threaded_iterable(max_size=8)
    def things() -> Iterator[Thing]:
        while True:
            thing = Thing()
            made.append(weakref.ref(thing))
            yield thing

    stream = things()
    await anext(stream)
    assert await eventually_async(lambda: len(made) == 9)
    await stream.aclose()
    # On a free-threaded build a thread frees what it has made once it runs again.
    assert await eventually_async(
        lambda: all(dead() is None for dead in made), PATIENCE if FREE_THREADED else 1.0
    )
    assert stream.closed


async def test_nothing_is_reported() -> None:
    with reports() as reported:
        for leave in LEAVING.values():
            source = Source()
            await leave(threaded_iterable(source.generator, max_size=4)(), source)
            await source.has_ended_where_it_began()
        await threaded(int)()
        await asyncio.sleep(0)
    assert reported == []
