"""One contender of `growth.py`, in a process of its own.

The argument is the contender's name. Each line on standard input asks for one turn at one case, as
JSON; each is answered by a line of JSON on standard output.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TextIO

# isort: split
import machine
from growth_cases import CASES, IDEAL_NAP, Case, Family, Who
from jobs import Work, sleep0, trivial

JOBS = {
    Family.TASKS_GATHER: trivial,
    Family.TASKS_GROUP: trivial,
    Family.WORKERS_TRIVIAL: trivial,
    Family.WORKERS_SLEEP0: sleep0,
}


async def sleeper(x: int) -> int:
    await asyncio.sleep(IDEAL_NAP)
    return x * 2


# --- the contenders -------------------------------------------------------------------------------


class Kit:
    """A contender's gather and task group, and what makes its loop."""

    def __init__(self, who: Who) -> None:
        self._uvloop: Callable[[], asyncio.AbstractEventLoop] | None = None
        if who in (Who.UVLOOP, Who.ON_UVLOOP):
            import uvloop

            self._uvloop = uvloop.new_event_loop
        self._thrasks: Any = None
        if who not in (Who.ASYNCIO, Who.UVLOOP):
            # Not at the top: asyncio is to be measured without it.
            import thrasks

            self._thrasks = thrasks
            self._mode = thrasks.SchedulingMode["QUEUE" if who is Who.QUEUE else "ROUND_ROBIN"]

    @property
    def loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """What makes the caller's loop."""
        return self._uvloop

    @property
    def version(self) -> str | None:
        """The version of thrasks, if it is thrasks."""
        return None if self._thrasks is None else self._thrasks.__version__

    def _options(self, workers: int) -> dict[str, Any]:
        return {"num_threads": workers, "mode": self._mode, "loop_factory": self._uvloop}

    def gather(self, workers: int) -> Callable[..., Awaitable[list[int]]]:
        """Return the gather, to be called with the coroutines only."""
        if self._thrasks is None:
            return asyncio.gather
        return partial(self._thrasks.threaded_gather, **self._options(workers))

    def group(self, workers: int) -> Callable[[], Any]:
        """Return what makes the groups."""
        if self._thrasks is None:
            return asyncio.TaskGroup
        return partial(self._thrasks.ThreadedTaskGroup, **self._options(workers))

    def work(self, case: Case) -> Work:
        """Return what does the work of a case."""
        match case.family:
            case Family.TASKS_GROUP:
                return partial(grouped, self.group(case.workers), case.n)
            case Family.EXCHANGE_CHAIN:
                return partial(chain, self.group(case.workers), case.n)
            case Family.EXCHANGE_TREE:
                return partial(tree, self.group(case.workers), (case.n + 1) // 2)
            case _:
                job = JOBS.get(case.family, sleeper)
                return partial(gathered, self.gather(case.workers), job, case.n)


# --- the work -------------------------------------------------------------------------------------


async def gathered(
    gather: Callable[..., Awaitable[list[int]]], job: Callable[[int], Any], n: int
) -> list[int]:
    return await gather(*[job(x) for x in range(n)])


async def grouped(group: Callable[[], Any], n: int) -> list[int]:
    async with group() as tasks:
        handles = [tasks.create_task(trivial(x)) for x in range(n)]
    return [handle.result() for handle in handles]


async def chain(group: Callable[[], Any], n: int) -> int:
    """Pass a number through n tasks, the neighbours on different workers.

    The first waits until the last has begun, so that the others wait for each other by then.
    """
    begun: concurrent.futures.Future[int] = concurrent.futures.Future()

    async def first() -> int:
        return await asyncio.wrap_future(begun)

    async def link(before: Awaitable[int]) -> int:
        return await before + 1

    async def last(before: Awaitable[int]) -> int:
        begun.set_result(1)
        return await before + 1

    async with group() as tasks:
        handle = tasks.create_task(first())
        for _ in range(n - 2):
            handle = tasks.create_task(link(handle))
        handle = tasks.create_task(last(handle))
    result: int = handle.result()
    return result


async def tree(group: Callable[[], Any], leaves: int) -> int:
    """Add up the leaves two by two, in a task for each sum."""

    async def add(left: Awaitable[int], right: Awaitable[int]) -> int:
        return await left + await right

    async with group() as tasks:
        # With a pause in them: those that wait are there first.
        handles = [tasks.create_task(sleep0(x)) for x in range(leaves)]
        while len(handles) > 1:
            pairs = zip(handles[::2], handles[1::2], strict=True)
            handles = [tasks.create_task(add(left, right)) for left, right in pairs]
    result: int = handles[0].result()
    return result


def expected(case: Case) -> object:
    match case.family:
        case Family.EXCHANGE_CHAIN:
            return case.n
        case Family.EXCHANGE_TREE:
            leaves = (case.n + 1) // 2
            return leaves * (leaves - 1)
        case _:
            return list(range(0, 2 * case.n, 2))


# --- measuring ------------------------------------------------------------------------------------


class WrongResultError(Exception):
    """A contender was not fast but wrong."""


async def turn(work: Work, case: Case, samples: int, warm_ups: int) -> list[float]:
    """Return so many samples, in nanoseconds.

    The garbage collector works before each of them and not within.
    """
    times = []
    for number in range(warm_ups + samples):
        result: object = None
        gc.collect()
        gc.disable()
        try:
            begin = time.perf_counter_ns()
            for _ in range(case.inner):
                result = await work()
            end = time.perf_counter_ns()
        finally:
            gc.enable()
        if result != expected(case):
            raise WrongResultError(f"wrong result: {str(result)[:60]}")
        if number >= warm_ups:
            times.append((end - begin) / case.divisor)
    return times


def serve(who: Who, answers: TextIO) -> None:
    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    try:
        kit = Kit(who)
    except Exception as error:
        traceback.print_exc()
        answer(error=f"{type(error).__name__}: {error}")
        return
    with asyncio.Runner(loop_factory=kit.loop_factory) as runner:
        answer(gil=machine.gil_enabled(), version=kit.version)
        cases = {case.name: case for case in CASES}
        for line in sys.stdin:
            request = json.loads(line)
            case = cases[request["scenario"]]
            try:
                work = kit.work(case)
                samples = runner.run(turn(work, case, request["samples"], request["warm_ups"]))
            except (Exception, asyncio.CancelledError) as error:
                traceback.print_exc()
                answer(error=f"{type(error).__name__}: {error}")
            else:
                answer(samples=samples)


def main() -> None:
    # Ctrl-C reaches every process of the terminal; the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What anybody prints goes to standard error, and not between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(Who[sys.argv[1]], answers)


if __name__ == "__main__":
    main()
