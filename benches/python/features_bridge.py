"""Blocking code in async code: the programs behind the cells of the comparison."""

from __future__ import annotations

__all__ = ["TABLE"]

import asyncio
import contextlib
import contextvars
import gc
import importlib
import itertools
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

# isort: split
from features import LONG, NO, SOON, YES, Column, Probe, Table, answer, comes, tell, typed

COLUMNS: Final = (Column.THRASKS, Column.ASYNCIO, Column.AIOTHREADS, Column.ATHREADING)
STREAMING: Final = (Column.THRASKS, Column.AIOTHREADS, Column.ATHREADING)
#: aiothreads has the two of them not.
TWO_WAY: Final = (Column.THRASKS, Column.ATHREADING)
#: athreading has these not.
WAITING: Final = (Column.THRASKS, Column.AIOTHREADS)

#: Stands where there is nothing that could do it, well or not.
NOTHING: Final = "-"

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="")

T = TypeVar("T")


def package(column: Column) -> Any:
    return importlib.import_module(column.value)


async def call(column: Column, function: Callable[[], T]) -> T:
    if column is Column.ASYNCIO:
        return await asyncio.to_thread(function)
    of = package(column)
    result: T = await (of.call if column is Column.ATHREADING else of.threaded)(function)()
    return result


def stream(column: Column, generator: Callable[[], Iterator[T]]) -> Any:
    of = package(column)
    return (of.iterate if column is Column.ATHREADING else of.threaded_iterable)(generator)()


def asked(program: Callable[[Column], Coroutine[Any, Any, str]], *have: Column) -> Probe:
    """Ask those that have such a thing at all."""
    return lambda column: asyncio.run(program(column)) if column in have else NOTHING


class Watched:
    """An endless generator that tells how far it is, and whether it has been closed."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = False

    def __call__(self) -> Iterator[int]:
        try:
            for self.made in itertools.count(1):
                yield self.made
        finally:
            self.closed = True


async def left_early(column: Column) -> str:
    watched = Watched()

    async def leave() -> None:
        async for _ in stream(column, watched):
            break

    try:
        await leave()
    except AssertionError:
        # That of athreading's which says that there has to be an `async with`.
        return "needs `async with`"
    gc.collect()
    return answer(await comes(lambda: watched.closed, asyncio.sleep))


async def block_left(column: Column) -> str:
    watched = Watched()
    async with stream(column, watched) as numbers:
        async for _ in numbers:
            break
    # Not a moment later; but a generator that is dropped has its turn, too.
    return answer(watched.closed)


async def bounded(column: Column) -> str:
    watched = Watched()
    async with stream(column, watched) as numbers:
        async for _ in numbers:
            await comes(lambda: watched.made > 10_000, asyncio.sleep)
            break
    return answer(watched.made < 10_000)


async def open_streams(column: Column) -> str:
    """Tell whether calls find a thread while a lot of streams wait for their consumers."""
    iterators = []
    async with contextlib.AsyncExitStack() as opened:
        try:
            for _ in range(50):
                numbers = aiter(await opened.enter_async_context(bounded_stream(column)))
                iterators.append(numbers)
                await asyncio.wait_for(anext(numbers), SOON)
            await asyncio.wait_for(call(column, lambda: None), SOON)
        except TimeoutError:
            # Streams that wait for a thread do not end, either.
            tell(NO)
    return YES


def bounded_stream(column: Column) -> Any:
    of = package(column)
    if column is Column.ATHREADING:
        return of.iterate(Watched(), buffer_maxsize=5)()
    return of.threaded_iterable(Watched(), max_size=5)()


async def failure(column: Column) -> str:
    def numbers() -> Iterator[int]:
        yield from range(3)
        raise ValueError

    found = []
    async with stream(column, numbers) as opened:
        try:
            async for number in opened:
                found.append(number)
        except ValueError:
            return answer(found == [0, 1, 2])
    return NO


def doubles() -> Generator[int, int, None]:
    sent = 0
    while True:
        try:
            sent = yield 2 * sent
        except ValueError:
            sent = 50


async def sent(column: Column) -> str:
    async with package(column).generate(doubles)() as opened:
        await anext(opened)
        return answer(await opened.asend(4) == 8)


async def thrown(column: Column) -> str:
    async with package(column).generate(doubles)() as opened:
        await anext(opened)
        try:
            return answer(await opened.athrow(ValueError()) == 100)
        except ValueError:
            return NO


async def _warm(column: Column) -> None:
    """Have one thread only, which began before: a new one may inherit the caller's context."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    await call(column, lambda: None)


async def context(column: Column) -> str:
    await _warm(column)
    VARIABLE.set("of the caller")
    return answer(await call(column, VARIABLE.get) == "of the caller")


async def context_of_streams(column: Column) -> str:
    await _warm(column)
    VARIABLE.set("of the caller")

    def look() -> Iterator[str]:
        yield VARIABLE.get()

    async with stream(column, look) as opened:
        return answer([one async for one in opened] == ["of the caller"])


async def waits(column: Column) -> str:
    async def name() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    of = package(column)
    return answer(await call(column, lambda: of.sync_await(name)) == "MainThread")


async def waits_for_itself(column: Column) -> str:
    """Tell whether a thread that runs a loop and wants to wait for it is told, or hangs."""
    coro = asyncio.sleep(0)
    try:
        package(column).wait_coroutine(coro, asyncio.get_running_loop())
    except RuntimeError:
        coro.close()
        return YES
    return NO


async def callbacks(column: Column) -> str:
    def source(callback: Callable[[int], None]) -> None:
        for number in range(3):
            callback(number)

    async with package(column).iterate_callback(source)() as opened:
        return answer([await anext(opened) for _ in range(3)] == [0, 1, 2])


async def stuck(column: Column) -> str:
    """Leave a call behind that never ends. What is said counts only if the process then ends."""
    stuck = asyncio.ensure_future(call(column, lambda: threading.Event().wait(LONG)))
    await asyncio.wait([stuck], timeout=0.1)
    stuck.cancel()
    return YES


def marked(column: Column) -> str:
    return "typeshed" if column is Column.ASYNCIO else typed(column.value)


def streams(program: Callable[[Column], Coroutine[Any, Any, str]]) -> Probe:
    return asked(program, *STREAMING)


async def streamed(column: Column) -> str:
    async with stream(column, lambda: iter(range(5))) as opened:
        return answer([number async for number in opened] == list(range(5)))


def without(nothing: Probe) -> Probe:
    """Say of those that have no such thing that they do not do it."""
    return lambda column: NO if (told := nothing(column)) == NOTHING else told


TABLE: Final = Table(
    "Blocking code in async code",
    COLUMNS,
    {
        "generators and iterators": without(streams(streamed)),
        "two-way generators: `asend`": without(asked(sent, *TWO_WAY)),
        "`athrow` reaches the generator": asked(thrown, *TWO_WAY),
        "functions that call back": without(asked(callbacks, *TWO_WAY)),
        "async code from a thread": without(asked(waits, *WAITING)),
        "a thread that would wait for itself is told": asked(waits_for_itself, *WAITING),
        "`break` stops the generator": streams(left_early),
        "`async with` waits until it is closed": streams(block_left),
        "the buffer is bounded, unless told otherwise": streams(bounded),
        "open streams leave threads for others": streams(open_streams),
        "an error comes after the items before it": streams(failure),
        "context variables: calls": asked(context, *COLUMNS),
        "context variables: streams": streams(context_of_streams),
        "the program ends, though a call never does": asked(stuck, *COLUMNS),
        "`py.typed`": marked,
    },
)
