"""What a benchmark is: the same tasks, run by asyncio and by thrasks, timed in turn."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather

#: How many threads there are where a scenario says nothing else.
THREADS = 2

Jobs = list[Coroutine[Any, Any, Any]]


@dataclass(frozen=True)
class Contender:
    """Who is measured."""

    name: str
    run: Callable[[Jobs], Awaitable[Sequence[Any]]]


@dataclass(frozen=True)
class Scenario:
    """Tasks, who runs them, and what they have to result in."""

    name: str
    #: What each task does.
    work: str
    job: Callable[[int], Coroutine[Any, Any, Any]]
    #: The results, in order: as many as there are tasks.
    expected: list[Any]
    #: The first is asyncio, which the others are compared with.
    contenders: tuple[Contender, ...]
    threads: str = f"{THREADS} threads"
    #: The name of another that they are compared with as well.
    beside: str = ""
    #: Of how many runs the shortest counts. One before them does not.
    runs: int = 5
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> int:
        """How many there are."""
        return len(self.expected)


@dataclass(frozen=True)
class Comparison:
    """What was measured. It holds no loop, session or thread that a scenario needs."""

    name: str
    tasks: int
    #: The shortest of each contender, in seconds. The first is asyncio's.
    times: dict[str, float]

    @property
    def baseline(self) -> str:
        """Say whose speed is 1.00x."""
        return next(iter(self.times))

    def speed(self, name: str, against: str = "") -> float:
        """Say how many times as fast as another, or as asyncio, a contender is."""
        return self.times[against or self.baseline] / self.times[name]


async def compare(scenario: Scenario) -> Comparison:
    """Have the contenders do the work in turn, several times.

    Raises:
        AssertionError: One of them did not get the right results.
    """
    times: dict[str, list[float]] = {contender.name: [] for contender in scenario.contenders}
    for run in range(1 + scenario.runs):
        for contender in scenario.contenders:
            took = await _run(scenario, contender)
            if run > 0:
                times[contender.name].append(took)
    shortest = {name: min(each) for name, each in times.items()}
    return Comparison(scenario.name, scenario.tasks, shortest)


async def _run(scenario: Scenario, contender: Contender) -> float:
    """Return the seconds from making the coroutines to having the results."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        results = await contender.run([scenario.job(i) for i in range(scenario.tasks)])
        took = time.perf_counter() - start
    finally:
        gc.enable()
    wrong = [i for i, right in enumerate(scenario.expected) if results[i : i + 1] != [right]]
    assert not wrong, f"{scenario.name}, {contender.name}: wrong results of the tasks {wrong}"
    assert len(results) == scenario.tasks
    return took


async def _asyncio_gather(jobs: Jobs) -> list[Any]:
    return await asyncio.gather(*jobs)


async def _asyncio_group(jobs: Jobs) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job) for job in jobs]
    return [task.result() for task in tasks]


ASYNCIO_GATHER = Contender("asyncio.gather", _asyncio_gather)
ASYNCIO_GROUP = Contender("asyncio.TaskGroup", _asyncio_group)


def gather(mode: SchedulingMode, threads: int = THREADS, name: str = "") -> Contender:
    async def run(jobs: Jobs) -> list[Any]:
        return await threaded_gather(*jobs, num_threads=threads, mode=mode)

    return Contender(name or f"thrasks {mode.name}", run)


def gather_on(pool: LoopPool, name: str) -> Contender:
    async def run(jobs: Jobs) -> list[Any]:
        return await threaded_gather(*jobs, pool=pool)

    return Contender(name, run)


def group(mode: SchedulingMode, threads: int = THREADS) -> Contender:
    async def run(jobs: Jobs) -> list[Any]:
        async with ThreadedTaskGroup(threads, mode=mode) as group:
            tasks = [group.create_task(job) for job in jobs]
        return [task.result() for task in tasks]

    return Contender(f"thrasks {mode.name}", run)


GATHERS = (
    ASYNCIO_GATHER,
    gather(SchedulingMode.ROUND_ROBIN),
    gather(SchedulingMode.QUEUE),
)
GROUPS = (
    ASYNCIO_GROUP,
    group(SchedulingMode.ROUND_ROBIN),
    group(SchedulingMode.QUEUE),
)
