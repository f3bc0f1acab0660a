"""Jobs of an executor as tasks of the caller's own loop."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from ._awaitables import set_awaited_by
from ._calls import make_coroutine, wait_for_awaitable
from ._handles import cancelled_error
from ._misuse import disown
from ._runners import Runner
from ._thrasks import _Roster, _Ticket

T = TypeVar("T")

#: How long, in seconds, jobs that never suspend may hold the loop before others have a turn.
SLICE: Final = 0.001

#: A function to be called for a coroutine, or one that there is.
_Source: TypeAlias = "tuple[Callable[..., Awaitable[T]], tuple[Any, ...], dict[str, Any]]"


class _Coroutine:
    """A coroutine that nobody has awaited yet. Dropped, it is closed."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine: Coroutine[Any, Any, Any] | None = coroutine

    def take(self) -> Coroutine[Any, Any, Any]:
        """Return the coroutine, which is the caller's from now on."""
        coroutine, self._coroutine = self._coroutine, None
        assert coroutine is not None
        return coroutine

    def __del__(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()


class PooledTask(asyncio.Future[T]):
    """A job of an executor: queued, then a task of the loop."""

    __slots__ = ("_cancelled_with", "_context", "_runner", "_source", "_task", "_ticket")

    def __init__(self, runner: OnLoop, source: _Source[T] | _Coroutine) -> None:
        super().__init__(loop=runner.loop)
        self._runner: OnLoop | None = runner
        self._source: _Source[T] | _Coroutine | None = source
        self._context: Context | None = contextvars.copy_context()
        self._ticket: _Ticket | None = None
        self._task: asyncio.Task[T] | None = None
        #: The message of a request to cancel that came during the first step of the task.
        self._cancelled_with: tuple[Any] | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the job to end.

        One that runs is asked as a task is, and this is done when it has ended; one that is queued
        never will run, and this is done at once.

        Args:
            msg: The message of the `asyncio.CancelledError`.

        Returns:
            False if it is done already, otherwise True.
        """
        if self.done():
            return False
        if self._task is not None:
            return self._task.cancel(msg)
        if self._runner is None or self._ticket is None:
            # Not one of ours any more: somebody has taken it apart.
            return super().cancel(msg)
        if self._runner.take_back(self._ticket):
            self.drop(msg)
        else:
            self._cancelled_with = (msg,)
        return True

    def drop(self, msg: Any | None = None) -> None:
        """Be cancelled without having run."""
        self._runner = self._source = self._context = None
        super().cancel(msg)

    def start(self, name: str) -> asyncio.Task[T] | None:
        """Make the task, and return it; None if that failed, and this is done."""
        assert self._runner is not None
        loop = self._runner.loop
        source, self._source = self._source, None
        context, self._context = self._context, None
        task: Any = None
        try:
            coroutine: Coroutine[Any, Any, T] = (
                source.take() if isinstance(source, _Coroutine) else make_coroutine(*source)  # type: ignore[misc]
            )
            del source
            if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
                # In two steps: see `disown`.
                task = asyncio.Task.__new__(asyncio.Task)
                task.__init__(coroutine, loop=loop, name=name, context=context, eager_start=True)
            else:
                task = loop.create_task(coroutine, name=name, context=context)
        except BaseException as exc:
            if task is not None:
                disown(loop, task)
            self._runner = None
            self.set_exception(exc)
            if not isinstance(exc, Exception):
                raise
            return None
        if not task.done() and self._cancelled_with is not None:
            task.cancel(*self._cancelled_with)
            self._cancelled_with = None
        made: asyncio.Task[T] = task
        return made

    def suspended(self, task: asyncio.Task[T]) -> None:
        """Take note that the task goes on after its first step."""
        self._task = task
        set_awaited_by(task, self, awaited=True)  # type: ignore[arg-type]

    def settle(self, task: asyncio.Task[T]) -> None:
        """Take over the outcome of the task, which has ended."""
        if self._task is not None:
            set_awaited_by(task, self, awaited=False)  # type: ignore[arg-type]
        self._runner = self._task = None
        if task.cancelled():
            if not self.done():
                super().cancel(*cancelled_error(task).args)
            return
        exc = task.exception()
        if self.done():
            return
        if exc is not None:
            self.set_exception(exc)
        elif self._cancelled_with is not None:
            # As a task that cancels itself and then returns.
            super().cancel(*self._cancelled_with)
        else:
            self.set_result(task.result())
        # The exception's traceback refers to this frame.
        del exc


class OnLoop(Runner):
    """Runs jobs on the caller's loop, at most so many at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_workers: int, prefix: str) -> None:
        super().__init__(loop)
        self._roster: _Roster[PooledTask[Any]] = _Roster(max_workers)
        self._prefix = prefix
        #: What each worker runs.
        self._running: dict[int, PooledTask[Any]] = {}

    @property
    def unfinished(self) -> int:
        return len(self._roster)

    def call(
        self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[T]:
        return self._submit(PooledTask(self, (function, args, kwargs)))

    def run(self, awaitable: Awaitable[T]) -> asyncio.Future[T]:
        if not asyncio.iscoroutine(awaitable) or asyncio.isfuture(awaitable):
            return self.call(wait_for_awaitable, (awaitable,), {})
        return self._submit(PooledTask(self, _Coroutine(awaitable)))

    def _submit(self, job: PooledTask[T]) -> asyncio.Future[T]:
        submitted = self._roster.submit(job)
        if submitted is None:
            raise RuntimeError("cannot schedule new futures after shutdown")
        job._ticket, worker = submitted
        if worker is not None:
            self.loop.call_soon(self._work, worker)
        return job

    def _work(self, worker: int) -> None:
        """Have a worker run jobs until one suspends."""
        end = self.loop.time() + SLICE
        while (job := self._roster.next(worker)) is not None:
            self._running[worker] = job
            try:
                task = job.start(f"{self._prefix}_{worker}")
            except BaseException:
                # As of any task of asyncio: the loop stops. It may go on.
                self._running.pop(worker)
                self.loop.call_soon(self._work, worker)
                raise
            if task is not None:
                if not task.done():
                    job.suspended(task)
                    task.add_done_callback(partial(self._ended, worker))
                    return
                job.settle(task)
            del self._running[worker], job, task
            if self.loop.time() >= end:
                self.loop.call_soon(self._work, worker)
                return
        if not self.unfinished:
            self._ended_all()

    def _ended(self, worker: int, task: asyncio.Task[Any]) -> None:
        self._running.pop(worker).settle(task)
        del task
        self._work(worker)

    def take_back(self, ticket: _Ticket) -> bool:
        """Take a job out of the queue. Return whether it was there."""
        if not self._roster.remove(ticket):
            return False
        if not self.unfinished:
            self._ended_all()
        return True

    def close(self) -> None:
        self._roster.close(cancel_queued=False)

    def cancel_queued(self) -> None:
        for job in reversed(self._roster.close(cancel_queued=True)):
            job.drop()
        if not self.unfinished:
            self._ended_all()

    def cancel_running(self) -> None:
        for job in reversed(self._running.values()):
            job.cancel()

    def is_job(self, task: asyncio.Task[Any] | None) -> bool:
        return any(job._task is task for job in self._running.values())

    def describe(self) -> list[str]:
        running = len(self._running)
        queued = self.unfinished - running
        return [f"{n} {what}" for n, what in ((running, "running"), (queued, "queued")) if n]
