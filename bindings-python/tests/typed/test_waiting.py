"""What type checkers see of async code called from threads, and of channels: see `test_calls`."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, assert_type

from thrasks import (
    FromThreadChannel,
    sync_await,
    sync_wait_coroutine,
    threaded,
    wait_coroutine,
)


async def divide(one: int, other: int = 2, *, digits: int = 1) -> float:
    return round(one / other, digits)


def later(number: int) -> Awaitable[int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(number)
    return future


async def test_sync_await() -> None:
    @threaded
    def work() -> list[float]:
        found = sync_await(divide, 3, digits=2)
        assert_type(found, float)
        assert_type(sync_await(later, 3), int)
        if TYPE_CHECKING:
            sync_await(divide, "3")  # type: ignore[arg-type]
            sync_await(divide)  # type: ignore[call-arg]
            sync_await(divide, 3, 2, 1)  # type: ignore[call-arg]
            sync_await(len, "abc")  # type: ignore[arg-type]
            sync_await(divide(3))  # type: ignore[arg-type]
            _text: str = sync_await(divide, 3)  # type: ignore[assignment]
        return [found, sync_await(later, 3)]

    assert await work() == [1.5, 3]


async def test_wait_coroutine() -> None:
    loop = asyncio.get_running_loop()

    def work() -> float:
        found = wait_coroutine(divide(3), loop)
        assert_type(found, float)
        if TYPE_CHECKING:
            wait_coroutine(divide)  # type: ignore[arg-type]
            wait_coroutine(later(3))  # type: ignore[arg-type]
            wait_coroutine(divide(3), "loop")  # type: ignore[arg-type]
        return found

    assert await asyncio.to_thread(work) == 1.5


async def test_sync_wait_coroutine() -> None:
    loop = asyncio.get_running_loop()

    def work() -> float:
        found = sync_wait_coroutine(loop, divide, 3, other=4)
        assert_type(found, float)
        if TYPE_CHECKING:
            sync_wait_coroutine(None, divide, "3")  # type: ignore[arg-type]
            sync_wait_coroutine(loop, divide, 3, another=4)  # type: ignore[call-arg]
            sync_wait_coroutine(divide, 3)  # type: ignore[arg-type]
            sync_wait_coroutine(loop, divide(3))  # type: ignore[arg-type]
        return found

    assert await asyncio.to_thread(work) == 0.8


async def test_channel() -> None:
    channel: FromThreadChannel[int] = FromThreadChannel(maxsize=2, timeout=5.0)
    assert_type(FromThreadChannel[str](3), FromThreadChannel[str])

    @threaded
    def fill() -> None:
        with channel as same:
            assert_type(same, FromThreadChannel[int])
            for number in range(3):
                channel.put(number)
            if TYPE_CHECKING:
                channel.put("3")  # type: ignore[arg-type]
                channel.put()  # type: ignore[call-arg]

    filled = fill()
    assert_type(await channel.get(), int)
    assert_type(await channel.get(timeout=5), int)
    last = await channel
    assert_type(last, int)
    assert last == 2
    assert_type(await filled, None)
    assert_type(channel.is_closed, bool)
    if TYPE_CHECKING:
        await channel.get("5")  # type: ignore[arg-type]
        FromThreadChannel[Any](maxsize="2")  # type: ignore[arg-type]
        _strings: FromThreadChannel[str] = channel  # type: ignore[assignment]
