"""Measure the memory that it takes to map a function over a million inputs.

Each contender has a process of its own; what counts is by how much it has grown at its largest,
with the contender imported and warm.

    python memory.py [--inputs N] [--peers DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

# isort: split
import pools
from jobs import trivial


async def with_executor(make: Callable[..., AbstractAsyncContextManager[Any]], n: int) -> int:
    total = 0
    async with make(pools.AT_ONCE) as executor:
        results = await executor.map(trivial, range(n), buffersize=pools.BUFFERED)
        async for x in results:
            total += x
    return total


def on_loop() -> Callable[[int], Awaitable[int]]:
    make = pools.of_thrasks().make
    return lambda n: with_executor(make, n)


def on_threads() -> Callable[[int], Awaitable[int]]:
    make = pools.of_thrasks().make
    return lambda n: with_executor(lambda most: make(most, num_threads=2), n)


def cf_taskpool() -> Callable[[int], Awaitable[int]]:
    make = pools.of_cf_taskpool().make
    return lambda n: with_executor(make, n)


def gather() -> Callable[[int], Awaitable[int]]:
    async def bounded(x: int, semaphore: asyncio.Semaphore) -> int:
        async with semaphore:
            return await trivial(x)

    async def work(n: int) -> int:
        semaphore = asyncio.Semaphore(pools.AT_ONCE)
        return sum(await asyncio.gather(*[bounded(x, semaphore) for x in range(n)]))

    return work


CONTENDERS: dict[str, Callable[[], Callable[[int], Awaitable[int]]]] = {
    "thrasks, one loop": on_loop,
    "thrasks, 2 threads": on_threads,
    "cf-taskpool": cf_taskpool,
    "asyncio.gather, semaphore": gather,
}


def grown() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name: str, inputs: int) -> None:
    work = CONTENDERS[name]()
    asyncio.run(work(1000))  # type: ignore[arg-type]
    before = grown()
    total = asyncio.run(work(inputs))  # type: ignore[arg-type]
    if total != inputs * (inputs - 1):
        sys.exit(f"{name}: wrong result, {total}")
    print(f"{name:28}{(grown() - before) / 2**20:10.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="where cf-taskpool is")
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peers is not None:
        sys.path.insert(0, str(options.peers))
    if options.only is not None:
        measure(options.only, options.inputs)
        return
    print(f"Memory for a map over {options.inputs:,} inputs, {pools.BUFFERED} ahead:")
    for name in CONTENDERS:
        if name == "cf-taskpool" and options.peers is None:
            continue
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--only", name], check=True)


if __name__ == "__main__":
    main()
