"""How tasks of a group end: the programs behind the cells of the comparison."""

from __future__ import annotations

__all__ = ["ROWS"]

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

# isort: split
from features import LONG, NO, SOON, YES, Column, Probe, answer, comes
from features_groups import group, meet, program, tonio


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
    """Tell whether what one gets for a task could cancel it. A scope can, all of its tasks."""
    sleep = tonio().sleep
    async with tonio().scope() as scope:
        handles = [tonio().spawn(sleep(0)), scope.spawn(sleep(0))]
    return answer(any(hasattr(handle, "cancel") for handle in handles))


# --- exceptions ---------------------------------------------------------------------------------


async def _failing(column: Column, count: int, *, in_the_block: bool) -> str:
    """Have tasks fail at once, and tell what is raised."""
    together = threading.Barrier(1 if column is Column.ASYNCIO else count)

    async def fail_with_the_others() -> None:
        meet(together)
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


ROWS: Final[dict[str, Probe]] = {
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
}
