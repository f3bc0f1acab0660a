"""Jobs of an executor as tasks of worker loops."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ._arguments import Leasing
from ._calls import wait_for_awaitable
from ._handles import ThreadedTask
from ._runners import Runner

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
        self._workers = leasing.lease(shared=True)
        self._private = leasing.private
        self._limited = self._workers.limited(max_concurrency)
        super().__init__(loop)
        self._prefix = prefix
        self._cancel_at_end = cancel_at_end
        self._numbers = itertools.count()
        self._closed = False
        self._waiters: list[asyncio.Future[None]] = []
        #: In the order in which they came.
        self._jobs: dict[asyncio.Future[Any], None] = {}

    @property
    def unfinished(self) -> int:
        return len(self._jobs)

    def call(
        self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[T]:
        self._check_open()
        return self._watch(
            self._limited.call(function, args, kwargs or None, self._name(), self.loop)
        )

    def run(self, awaitable: Awaitable[T]) -> asyncio.Future[T]:
        self._check_open()
        if asyncio.iscoroutine(awaitable) and not asyncio.isfuture(awaitable):
            return self._watch(self._limited.run(awaitable, self._name(), self.loop))
        # It belongs to the loop that it is on, and takes no worker's time.
        return self._watch(self.loop.create_task(wait_for_awaitable(awaitable)))

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _name(self) -> str | None:
        return None if self._prefix is None else f"{self._prefix}_{next(self._numbers)}"

    def _watch(self, job: asyncio.Future[T]) -> asyncio.Future[T]:
        self._jobs[job] = None
        job.add_done_callback(self._ended)
        return job

    def _ended(self, job: asyncio.Future[Any]) -> None:
        del self._jobs[job]
        if not self._jobs:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def close(self) -> None:
        self._closed = True
        if self._private:
            self._workers.finish()

    def cancel_queued(self) -> None:
        for job in reversed(list(self._jobs)):
            if isinstance(job, ThreadedTask):
                job._job.cancel_unstarted()

    def cancel_running(self) -> None:
        for job in reversed(list(self._jobs)):
            job.cancel()

    def is_job(self, task: asyncio.Task[Any] | None) -> bool:
        # Those are on other loops; here is only what waits for something of this loop.
        return task in self._jobs

    def describe(self) -> list[str]:
        return [f"{self.unfinished} unfinished"] if self.unfinished else []

    async def wait(self) -> None:
        while self.unfinished:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                self._waiters.remove(waiter)

    async def _end(self) -> None:
        if self._cancel_at_end:
            self.cancel_running()
        await super()._end()
