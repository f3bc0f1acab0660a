"""Traces: what ran where and when, in a file."""

from __future__ import annotations

__all__ = ["Trace", "trace"]

import os
import sys
import threading
import warnings
from types import TracebackType
from typing import Self

from ._arguments import check_count
from ._thrasks import _Trace

#: How many events a trace has room for unless it is said: 12 MB of memory.
MAX_EVENTS = 500_000


class Trace:
    """A trace of what runs in a ``with`` block: what `thrasks.trace` returns.

    Attributes:
        path: The file.
        tasks: How many tasks are in it; 0 until it has been written.
        left_out: How many tasks were submitted when it had no more room.

    Args:
        path: The file.
        max_events: What it has room for.
    """

    def __init__(self, path: str | os.PathLike[str], max_events: int) -> None:
        self.path: str = os.fspath(path)
        self.tasks: int = 0
        self.left_out: int = 0
        self._max_events = max_events
        self._lock = threading.Lock()
        self._entered = False
        self._recorder: _Trace | None = None

    def __enter__(self) -> Self:
        with self._lock:
            if self._entered:
                raise RuntimeError(f"{self!r} has already been entered: make another one")
            self._recorder = _Trace(self.path, self._max_events, _program())
            self._entered = True
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        recorder, self._recorder = self._recorder, None
        summary = None if recorder is None else recorder.finish(self.path)
        if summary is None:
            return
        self.tasks, self.left_out, is_cut = summary
        if self.left_out or is_cut:
            what = f"{self.left_out:,} tasks" if self.left_out else "later steps of its tasks"
            warnings.warn(
                f"the trace in {self.path!r} had no room for {what}: it holds the first"
                f" {self._max_events:,} events; give it a larger max_events",
                RuntimeWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        state = "recording" if self._recorder else f"tasks={self.tasks}" if self._entered else "new"
        return f"<{type(self).__name__} {self.path!r} {state}>"


def trace(path: str | os.PathLike[str], *, max_events: int = MAX_EVENTS) -> Trace:
    """Record what runs on the loops of thrasks during a ``with`` block, and write it to a file.

    The file is in the Chrome trace event format, which Perfetto (ui.perfetto.dev) opens, and
    ``python -m thrasks trace`` draws. It has a lane for each thread, with the steps of the tasks
    that ran there, an arrow to each task from where it was submitted, and each task's whole life:
    when it was queued, when suspended, when it was asked to end, and how it ended. In it are the
    tasks of groups, gathers, pools, executors and maps, and the calls of functions on threads, that
    were submitted while the block lasted, by any thread; those of `asyncio.create_task` are not.

    ::

        with thrasks.trace("run.json"):
            await thrasks.threaded_gather(*(fetch(url) for url in urls))

    Nothing is written before the block ends, also by an exception. That takes about two seconds
    for 100,000 tasks, during which the calling thread does nothing else. What has not ended by then
    is in the file as "unfinished".

    Args:
        path: The file, which is made, or emptied, as the block is entered.
        max_events: What the trace has room for: two events for each task, two for each time that it
            goes on after it was suspended, and some others. Each takes 24 bytes of memory until the
            block ends. Tasks that are submitted when there is no more room are left out.

    Returns:
        A context manager, to be used once. Its attributes ``tasks`` and ``left_out`` tell how many
        tasks the file holds, and how many it does not.

    Raises:
        OSError: The file cannot be made (on entry) or written (at the end).
        RuntimeError: Another trace is being recorded (on entry): there is one at a time in a
            process.
        TypeError: `path` is not a path, or `max_events` not an int.
        ValueError: `max_events` is less than 1.

    Warns:
        RuntimeWarning: There was not room for everything.
    """
    return Trace(path, check_count("max_events", max_events))


def _program() -> str:
    """Describe the program that is running, as its user knows it."""
    name = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else ""
    if name in {"", "-c", "-m"}:
        return "python"
    if name == "__main__.py":
        return os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))
    return name
