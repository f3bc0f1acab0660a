"""The handles of tasks that run on workers."""

from __future__ import annotations

__all__ = ["ThreadedTask"]

import asyncio
import contextlib
import itertools
import sys
from collections.abc import Coroutine, Generator
from contextvars import Context
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

from ._shutdown import Patience

if TYPE_CHECKING:
    from ._thrasks import _Job

T = TypeVar("T")

_numbers = itertools.count(1)


class ThreadedTask(asyncio.Future[T]):
    """A task on a worker's loop, as a future of the caller's loop.

    It has the interface of `asyncio.Task`, and works wherever asyncio takes a future: ``await``,
    `asyncio.wait`, `asyncio.wait_for`, `asyncio.shield`, `asyncio.gather`, `asyncio.as_completed`.
    Its callbacks run on the caller's loop. It may be awaited on another loop, too.

    It is made by `ThreadedTaskGroup.create_task` and `LoopPool.run`, and not by itself.

    Args:
        loop: The loop that it belongs to, as of `asyncio.Future`.
    """

    __slots__ = ("_job", "_patience")

    # Set as it is made, by the native half.
    _job: _Job
    # Set when it is first needed.
    _patience: Patience

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the task to end.

        As with `asyncio.Task.cancel`, this is a request: `asyncio.CancelledError` is raised in the
        coroutine, on its worker, where it may be caught. The handle is cancelled when the task has
        ended that way. A task that has not started never will, and its handle is cancelled at once.

        May be called from any thread.

        Args:
            msg: The message of the `CancelledError`.

        Returns:
            False if the task is done already, otherwise True.
        """
        if self.done():
            return False
        asked = self._job.cancel(msg)
        if not self.done():
            loop = self.get_loop()
            if asyncio._get_running_loop() is loop:
                self._lose_patience()
            elif not loop.is_running():
                # Between two runs, as `asyncio.run` does when the main task has ended: the next one
                # is a later one. Or the loop is closed.
                self._patience = getattr(self, "_patience", None) or Patience()
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._lose_patience)
        return asked

    def _lose_patience(self) -> None:
        """Take note, on the handle's loop, of a request: on one that shuts down, the wait ends."""
        if self.done():
            return
        patience = self._patience = getattr(self, "_patience", None) or Patience()
        if patience.cancelled(self.get_loop(), self, super().cancel):
            self.add_done_callback(lambda _: patience.done())

    def cancelling(self) -> int:
        """Return how many requests to cancel are pending, as `asyncio.Task.cancelling`."""
        return self._job.cancelling()

    def uncancel(self) -> int:
        """Take one request to cancel back, in the count, and return the new count."""
        return self._job.uncancel()

    def get_name(self) -> str:
        """Return the name of the task."""
        name = self._job.name()
        if name is None:
            # It was given none, and has not started or has ended: this is its name from now on.
            name = f"ThreadedTask-{next(_numbers)}"
            self._job.rename(name)
        return str(name)

    def set_name(self, value: object, /) -> None:
        """Set the name of the task.

        Args:
            value: The name; what is not a str is made one.
        """
        self._job.rename(str(value))

    def get_coro(self) -> Coroutine[Any, Any, T] | None:
        """Return the coroutine, or None once the task has ended: it is let go of then."""
        return self._job.coroutine()

    def get_context(self) -> Context | None:
        """Return the context that the task runs in, or None once the task has ended."""
        return self._job.context()

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        """Return the frames of the task while it is suspended, as `asyncio.Task.get_stack`.

        Args:
            limit: How many frames at most; all by default.

        Returns:
            The frames, the newest one last; none where the task has not started or has ended.
        """
        task = self._job.task()
        return [] if task is None else task.get_stack(limit=limit)

    def print_stack(self, *, limit: int | None = None, file: TextIO | None = None) -> None:
        """Print the stack of the task while it is suspended, as `asyncio.Task.print_stack`.

        Args:
            limit: How many frames at most; all by default.
            file: Where to; standard error by default.
        """
        task = self._job.task()
        if task is None:
            print(f"No stack for {self!r}", file=sys.stderr if file is None else file)
        else:
            task.print_stack(limit=limit, file=file)

    def set_result(self, result: T, /) -> NoReturn:
        """Refuse, as every task does: the outcome is the coroutine's.

        Args:
            result: Anything.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("ThreadedTask does not support set_result operation")

    def set_exception(self, exception: object, /) -> NoReturn:
        """Refuse, as every task does: the outcome is the coroutine's.

        Args:
            exception: Anything.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("ThreadedTask does not support set_exception operation")

    def __await__(self) -> Generator[Any, None, T]:
        if self.done() or asyncio._get_running_loop() is self.get_loop():
            return super().__await__()
        if self._job.is_current():
            raise RuntimeError(f"Task cannot await on itself: {self!r}")
        return _await_elsewhere(self).__await__()

    def __iter__(self) -> Generator[Any, None, T]:
        return self.__await__()

    def __repr__(self) -> str:
        if self.cancelled():
            state = "cancelled"
        elif self.done():
            state = "finished"
        elif self._job.cancelling():
            state = "cancelling"
        else:
            state = "pending"
        info = [f"{type(self).__name__} {state} name={self.get_name()!r}"]
        worker = self._job.worker()
        if worker is not None:
            info.append(f"worker={worker!r}")
        coro = self._job.coroutine()
        if coro is not None:
            info.append(f"coro=<{getattr(coro, '__qualname__', type(coro).__qualname__)}()>")
        if self.done() and not self.cancelled():
            # Read past exception(), which would mark it as retrieved.
            error: BaseException | None = self._exception
            info.append(f"exception={error!r}" if error else f"result={self.result()!r}")
        return f"<{' '.join(info)}>"


def cancelled_error(future: asyncio.Future[Any]) -> asyncio.CancelledError:
    """Return the error with which a future was cancelled."""
    try:
        future.result()
    except asyncio.CancelledError as exc:
        return exc.with_traceback(None)
    raise AssertionError(f"{future!r} is not cancelled")


async def _await_elsewhere(handle: ThreadedTask[T]) -> T:
    """Await a handle on a loop that is not its own: by futures of the loop that runs here."""
    here = asyncio.get_running_loop()
    waiter = here.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def pass_on(_: asyncio.Future[T]) -> None:
        # On a loop that is closed, nobody waits any more.
        with contextlib.suppress(RuntimeError):
            here.call_soon_threadsafe(wake)

    handle.get_loop().call_soon_threadsafe(handle.add_done_callback, pass_on)
    # For call graphs: the task awaits this one, whatever it is that it waits for here.
    task = asyncio.current_task(here)
    try:
        if task is not None:
            handle._job.add_awaiter(task)
        while not handle.done():
            try:
                await waiter
            except asyncio.CancelledError as exc:
                # The task is asked to end, as one that is awaited on its own loop would be: whoever
                # awaits it learns when it has.
                if not handle.cancel(*exc.args):
                    raise
                waiter = here.create_future()
        if handle.cancelled():
            raise cancelled_error(handle) from None
        return handle.result()
    finally:
        if task is not None:
            handle._job.remove_awaiter(task)
        # The exception's traceback refers to this frame, and the handle to the exception.
        del handle, task


#: The keywords of `asyncio.Task` that `create_task` passes on.
_TASK_KEYWORDS = frozenset({"eager_start"} if sys.version_info >= (3, 12) else ())


def check_keywords(keywords: dict[str, object]) -> None:
    """Refuse keywords that a task does not take, at the call rather than on the worker."""
    for name in keywords:
        if name not in _TASK_KEYWORDS:
            raise TypeError(f"create_task() got an unexpected keyword argument {name!r}")
