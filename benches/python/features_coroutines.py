"""Coroutines on several threads: the programs behind the cells of the comparison.

What thrasks, asyncio and thrasks 0.1 do is asked by the same program. tonio has its own.
"""

from __future__ import annotations

__all__ = ["TABLE"]

import asyncio
import contextvars
import importlib
import inspect
import threading
import warnings
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

# isort: split
import features_ends
from features import LONG, NO, YES, Column, Table, answer, here, typed
from features_groups import group, meet, program, tonio

COLUMNS: Final = (Column.THRASKS, Column.ASYNCIO, Column.OLD, Column.TONIO)

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="")


async def _asyncio_code() -> str:
    try:
        async with asyncio.timeout(LONG):
            await asyncio.sleep(0)
        reader = await asyncio.create_subprocess_exec("true")
        return answer(await reader.wait() == 0 and asyncio.current_task() is not None)
    except RuntimeError:
        return NO


async def asyncio_code(column: Column) -> str:
    async with group(column) as tasks:
        task = tasks.create_task(_asyncio_code())
    found: str = await task
    return found


async def asyncio_code_tonio() -> str:
    found = await tonio().spawn(_asyncio_code(), _asyncio_code())
    return str(found[0])


async def at_once(column: Column) -> str:
    barrier = threading.Barrier(2)

    async def join() -> bool:
        return meet(barrier)

    async with group(column) as tasks:
        both = [tasks.create_task(join()) for _ in range(2)]
    return answer(all([await one for one in both]))


async def at_once_tonio() -> str:
    barrier = threading.Barrier(2)

    async def join() -> bool:
        return meet(barrier)

    return answer(all(await tonio().spawn(join(), join())))


async def _stays(sleep: Callable[[float], Coroutine[Any, Any, Any]]) -> bool:
    threads = set()
    for _ in range(20):
        threads.add(here())
        await sleep(0.001)
    return len(threads) == 1


async def stays(column: Column) -> str:
    async with group(column) as tasks:
        all_of_them = [tasks.create_task(_stays(asyncio.sleep)) for _ in range(20)]
    return answer(all([await one for one in all_of_them]))


async def stays_tonio() -> str:
    sleep = tonio().sleep
    return answer(all(await tonio().spawn(*[_stays(sleep) for _ in range(20)])))


async def _later(n: int, sleep: Callable[[float], Coroutine[Any, Any, Any]]) -> int:
    await sleep((5 - n) * 0.02)
    return n


async def in_order(column: Column) -> str:
    coros = [_later(n, asyncio.sleep) for n in range(5)]
    if column is Column.ASYNCIO:
        return answer(await asyncio.gather(*coros) == list(range(5)))
    gather = importlib.import_module("thrasks").threaded_gather
    return answer(await gather(*coros, num_threads=2) == list(range(5)))


async def in_order_tonio() -> str:
    results = await tonio().spawn(*[_later(n, tonio().sleep) for n in range(5)])
    return answer(list(results) == list(range(5)))


async def _variable() -> str:
    return VARIABLE.get()


async def context(column: Column) -> str:
    told = []
    modes: Sequence[dict[str, Any]] = [{}]
    if column is not Column.ASYNCIO:
        thrasks = importlib.import_module("thrasks")
        modes = [{"mode": mode} for mode in thrasks.SchedulingMode]
    for options in modes:
        async with group(column, **options) as tasks:
            VARIABLE.set("of the caller")
            task = tasks.create_task(_variable())
        told.append(await task == "of the caller")
        VARIABLE.set("")
    if all(told) or not any(told):
        return answer(all(told))
    return "not in QUEUE"


def context_tonio(column: Column) -> str:
    async def its_own() -> str:
        VARIABLE.set("of the caller")
        found = await tonio().spawn(_variable(), _variable())
        return answer(set(found) == {"of the caller"})

    if column is not Column.TONIO:
        return asyncio.run(context(column))
    found: str = tonio().run(its_own(), threads=2, context=True)
    return "if asked for" if found == YES else NO


def bounded(column: Column) -> str:
    """Tell whether the group itself bounds how many of its tasks run at once."""
    if column is Column.TONIO:
        return answer(len(inspect.signature(tonio().scope).parameters) > 1)
    if "max_concurrency" not in inspect.signature(type(group(column)).__init__).parameters:
        return NO
    most = 0

    async def count(running: set[int], number: int) -> None:
        nonlocal most
        running.add(number)
        most = max(most, len(running))
        await asyncio.sleep(0.01)
        running.discard(number)

    async def run() -> str:
        running: set[int] = set()
        async with group(column, max_concurrency=3) as tasks:
            for number in range(20):
                tasks.create_task(count(running, number))
        return answer(most == 3)

    return asyncio.run(run())


def on_uvloop(column: Column) -> str:
    if column is Column.TONIO:
        return NO
    uvloop = importlib.import_module("uvloop")

    async def loop() -> str:
        return type(asyncio.get_running_loop()).__module__

    async def run(**options: Any) -> bool:
        async with group(column, **options) as tasks:
            task = tasks.create_task(loop())
        return str(await task).startswith("uvloop")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        own = {"loop_factory": uvloop.new_event_loop} if column is Column.THRASKS else {}
        if runner.run(run(**own)):
            return YES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        return "by the loop policy" if asyncio.run(run()) else NO


def placed(column: Column) -> str:
    """Tell whether one can choose which thread runs which task."""

    class Last:
        def place(self, loads: Sequence[int]) -> int:
            return len(loads) - 1

    async def thread() -> int:
        return here()

    async def run() -> str:
        async with group(column, mode=Last()) as tasks:
            all_of_them = [tasks.create_task(thread()) for _ in range(10)]
        return answer(len({await task for task in all_of_them}) == 1)

    if column in (Column.ASYNCIO, Column.TONIO):
        return NO
    return asyncio.run(run())


async def from_a_thread(column: Column) -> str:
    """Tell whether another thread may give the group a task."""
    told = []
    # asyncio says so itself, if it is asked to look.
    asyncio.get_running_loop().set_debug(column is Column.ASYNCIO)
    async with group(column) as tasks:

        def create() -> None:
            coro = _variable()
            try:
                tasks.create_task(coro)
                told.append(True)
            except RuntimeError:
                coro.close()
                told.append(False)

        await asyncio.to_thread(create)
    return answer(told == [True])


async def from_a_thread_tonio() -> str:
    ran = threading.Event()

    async def run() -> None:
        ran.set()

    async with tonio().scope() as scope:
        thread = threading.Thread(target=lambda: scope.spawn(run()))
        thread.start()
        thread.join()
    return answer(ran.is_set())


def marked(column: Column) -> str:
    if column is Column.ASYNCIO:
        return "typeshed"
    return typed("tonio" if column is Column.TONIO else "thrasks")


TABLE: Final = Table(
    "Coroutines on several threads",
    COLUMNS,
    {
        "runs asyncio code": program(asyncio_code, asyncio_code_tonio),
        "tasks run at once, on several threads": program(at_once, at_once_tonio),
        "a task stays on its thread": program(stays, stays_tonio),
        "results in the order of the arguments": program(in_order, in_order_tonio),
        **features_ends.ROWS,
        "context variables of the caller": context_tonio,
        "tasks from any thread": program(from_a_thread, from_a_thread_tonio),
        "bound on tasks at once": bounded,
        "uvloop": on_uvloop,
        "a scheduler of one's own": placed,
        "`py.typed`": marked,
    },
)
