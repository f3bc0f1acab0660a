"""asyncio on all cores.

Async work runs in parallel over several threads, each with its own event loop, with the semantics
of asyncio: `ThreadedTaskGroup` is `asyncio.TaskGroup`, and `threaded_gather` is `asyncio.gather`,
on as many threads as you like. `LoopPool` is a set of such threads to be shared.

`TaskPoolExecutor` bounds how many coroutines run at once, on one loop or on all cores, and maps a
coroutine function over inputs of any length; `threaded_map` and `as_completed` do that in one call.

Blocking code crosses into async code, and back: `threaded`, `threaded_iterable`, `iterate`,
`generate`, `iterate_callback`, `FromThreadChannel`, `sync_await` and their kin.

`trace` records which task ran on which loop when; `python -m thrasks` draws that, compares asyncio
and thrasks on this machine, and tells what there is to run on.
"""

from __future__ import annotations

__all__ = [
    "BoundThreaded",
    "BoundThreadedIterable",
    "CallbackThreadedAsyncIterator",
    "ChannelClosed",
    "ChannelTimeout",
    "CompletionIterator",
    "FromThreadChannel",
    "GatheringFuture",
    "LoopPool",
    "LoopStats",
    "MapIterator",
    "PoolStats",
    "Scheduler",
    "SchedulingMode",
    "TaskInfo",
    "TaskPoolExecutor",
    "Threaded",
    "ThreadedAsyncGenerator",
    "ThreadedAsyncIterator",
    "ThreadedBase",
    "ThreadedCall",
    "ThreadedIterable",
    "ThreadedIterableBase",
    "ThreadedIterableSeparate",
    "ThreadedSeparate",
    "ThreadedTask",
    "ThreadedTaskGroup",
    "Trace",
    "__version__",
    "all_tasks",
    "as_completed",
    "call",
    "generate",
    "iterate",
    "iterate_callback",
    "single_callback",
    "sync_await",
    "sync_wait_coroutine",
    "threaded",
    "threaded_gather",
    "threaded_iterable",
    "threaded_iterable_separate",
    "threaded_map",
    "threaded_separate",
    "trace",
    "wait_coroutine",
]

import typing as _typing

from . import _workers as _workers
from ._channels import ChannelClosed, ChannelTimeout, FromThreadChannel
from ._executor import TaskPoolExecutor
from ._gather import GatheringFuture, threaded_gather
from ._groups import ThreadedTaskGroup
from ._handles import ThreadedTask
from ._iterables import (
    BoundThreadedIterable,
    ThreadedIterable,
    ThreadedIterableBase,
    ThreadedIterableSeparate,
    threaded_iterable,
    threaded_iterable_separate,
)
from ._listing import TaskInfo, all_tasks
from ._mapping import MapIterator
from ._modes import Scheduler, SchedulingMode
from ._pools import LoopPool, LoopStats, PoolStats
from ._spread import CompletionIterator, as_completed, threaded_map
from ._streams import (
    CallbackThreadedAsyncIterator,
    ThreadedAsyncGenerator,
    ThreadedAsyncIterator,
)
from ._threaded import (
    BoundThreaded,
    Threaded,
    ThreadedBase,
    ThreadedCall,
    ThreadedSeparate,
    threaded,
    threaded_separate,
)
from ._tracing import Trace, trace
from ._waiting import sync_await, sync_wait_coroutine, wait_coroutine
from ._wrappers import call, generate, iterate, iterate_callback, single_callback

__version__: str

if not _typing.TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        # To import what looks a version up takes as long as all of asyncio.
        if name == "__version__":
            from importlib.metadata import version

            globals()[name] = found = version("thrasks")
            return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), "__version__"})
