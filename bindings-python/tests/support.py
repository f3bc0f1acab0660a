"""What many tests need: events across loops, coroutines to run, and a look at the workers."""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import flavours

import thrasks._thrasks as native

T = TypeVar("T")

#: How long to wait, in seconds, for what happens soon on another thread. Only a failure takes that.
PATIENCE = 10.0

#: Workers are threads with such names.
WORKER_PREFIX = "thrasks-loop-"

#: And the threads of the pool for blocking code, with such.
BLOCKING_PREFIX = "thrasks-blocking-"

FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()


class Signal:
    """An event that any thread can set, and that can be awaited on any loop or waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = threading.Event()
        self._waiters: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        return self._set.is_set()

    def set(self) -> None:
        with self._lock:
            self._set.set()
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.get_loop().call_soon_threadsafe(_resolve, waiter)

    async def wait(self) -> None:
        with self._lock:
            if self._set.is_set():
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
        try:
            await waiter
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def block(self) -> None:
        """Wait on this thread, whose loop stands still meanwhile."""
        if not self._set.wait(PATIENCE):
            raise TimeoutError("nobody set the signal")


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Everybody:
    """A meeting of `count` coroutines on any loops: each waits until all are there."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._missing = count
        self._complete = Signal()

    def _arrive(self) -> None:
        with self._lock:
            self._missing -= 1
            complete = self._missing == 0
        if complete:
            self._complete.set()

    async def meet(self) -> None:
        self._arrive()
        await self._complete.wait()

    def meet_blocking(self) -> None:
        """Meet with each standing on a thread of its own."""
        self._arrive()
        self._complete.block()


async def value(result: T) -> T:
    return result


async def fail(error: BaseException) -> None:
    raise error


async def fail_later(error: BaseException) -> None:
    """Fail after having been suspended once."""
    await asyncio.sleep(0)
    raise error


async def for_ever(started: Signal | None = None) -> None:
    if started is not None:
        started.set()
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nothing ends this but a cancellation")


async def fail_when_cancelled(error: BaseException, started: Signal | None = None) -> None:
    try:
        await for_ever(started)
    finally:
        raise error


class SlowToEnd:
    """A coroutine that runs until it is cancelled, and then has a turn of its loop to end."""

    def __init__(self) -> None:
        self.started = Signal()
        self.has_ended = False

    async def run(self) -> None:
        try:
            await for_ever(self.started)
        finally:
            await asyncio.sleep(0)
            self.has_ended = True


class Alive:
    """Count those inside its block, on any threads: how many there are, and ever were at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0
        self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


async def block_until(signal: Signal, started: Signal | None = None) -> None:
    """Keep a worker's thread busy."""
    if started is not None:
        started.set()
    signal.block()


async def where() -> str:
    """The name of the thread this runs on."""
    return threading.current_thread().name


def is_closed(coro: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def worker_threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith(WORKER_PREFIX)}


def idle_workers() -> int:
    return native.idle_loops()


def blocking_threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith(BLOCKING_PREFIX)}


class Blocking(NamedTuple):
    """What the threads for blocking code are at."""

    cap: int
    """How many jobs the pool does at once."""
    threads: int
    """Those of the pool."""
    queued: int
    """Jobs that wait for one."""
    at_work: int
    """Jobs that one is in."""
    separate: int
    """Threads of their own."""
    under_way: int
    """Iterators and generators on any thread."""

    @classmethod
    def now(cls) -> Blocking:
        return cls._make(native.blocking_counts())

    @property
    def busy(self) -> int:
        """How much there is that has not ended. An idle thread of the pool has: it is warm."""
        return self.queued + self.at_work + self.separate + self.under_way


def eventually(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Wait for something that another thread is about to do, and say whether it did."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def eventually_freed(dead: weakref.ref[Any], patience: float = 3.0) -> bool:
    """Collect garbage until something is gone: a worker may only just be letting go of it."""
    return eventually(lambda: gc.collect() >= 0 and dead() is None, patience)


async def eventually_async(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Do the same while the loop runs."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.001)
    return True


@contextmanager
def reports() -> Iterator[list[dict[str, Any]]]:
    """Collect what is reported to the running loop's exception handler."""
    loop = asyncio.get_running_loop()
    seen: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: seen.append(context))
    try:
        yield seen
    finally:
        loop.set_exception_handler(before)


def python(program: str, *options: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter of its own, in the flavour that the tests run in."""
    return subprocess.run(
        [sys.executable, *options, "-c", flavours.prelude() + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def no_gc() -> Iterator[None]:
    """Without the cyclic collector: what dies, dies because nothing refers to it."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def me() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
