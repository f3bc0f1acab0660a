"""Waiting for what will not end, on a loop that is shutting down.

A group waits for its tasks however often it is cancelled. But a task that is stuck in synchronous
code on another thread may never end, and a loop that shuts down (`asyncio.run` cancels every task
and waits for it when the main one has ended, or when Ctrl-C was pressed twice) must not wait for
it for ever.
"""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

#: How long, in seconds, what is left may take to end when a loop or the interpreter shuts down.
EXIT_TIME: Final = 1.0


class _Local(threading.local):
    #: On a worker's thread, what stands for the present run of its loop.
    run: object = None
    #: On a worker's thread, whether its loop is ending.
    ending = False


_local = _Local()


def begin_run() -> None:
    """Take note, on a worker's thread, that its loop begins to run.

    It is one run, though a `KeyboardInterrupt` may interrupt it.
    """
    _local.run = object()


def begin_end() -> None:
    """Take note, on a worker's thread, that its loop is ending."""
    _local.run = object()
    _local.ending = True


def is_ending() -> bool:
    """Whether this is a worker's thread whose loop is ending."""
    return _local.ending


def current_run() -> object:
    """Return something that tells this run of the loop from a later run of it.

    A loop sets its hooks for asynchronous generators whenever it begins to run.
    """
    return _local.run or sys.get_asyncgen_hooks().firstiter


def _is_shutting_down(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop that runs again does so to shut down.

    Nothing says so. But whoever shuts a loop down, `asyncio.Runner` for one, cancels all of its
    tasks and then gathers them. Where a task is not being cancelled, somebody goes on working with
    the loop (in the next cell of a notebook, in a test's tear-down), or cleans up.
    """
    if is_ending():
        return True
    tasks = asyncio.all_tasks(loop)
    return all(_is_cancelling(task) for task in tasks) and any(_is_gathered(task) for task in tasks)


def _is_cancelling(task: asyncio.Task[Any]) -> bool:
    return task.cancelling() > 0


def _is_gathered(task: asyncio.Task[Any]) -> bool:
    callbacks: Any = getattr(task, "_callbacks", None) or ()
    return any(
        getattr(callback, "__qualname__", "") == "gather.<locals>._done_callback"
        for callback, *_ in callbacks
    )


class Patience:
    """How long something goes on waiting once it was cancelled."""

    __slots__ = ("_run", "_shutting_down", "_timer", "over")

    def __init__(self) -> None:
        self._run = current_run()
        self._timer: asyncio.TimerHandle | None = None
        #: Whether it is known that the loop does.
        self._shutting_down = False
        #: Whether the wait is to be given up.
        self.over = False

    def cancelled(
        self,
        loop: asyncio.AbstractEventLoop,
        what: object,
        give_up: Callable[[], object],
        *,
        shutting_down: bool = False,
    ) -> bool:
        """Take note of a cancellation, and return whether the patience begins to run out.

        One may come when the loop runs again, after it was stopped. Where that is to shut down (or
        is said to be), the wait is given up after a while: this is reported to the loop's exception
        handler, and `give_up` is called.
        """
        self._shutting_down |= shutting_down
        if self._timer is not None or current_run() is self._run:
            return False

        # No function of its own: that would refer to itself, and keep all of this.
        self._timer = loop.call_later(EXIT_TIME, self._look, loop, what, give_up)
        return True

    def _look(
        self, loop: asyncio.AbstractEventLoop, what: object, give_up: Callable[[], object]
    ) -> None:
        """Give the wait up, if the loop shuts down."""
        if not (self._shutting_down or _is_shutting_down(loop)):
            # Not yet, perhaps.
            self._timer = loop.call_later(EXIT_TIME, self._look, loop, what, give_up)
            return
        self.over = True
        loop.call_exception_handler(
            {
                "message": f"{what!r} waits for a task that has not ended within {EXIT_TIME:g} s "
                "of being cancelled, while the loop shuts down; the task is left behind"
            }
        )
        give_up()

    def done(self) -> None:
        """Take note that the wait has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
