"""What a test may leave behind: nothing. Threads, descriptors, tasks, complaints, objects."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import operator
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from support import (
    BLOCKING_PREFIX,
    PATIENCE,
    WORKER_PREFIX,
    Blocking,
    blocking_threads,
    idle_workers,
    worker_threads,
)

import thrasks
from thrasks._streams import _Stream
from thrasks._thrasks import ChannelBase, GeneratorBase, GroupBase, StreamBase

#: Those of a worker's default executor, which it keeps, have such names.
EXECUTOR_PREFIXES = ("asyncio_", "uvloop_")

#: Of these there are so many for each worker, as long as it lives.
PER_WORKER = {
    "_LoopSide": 2,
    "_ThreadMain": 1,
    "_Local": 1,
    "Selected": 1,
    "Recorded": 1,
    "Generators": 1,
    "_Life": 1,
    "_Turns": 1,
    "_Batch": 1,
}

#: How long, in seconds, an object that is done with may take to die. Only a failure takes that.
OBJECTS_PATIENCE = 3.0


def wait_until(holds: Callable[[], bool], condition: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, (
            f"not so within {PATIENCE:g} s: {condition}; threads: {threading.enumerate()}"
        )
        time.sleep(0.001)


def busy_workers() -> int:
    """Return how many workers are leased."""
    return len(worker_threads()) - idle_workers()


def strangers() -> set[threading.Thread]:
    """Return the threads that are nobody's.

    They are not workers, nor those of a worker's default executor, nor those of the pool for
    blocking code, which stay for a while: whether one is busy, `Blocking` says.
    """
    known = (WORKER_PREFIX, BLOCKING_PREFIX, *EXECUTOR_PREFIXES)
    return {thread for thread in threading.enumerate() if not thread.name.startswith(known)}


def descriptors() -> tuple[int, int]:
    """Return how many file descriptors are no loop's, and how many loops are no worker's.

    Each loop has a selector. Besides, asyncio's has two sockets, and a worker's an event; uvloop's
    has an event and two pipes; it may have an io_uring, and keeps /dev/null once it has started a
    process.
    """
    if sys.platform != "linux":
        return 0, 0
    kinds: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        # One of them is that of the folder itself, and is closed by now.
        with contextlib.suppress(OSError):
            kinds[os.readlink(f"/proc/self/fd/{number}")] += 1
    for name in ("anon_inode:[io_uring]", os.devnull):
        del kinds[name]
    loops, events = kinds["anon_inode:[eventpoll]"], kinds["anon_inode:[eventfd]"]
    theirs = 3 * loops + min(events, loops)
    return kinds.total() - theirs, max(loops - len(worker_threads()), 0)


@functools.cache
def _descriptors_at_first() -> list[int]:
    """Return what there was before the first test: no worker then, that may be making its loop."""
    if "uvloop" in sys.modules:
        # Its first loop opens a pipe for all of them.
        sys.modules["uvloop"].new_event_loop().close()
    return list(descriptors())


def _kinds() -> set[type]:
    """Return the types of the package. Some of the native ones are made when first used."""
    bases: tuple[type, ...] = (
        object,
        asyncio.Future,
        GroupBase,
        StreamBase,
        GeneratorBase,
        ChannelBase,
        _Stream,
    )
    kinds: list[type] = []
    for base in bases:
        kinds.extend(base.__subclasses__())
    return {kind for kind in kinds if kind.__module__.partition(".")[0] == "thrasks"}


#: The objects of ours that modules of tests hold.
_permanent: set[int] = set()


def keep_what_there_is() -> None:
    """Take what there is by now, before the first test, for permanent.

    The collector, which runs after every test, need not look at it.
    """
    gc.collect()
    kinds = _kinds()
    _permanent.update(id(each) for each in gc.get_objects() if type(each) in kinds)
    gc.freeze()


def _objects() -> Counter[str]:
    """Count the package's own objects, as far as the collector knows them."""
    kinds = _kinds()
    return Counter(
        type(each).__name__
        for each in gc.get_objects()
        if type(each) in kinds and id(each) not in _permanent
    )


def _unfinished() -> set[asyncio.Future[Any]]:
    """Return the tasks, handles, gathers and calls that have not ended."""
    kinds = (
        asyncio.Task,
        thrasks.ThreadedTask,
        thrasks.GatheringFuture,
        thrasks.ThreadedCall,
    )
    return {each for each in gc.get_objects() if isinstance(each, kinds) and not each.done()}


@contextlib.contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what asyncio logs as errors: "never retrieved", "was destroyed but it is pending"."""
    heard: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)


@contextlib.contextmanager
def nothing_left_behind(passed: Callable[[], bool], complains: bool) -> Iterator[None]:
    """Compare what there is after a test with what there was before.

    A test that did not pass holds what its traceback refers to: objects are not looked at then.
    """
    threads = set(threading.enumerate())
    _descriptors_at_first()
    # For what one test leaves behind the next is not to be blamed.
    busy = busy_workers()
    busy_blocking = Blocking.now().busy
    objects_before = _objects()
    unfinished_before = _unfinished()
    with complaints() as heard:
        yield
        # A gather gives its workers back when its last child has ended, soon after its result is
        # there.
        wait_until(lambda: busy_workers() <= busy, "every worker is idle")
        wait_until(lambda: not strangers() - threads, "no other thread")
        wait_until(
            lambda: Blocking.now().busy <= busy_blocking,
            "no call, iterator or generator is under way",
        )
        # What a future or a coroutine complains about it says when it is freed: now. So are objects
        # freed whose last reference went on another thread than their own.
        gc.collect()
        if passed():
            _check_objects(objects_before, unfinished_before)
    assert complains or not heard, "\n".join(heard)
    check_descriptors()


def check_descriptors() -> None:
    before = _descriptors_at_first()
    try:
        wait_until(lambda: all(map(operator.le, descriptors(), before)), "no more file descriptors")
    except AssertionError:
        # The next test is not to be blamed for it.
        before[:] = descriptors()
        raise


def _check_objects(before: Counter[str], unfinished_before: set[asyncio.Future[Any]]) -> None:
    """Wait until there are no more objects of ours: a worker drops its last ones soon."""
    end = time.monotonic() + OBJECTS_PATIENCE
    while left := _objects() - _of_threads() - before:
        assert time.monotonic() < end, f"objects left behind: {dict(left)}"
        gc.collect()
    while unfinished := _unfinished() - unfinished_before:
        assert time.monotonic() < end, f"not ended: {unfinished}"
        del unfinished
        gc.collect()


def _of_threads() -> Counter[str]:
    """Count the objects that each of our threads has as long as it lives."""
    objects = Counter({name: each * len(worker_threads()) for name, each in PER_WORKER.items()})
    objects["_ThreadMain"] += len(blocking_threads())
    return objects
