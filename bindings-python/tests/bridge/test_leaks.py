"""What is done with is let go: threads, descriptors, memory, objects."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from leaks import descriptors
from support import (
    FREE_THREADED,
    Blocking,
    Signal,
    blocking_threads,
    eventually,
    eventually_async,
    no_gc,
)

from thrasks import (
    FromThreadChannel,
    call,
    generate,
    iterate,
    iterate_callback,
    single_callback,
    sync_await,
    threaded,
    threaded_iterable,
    threaded_separate,
)

from .support import CAP, Source, Thing, run

#: On a free-threaded build an object that was made on one thread and let go of on another is freed
#: when its own thread runs again: an idle thread of the pool does twice a second.
SOON = 3.0


class TestMemory:
    @pytest.mark.parametrize("size", [1, 64, 1024])
    async def test_a_long_stream_holds_no_more_than_its_buffer(self, size: int) -> None:
        count = 300_000 if size > 1 else 20_000
        # No lock: a finaliser may run wherever one is held.
        born: list[None] = []
        dead: list[None] = []
        most = 0

        class Item:
            def __init__(self) -> None:
                born.append(None)

            def __del__(self) -> None:
                dead.append(None)

        @threaded_iterable(max_size=size)
        def items() -> Iterator[Item]:
            for _ in range(count):
                yield Item()

        taken = 0
        async for item in items():
            taken += 1
            del item
            most = max(most, len(born) - len(dead))
        assert taken == count
        # One is in the generator's hands, one in the consumer's. A free-threaded build puts off
        # the freeing of what was let go on another thread than its own.
        if not FREE_THREADED:
            assert most <= size + 2
        else:
            assert most < count / 3
        assert await eventually_async(lambda: len(dead) == count, SOON)

    async def test_calls_hold_nothing(self) -> None:
        await asyncio.gather(*(threaded(int)() for _ in range(1000)))
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(20):
            await asyncio.gather(*(threaded(int)() for _ in range(1000)))
        assert await eventually_async(
            lambda: gc.collect() >= 0 and sys.getallocatedblocks() - before < 5000, SOON
        ), sys.getallocatedblocks() - before

    async def test_streams_hold_nothing(self) -> None:
        async def some(count: int) -> None:
            for _ in range(count):
                async for item in threaded_iterable(Source().generator, max_size=2)():
                    if item == 3:
                        break
                async with generate(Source().generator)() as gen:
                    await anext(gen)

        await some(100)
        gc.collect()
        before = sys.getallocatedblocks()
        await some(1000)
        assert await eventually_async(
            lambda: gc.collect() >= 0 and sys.getallocatedblocks() - before < 5000, SOON
        ), sys.getallocatedblocks() - before


class TestThreads:
    async def test_no_more_than_the_pool_may_have(self) -> None:
        for _ in range(10):
            await asyncio.gather(*(threaded(int)() for _ in range(200)))
        assert len(blocking_threads()) <= CAP

    async def test_those_that_took_the_places_of_waiting_ones_go_again(self) -> None:
        gate = Signal()

        async def wait() -> None:
            await gate.wait()

        @threaded
        def work() -> None:
            sync_await(wait)

        calls = [work() for _ in range(4 * CAP)]
        assert await eventually_async(lambda: Blocking.now().threads >= 4 * CAP)
        gate.set()
        await asyncio.gather(*calls)
        assert await eventually_async(lambda: Blocking.now().threads <= CAP)
        assert await eventually_async(lambda: len(blocking_threads()) <= CAP)

    async def test_separate_ones_end_with_their_work(self) -> None:
        await asyncio.gather(*(threaded_separate(int)() for _ in range(50)))
        for _ in range(10):
            async with threaded_separate(Source().generator)() as stream:
                await anext(stream)
        assert await eventually_async(lambda: not Blocking.now().separate)
        assert await eventually_async(
            lambda: not any("separate" in thread.name for thread in threading.enumerate())
        )

    def test_descriptors(self) -> None:
        async def main() -> None:
            await asyncio.gather(*(threaded(int)() for _ in range(20)))
            async for item in threaded_iterable(Source().generator, max_size=2)():
                if item == 3:
                    break

        run(main())
        before = descriptors()
        for _ in range(50):
            run(main())
        assert eventually(lambda: descriptors() <= before)


async def a_call(thing: Thing) -> Any:
    return await threaded(lambda thing: thing)(thing)


async def a_separate_call(thing: Thing) -> Any:
    return await threaded_separate(lambda thing: thing)(thing)


async def a_coroutine_call(thing: Thing) -> Any:
    return await call(lambda thing: thing)(thing)


async def a_callback(thing: Thing) -> Any:
    def answer(callback: Callable[[Thing], None], thing: Thing) -> None:
        callback(thing)

    return await single_callback(answer)(thing)


async def an_item(thing: Thing) -> Any:
    def things(thing: Thing) -> Iterator[Thing]:
        yield thing

    [item] = [item async for item in iterate(things)(thing)]
    return item


async def a_callbacks_item(thing: Thing) -> Any:
    def things(callback: Callable[[Thing], None], thing: Thing) -> None:
        callback(thing)

    [item] = [item async for item in iterate_callback(things)(thing)]
    return item


async def a_step(thing: Thing) -> Any:
    def things(thing: Thing) -> Generator[Thing, Any, None]:
        yield thing

    [item] = [item async for item in generate(things)(thing)]
    return item


async def a_channels_item(thing: Thing) -> Any:
    channel = FromThreadChannel[Thing]()
    await threaded(channel.put)(thing)
    return await channel.get()


async def an_async_result(thing: Thing) -> Any:
    async def same(thing: Thing) -> Thing:
        return thing

    def work(thing: Thing) -> Thing:
        return sync_await(same, thing)

    return await threaded(work)(thing)


PASSING = [
    a_call,
    a_separate_call,
    a_coroutine_call,
    a_callback,
    an_item,
    a_callbacks_item,
    a_step,
    a_channels_item,
    an_async_result,
]


@pytest.mark.parametrize("passing", PASSING, ids=lambda function: function.__name__)
async def test_what_was_passed_there_and_back_dies_with_its_last_reference(passing: Any) -> None:
    with no_gc():
        thing = Thing()
        dead = weakref.ref(thing)
        assert await passing(thing) is thing
        del thing
        assert await eventually_async(lambda: dead() is None, SOON)


@pytest.mark.parametrize("passing", PASSING[:4], ids=lambda function: function.__name__)
async def test_so_do_what_it_was_given_and_its_exception(passing: Any) -> None:
    async def fail() -> weakref.ref[BaseException]:
        def failing(*_: object) -> None:
            raise Error

        class Error(Exception):
            pass

        make: Any = {
            "a_call": threaded,
            "a_separate_call": threaded_separate,
            "a_coroutine_call": call,
            "a_callback": single_callback,
        }[passing.__name__]
        try:
            await make(failing)(Thing())
        except Error as error:
            return weakref.ref(error)
        raise AssertionError("it has not failed")

    dead = await fail()
    assert await eventually_async(lambda: gc.collect() >= 0 and dead() is None, SOON)


async def test_the_future_of_a_call_dies_when_it_is_over() -> None:
    with no_gc():
        future = threaded(int)()
        dead = weakref.ref(future)
        await future
        del future
        assert await eventually_async(lambda: dead() is None, SOON)


async def test_the_future_of_a_cancelled_one_when_its_call_has_ended() -> None:
    gate, inside = Signal(), Signal()

    def hold() -> None:
        inside.set()
        gate.block()

    with no_gc():
        future = threaded(hold)()
        dead = weakref.ref(future)
        await inside.wait()
        future.cancel()
        del future
        gate.set()
        assert await eventually_async(lambda: dead() is None, SOON)


async def test_the_function_and_what_it_is_bound_to() -> None:
    class Owner:
        @threaded
        def method(self) -> int:
            return 1

        @threaded_iterable
        def items(self) -> Iterator[int]:
            yield 1

    with no_gc():
        owner = Owner()
        dead = weakref.ref(owner)
        assert await owner.method() == 1
        assert [i async for i in owner.items()] == [1]
        method = owner.method
        assert method is owner.method
        del owner, method
        # No cycle: not that of an instance with its bound methods.
        assert await eventually_async(lambda: dead() is None, SOON)


async def test_exhausted_streams_let_go_of_the_loop_and_the_generator() -> None:
    source = Source(stop=3)
    stream = threaded_iterable(source.generator)()
    gen = generate(source.generator)()
    assert [i async for i in stream] == [i async for i in gen] == [0, 1, 2]
    dead = weakref.ref(source)
    del source
    # They are still there, and hold nothing.
    assert await eventually_async(lambda: gc.collect() >= 0 and dead() is None, SOON)
    assert stream.closed
    assert gen.closed


def test_a_loop_is_freed_though_streams_are_kept() -> None:
    class Loop(asyncio.SelectorEventLoop):
        pass

    kept: list[Any] = []

    async def main() -> None:
        stream = threaded_iterable(Source(stop=3).generator)()
        gen = generate(Source(stop=3).generator)()
        assert [i async for i in stream] == [i async for i in gen] == [0, 1, 2]
        left = threaded_iterable(Source().generator, max_size=2)()
        async with left:
            await anext(left)
        future = threaded(int)()
        await future
        kept.extend((stream, gen, left))

    loop = Loop()
    try:
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    dead = weakref.ref(loop)
    del loop
    assert eventually(lambda: gc.collect() >= 0 and dead() is None, SOON)
    kept.clear()
