"""The contenders' ways to run many coroutines, a few at a time."""

from __future__ import annotations

__all__ = [
    "AT_ONCE",
    "BUFFERED",
    "KINDS",
    "BoundedGather",
    "Executor",
    "of_cf_taskpool",
    "of_thrasks",
]

import asyncio
import importlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from jobs import Work, jobs
from scenarios import Kind, Scenario

#: What a pool can be asked to do.
KINDS: Final = frozenset({Kind.POOL_SUBMIT, Kind.POOL_MAP, Kind.POOL_THREADS, Kind.POOL_JSON})

#: Those for pools on threads.
ON_THREADS: Final = frozenset({Kind.POOL_THREADS, Kind.POOL_JSON})

#: How many jobs run at once.
AT_ONCE: Final = 8

#: How many inputs a map is ahead of its results.
BUFFERED: Final = 100


class BoundedGather:
    """What asyncio's users write: a gather, and a semaphore in each of its coroutines."""

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        job, inputs = jobs(scenario)

        async def bounded(x: int, semaphore: asyncio.Semaphore) -> int:
            async with semaphore:
                return await job(x)

        async def work() -> list[int]:
            semaphore = asyncio.Semaphore(AT_ONCE)
            return await asyncio.gather(*[bounded(x, semaphore) for x in inputs])

        return work


class Executor:
    """An executor of coroutines."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        job, inputs = jobs(scenario)
        threads = {"num_threads": scenario.workers} if scenario.kind in ON_THREADS else {}
        way = _submit if scenario.kind is Kind.POOL_SUBMIT else _map
        return partial(way, partial(self.make, AT_ONCE, **threads), job, inputs)


async def _submit(
    make: Callable[[], Any], job: Callable[[int], Coroutine[Any, Any, int]], inputs: Any
) -> list[int]:
    async with make() as executor:
        futures = [executor.submit(job, x) for x in inputs]
    return [future.result() for future in futures]


async def _map(
    make: Callable[[], Any], job: Callable[[int], Coroutine[Any, Any, int]], inputs: Any
) -> list[int]:
    async with make() as executor:
        return [x async for x in await executor.map(job, inputs, buffersize=BUFFERED)]


def of_thrasks() -> Executor:
    import thrasks

    return Executor(thrasks.TaskPoolExecutor)


def of_cf_taskpool() -> Executor:
    cf_taskpool: Any = importlib.import_module("cf_taskpool")
    return Executor(cf_taskpool.TaskPoolExecutor)
