"""Many coroutines, a few at a time."""

import asyncio
import itertools
from collections.abc import AsyncIterator

from thrasks import TaskPoolExecutor, as_completed, threaded_map


async def square(n: int) -> int:
    await asyncio.sleep(0.001)
    return n * n


async def numbers() -> AsyncIterator[int]:
    for n in (3, 1, 2):
        await asyncio.sleep(0)
        yield n


async def main() -> None:
    async with TaskPoolExecutor(max_workers=3) as executor:
        # On this loop, at most 3 at a time.
        futures = [executor.submit(square, n) for n in range(5)]
        print(await asyncio.gather(*futures))

        # Endless inputs, in order, and at most 10 ahead of the consumer.
        async with executor.map(square, itertools.count(), buffersize=10) as results:
            async for result in results:
                if result > 20:
                    break  # What is under way is cancelled; it ends before the block.
        print(result)

        # Asynchronous inputs.
        print([result async for result in executor.map(square, numbers())])

    # On two threads.
    async with TaskPoolExecutor(max_workers=8, num_threads=2) as executor:
        print(sum([result async for result in executor.map(square, range(100))]))

    # The same in one call; and each result as soon as it is there.
    unordered = threaded_map(square, range(5), num_threads=2, ordered=False)
    print(sorted([result async for result in unordered]))

    later: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async for future in as_completed([later, square(3)], num_threads=2):
        print(future.result())
        if not later.done():
            later.set_result(0)

    # Not forever.
    in_time = threaded_map(asyncio.sleep, [0, 3600], num_threads=2, timeout=0.5)
    try:
        async for _ in in_time:
            print("one")
    except TimeoutError:
        print("and no more in time")


asyncio.run(main())
