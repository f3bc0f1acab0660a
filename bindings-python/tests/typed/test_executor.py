"""What type checkers see of executors, of maps and of completions: see `test_calls`."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, assert_type

from thrasks import (
    CompletionIterator,
    LoopPool,
    MapIterator,
    SchedulingMode,
    TaskPoolExecutor,
    as_completed,
    threaded_map,
)


async def divide(one: int, other: int = 2, *, digits: int = 1) -> float:
    return round(one / other, digits)


async def repeat(text: str, times: int) -> list[str]:
    return [text] * times


async def triple(one: int, other: str, third: bytes) -> tuple[int, str, bytes]:
    return one, other, third


def later(number: int) -> Awaitable[int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(number)
    return future


def not_awaitable(number: int) -> int:
    return number


def tell_one(done: int) -> None:
    assert done


class Lazy:
    def __await__(self) -> Generator[Any, None, str]:
        yield
        return "lazy"


async def numbers() -> AsyncIterator[int]:
    yield 1
    yield 2


async def test_submit() -> None:
    async with TaskPoolExecutor(2) as executor:
        assert_type(executor, TaskPoolExecutor)
        future = executor.submit(divide, 3, digits=2)
        assert_type(future, asyncio.Future[float])
        assert_type(await future, float)
        assert_type(executor.submit(repeat("a", 2)), asyncio.Future[list[str]])
        assert_type(executor.submit(later, 3), asyncio.Future[int])
        assert_type(executor.submit(Lazy()), asyncio.Future[str])
        assert_type(executor.submit(future), asyncio.Future[float])
        assert_type(executor.submit(partial(divide, 3)), asyncio.Future[float])
        if TYPE_CHECKING:
            executor.submit(divide, "3")  # type: ignore[call-overload]
            executor.submit(divide)  # type: ignore[call-overload]
            executor.submit(not_awaitable, 1)  # type: ignore[call-overload]
            executor.submit(divide(3), 4)  # type: ignore[call-overload]
            executor.submit(42)  # type: ignore[call-overload]
            _text: str = await executor.submit(divide, 3)  # type: ignore[call-overload]


async def test_making() -> None:
    TaskPoolExecutor()
    TaskPoolExecutor(None, "name")
    TaskPoolExecutor(max_workers=2, task_name_prefix="name", num_threads=2)
    TaskPoolExecutor(num_threads=2, mode=SchedulingMode.QUEUE, loop_factory=asyncio.new_event_loop)
    TaskPoolExecutor(pool=LoopPool(1))
    executor = TaskPoolExecutor(1)
    await executor.shutdown(wait=False)
    await executor.shutdown(True, cancel_futures=True)
    if TYPE_CHECKING:
        TaskPoolExecutor("2")  # type: ignore[arg-type]
        TaskPoolExecutor(2, num_threads="2")  # type: ignore[arg-type]
        await executor.shutdown(True, True)  # type: ignore[call-arg, misc, unused-ignore]


async def test_map() -> None:
    async with TaskPoolExecutor(2) as executor:
        results = executor.map(divide, [1, 2])
        assert_type(results, MapIterator[float])
        assert_type(await results, MapIterator[float])
        assert_type(await anext(results), float)
        async for each in results:
            assert_type(each, float)
        assert_type(executor.map(repeat, "ab", [1, 2]), MapIterator[list[str]])
        assert_type(executor.map(later, numbers()), MapIterator[int])
        assert_type(executor.map(repeat, "ab", numbers(), buffersize=2), MapIterator[list[str]])
        assert_type(
            executor.map(triple, [1], "a", [b"b"], ordered=False, timeout=1.5),
            MapIterator[tuple[int, str, bytes]],
        )
        async with executor.map(divide, iter([1]), progress=lambda done, total: None) as entered:
            assert_type(entered, MapIterator[float])
        if TYPE_CHECKING:
            executor.map(divide, "ab")  # type: ignore[arg-type]
            executor.map(repeat, [1], [2])  # type: ignore[arg-type]
            executor.map(not_awaitable, [1])  # type: ignore[arg-type]
            executor.map(divide, [1], buffersize="2")  # type: ignore[call-overload]
            executor.map(divide, [1], progress=tell_one)  # type: ignore[arg-type]


async def test_threaded_map() -> None:
    results = threaded_map(divide, [1, 2], num_threads=2)
    assert_type(results, MapIterator[float])
    assert [each async for each in results] == [0.5, 1.0]
    assert_type(threaded_map(repeat, "ab", numbers()), MapIterator[list[str]])
    assert_type(
        threaded_map(triple, [1], "a", [b"b"], max_concurrency=2),
        MapIterator[tuple[int, str, bytes]],
    )
    if TYPE_CHECKING:
        threaded_map(divide, "ab")  # type: ignore[arg-type]
        threaded_map(not_awaitable, [1])  # type: ignore[arg-type]
        threaded_map(divide, [1], num_threads="2")  # type: ignore[call-overload]


async def test_as_completed() -> None:
    completing = as_completed([divide(1), divide(2)], num_threads=2)
    assert_type(completing, CompletionIterator[float])
    async for future in completing:
        assert_type(future, asyncio.Future[float])
        assert_type(future.result(), float)
    iterator: Iterator[Any] = as_completed([divide(1)])
    for coroutine in iterator:
        await coroutine
    for coroutine in as_completed((divide(number) for number in range(2)), timeout=10):
        assert_type(await coroutine, float)
    if TYPE_CHECKING:
        as_completed(divide(1))  # type: ignore[arg-type]
        as_completed([1])  # type: ignore[arg-type]
