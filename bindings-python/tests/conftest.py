"""What every test is held to: it leaves nothing behind."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest

import thrasks
from thrasks import SchedulingMode
from thrasks._thrasks import idle_loops

faulthandler.enable()

MODES = [SchedulingMode.ROUND_ROBIN, SchedulingMode.QUEUE, SchedulingMode.LEAST_LOADED]


@pytest.fixture(params=MODES, ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> SchedulingMode:
    """Run the test in each mode."""
    chosen: SchedulingMode = request.param
    return chosen


def workers() -> list[threading.Thread]:
    """Return the loop threads that are alive."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("thrasks-loop-")]


def strangers() -> set[threading.Thread]:
    """Return the threads that are not workers, nor those of a worker's default executor."""
    return {
        thread
        for thread in threading.enumerate()
        if not thread.name.startswith(("thrasks-loop-", "asyncio_"))
    }


def eventually(condition: str, holds: object, limit: float = 10.0) -> None:
    """Wait for something that another thread is about to do, and that tells nobody when."""
    assert callable(holds)
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end, (
            f"not so within {limit:g} s: {condition}; threads: {threading.enumerate()}"
        )
        time.sleep(0.001)


def descriptors() -> int:
    """Return how many file descriptors are open, besides those of the idle workers."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a worker leased, a thread, a descriptor or a future behind."""
    others = set(threading.enumerate())
    fds = descriptors() if sys.platform == "linux" else 0
    known = len(workers())
    yield
    # A gather gives its workers back when its last child has ended, soon after its result is there.
    eventually("every worker is idle", lambda: idle_loops() >= len(workers()))
    eventually("no other thread", lambda: not strangers() - others)
    # A "never awaited" or "never retrieved" is said when the object is freed: now.
    gc.collect()
    if sys.platform == "linux":
        # A worker keeps three, its selector and the two ends of its self-pipe, or more with uvloop.
        more = (len(workers()) - known) * (8 if "uvloop" in sys.modules else 3)
        eventually("no more file descriptors", lambda: descriptors() <= fds + max(more, 0))
    left = [
        found
        for found in gc.get_objects()
        if isinstance(found, (thrasks.ThreadedTask, thrasks.GatheringFuture)) and not found.done()
    ]
    assert left == []


class Complaints:
    """What a loop's exception handler was told."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.contexts: list[dict[str, object]] = []
        loop.set_exception_handler(lambda _, context: self.contexts.append(context))

    @property
    def messages(self) -> list[str]:
        """Return the texts."""
        return [str(context["message"]) for context in self.contexts]
