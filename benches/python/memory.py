"""Measure what tasks take of memory: all at once, waiting, and a million one after another.

Each contender has a process of its own, for each size; what counts is by how much it has grown at
its largest, with the contender imported and warm: for a map until its end, for tasks until the last
of them waits.

    python memory.py [--inputs N] [--tasks N] [--peers DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

# isort: split
import pools
from ends import Latch
from jobs import trivial

#: Does its work with so many inputs or tasks, and returns the sum of all results, and the most
#: memory that the process has had up to the point that counts.
Work = Callable[[int], Coroutine[Any, Any, tuple[int, int]]]

#: How many there are of whatever it is, before anything counts.
WARM: Final = 100

#: How many tasks there have to be for a figure that says something.
ENOUGH: Final = 10_000


def largest() -> int:
    """Return the most memory that this process has had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Of all systems, one says bytes.
    return most if sys.platform == "darwin" else most * 1024


# --- a map over many inputs -----------------------------------------------------------------------


async def with_executor(
    make: Callable[..., AbstractAsyncContextManager[Any]], n: int
) -> tuple[int, int]:
    total = 0
    async with make(pools.AT_ONCE) as executor:
        results = await executor.map(trivial, range(n), buffersize=pools.BUFFERED)
        async for x in results:
            total += x
    return total, largest()


def on_loop() -> Work:
    make = pools.of_thrasks().make
    return lambda n: with_executor(make, n)


def on_threads() -> Work:
    make = pools.of_thrasks().make
    return lambda n: with_executor(lambda most: make(most, num_threads=2), n)


def cf_taskpool() -> Work:
    make = pools.of_cf_taskpool().make
    return lambda n: with_executor(make, n)


def bounded_gather() -> Work:
    async def bounded(x: int, semaphore: asyncio.Semaphore) -> int:
        async with semaphore:
            return await trivial(x)

    async def work(n: int) -> tuple[int, int]:
        semaphore = asyncio.Semaphore(pools.AT_ONCE)
        total = sum(await asyncio.gather(*[bounded(x, semaphore) for x in range(n)]))
        return total, largest()

    return work


MAPS: Final[dict[str, Callable[[], Work]]] = {
    "thrasks, one loop": on_loop,
    "thrasks, 2 threads": on_threads,
    "cf-taskpool": cf_taskpool,
    "asyncio.gather, semaphore": bounded_gather,
}


# --- tasks that wait, all at once -----------------------------------------------------------------


class Gate:
    """Where tasks wait, each for a future of its own loop, until they are let through."""

    def __init__(self, count: int) -> None:
        self._waiting: list[asyncio.Future[int]] = []
        self._arrived = Latch(count)

    async def job(self, x: int) -> int:
        """Wait, and return the number."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # One list, many threads: appending is atomic.
        self._waiting.append(future)
        self._arrived.count_down()
        return await future + x

    async def open(self) -> int:
        """Let all through when the last has come, and return the most memory until then."""
        await self._arrived.wait()
        most = largest()
        for future in self._waiting:
            future.get_loop().call_soon_threadsafe(future.set_result, 0)
        return most


def of_groups(make: Callable[[], Any]) -> Work:
    async def work(n: int) -> tuple[int, int]:
        gate = Gate(n)
        async with make() as tasks:
            handles = [tasks.create_task(gate.job(x)) for x in range(n)]
            most = await gate.open()
        return sum(handle.result() for handle in handles), most

    return work


def of_gathers(gather: Callable[..., Awaitable[list[int]]]) -> Work:
    async def work(n: int) -> tuple[int, int]:
        gate = Gate(n)
        opening = asyncio.create_task(gate.open())
        total = sum(await gather(*[gate.job(x) for x in range(n)]))
        return total, await opening

    return work


def threaded_group() -> Work:
    import thrasks

    return of_groups(lambda: thrasks.ThreadedTaskGroup(2))


def threaded_gather() -> Work:
    import thrasks

    return of_gathers(lambda *jobs: thrasks.threaded_gather(*jobs, num_threads=2))


PENDING: Final[dict[str, Callable[[], Work]]] = {
    "asyncio.TaskGroup": lambda: of_groups(asyncio.TaskGroup),
    "ThreadedTaskGroup(2)": threaded_group,
    "asyncio.gather": lambda: of_gathers(asyncio.gather),
    "threaded_gather, 2 threads": threaded_gather,
}


# --- the program ----------------------------------------------------------------------------------


def measure(work: Work, n: int, right: int) -> None:
    """Print by how many bytes this process grows."""
    # The same loop, whose threads stay: what is needed once has been made.
    with asyncio.Runner() as runner:
        runner.run(work(WARM))
        before = largest()
        total, most = runner.run(work(n))
    if total != right:
        sys.exit(f"wrong result, {total}")
    print(most - before)


def in_own_process(what: str, name: str, n: int) -> int:
    command = [sys.executable, __file__, *sys.argv[1:], "--one", what, name, str(n)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        # What was wrong has been said.
        sys.exit(f"{name}: exit code {done.returncode}")
    return int(done.stdout)


def report(options: argparse.Namespace) -> None:
    print(f"A map over {options.inputs:,} inputs, {pools.BUFFERED} ahead:")
    for name in MAPS:
        if name != "cf-taskpool" or options.peers is not None:
            grown = in_own_process("map", name, options.inputs)
            print(f"{name:28}{grown / 2**20:10.1f} MiB", flush=True)
    sizes = list(sizes_up_to(options.tasks))
    print(f"\nTasks that wait, bytes per task:{''.join(f'{n:>12,}' for n in sizes)}")
    for name in PENDING:
        figures = (in_own_process("pending", name, n) / n for n in sizes)
        print(f"{name:32}{''.join(f'{each:12,.0f}' for each in figures)}", flush=True)


def sizes_up_to(most: int) -> Iterator[int]:
    # Fewer would find room in what has been freed while the program began.
    if most // 10 >= ENOUGH:
        yield most // 10
    yield most


def several(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a number above 0 is needed: {text}")
    return number


def folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"not a folder: {text}")
    return Path(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--inputs", type=several, default=1_000_000, metavar="N", help="inputs of the map"
    )
    parser.add_argument(
        "--tasks", type=several, default=100_000, metavar="N", help="tasks that wait, at most"
    )
    parser.add_argument("--peers", type=folder, metavar="DIR", help="where cf-taskpool is")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peers is not None:
        sys.path.insert(0, str(options.peers))
    if options.one is None:
        report(options)
        return
    what, name, text = options.one
    n = int(text)
    if what == "map":
        measure(MAPS[name](), n, n * (n - 1))
    else:
        measure(PENDING[name](), n, n * (n - 1) // 2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        # Ctrl-C reaches every process of the terminal, and one of them says so.
        if "--one" not in sys.argv:
            print("Interrupted.", file=sys.stderr)
        sys.exit(130)
