"""Which worker runs which task."""

from __future__ import annotations

__all__ = ["Scheduler", "SchedulingMode"]

import enum
from collections.abc import Sequence
from typing import Protocol


class SchedulingMode(enum.Enum):
    """Decide which worker runs which task.

    An object with a ``place(loads)`` method may be given in place of a mode: see `Scheduler`.

    Attributes:
        ROUND_ROBIN: Task ``i`` runs on worker ``i % n``. This is predictable, and the cheapest.
        QUEUE: Tasks wait in one queue, and a worker takes the next one when it is free. So uneven
            work balances itself, and no task waits behind a busy worker while another is idle.
        LEAST_LOADED: Each task runs on the worker that has the fewest unfinished tasks when it is
            created.
    """

    ROUND_ROBIN = "round_robin"
    QUEUE = "queue"
    LEAST_LOADED = "least_loaded"


class Scheduler(Protocol):
    """Choose the worker of each task yourself.

    An object with this method can be given as ``mode=`` wherever a `SchedulingMode` can.
    """

    def place(self, loads: Sequence[int], /) -> int:
        """Return the number of the worker that is to run the next task.

        It is called once per task, before the task exists: on the thread and in the context of
        the call that creates the task, which raises what this raises. A task that has to wait,
        because of ``max_concurrency`` or in a `TaskPoolExecutor`, is placed when its turn comes:
        then it is a worker that calls this, in a context that is not the creator's, and the task
        fails with what this raises. It is not asked about tasks that are given a ``context``,
        since tasks of one context run on one worker.

        Several threads may call it at the same time.

        Args:
            loads: How many unfinished tasks each worker has, by its number.

        Returns:
            A number from 0 to ``len(loads) - 1``.
        """
        ...
