"""The kinds of executors, and what jobs and inputs are made of."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import flavours
from support import Alive, Signal, eventually_async

from thrasks import LoopPool, TaskPoolExecutor

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """Where the jobs of an executor run."""

    name: str
    #: On other threads than the caller's.
    threaded: bool
    of_a_pool: bool = False

    @asynccontextmanager
    async def make(
        self, max_workers: int | None = 4, prefix: str = ""
    ) -> AsyncIterator[TaskPoolExecutor]:
        """Make an executor, which whoever has it shuts down or not."""
        if not self.threaded:
            yield TaskPoolExecutor(max_workers, prefix)
        elif not self.of_a_pool:
            yield TaskPoolExecutor(max_workers, prefix, num_threads=2)
        else:
            async with LoopPool(2) as pool:
                yield TaskPoolExecutor(max_workers, prefix, pool=pool)

    @asynccontextmanager
    async def open(
        self, max_workers: int | None = 4, prefix: str = ""
    ) -> AsyncIterator[TaskPoolExecutor]:
        """Make an executor, and shut it down at the end of the block."""
        async with self.make(max_workers, prefix) as executor, executor:
            yield executor


KINDS = (
    Kind("loop", threaded=False),
    Kind("threads", threaded=True),
    Kind("pool", threaded=True, of_a_pool=True),
)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own, of the flavour's make."""
    with asyncio.Runner(loop_factory=flavours.loop_factory()) as runner:
        return runner.run(main)


def new_loop() -> asyncio.AbstractEventLoop:
    return (flavours.loop_factory() or asyncio.new_event_loop)()


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def identity(value: T) -> T:
    return value


class Gate:
    """Jobs that wait until they are let go, and tell who is inside."""

    def __init__(self) -> None:
        self.signal = Signal()
        self.alive = Alive()
        self.entered: list[Any] = []
        self.ended: list[Any] = []

    async def hold(self, value: T, *_: object) -> T:
        """Wait until the gate is open, and return the value."""
        with self.alive:
            self.entered.append(value)
            try:
                await self.signal.wait()
            finally:
                try:
                    # A turn of the loop: whoever waits for the end of a job waits for that, too.
                    await asyncio.sleep(0)
                finally:
                    self.ended.append(value)
        return value

    def open(self) -> None:
        self.signal.set()

    async def inside(self, count: int) -> None:
        """Wait until so many have entered."""
        assert await eventually_async(lambda: len(self.entered) >= count), self.entered


class Numbers:
    """The numbers from 0 on, which tell how many were asked for."""

    def __init__(self, stop: int | None = None, error: BaseException | None = None) -> None:
        self.made = 0
        self._stop = stop
        self._error = error

    def __iter__(self) -> Iterator[int]:
        for number in itertools.count() if self._stop is None else range(self._stop):
            self.made += 1
            yield number
        if self._error is not None:
            raise self._error


class AsyncNumbers:
    """The same, asynchronously, and tell when they were closed."""

    def __init__(self, stop: int | None = None, error: BaseException | None = None) -> None:
        self._numbers = Numbers(stop, error)
        self.closed = Signal()

    @property
    def made(self) -> int:
        return self._numbers.made

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            for number in self._numbers:
                await asyncio.sleep(0)
                yield number
        finally:
            self.closed.set()


async def turns(count: int = 20) -> None:
    """Let the loop do whatever it has to do by now."""
    for _ in range(count):
        await asyncio.sleep(0)


async def nothing_happens_to(executor: TaskPoolExecutor) -> None:
    """Give jobs that should not start the time in which they would."""
    await turns()
    if "threads=" in repr(executor):
        await asyncio.sleep(0.02)


async def outcome(future: Awaitable[T]) -> T | BaseException:
    """Return a result, or what was raised in its place."""
    try:
        return await future
    except BaseException as error:
        return error
