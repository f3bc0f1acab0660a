"""Gather from two threads: results in order, errors, futures, limits."""

import asyncio

from thrasks import threaded_gather


async def parse(text: str) -> int:
    await asyncio.sleep(0)
    return int(text)


class Meter:
    """Counts how many run at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def run(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1


async def main() -> None:
    # In the order of the arguments, whichever ends first.
    print(await threaded_gather(asyncio.sleep(0.02, "slow"), asyncio.sleep(0, "fast")))

    # An exception is raised at once, and the others go on ...
    try:
        await threaded_gather(parse("1"), parse("two"), parse("3"), num_threads=2)
    except ValueError as error:
        print(error)

    # ... or it is a result.
    results = await threaded_gather(parse("1"), parse("two"), return_exceptions=True)
    print([type(result).__name__ for result in results])

    # A future stays on the loop that it belongs to. What is given twice runs once.
    here = asyncio.create_task(parse("10"))
    print(await threaded_gather(parse("20"), here, here, num_threads=1))

    # 100 coroutines on one thread, at most 3 of them at a time.
    meter = Meter()
    runs = [meter.run() for _ in range(100)]
    await threaded_gather(*runs, num_threads=1, max_concurrency=3)
    print("at once:", meter.most)

    # It is a future: cancelling it cancels what it gathers, and waits for that.
    try:
        await asyncio.wait_for(threaded_gather(asyncio.sleep(3600)), timeout=0.01)
    except TimeoutError:
        print("too late")


asyncio.run(main())
