"""The work whose instructions `instructions.py` counts, in a process of its own.

The arguments are the contender, the work, and how many tasks. Valgrind counts everything from the
process's start; that falls out when two runs that differ in the number only are subtracted.
"""

from __future__ import annotations

__all__ = ["AT_ONCE", "Who", "Work"]

import asyncio
import enum
import gc
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

# isort: split
from jobs import sleep0, trivial

#: Tasks before those that differ: code is specialised, caches are filled, and workers are there.
WARM_UP: Final = 500

#: How many jobs an executor, or a semaphore, lets run at once.
AT_ONCE: Final = 8


class Who(enum.Enum):
    """Whose tasks they are."""

    ASYNCIO = "asyncio"
    ROUND_ROBIN = "thrasks ROUND_ROBIN"
    QUEUE = "thrasks QUEUE"
    PLAIN = "thrasks, no carriers"


class Work(enum.Enum):
    """What is done so many times."""

    GATHER = "gather-trivial"
    GATHER_SLEEP0 = "gather-sleep0"
    GROUP = "group-trivial"
    SUBMIT = "pool-submit"


class Asyncio:
    """The ways of asyncio."""

    def gather(self, job: Callable[[int], Any], n: int) -> Awaitable[list[int]]:
        """Gather n of the jobs."""
        return asyncio.gather(*[job(x) for x in range(n)])

    def group(self) -> Any:
        """Return a group."""
        return asyncio.TaskGroup()

    async def submit(self, n: int) -> list[int]:
        """Do as an executor does, with a semaphore."""
        semaphore = asyncio.Semaphore(AT_ONCE)

        async def bounded(x: int) -> int:
            async with semaphore:
                return await trivial(x)

        return await asyncio.gather(*[bounded(x) for x in range(n)])


class Thrasks(Asyncio):
    """The ways of thrasks, on two workers; the executor's jobs run on the caller's loop."""

    def __init__(self, mode: str) -> None:
        # Not at the top: asyncio is to be measured without it.
        import thrasks

        self._thrasks = thrasks
        self._options: dict[str, Any] = {"mode": thrasks.SchedulingMode[mode], "num_threads": 2}

    def gather(self, job: Callable[[int], Any], n: int) -> Awaitable[list[int]]:
        """Gather n of the jobs."""
        return self._thrasks.threaded_gather(*[job(x) for x in range(n)], **self._options)

    def group(self) -> Any:
        """Return a group."""
        return self._thrasks.ThreadedTaskGroup(**self._options)

    async def submit(self, n: int) -> list[int]:
        """Submit n jobs to an executor."""
        async with self._thrasks.TaskPoolExecutor(AT_ONCE) as executor:
            futures = [executor.submit(trivial, x) for x in range(n)]
        return [future.result() for future in futures]


async def grouped(kit: Asyncio, n: int) -> list[int]:
    async with kit.group() as tasks:
        handles = [tasks.create_task(trivial(x)) for x in range(n)]
    return [handle.result() for handle in handles]


async def gathered(kit: Asyncio, job: Callable[[int], Any], n: int) -> list[int]:
    return await kit.gather(job, n)


async def count(who: Who, work: Work, n: int) -> None:
    kit = (
        Asyncio() if who is Who.ASYNCIO else Thrasks("QUEUE" if who is Who.QUEUE else "ROUND_ROBIN")
    )
    ways: dict[Work, Callable[[int], Awaitable[list[int]]]] = {
        Work.GATHER: partial(gathered, kit, trivial),
        Work.GATHER_SLEEP0: partial(gathered, kit, sleep0),
        Work.GROUP: partial(grouped, kit),
        Work.SUBMIT: kit.submit,
    }
    gc.disable()
    await ways[work](WARM_UP)
    if sum(await ways[work](n)) != n * (n - 1):
        sys.exit("wrong result")


def main() -> None:
    who, work, n = sys.argv[1:]
    asyncio.run(count(Who[who], Work[work], int(n)))
    # How threads leave their memory behind takes more in one run and less in the next.
    os._exit(0)


if __name__ == "__main__":
    main()
