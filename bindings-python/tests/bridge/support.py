"""Generators that tell what they do, and the ways to iterate over them on a thread."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import flavours
from support import PATIENCE, Blocking, Signal, eventually, eventually_async

from thrasks import (
    ThreadedAsyncIterator,
    generate,
    iterate,
    threaded,
    threaded_iterable,
    threaded_iterable_separate,
    threaded_separate,
)

T = TypeVar("T")


#: How many calls the pool runs at once.
CAP = Blocking.now().cap


class Thing:
    """Something that can be referred to weakly."""


class Source:
    """A generator function that tells what its generator does, and where."""

    __name__ = __qualname__ = "numbers"

    def __init__(self, stop: int | None = None, error: BaseException | None = None) -> None:
        self._stop = stop
        self._error = error
        #: How many items it has made: more than it has given away, while it makes one.
        self.made = 0
        self.thread: threading.Thread | None = None
        self.began = Signal()
        #: Where its `finally` ran.
        self.ended_on: threading.Thread | None = None
        self.ended = Signal()

    def __call__(self) -> Generator[int, Any, None]:
        self.thread = threading.current_thread()
        self.began.set()
        try:
            for number in itertools.count() if self._stop is None else range(self._stop):
                self.made += 1
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.ended_on = threading.current_thread()
            self.ended.set()

    def generator(self) -> Generator[int, Any, None]:
        # A generator function, where one is told from other functions.
        yield from self()

    async def has_ended_where_it_began(self) -> None:
        await asyncio.wait_for(self.ended.wait(), PATIENCE)
        assert self.ended_on is self.thread is not threading.current_thread()


Opening = Callable[[Source, int], ThreadedAsyncIterator[int]]


#: The ways to iterate over a generator, with a buffer of a size.
WAYS: dict[str, Opening] = {
    "threaded_iterable": lambda s, n: threaded_iterable(s.generator, max_size=n)(),
    "threaded_iterable_separate": lambda s, n: threaded_iterable_separate(
        s.generator, max_size=n
    )(),
    "iterate a function": lambda s, n: iterate(s.generator, buffer_maxsize=n)(),
    "iterate a generator": lambda s, n: iterate(s(), buffer_maxsize=n),
    "ThreadedAsyncIterator": lambda s, n: ThreadedAsyncIterator(s(), n),
}

#: And without saying how large it is.
SIZELESS: dict[str, Callable[[Source], Any]] = {
    "threaded": lambda s: threaded(s.generator)(),
    "threaded_separate": lambda s: threaded_separate(s.generator)(),
    "generate": lambda s: generate(s.generator)(),
}


async def is_stuck_at(source: Source, made: int) -> None:
    """Wait until a source has made so many items, and see that it stays so."""
    assert await eventually_async(lambda: source.made >= made), source.made
    # Whatever it would do more, it would do by now.
    for _ in range(20):
        await threaded(int)()
    assert source.made == made


def is_idle() -> bool:
    """Wait until no call, iterator or generator is on any thread."""
    return eventually(lambda: not Blocking.now().busy)


async def nothing_runs(before: Blocking) -> None:
    """Wait until no more is on any thread than before."""
    assert await eventually_async(lambda: Blocking.now().busy <= before.busy), Blocking.now()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own, of the flavour's make."""
    with asyncio.Runner(loop_factory=flavours.loop_factory()) as runner:
        return runner.run(main)


def new_loop() -> asyncio.AbstractEventLoop:
    return (flavours.loop_factory() or asyncio.new_event_loop)()


@dataclass
class Occupied:
    """Threads of the pool that are all taken, until they are let go."""

    gate: Signal
    calls: list[asyncio.Future[None]]

    def free(self) -> None:
        self.gate.set()


async def occupy(count: int) -> Occupied:
    """Take so many threads."""
    gate = Signal()
    entered = [Signal() for _ in range(count)]

    @threaded
    def hold(inside: Signal) -> None:
        inside.set()
        gate.block()

    calls = [hold(inside) for inside in entered]
    for inside in entered:
        await asyncio.wait_for(inside.wait(), PATIENCE)
    return Occupied(gate, calls)
