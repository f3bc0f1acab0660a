"""How far ahead of its consumer a producer runs: as far as its buffer goes, and no item further."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import Blocking, Everybody, Signal, eventually_async, python

import thrasks
from thrasks import iterate, iterate_callback, threaded, threaded_iterable

from .support import CAP, SIZELESS, WAYS, Source, is_stuck_at


@pytest.mark.parametrize("size", [1, 2, 3, 64])
@pytest.mark.parametrize("way", WAYS)
async def test_no_more_is_produced_than_was_taken_and_the_buffer_holds(way: str, size: int) -> None:
    source = Source()
    async with WAYS[way](source, size) as stream:
        for taken in range(1, 8):
            assert await anext(stream) == taken - 1
            # One that was given away makes room for one, though a producer that waits may be
            # woken only for some at once.
            assert source.made <= taken + size
        await is_stuck_at_most(source, 7, size)


async def is_stuck_at_most(source: Source, taken: int, size: int) -> None:
    # What waits for room begins again at the latest when half of the buffer is empty.
    assert await eventually_async(lambda: source.made >= taken + (size + 1) // 2)
    for _ in range(20):
        await threaded(int)()
    assert source.made <= taken + size


@pytest.mark.parametrize("size", [1, 5, 100])
async def test_the_whole_buffer_is_used(size: int) -> None:
    source = Source()
    async with threaded_iterable(source.generator, max_size=size)() as stream:
        assert await anext(stream) == 0
        await is_stuck_at(source, size + 1)
        assert f"running, {size} buffered" in repr(stream)


async def test_nothing_is_produced_before_somebody_asks() -> None:
    source = Source()
    stream = threaded_iterable(source.generator, max_size=5)()
    assert "not started" in repr(stream)
    await threaded(int)()
    assert source.made == 0
    asking = anext(stream)
    assert source.made == 0
    assert await asking == 0
    await stream.aclose()
    assert "ended" in repr(stream)


async def test_the_bound_holds_all_the_time() -> None:
    source = Source()
    size, taken = 10, 0
    async with iterate(source.generator, buffer_maxsize=size)() as stream:
        async for item in stream:
            assert item == taken
            taken += 1
            # Made by now may only be what has been taken, what is in the buffer.
            assert source.made <= taken + size
            if taken == 20_000:
                break


class TestTheDefaultSize:
    @pytest.mark.parametrize("way", ["threaded", "threaded_separate"])
    async def test_is_1024(self, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("THREADED_ITERABLE_DEFAULT_MAX_SIZE", raising=False)
        source = Source()
        async with SIZELESS[way](source) as stream:
            assert await anext(stream) == 0
            await is_stuck_at(source, 1025)

    async def test_is_that_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("THREADED_ITERABLE_DEFAULT_MAX_SIZE", "7")
        ways: list[Callable[[Source], Any]] = [
            lambda source: threaded(source.generator)(),
            lambda source: threaded_iterable(source.generator)(),
            lambda source: iterate(source.generator)(),
            lambda source: iterate(source.generator()),
        ]
        for make in ways:
            source = Source()
            async with make(source) as stream:
                assert await anext(stream) == 0
                await is_stuck_at(source, 8)

    async def test_said_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("THREADED_ITERABLE_DEFAULT_MAX_SIZE", "7")
        source = Source()
        async with threaded_iterable(source.generator, max_size=3)() as stream:
            assert await anext(stream) == 0
            await is_stuck_at(source, 4)

    @pytest.mark.parametrize("text", ["many", "0", "-3", "1.5"])
    async def test_of_the_environment_is_checked(
        self, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("THREADED_ITERABLE_DEFAULT_MAX_SIZE", text)
        with pytest.raises(ValueError, match="THREADED_ITERABLE_DEFAULT_MAX_SIZE must be a number"):
            threaded_iterable(Source().generator)()

    @pytest.mark.process
    def test_is_read_from_the_environment_of_the_process(self) -> None:
        done = python(
            """
            import os
            os.environ["THREADED_ITERABLE_DEFAULT_MAX_SIZE"] = "512"
            import asyncio, thrasks
            made = 0
            @thrasks.threaded
            def numbers():
                global made
                while True:
                    made += 1
                    yield made
            async def main():
                async with numbers() as stream:
                    await anext(stream)
                    while made < 513:
                        await asyncio.sleep(0.001)
                assert made == 513, made
            asyncio.run(main())
            """
        )
        assert (done.returncode, done.stderr) == (0, "")


async def test_callbacks_wait_for_room() -> None:
    source = Source()

    @iterate_callback
    def values(callback: Callable[[int], None]) -> None:
        for item in source():
            callback(item)

    async with values() as stream:
        assert await anext(stream) == 0
        # The item at hand waits outside of the buffer: the function is inside of the callback.
        await is_stuck_at(source, 1024 + 2)


async def test_producers_that_wait_for_room_leave_their_places_to_others() -> None:
    sources = [Source() for _ in range(10 * CAP)]
    streams = [threaded_iterable(source.generator, max_size=1)() for source in sources]
    for stream in streams:
        assert await anext(stream) == 0
    # All of them wait now, and the pool has room for as many calls as ever.
    assert await eventually_async(lambda: all(source.made == 2 for source in sources))
    everybody = Everybody(CAP)
    await asyncio.gather(*(threaded(everybody.meet_blocking)() for _ in range(CAP)))
    for stream in streams:
        await stream.aclose()
    assert all(source.made == 2 for source in sources)


async def test_a_slow_consumer_slows_its_own_producer_only() -> None:
    slow, fast = Source(), Source(stop=5000)
    async with threaded_iterable(slow.generator, max_size=3)() as stream:
        assert await anext(stream) == 0
        await is_stuck_at(slow, 4)
        assert [i async for i in iterate(fast.generator, buffer_maxsize=3)()] == [*range(5000)]
        assert slow.made == 4
        assert Blocking.now().under_way >= 1


async def test_an_item_reaches_a_consumer_that_waits_before_there_is_another() -> None:
    gates = [Signal() for _ in range(4)]

    @threaded_iterable
    def numbers() -> Iterator[int]:
        for number, gate in enumerate(gates):
            yield number
            gate.block()

    stream = numbers()
    for number, gate in enumerate(gates):
        assert await anext(stream) == number
        gate.set()
    assert await anext(stream, None) is None


async def test_consumers_may_be_on_worker_loops() -> None:
    async def consume(number: int) -> int:
        source = Source(stop=500)
        total = 0
        async for item in threaded_iterable(source.generator, max_size=4)():
            total += item
        return total

    assert await thrasks.threaded_gather(*map(consume, range(8))) == [sum(range(500))] * 8
