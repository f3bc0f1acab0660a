"""One contender, in a process of its own: it measures what it is asked to, until it is told to end.

The first argument is the contender's name, the second, if any, the folder that it finds its
package in. Each line on standard input asks for one turn at one scenario, as JSON; each is answered
by a line of JSON on standard output. `side_by_side.py` starts these.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.metadata
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

import bridge
import cold
import pools
from ends import cancelled
from jobs import PLAIN, Timed, Work, expected, jobs
from runtimes import Run, Tonio, runtime
from scenarios import PACKAGES, SCENARIOS, Contender, Kind, Scenario

# --- the contenders -------------------------------------------------------------------------------


class Kit(Protocol):
    """What a contender brings along."""

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        ...


class Loops:
    """Whoever has a gather and a task group."""

    def gather(self, workers: int) -> Callable[..., Awaitable[list[int]]]:
        """Return the gather, to be called with the coroutines only."""
        del workers
        return asyncio.gather

    def group(self, workers: int) -> Callable[[], Any]:
        """Return what makes the groups."""
        del workers
        return asyncio.TaskGroup

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        gather, group = self.gather(scenario.workers), self.group(scenario.workers)

        async def empty() -> None:
            async with group():
                pass

        if scenario.kind is Kind.EMPTY_GROUP:
            return empty
        if scenario.kind is Kind.CANCEL:
            return cancelled(group, scenario.jobs)
        job, inputs = jobs(scenario)

        async def grouped() -> list[int]:
            async with group() as tasks:
                handles = [tasks.create_task(job(x)) for x in inputs]
            return [handle.result() for handle in handles]

        async def gathered() -> list[int]:
            return await gather(*[job(x) for x in inputs])

        return grouped if scenario.kind is Kind.GROUP_TRIVIAL else gathered


class Asyncio(Loops):
    """The same, threads for blocking code, and a semaphore for a few at a time."""

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        if scenario.kind in bridge.KINDS:
            return bridge.of_asyncio().work(scenario)
        if scenario.kind in pools.KINDS:
            return pools.BoundedGather().work(scenario)
        return super().work(scenario)


class Thrasks(Loops):
    """Either thrasks, in one mode: what they are called has stayed the same."""

    def __init__(
        self,
        mode: str,
        *,
        queue_for: frozenset[Kind] = frozenset(),
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        # Not at the top: asyncio and bare threads are to be measured without it, and which thrasks
        # it is depends on the path.
        import thrasks

        self._thrasks = thrasks
        self._mode = thrasks.SchedulingMode[mode]
        self._queue_for = queue_for
        # The old one does not know it.
        self._more: dict[str, Any] = {} if loop_factory is None else {"loop_factory": loop_factory}

    def gather(self, workers: int) -> Callable[..., Awaitable[list[int]]]:
        """Return the gather, to be called with the coroutines only."""
        gather: Callable[..., Any] = self._thrasks.threaded_gather
        return partial(gather, num_threads=workers, mode=self._mode, **self._more)

    def group(self, workers: int) -> Callable[[], Any]:
        """Return what makes the groups."""
        return partial(self._thrasks.ThreadedTaskGroup, workers, mode=self._mode, **self._more)

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        if scenario.kind in self._queue_for:
            return Thrasks("QUEUE").work(scenario)
        return super().work(scenario)


class ThrasksElse:
    """What thrasks has but for groups and gathers."""

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        of_thrasks = pools.of_thrasks if scenario.kind in pools.KINDS else bridge.of_thrasks
        return of_thrasks().work(scenario)


class Threads:
    """No asyncio at all; the coroutines around it are there to be awaited like the others'."""

    def __init__(self) -> None:
        self._pools: dict[int, ThreadPoolExecutor] = {}

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        if scenario.kind is Kind.EMPTY_GROUP:
            return partial(self._start_and_join, scenario.workers)
        plain, inputs = PLAIN[scenario.kind]
        pool = self._pools.setdefault(scenario.workers, ThreadPoolExecutor(scenario.workers))

        async def work() -> list[int]:
            return list(pool.map(plain, inputs(scenario)))

        return work

    @staticmethod
    async def _start_and_join(workers: int) -> None:
        threads = [threading.Thread(target=int) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class PingPong:
    """The least that asyncio can do to have something called on another loop, and to hear of it."""

    def __init__(self) -> None:
        self._other = asyncio.new_event_loop()
        threading.Thread(target=self._other.run_forever, daemon=True).start()

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        assert scenario.kind is Kind.ROUND_TRIP
        return self._round_trip

    async def _round_trip(self) -> list[int]:
        home = asyncio.get_running_loop()
        answer: asyncio.Future[list[int]] = home.create_future()

        def pong() -> None:
            home.call_soon_threadsafe(answer.set_result, [0])

        self._other.call_soon_threadsafe(pong)
        return await answer


def kit(contender: Contender) -> Kit:
    match contender:
        case Contender.ASYNCIO | Contender.UVLOOP:
            return Asyncio()
        case Contender.ROUND_ROBIN:
            return Thrasks("ROUND_ROBIN")
        case Contender.QUEUE:
            return Thrasks("QUEUE")
        case Contender.OLD:
            # Its better mode each time: the queue costs a thread more per worker.
            return Thrasks("ROUND_ROBIN", queue_for=frozenset({Kind.UNEVEN}))
        case Contender.THREADS:
            return Threads()
        case Contender.PING_PONG:
            return PingPong()
        case Contender.THRASKS:
            return ThrasksElse()
        case Contender.AIOTHREADS:
            return bridge.of_aiothreads()
        case Contender.ATHREADING:
            return bridge.of_athreading()
        case Contender.CF_TASKPOOL:
            return pools.of_cf_taskpool()
        case Contender.TONIO:
            return Tonio()
        case Contender.ON_UVLOOP:
            uvloop: Any = importlib.import_module("uvloop")
            return Thrasks("ROUND_ROBIN", loop_factory=uvloop.new_event_loop)


# --- measuring ------------------------------------------------------------------------------------


class WrongResultError(Exception):
    """A contender was not fast but wrong."""


async def turn(work: Work, scenario: Scenario, samples: int, warm_ups: int) -> list[float]:
    """Return so many samples, in nanoseconds.

    The garbage collector works before each of them and not within.
    """
    right = expected(scenario)
    times = []
    result: object = None
    for number in range(warm_ups + samples):
        gc.collect()
        gc.disable()
        try:
            begin = time.perf_counter_ns()
            for _ in range(scenario.inner):
                result = await work()
            end = time.perf_counter_ns()
        finally:
            gc.enable()
        taken = end - begin
        if isinstance(result, Timed):
            assert scenario.inner == 1
            taken, result = result.nanoseconds, result.result
        if result != right:
            raise WrongResultError(f"wrong result: {str(result)[:60]}, not {str(right)[:60]}")
        if number >= warm_ups:
            times.append(taken / scenario.divisor)
    return times


def gil_enabled() -> bool:
    enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return enabled()


def own_version(contender: Contender, folder: Path | None) -> str | None:
    """Return the version of the contender's package, if it is the right one."""
    package = PACKAGES.get(contender)
    if package is None:
        return None
    found = Path(importlib.import_module(package).__file__ or "").resolve()
    if folder is not None and not found.is_relative_to(folder.resolve()):
        raise ImportError(f"{package} was to come from {folder}, and came from {found}")
    return importlib.metadata.version(package)


def serve(contender: Contender, folder: Path | None, answers: TextIO) -> None:
    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    with contextlib.ExitStack() as stack:
        try:
            run = stack.enter_context(runtime(contender))
            own = kit(contender)
            version = own_version(contender, folder)
        except Exception as error:
            traceback.print_exc()
            answer(error=f"{type(error).__name__}: {error}")
            return
        answer(gil=gil_enabled(), version=version)

        def work_of(scenario: Scenario) -> Work:
            if scenario.kind in cold.KINDS:
                return cold.work(scenario, contender, folder)
            return own.work(scenario)

        take_turns(run, work_of, answer)


def take_turns(run: Run, work_of: Callable[[Scenario], Work], answer: Callable[..., None]) -> None:
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    works: dict[str, Work] = {}
    for line in sys.stdin:
        request = json.loads(line)
        scenario = scenarios[request["scenario"]]
        try:
            if scenario.name not in works:
                works[scenario.name] = work_of(scenario)
            work = works[scenario.name]
            samples = run(turn(work, scenario, request["samples"], request["warm_ups"]))
        except (Exception, asyncio.CancelledError) as error:
            traceback.print_exc()
            answer(error=f"{type(error).__name__}: {error}")
        else:
            answer(samples=samples)


def main() -> None:
    # Ctrl-C reaches every process of the terminal; the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    contender = Contender[sys.argv[1]]
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if folder is not None:
        sys.path.insert(0, str(folder))
    # What anybody prints goes to standard error, and not between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(contender, folder, answers)


if __name__ == "__main__":
    main()
