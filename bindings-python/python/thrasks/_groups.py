"""Task groups over several threads."""

from __future__ import annotations

__all__ = ["ThreadedTaskGroup"]

import asyncio
import contextlib
import sys
import warnings
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._arguments import Leasing, LoopFactory
from ._modes import Scheduler, SchedulingMode
from ._shutdown import Patience
from ._thrasks import GroupBase

if TYPE_CHECKING:
    from typing import Self

    from ._handles import ThreadedTask
    from ._pools import LoopPool


class ThreadedTaskGroup(GroupBase):
    """A task group like `asyncio.TaskGroup` whose tasks run on several threads.

    Each thread has an event loop of its own, and each task is an ordinary asyncio task there::

        async with ThreadedTaskGroup(4) as group:
            a = group.create_task(work(1))
            b = group.create_task(work(2))
        print(a.result(), b.result())

    The block ends when every task has ended. If one fails, or the block does, the others are
    cancelled and waited for, and then the exception is raised: itself if there is one, as an
    `ExceptionGroup` if there are more.
    """

    def __init__(
        self,
        num_threads: int | None = None,
        *,
        mode: SchedulingMode | Scheduler | None = None,
        strict_exception_groups: bool = False,
        max_concurrency: int | None = None,
        pool: LoopPool | None = None,
        loop_factory: LoopFactory | None = None,
    ) -> None:
        """Prepare a group. Its threads are leased when it is entered.

        Args:
            num_threads: How many threads the tasks are spread over; 4 by default, and 10,000
                at most.
            mode: Which of them runs which task: a `SchedulingMode`, `ROUND_ROBIN` by default, or
                an object with a ``place(loads)`` method.
            strict_exception_groups: Whether a single exception is raised in an exception group,
                too, as `asyncio.TaskGroup` does.
            max_concurrency: How many tasks may run at once; the others wait. No bound by default.
            pool: Run on the threads of this pool, in its mode, rather than on threads of its own.
            loop_factory: What makes the event loops, such as ``uvloop.new_event_loop``.

        Raises:
            TypeError: An argument is of the wrong type, or is the pool's and given beside `pool`.
            ValueError: `num_threads` or `max_concurrency` is less than 1, or there are too many
                threads.
        """
        self._leasing = Leasing(num_threads, mode, loop_factory, pool, max_concurrency)
        self._strict = bool(strict_exception_groups)
        self._entered = False
        self._exiting = False
        self._cancel_on_entry = False
        self._parent_loop: asyncio.AbstractEventLoop | None = None
        self._parent_task: asyncio.Task[Any] | None = None
        self._parent_cancel_requested = False
        self._errors: list[BaseException] | None = []
        self._base_error: BaseException | None = None
        self._late_cancellation: asyncio.CancelledError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._patience = Patience()

    def cancel(self) -> None:
        """Cancel the group: its tasks, and its block.

        The block is left without an exception, once the tasks have ended. Before the group is
        entered this cancels it on entry; after it has ended it does nothing. May be called any
        number of times, from any thread.
        """
        loop = self._parent_loop
        if loop is None:
            self._cancel_on_entry = True
        elif asyncio._get_running_loop() is loop:
            self._cancel_here()
        else:
            # A loop that is closed has ended the group.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._cancel_here)

    def _cancel_here(self) -> None:
        if self._parent_task is None or (self._exiting and not self._unfinished):
            return
        self._abort()
        self._interrupt_parent()

    async def __aenter__(self) -> Self:
        """Lease the threads and open the group.

        Raises:
            RuntimeError: The group was entered before, or this is not inside a task.
        """
        if self._entered:
            raise RuntimeError(f"{self!r} has already been entered")
        loop = asyncio.get_running_loop()
        parent_task = asyncio.current_task(loop)
        if parent_task is None:
            raise RuntimeError(f"{self!r} cannot determine the parent task")
        self._entered = True
        try:
            workers = await self._leasing.lease_ready()
        except BaseException:
            self._entered = False
            raise
        self._patience = Patience()
        self._open(loop, parent_task, workers, self._leasing.max_concurrency, self._leasing.private)
        self._parent_task = parent_task
        self._parent_loop = loop
        if self._cancel_on_entry:
            self._cancel_here()
        return self

    async def __aexit__(
        self,
        et: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        del et, tb
        if self._parent_loop is None:
            raise RuntimeError(
                f"{self!r} has not been entered: it must be used in async with statement"
            )
        if asyncio._get_running_loop() is not self._parent_loop:
            raise RuntimeError(f"{self!r} can be left only on the loop that entered it")
        if self._exiting:
            raise RuntimeError(f"{self!r} has been left already, or is being left by another task")
        try:
            return await self._aexit(exc)
        finally:
            # Exceptions refer to frames, and those to this group: no cycles.
            self._parent_task = None
            self._errors = None
            self._base_error = None
            self._late_cancellation = None
            exc = None

    async def _aexit(self, exc: BaseException | None) -> bool:
        self._exiting = True
        if exc is not None:
            if _is_base_error(exc) and self._base_error is None:
                self._base_error = exc
            # The block has failed, or is being cancelled.
            self._abort()
        cancellation = exc if isinstance(exc, asyncio.CancelledError) else None
        assert self._parent_loop is not None
        if cancellation is not None:
            self._patience.cancelled(self._parent_loop, self, self._on_drained)
        try:
            for begin in (self._begin_draining, self._begin_release):
                over = begin()
                while not (over() or self._patience.over):
                    # Through any number of cancellations; the first of them aborts the group.
                    self._waiter = self._parent_loop.create_future()
                    try:
                        await self._waiter
                    except asyncio.CancelledError as error:
                        # One that comes while the group ends its tasks may be its own, or not: see
                        # `_conclude`.
                        self._late_cancellation = error
                        if not self._aborting:
                            cancellation = error
                            self._abort()
                        self._patience.cancelled(self._parent_loop, self, self._on_drained)
                    self._waiter = None
            self._patience.done()
            await self._meet_own_cancellation()
            return self._conclude(exc, cancellation)
        finally:
            exc = cancellation = None

    async def _meet_own_cancellation(self) -> None:
        """Take the group's own cancellation, if the parent has not awaited anything since.

        Before 3.13 `uncancel` does not take it back, and it would be raised at the next await.
        """
        if sys.version_info < (3, 13) and self._parent_cancel_requested:
            parent: Any = self._parent_task
            if parent._must_cancel:
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError as error:
                    self._late_cancellation = error

    def _begin_draining(self) -> Callable[[], bool]:
        """Refuse new tasks once there is none left, and return what says whether that is so."""
        self._begin_exit()
        return lambda: not self._unfinished

    def _begin_release(self) -> Callable[[], bool]:
        """Give the threads back, and return what says whether they are clean.

        Every task has ended, but something that one of them left behind may still run on its
        worker.
        """
        if self._patience.over:
            # The last task gives them back, if it ever ends.
            self._abandon()
            return lambda: True
        assert self._parent_loop is not None
        released: asyncio.Future[None] = self._parent_loop.create_future()
        if self._release(released):
            return lambda: True
        released.add_done_callback(lambda _: self._on_drained())
        return released.done

    def _conclude(
        self, exc: BaseException | None, cancellation: asyncio.CancelledError | None
    ) -> bool:
        """Raise what the group has to raise, or say whether the block's exception ends here."""
        assert self._parent_task is not None
        assert self._errors is not None
        parent, errors, base_error = self._parent_task, self._errors, self._base_error
        try:
            if base_error is not None:
                if self._parent_cancel_requested:
                    parent.uncancel()
                self._report_dropped(error for error in errors if error is not base_error)
                return self._raise(base_error, exc)
            ends_here = False
            if self._parent_cancel_requested:
                if parent.uncancel() == 0:
                    # The cancellation was the group's own: it ends here.
                    cancellation = None
                    ends_here = isinstance(exc, asyncio.CancelledError)
                elif cancellation is None and exc is None:
                    # Somebody else has cancelled the parent as well, while it waited.
                    cancellation = self._late_cancellation
            if cancellation is not None and not errors:
                return self._raise(cancellation, exc)
            if exc is not None and not isinstance(exc, asyncio.CancelledError):
                errors.append(exc)
            if not errors:
                return ends_here
            if parent.cancelling():
                # Somebody else has cancelled the parent, and the errors come first: it is cancelled
                # again at its next await, and the count stays what it is.
                parent.uncancel()
                parent.cancel()
            if len(errors) == 1 and (not self._strict or isinstance(exc, GeneratorExit)):
                # Of a generator that is being closed, it is to come out as it went in.
                return self._raise(errors[0], exc)
            raise BaseExceptionGroup("unhandled errors in a TaskGroup", errors) from None
        finally:
            exc = cancellation = base_error = None
            del parent, errors

    @staticmethod
    def _raise(error: BaseException, exc: BaseException | None) -> bool:
        """Raise an exception as it is, without the one that is being handled as its context."""
        if error is exc:
            return False  # It goes on by itself.
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context
            del error, exc, context

    def _report_dropped(self, errors: Iterable[BaseException]) -> None:
        assert self._parent_loop is not None
        for error in errors:
            self._parent_loop.call_exception_handler(
                {
                    "message": f"{self!r} raises KeyboardInterrupt or SystemExit in place of "
                    "this exception of a task",
                    "exception": error,
                }
            )

    def _on_drained(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _on_child_failed(self, handle: ThreadedTask[Any], exc: BaseException) -> None:
        try:
            parent = self._parent_task
            if parent is None or parent.done() or self._errors is None:
                assert self._parent_loop is not None
                self._parent_loop.call_exception_handler(
                    {
                        "message": f"Task {handle!r} has errored out but its parent task "
                        f"{parent} is already completed",
                        "exception": exc,
                        "task": handle,
                    }
                )
                return
            self._errors.append(exc)
            if _is_base_error(exc) and self._base_error is None:
                self._base_error = exc
            if not self._aborting and not self._parent_cancel_requested:
                self._abort()
                self._interrupt_parent()
        finally:
            del handle, exc

    def _interrupt_parent(self) -> None:
        """Interrupt the block, or the wait for the tasks. It is taken back at the end."""
        if self._parent_task is not None and not self._parent_cancel_requested:
            self._parent_cancel_requested = True
            self._parent_task.cancel()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        # Nobody can leave its block any more.
        if self._abandon():
            _warn(f"{self!r} was entered and never left", ResourceWarning, source=self)

    def __repr__(self) -> str:
        info = [type(self).__name__, f"threads={self._leasing.num_threads}"]
        info.append(f"mode={self._leasing.mode_name}")
        if self._unfinished:
            info.append(f"tasks={self._unfinished}")
        if self._errors:
            info.append(f"errors={len(self._errors)}")
        if self._aborting:
            info.append("cancelling")
        elif self._entered:
            info.append("entered")
        return f"<{' '.join(info)}>"


def _is_base_error(exc: BaseException) -> bool:
    return isinstance(exc, (SystemExit, KeyboardInterrupt))
