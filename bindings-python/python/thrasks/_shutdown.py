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
from typing import Final

#: How long, in seconds, what is left may take to end when a loop or the interpreter shuts down.
EXIT_TIME: Final = 1.0


class _Local(threading.local):
    #: What stands for the present run of the loop on a worker's thread.
    run: object = None


_local = _Local()


def begin_run() -> None:
    """On a worker's thread: what comes is another run of its loop."""
    _local.run = object()


def current_run() -> object:
    """Return something that tells this run of the loop from a later run of it.

    A worker says so itself: it runs its loop again after a KeyboardInterrupt, and that is the same
    run. Any other loop sets its hooks for asynchronous generators whenever it begins to run.
    """
    return _local.run or sys.get_asyncgen_hooks().firstiter


class Patience:
    """How long something goes on waiting once it was cancelled."""

    __slots__ = ("_run", "_thread", "_timer", "over")

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._run = current_run()
        self._timer: asyncio.TimerHandle | None = None
        #: Whether the wait is to be given up.
        self.over = False

    def is_here(self) -> bool:
        """Return whether this is the thread of the loop on which the wait began."""
        return threading.get_ident() == self._thread

    def cancelled(
        self, loop: asyncio.AbstractEventLoop, what: object, give_up: Callable[[], object]
    ) -> None:
        """Take note of a cancellation.

        One that comes when the loop runs again, after it was stopped, is that of a loop that shuts
        down. Then the wait is given up after a while: this is reported to the loop's exception
        handler, and `give_up` is called.
        """
        if self._timer is not None or current_run() is self._run:
            return

        def end() -> None:
            self.over = True
            loop.call_exception_handler(
                {
                    "message": f"{what!r} waits for a task that has not ended within "
                    f"{EXIT_TIME:g} s of being cancelled, while the loop shuts down; the task is "
                    "left behind"
                }
            )
            give_up()

        self._timer = loop.call_later(EXIT_TIME, end)

    def done(self) -> None:
        """Take note that the wait has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
