"""Pools of event loops, to be shared."""

from __future__ import annotations

__all__ = ["LoopPool", "LoopStats", "PoolStats"]

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ._arguments import Leasing, LoopFactory
from ._modes import Scheduler, SchedulingMode
from ._shutdown import Patience

if TYPE_CHECKING:
    from typing import Self

    from ._handles import ThreadedTask
    from ._thrasks import Workers

T = TypeVar("T")


@dataclass(frozen=True)
class LoopStats:
    """What one loop of a pool has done so far.

    Attributes:
        name: The name of the loop's thread.
        queued: Tasks that wait for this loop.
        running: Tasks that it has started and that have not ended.
        done: Tasks that have ended.
    """

    name: str
    queued: int
    running: int
    done: int


@dataclass(frozen=True)
class PoolStats:
    """What a pool has done so far.

    Attributes:
        queued: Tasks that wait to be started.
        running: Tasks that were started and have not ended.
        done: Tasks that have ended.
        loops: The same for each loop.
    """

    queued: int
    running: int
    done: int
    loops: tuple[LoopStats, ...]


class LoopPool:
    """Threads with an event loop each, for many to run coroutines on.

    ::

        async with LoopPool(8) as pool:
            result = await pool.run(work())

    Groups and gathers run on a pool with ``pool=``. Leaving the block waits for everything that
    runs on the pool; leaving it by an exception cancels that first.
    """

    def __init__(
        self,
        num_threads: int | None = None,
        *,
        mode: SchedulingMode | Scheduler | None = None,
        loop_factory: LoopFactory | None = None,
    ) -> None:
        """Describe a pool. Its threads are leased when it is entered.

        Args:
            num_threads: How many threads; 4 by default, and 10,000 at most.
            mode: Which of them runs which task: a `SchedulingMode`, `QUEUE` by default, or an
                object with a ``place(loads)`` method.
            loop_factory: What makes the event loops, such as ``uvloop.new_event_loop``.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: `num_threads` is less than 1, or more than 10,000.
        """
        self._leasing = Leasing(
            num_threads, mode, loop_factory, None, None, default_mode=SchedulingMode.QUEUE
        )
        self._entered = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = False
        self._closed = False
        self._workers: Workers | None = None
        self._patience = Patience()

    @property
    def num_threads(self) -> int:
        """How many threads the pool has."""
        return self._leasing.num_threads

    @property
    def mode(self) -> SchedulingMode | Scheduler:
        """What decides which thread runs which task."""
        return self._leasing.mode

    async def __aenter__(self) -> Self:
        """Lease the threads.

        Raises:
            RuntimeError: The pool was entered before.
        """
        if self._entered:
            raise RuntimeError(f"{self!r} has already been entered")
        self._entered = True
        self._patience = Patience()
        try:
            self._workers = await self._leasing.lease_ready(shared=True)
        except BaseException:
            self._entered = False
            raise
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self,
        et: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        del et, tb
        loop = asyncio.get_running_loop()
        workers = self._open_workers()
        if loop is not self._loop:
            raise RuntimeError(f"{self!r} can be left only on the loop that entered it")
        if self._leaving:
            raise RuntimeError(f"{self!r} is being left by another task")
        self._leaving = True
        if exc is not None:
            workers.abort()
        cancellation: asyncio.CancelledError | None = None
        try:
            for finish in (workers.wait_drained, workers.release):
                over: asyncio.Future[None] = loop.create_future()
                if finish(loop, over):
                    continue
                if isinstance(exc, asyncio.CancelledError):
                    self._patience.cancelled(loop, self, partial(_resolve, over))
                while not over.done():
                    try:
                        # Not awaited itself: a cancellation would cancel it, and the wait goes on.
                        await asyncio.wait([over])
                    except asyncio.CancelledError as error:
                        cancellation = cancellation or error
                        workers.abort()
                        self._patience.cancelled(loop, self, partial(_resolve, over))
                if self._patience.over:
                    # The last task gives the threads back, if it ever ends.
                    workers.abandon()
                    break
            self._patience.done()
            if cancellation is not None:
                raise cancellation
        finally:
            self._closed = True
            self._workers = None
            self._loop = None
            exc = cancellation = None

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> ThreadedTask[T]:
        """Run a coroutine on one of the pool's threads.

        Args:
            coro: The coroutine.
            name: The name of the task.
            context: The context that the task runs in; a copy of the caller's by default. Tasks
                that are given the same context run on the same thread.

        Returns:
            A handle, which is a future of the loop that runs here. Cancelling it asks the task to
            end.

        Raises:
            RuntimeError: The pool is not open, or no loop is running here. The coroutine is closed.
            TypeError: `coro` is not a coroutine.
        """
        if not asyncio.iscoroutine(coro):
            raise TypeError(f"a coroutine was expected, got {coro!r}")
        try:
            loop = asyncio.get_running_loop()
            workers = self._open_workers()
        except RuntimeError:
            coro.close()
            raise
        return workers.run(coro, name, context, loop)

    def stats(self) -> PoolStats:
        """Return what the pool has done so far.

        Returns:
            Counts of its tasks, together and for each loop.

        Raises:
            RuntimeError: The pool is not open.
        """
        queued, running, done, loops = self._open_workers().stats()
        return PoolStats(queued, running, done, tuple(LoopStats(*one) for one in loops))

    def _open_workers(self) -> Workers:
        if self._workers is None:
            if self._closed:
                raise RuntimeError(f"{self!r} is closed")
            raise RuntimeError(
                f"{self!r} has not been entered: it must be used in async with statement"
            )
        return self._workers

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        # Nobody can leave its block any more.
        workers = getattr(self, "_workers", None)
        if workers is not None and workers.abandon():
            _warn(f"{self!r} was entered and never left", ResourceWarning, source=self)

    def __repr__(self) -> str:
        info = [f"{type(self).__name__} threads={self.num_threads} mode={self._leasing.mode_name}"]
        if self._workers is not None:
            _, running, _, _ = self._workers.stats()
            if running:
                info.append(f"running={running}")
        elif self._closed:
            info.append("closed")
        return f"<{' '.join(info)}>"


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
