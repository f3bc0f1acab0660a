"""A few coroutines at a time: the programs behind the cells of the comparison."""

from __future__ import annotations

__all__ = ["TABLE"]

import asyncio
import contextvars
import gc
import importlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, Final

# isort: split
from features import LONG, NO, SOON, Column, Probe, Table, answer, comes, told_at_once, typed

COLUMNS: Final = (Column.THRASKS, Column.ASYNCIO, Column.CF_TASKPOOL)
#: asyncio has no executor of coroutines: a gather, or tasks, of coroutines that enter a semaphore.
EXECUTORS: Final = (Column.THRASKS, Column.CF_TASKPOOL)

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="")


def executor(column: Column, most: int, **options: Any) -> Any:
    module = "thrasks" if column is Column.THRASKS else "cf_taskpool"
    return importlib.import_module(module).TaskPoolExecutor(most, **options)


async def gather(function: Callable[[int], Any], inputs: Iterable[int], most: int) -> list[Any]:
    semaphore = asyncio.Semaphore(most)

    async def one(number: int) -> Any:
        async with semaphore:
            return await function(number)

    return await asyncio.gather(*map(one, inputs))


def each(program: Callable[[Column], Coroutine[Any, Any, str]]) -> Probe:
    return lambda column: told_at_once(program(column))


class Job:
    """A job that ends only if it is cancelled."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = False

    async def __call__(self, number: int = 0) -> int:
        if number:
            return number
        self.began.set()
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return number


async def bounded(column: Column) -> str:
    running = most = 0

    async def count(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep((10 - number) / 1_000)
        running -= 1
        return number

    if column is Column.ASYNCIO:
        results = await gather(count, range(10), 3)
    else:
        async with executor(column, 3) as pool:
            results = [result async for result in await pool.map(count, range(10))]
    return answer(most == 3 and results == list(range(10)))


async def endless(column: Column) -> str:
    if column not in EXECUTORS:
        return NO
    taken = 0

    def numbers() -> Iterable[int]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield number

    async def same(number: int) -> int:
        return number

    async with executor(column, 3) as pool:
        results = await pool.map(same, numbers(), buffersize=5)
        first = [await anext(results) for _ in range(10)]
        await results.aclose()
    return answer(first == list(range(10)) and taken <= 20)


async def asynchronous(column: Column) -> str:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    async def same(number: int) -> int:
        return number

    try:
        async with executor(column, 3) as pool:
            results = await pool.map(same, numbers())
            return answer([result async for result in results] == [0, 1, 2])
    except TypeError:
        return NO


async def threads(column: Column) -> str:
    barrier = threading.Barrier(2)

    async def meet(number: int) -> int:
        barrier.wait(SOON)
        return number

    try:
        async with executor(column, 2, num_threads=2) as pool:
            return answer([result async for result in await pool.map(meet, range(2))] == [0, 1])
    except TypeError:
        return NO


async def cancelled(column: Column) -> str:
    job = Job()
    if column is Column.ASYNCIO:
        task = asyncio.create_task(job())
        await comes(job.began.is_set, asyncio.sleep)
        task.cancel()
        return answer(await comes(lambda: job.cancelled, asyncio.sleep))
    pool = executor(column, 1)
    future = pool.submit(job)
    await comes(job.began.is_set, asyncio.sleep)
    future.cancel()
    return answer(await comes(lambda: job.cancelled, asyncio.sleep))


async def left_early(column: Column) -> str:
    job = Job()
    pool = executor(column, 2)
    results = await pool.map(job, [1, 0])
    async for _ in results:
        break
    await comes(job.began.is_set, asyncio.sleep)
    del results
    gc.collect()
    return answer(await comes(lambda: job.cancelled, asyncio.sleep))


async def failure(column: Column) -> str:
    """Tell whether the others are left to themselves when a job of a map has failed."""
    job = Job()

    async def work(number: int) -> int:
        if number:
            await comes(job.began.is_set, asyncio.sleep)
            raise ValueError
        return await job()

    try:
        if column is Column.ASYNCIO:
            await gather(work, [1, 0], 2)
        else:
            pool = executor(column, 2)
            async for _ in await pool.map(work, [1, 0]):
                pass
    except ValueError:
        pass
    return answer(job.cancelled)


async def context(column: Column) -> str:
    async def look(_: int) -> str:
        return VARIABLE.get()

    if column is Column.ASYNCIO:
        VARIABLE.set("of the caller")
        return answer(await gather(look, [0], 1) == ["of the caller"])
    async with executor(column, 1) as pool:
        await pool.submit(look, 0)
        VARIABLE.set("of the caller")
        return answer(await pool.submit(look, 0) == "of the caller")


def marked(column: Column) -> str:
    if column is Column.ASYNCIO:
        return "typeshed"
    return typed("thrasks" if column is Column.THRASKS else "cf_taskpool")


def executors(program: Callable[[Column], Coroutine[Any, Any, str]], otherwise: str = NO) -> Probe:
    """Ask those that have such a thing."""
    return lambda column: told_at_once(program(column)) if column in EXECUTORS else otherwise


TABLE: Final = Table(
    "A few coroutines at a time",
    COLUMNS,
    {
        "at most n at once, results in order": each(bounded),
        "endless inputs, a bound on what is under way": executors(endless),
        "asynchronous inputs": executors(asynchronous),
        "on several threads": executors(threads),
        "cancelling a job's future ends the job": each(cancelled),
        "leaving the results early ends what is under way": executors(left_early, "-"),
        "a job fails: what is under way has ended when that is raised": each(failure),
        "context variables of who submits": each(context),
        "`py.typed`": marked,
    },
)
