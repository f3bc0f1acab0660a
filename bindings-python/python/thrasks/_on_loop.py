"""Jobs of an executor as tasks of the caller's own loop."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from ._calls import wait_for_awaitable
from ._misuse import disown
from ._runners import Runner
from ._thrasks import LocalJobsBase, _LocalCarrier

if TYPE_CHECKING:
    from ._thrasks import _LocalJob, _MapJobs

T = TypeVar("T")


class PooledTask(asyncio.Future[T]):
    """A job of an executor: queued, then a task of the loop."""

    __slots__ = ("_job",)

    _job: _LocalJob

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
        asked = self._job.cancel(msg)
        return super().cancel(msg) if asked is None else asked


def make_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T],
    name: str,
    context: Context,
) -> asyncio.Task[T]:
    """Make the task of a job, which runs its first step at once where asyncio can do that."""
    if sys.version_info < (3, 12) or loop.get_task_factory() is not None:
        return loop.create_task(coroutine, name=name, context=context)
    # In two steps: where the first one of the coroutine raises KeyboardInterrupt, so does the
    # constructor, after the task has taken note of it.
    task: Any = asyncio.Task.__new__(asyncio.Task)
    try:
        task.__init__(coroutine, loop=loop, name=name, context=context, eager_start=True)
    except BaseException:
        disown(loop, task)
        raise
    made: asyncio.Task[T] = task
    return made


# asyncio makes tasks of coroutines only.
Coroutine.register(_LocalCarrier)  # pyright: ignore[reportAttributeAccessIssue]


class OnLoop(LocalJobsBase, Runner):
    """Runs jobs on the caller's loop, at most so many at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_workers: int, prefix: str) -> None:
        del max_workers, prefix  # The native half has them.
        super().__init__(loop)

    @property
    def unfinished(self) -> int:
        return sum(self._counts())

    def run(self, awaitable: Awaitable[T]) -> asyncio.Future[T]:
        if not asyncio.iscoroutine(awaitable) or asyncio.isfuture(awaitable):
            return self.call(wait_for_awaitable, (awaitable,), {})
        return self._run(awaitable)

    def map(
        self, bound: int | None, tell: Callable[[], object] | None, *, ordered: bool
    ) -> _MapJobs:
        return self._map(bound, ordered, tell)

    def close(self) -> None:
        self._close(cancel_queued=False)

    def cancel_queued(self) -> None:
        self._close(cancel_queued=True)

    def cancel_all(self) -> None:
        self._close(cancel_queued=True)
        self._cancel_running()

    def is_job(self, task: asyncio.Task[Any] | None) -> bool:
        return task is not None and self._is_job(task)

    def describe(self) -> list[str]:
        running, queued = self._counts()
        return [f"{n} {what}" for n, what in ((running, "running"), (queued, "queued")) if n]

    async def wait(self) -> None:
        while self.unfinished:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._wait(waiter)
            await waiter
