"""What runs the jobs of a task-pool executor."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ._awaitables import step

if TYPE_CHECKING:
    from ._thrasks import _MapJobs

T = TypeVar("T")


class Runner(ABC):
    """Runs jobs for one loop, and ends with it.

    Everything but `close` is to be called on that loop's thread. Whoever uses a runner need not
    keep it: its jobs do, until the last of them has ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._keeper = _keep(weakref.ref(self))
        step(self._keeper.__anext__())

    @property
    @abstractmethod
    def unfinished(self) -> int:
        """How many jobs have not ended."""

    @abstractmethod
    def call(
        self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[T]:
        """Call a function where the job runs, and await what it returns."""

    @abstractmethod
    def run(self, awaitable: Awaitable[T]) -> asyncio.Future[T]:
        """Await something."""

    @abstractmethod
    def map(
        self, bound: int | None, tell: Callable[[], object] | None, *, ordered: bool
    ) -> _MapJobs:
        """Return what runs the jobs of a map. `tell` is called when there are more results."""

    @abstractmethod
    def close(self) -> None:
        """Take no more jobs. Those there are go on. From any thread."""

    @abstractmethod
    def cancel_queued(self) -> None:
        """Cancel the jobs that have not started. Only of a runner that is closed."""

    @abstractmethod
    def cancel_all(self) -> None:
        """Cancel those, and ask the jobs that run to end. Likewise."""

    @abstractmethod
    def is_job(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether this task of the loop is a job."""

    @abstractmethod
    def describe(self) -> list[str]:
        """What the jobs are at, for a repr."""

    @abstractmethod
    async def wait(self) -> None:
        """Wait until every job has ended."""

    async def _end(self) -> None:
        """The loop ends."""
        self.close()
        await self.wait()

    def __del__(self) -> None:
        keeper = getattr(self, "_keeper", None)
        # On another thread, the loop is told by the generator's own finalizer.
        if keeper is not None and asyncio._get_running_loop() is self.loop:
            step(keeper.aclose())


async def _keep(reference: weakref.ref[Runner]) -> AsyncGenerator[None, None]:
    """Have a runner end with its loop.

    A loop that shuts down (`asyncio.run` does that) closes its asynchronous generators and waits
    for them. This one is suspended until then.
    """
    try:
        yield
    finally:
        runner = reference()
        if runner is not None:
            await runner._end()
