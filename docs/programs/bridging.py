"""From async code to code that blocks, and back."""

import asyncio
import contextlib
import csv
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator

from thrasks import (
    ChannelClosed,
    FromThreadChannel,
    call,
    generate,
    iterate,
    iterate_callback,
    sync_await,
    threaded,
    threaded_iterable,
)

SQUARES = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
    SELECT n, n * n FROM numbers
"""


@threaded
def slow_square(n: int) -> int:
    time.sleep(0.01)  # Blocks a thread of a pool, not the loop.
    return n * n


@threaded_iterable(max_size=100)
def squares() -> Iterator[tuple[int, int]]:
    connection = sqlite3.connect(":memory:")
    try:
        # Endless: it is never more than 100 rows ahead.
        yield from connection.execute(SQUARES)
    finally:
        connection.close()
        print("connection closed")


@generate
def average() -> Generator[float, float, None]:
    total, count, mean = 0.0, 0, 0.0
    while True:
        total, count = total + (yield mean), count + 1
        mean = total / count


@iterate_callback
def countdown(callback: Callable[[int], None], start: int) -> None:
    for n in range(start, 0, -1):
        callback(n)


async def ask(question: str) -> str:
    await asyncio.sleep(0.001)
    return f"{question} 42"


@threaded
def work(channel: FromThreadChannel[str]) -> None:
    with channel:  # Closed at the end, so that nobody waits for more.
        channel.put("on a thread")
        channel.put(sync_await(ask, "from the loop:"))


async def main() -> None:
    # A function: each call is on its way at once.
    print(await asyncio.gather(*(slow_square(n) for n in range(5))))
    # The same as a coroutine function, and the function itself.
    print(await call(time.strftime)("%Y", time.gmtime(0)), slow_square.sync_call(3))

    # A generator. Leaving the block closes it, on its thread.
    async with squares() as rows:
        async for row in rows:
            if row == (3, 9):
                break
    print(row)

    # An iterator.
    async with iterate(csv.reader(["a,b", "c,d"])) as lines:
        print([line async for line in lines])

    # A generator that is sent values.
    async with average() as averages:
        await anext(averages)
        print([await averages.asend(value) for value in (10, 20, 60)])

    # A function that calls back.
    print([n async for n in countdown(3)])

    # A thread that has something to tell, and asks something meanwhile.
    channel = FromThreadChannel[str](maxsize=10)
    done = work(channel)
    with contextlib.suppress(ChannelClosed):
        while True:
            print(await channel.get())
    await done


asyncio.run(main())
