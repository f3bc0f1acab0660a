"""Jobs of an executor as tasks of worker loops."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ._arguments import Leasing
from ._calls import wait_for_awaitable
from ._runners import Runner
from ._shutdown import Patience
from ._thrasks import _PooledJobs

if TYPE_CHECKING:
    from ._thrasks import _MapJobs

T = TypeVar("T")


class OnWorkers(Runner):
    """Runs jobs on the loops of other threads, at most so many at once over all of them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        leasing: Leasing,
        max_concurrency: int,
        prefix: str | None = None,
        *,
        cancel_at_end: bool = False,
    ) -> None:
        self._jobs = _PooledJobs(leasing.lease(), max_concurrency, leasing.private)
        super().__init__(loop)
        self._prefix = prefix
        self._cancel_at_end = cancel_at_end
        self._numbers = itertools.count()
        self._closed = False
        #: What stays on this loop.
        self._here: set[asyncio.Task[Any]] = set()
        self._waiters: set[asyncio.Future[None]] = set()
        self._patience = Patience()

    @property
    def unfinished(self) -> int:
        return 0 if self._patience.over else len(self._jobs) + len(self._here)

    def call(
        self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[T]:
        return self._jobs.call(self, self.loop, function, args, kwargs or None, self._name())

    def run(self, awaitable: Awaitable[T]) -> asyncio.Future[T]:
        if asyncio.iscoroutine(awaitable) and not asyncio.isfuture(awaitable):
            return self._jobs.run(self, self.loop, awaitable, self._name())
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        # It belongs to the loop that it is on, and takes no worker's time.
        task = self.loop.create_task(wait_for_awaitable(awaitable))
        self._here.add(task)
        # As the jobs on workers, it holds this until it has ended.
        task.add_done_callback(self._ended_here)
        return task

    def _ended_here(self, task: asyncio.Task[Any]) -> None:
        self._here.discard(task)

    def map(
        self, bound: int | None, tell: Callable[[], object] | None, *, ordered: bool
    ) -> _MapJobs:
        return self._jobs.map(bound, ordered, tell)

    def _name(self) -> str | None:
        return None if self._prefix is None else f"{self._prefix}_{next(self._numbers)}"

    def close(self) -> None:
        self._closed = True
        self._jobs.close()

    def cancel_queued(self) -> None:
        self._jobs.cancel_queued()

    def cancel_all(self) -> None:
        self._jobs.cancel_all()
        for task in self._here:
            task.cancel()
        self._lose_patience()

    def is_job(self, task: asyncio.Task[Any] | None) -> bool:
        # Those are on other loops; here is only what waits for something of this loop.
        return task in self._here

    def describe(self) -> list[str]:
        return [f"{self.unfinished} unfinished"] if self.unfinished else []

    async def wait(self) -> None:
        while self.unfinished:
            if self._here:
                await asyncio.wait(self._here)
                continue
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiters.add(waiter)
            self._jobs.wait(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        self._patience.done()

    def _lose_patience(self, *, shutting_down: bool = False) -> None:
        # One that is stuck in synchronous code may never end.
        self._patience.cancelled(self.loop, self, self._give_up, shutting_down=shutting_down)

    def _give_up(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _end(self) -> None:
        if self._cancel_at_end:
            self.cancel_all()
            self._lose_patience(shutting_down=True)
        await super()._end()
