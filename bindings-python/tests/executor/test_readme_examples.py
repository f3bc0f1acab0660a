"""Every program that the reference's README shows, in our own words, with what it is said to do.

Each test stands for one code block of cf-taskpool's README, in its order, and runs on the caller's
loop as there, and on threads. Its sleeps, which stand for a network, are short here, or events.
"""

from __future__ import annotations

import asyncio
import itertools

import pytest
from support import Signal

from .support import Kind, turns


async def fetch_data(url: str) -> str:
    await asyncio.sleep(0)
    return f"Data from {url}"


async def multiply(x: int, y: int) -> int:
    await asyncio.sleep(0)
    return x * y


async def process_item(item: int) -> int:
    await asyncio.sleep(0)
    return item * 2


class Steps:
    """Tasks that end one after the other, in the order of their numbers."""

    def __init__(self, count: int) -> None:
        self._ended = [Signal() for _ in range(count + 1)]
        self._ended[0].set()

    async def task(self, name: str, number: int) -> str:
        await self._ended[number - 1].wait()
        self._ended[number].set()
        # Each ends some turns before the next.
        await asyncio.sleep(0.005 * number)
        return name


async def test_quick_start(kind: Kind) -> None:
    async with kind.open(max_workers=3) as executor:
        future = executor.submit(fetch_data, "https://example.com")
        result = await future
    assert result == "Data from https://example.com"


async def test_submit_a_callable(kind: Kind) -> None:
    async with kind.open(None) as executor:
        future = executor.submit(multiply, 6, 7)
        assert isinstance(future, asyncio.Future)
        assert await future == 42


async def test_submit_an_awaitable(kind: Kind) -> None:
    async with kind.open(None) as executor:
        coro = multiply(6, 7)
        future = executor.submit(coro)
        assert await future == 42


async def test_map(kind: Kind) -> None:
    async with kind.open(max_workers=3) as executor:
        results = []
        async for result in await executor.map(process_item, range(5)):
            results.append(result)
    assert results == [0, 2, 4, 6, 8]


async def test_map_with_a_buffer(kind: Kind) -> None:
    async with kind.open(max_workers=3) as executor:
        results = []
        async for result in await executor.map(process_item, range(100), buffersize=2):
            results.append(result)
    assert results == [2 * number for number in range(100)]


async def test_shutdown(kind: Kind) -> None:
    async with kind.make(max_workers=3) as executor:
        futures = [executor.submit(process_item, number) for number in range(5)]
        await executor.shutdown(wait=True)
        assert all(future.done() for future in futures)


async def test_context_manager(kind: Kind) -> None:
    async with kind.open(max_workers=3) as executor:
        futures = [executor.submit(process_item, number) for number in range(5)]
    assert [future.result() for future in futures] == [0, 2, 4, 6, 8]


async def test_wait(kind: Kind) -> None:
    steps = Steps(3)
    async with kind.open(max_workers=3) as executor:
        futures = [
            executor.submit(steps.task, "fast", 1),
            executor.submit(steps.task, "medium", 2),
            executor.submit(steps.task, "slow", 3),
        ]
        done, pending = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        completed = [await future for future in done]
        assert "fast" in completed
        done, pending = await asyncio.wait(pending or futures, return_when=asyncio.ALL_COMPLETED)
        assert not pending
        completed += [await future for future in done]
    assert {*completed} == {"fast", "medium", "slow"}


async def test_as_completed(kind: Kind) -> None:
    steps = Steps(3)
    async with kind.open(max_workers=3) as executor:
        futures = [
            executor.submit(steps.task, "task1", 3),
            executor.submit(steps.task, "task2", 1),
            executor.submit(steps.task, "task3", 2),
        ]
        results = []
        for coro in asyncio.as_completed(futures):
            results.append(await coro)
    assert sorted(results) == ["task1", "task2", "task3"]


async def test_gather(kind: Kind) -> None:
    steps = Steps(3)
    async with kind.open(max_workers=3) as executor:
        futures = [
            executor.submit(steps.task, "task1", 3),
            executor.submit(steps.task, "task2", 1),
            executor.submit(steps.task, "task3", 2),
        ]
        assert await asyncio.gather(*futures) == ["task1", "task2", "task3"]


async def test_exceptions(kind: Kind) -> None:
    async def failing_task() -> None:
        await asyncio.sleep(0)
        raise ValueError("Something went wrong")

    async with kind.open(None) as executor:
        future = executor.submit(failing_task)
        with pytest.raises(ValueError, match="Something went wrong"):
            await future
        assert repr(future.exception()) == "ValueError('Something went wrong')"


@pytest.mark.parametrize("at_once", [True, False])
async def test_cancellation(kind: Kind, at_once: bool) -> None:
    async def long_running_task() -> str:
        await asyncio.sleep(3600)
        return "Done"

    async with kind.open(None) as executor:
        future = executor.submit(long_running_task)
        if not at_once:
            await turns()
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        assert future.cancelled()


async def test_map_of_several_iterables(kind: Kind) -> None:
    async with kind.open(max_workers=3) as executor:
        results = []
        async for result in await executor.map(multiply, range(5), range(5, 10)):
            results.append(result)
    assert results == [0, 6, 14, 24, 36]


async def test_map_of_an_endless_iterator(kind: Kind) -> None:
    numbers = itertools.count()
    async with kind.open(max_workers=3) as executor:
        results = []
        async for result in await executor.map(process_item, numbers, buffersize=2):
            results.append(result)
            if result >= 20:
                break
    assert results == [*range(0, 21, 2)]
    # No more than the buffer was read ahead.
    assert next(numbers) == 13
