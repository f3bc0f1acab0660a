"""asyncio on all cores.

Async work runs in parallel over several threads, each with its own event loop, with the semantics
of asyncio: `ThreadedTaskGroup` is `asyncio.TaskGroup`, and `threaded_gather` is `asyncio.gather`,
on as many threads as you like. `LoopPool` is a set of such threads to be shared.
"""

from __future__ import annotations

__all__ = [
    "GatheringFuture",
    "LoopPool",
    "LoopStats",
    "PoolStats",
    "Scheduler",
    "SchedulingMode",
    "TaskInfo",
    "ThreadedTask",
    "ThreadedTaskGroup",
    "__version__",
    "all_tasks",
    "threaded_gather",
]

from importlib.metadata import version as _version

from . import _workers as _workers
from ._gather import GatheringFuture, threaded_gather
from ._groups import ThreadedTaskGroup
from ._handles import ThreadedTask
from ._listing import TaskInfo, all_tasks
from ._modes import Scheduler, SchedulingMode
from ._pools import LoopPool, LoopStats, PoolStats

__version__: str = _version("thrasks")
