"""Coroutines on several threads: the programs behind the cells of the comparison.

What thrasks, asyncio and thrasks 0.1 do is asked by the same program. tonio has its own.
"""

from __future__ import annotations

__all__ = ["TABLE"]

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

# isort: split
from features import LONG, NO, SOON, YES, Column, Probe, Table, answer, comes, here, typed

OLD: Final = Column.OLD
COLUMNS: Final = (Column.THRASKS, Column.ASYNCIO, OLD, Column.TONIO)

Program = Callable[[], Coroutine[Any, Any, str]]
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="")


def tonio() -> Any:
    return importlib.import_module("tonio.colored")


def group(column: Column, **options: Any) -> Any:
    """Make a task group with two workers."""
    if column is Column.ASYNCIO:
        return asyncio.TaskGroup(**options)
    return importlib.import_module("thrasks").ThreadedTaskGroup(2, **options)


def program(common: Callable[[Column], Coroutine[Any, Any, str]], its_own: Program) -> Probe:
    """Ask all by the same program, and tonio by its own."""

    def probe(column: Column) -> str:
        if column is Column.TONIO:
            found: str = tonio().run(its_own(), threads=2)
            return found
        return asyncio.run(common(column))

    return probe


class Child:
    """A task that ends only if it is cancelled, and then takes its time to clean up."""

    def __init__(self, sleep: Callable[[float], Coroutine[Any, Any, Any]]) -> None:
        self.began = threading.Event()
        self.cancelled = False
        self.cleaned = False
        self.ended = False
        self._sleep = sleep
        self._behind: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self.began.set()
        try:
            await self._sleep(LONG)
        except BaseException:
            self.cancelled = True
            time.sleep(0.1)  # noqa: ASYNC251 -- whether it may await is another question
            raise
        finally:
            self.ended = True

    async def clean_up(self) -> None:
        self.began.set()
        try:
            await self._sleep(LONG)
        finally:
            await self._sleep(0.1)
            self.cleaned = True

    async def leave_one_behind(self) -> None:
        self._behind = asyncio.create_task(self.run())
        await self.begun()

    async def begun(self) -> None:
        await comes(self.began.is_set, self._sleep)

    async def told(self) -> str:
        """Tell, right after the end of its block, how it has ended."""
        if self.ended:
            return answer(self.cancelled)
        cancelled = await comes(lambda: self.cancelled, self._sleep)
        return "not waited for" if cancelled else NO


class OopsError(Exception):
    pass


async def fail() -> None:
    raise OopsError


# --- running ------------------------------------------------------------------------------------


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


def _meet(barrier: threading.Barrier) -> bool:
    try:
        barrier.wait(SOON)
    except threading.BrokenBarrierError:
        return False
    return True


async def at_once(column: Column) -> str:
    barrier = threading.Barrier(2)

    async def meet() -> bool:
        return _meet(barrier)

    async with group(column) as tasks:
        both = [tasks.create_task(meet()) for _ in range(2)]
    return answer(all([await one for one in both]))


async def at_once_tonio() -> str:
    barrier = threading.Barrier(2)

    async def meet() -> bool:
        return _meet(barrier)

    return answer(all(await tonio().spawn(meet(), meet())))


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


# --- ending -------------------------------------------------------------------------------------


async def siblings(column: Column) -> str:
    child = Child(asyncio.sleep)

    async def fail_later() -> None:
        await child.begun()
        raise OopsError

    with contextlib.suppress(OopsError, ExceptionGroup):
        async with group(column) as tasks:
            tasks.create_task(child.run())
            tasks.create_task(fail_later())
    return await child.told()


async def siblings_tonio() -> str:
    child = Child(tonio().sleep)

    async def fail_later() -> None:
        await child.begun()
        raise OopsError

    async def block() -> None:
        async with tonio().scope(cancel_on_exc=True) as scope:
            scope.spawn(child.run())
            scope.spawn(fail_later())

    _, in_time = await tonio().time.timeout(block(), SOON)
    return await child.told() if in_time else NO


async def interrupted(column: Column) -> str:
    reached = False

    async def block() -> None:
        nonlocal reached
        async with group(column) as tasks:
            tasks.create_task(fail())
            await asyncio.sleep(SOON)
            reached = True

    with contextlib.suppress(OopsError, ExceptionGroup):
        await block()
    return answer(not reached)


async def interrupted_tonio() -> str:
    reached = False
    async with tonio().scope(cancel_on_exc=True) as scope:
        scope.spawn(fail())
        await tonio().sleep(SOON)
        reached = True
    return answer(not reached)


async def body(column: Column) -> str:
    child = Child(asyncio.sleep)

    async def block() -> None:
        async with group(column) as tasks:
            tasks.create_task(child.run())
            await child.begun()
            raise OopsError

    with contextlib.suppress(OopsError, ExceptionGroup):
        try:
            await asyncio.wait_for(block(), SOON)
        except TimeoutError:
            return NO
    return await child.told()


async def body_tonio() -> str:
    child = Child(tonio().sleep)

    async def block() -> None:
        with contextlib.suppress(OopsError):
            async with tonio().scope(cancel_on_exc=True) as scope:
                scope.spawn(child.run())
                await child.begun()
                raise OopsError

    _, in_time = await tonio().time.timeout(block(), SOON)
    return await child.told() if in_time else NO


async def parent(column: Column) -> str:
    child = Child(asyncio.sleep)

    async def block() -> None:
        async with group(column) as tasks:
            tasks.create_task(child.run())

    task = asyncio.create_task(block())
    await child.begun()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return await child.told()


async def parent_tonio() -> str:
    child = Child(tonio().sleep)

    async def block() -> None:
        async with tonio().scope() as scope:
            scope.spawn(child.run())

    async with tonio().scope() as outer:
        outer.spawn(block())
        await child.begun()
        outer.cancel()
    return await child.told()


async def left_behind(column: Column) -> str:
    child = Child(asyncio.sleep)
    async with group(column) as tasks:
        tasks.create_task(child.leave_one_behind())
    return await child.told()


async def left_behind_tonio() -> str:
    child = Child(tonio().sleep)

    async def leave_one_behind() -> None:
        tonio().spawn(child.run())
        await child.begun()

    async with tonio().scope() as scope:
        scope.spawn(leave_one_behind())
    return await child.told()


async def clean_up(column: Column) -> str:
    for _ in range(5):
        child = Child(asyncio.sleep)
        with contextlib.suppress(OopsError, ExceptionGroup):
            async with group(column) as tasks:
                tasks.create_task(child.clean_up())
                await child.begun()
                # Of a task, since not all of them heed what the block raises.
                tasks.create_task(fail())
        if not child.cleaned:
            return NO
    return YES


async def clean_up_tonio() -> str:
    child = Child(tonio().sleep)
    async with tonio().scope() as scope:
        scope.spawn(child.clean_up())
        await child.begun()
        scope.cancel()
    return answer(await comes(lambda: child.cleaned, tonio().sleep))


async def handle(column: Column) -> str:
    child = Child(asyncio.sleep)
    async with group(column) as tasks:
        task = tasks.create_task(child.run())
        await child.begun()
        task.cancel()
        return answer(await comes(lambda: child.cancelled, asyncio.sleep))


async def handle_tonio() -> str:
    has_one = hasattr(tonio().spawn(_later(0, tonio().sleep)), "cancel")
    async with tonio().scope() as scope:
        return answer(has_one or scope.spawn(_later(0, tonio().sleep)) is not None)


# --- exceptions ---------------------------------------------------------------------------------


async def _failing(column: Column, count: int, *, in_the_block: bool) -> str:
    """Have tasks fail at once, and tell what is raised."""
    together = threading.Barrier(1 if column is Column.ASYNCIO else count)

    async def fail_with_the_others() -> None:
        _meet(together)
        raise OopsError

    try:
        async with group(column) as tasks:
            for _ in range(count):
                tasks.create_task(fail_with_the_others())
            if in_the_block:
                await asyncio.sleep(SOON)
    except ExceptionGroup as errors:
        return f"{len(errors.exceptions)} grouped"
    except OopsError:
        return "one"
    return "nothing"


async def failures(column: Column) -> str:
    one = await _failing(column, 1, in_the_block=True)
    two = await _failing(column, 2, in_the_block=True)
    how = {
        ("one", "2 grouped"): "one bare, several grouped",
        ("1 grouped", "2 grouped"): "grouped",
    }
    return how.get((one, two), f"{one}; {two}")


async def failures_tonio() -> str:
    told = []
    for count in (1, 2):
        try:
            await tonio().spawn(*[fail() for _ in range(count)])
        except ExceptionGroup as errors:
            told.append(len(errors.exceptions))
    if told != [1, 2]:
        return str(told)
    try:
        async with tonio().scope() as scope:
            scope.spawn(fail())
    except BaseException as error:
        return type(error).__name__
    return "grouped; `scope`: lost"


async def none_lost(column: Column) -> str:
    told = [await _failing(column, 2, in_the_block=False) for _ in range(20)]
    return answer(told == ["2 grouped"] * 20)


async def none_lost_tonio() -> str:
    """Tell it of `spawn`: of a scope's, none is raised."""
    for _ in range(20):
        try:
            await tonio().spawn(fail(), fail())
        except ExceptionGroup as errors:
            if len(errors.exceptions) != 2:
                return NO
    return "yes; `scope`: lost"


def exit_code(column: Column) -> str:
    """Tell whether `SystemExit` in a task is the end of the program, with its code."""

    async def leave() -> None:
        raise SystemExit(3)

    async def common() -> None:
        async with group(column) as tasks:
            tasks.create_task(leave())

    async def its_own() -> None:
        async with tonio().scope() as scope:
            scope.spawn(leave())

    try:
        if column is Column.TONIO:
            tonio().run(its_own(), threads=2)
        else:
            asyncio.run(common())
    except SystemExit as error:
        return answer(error.code == 3)
    return NO


# --- the rest -----------------------------------------------------------------------------------


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
        "a task fails: the others are cancelled and waited for": program(siblings, siblings_tonio),
        "a task fails: the block is interrupted": program(interrupted, interrupted_tonio),
        "the block fails: its tasks are cancelled and waited for": program(body, body_tonio),
        "the caller is cancelled: they are, too": program(parent, parent_tonio),
        "tasks that tasks have started end with the block": program(left_behind, left_behind_tonio),
        "one task can be cancelled": program(handle, handle_tonio),
        "a task may await while it is cancelled": program(clean_up, clean_up_tonio),
        "failures are raised": program(failures, failures_tonio),
        "all of them, if tasks fail at the same time": program(none_lost, none_lost_tonio),
        "`SystemExit` in a task ends the program": exit_code,
        "context variables of the caller": context_tonio,
        "tasks from any thread": program(from_a_thread, from_a_thread_tonio),
        "bound on tasks at once": bounded,
        "uvloop": on_uvloop,
        "a scheduler of one's own": placed,
        "`py.typed`": marked,
    },
)
