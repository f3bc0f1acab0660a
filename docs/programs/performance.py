"""Where several threads help, and where they do not."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from thrasks import threaded_gather

DOCUMENT = json.dumps([{"id": n, "name": f"user {n}"} for n in range(3_000)])


async def parse() -> int:
    """Keep a core busy for some milliseconds."""
    return len(json.loads(DOCUMENT))


async def double(n: int) -> int:
    return n * 2


async def double_all(numbers: range) -> list[int]:
    return [n * 2 for n in numbers]


async def timed(name: str, work: Callable[[], Awaitable[object]]) -> None:
    times = []
    for _ in range(30):
        start = time.perf_counter()
        await work()
        times.append(time.perf_counter() - start)
    print(f"{name:37} {min(times) * 1000:8.2f} ms")


async def main() -> None:
    await timed(
        "20 documents, asyncio",
        lambda: asyncio.gather(*(parse() for _ in range(20))),
    )
    await timed(
        "20 documents, 2 threads",
        lambda: threaded_gather(*(parse() for _ in range(20)), num_threads=2),
    )

    # One coroutine that does nothing: what is left is the waking of a thread.
    await timed("nothing at all, asyncio", lambda: asyncio.gather(double(1)))
    await timed(
        "nothing at all, a thread",
        lambda: threaded_gather(double(1), num_threads=1),
    )

    # Small work is better done in larger pieces.
    await timed(
        "100 000 numbers one by one, 2 threads",
        lambda: threaded_gather(*map(double, range(100_000)), num_threads=2),
    )
    pieces = [range(start, start + 1_000) for start in range(0, 100_000, 1_000)]
    await timed(
        "100 000 numbers in 100 pieces",
        lambda: threaded_gather(*map(double_all, pieces), num_threads=2),
    )


asyncio.run(main())
