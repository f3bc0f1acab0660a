"""What runs where: a listing of every task on every worker."""

from __future__ import annotations

__all__ = ["TaskInfo", "all_tasks"]

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ._thrasks import worker_loops


@dataclass(frozen=True)
class TaskInfo:
    """A task on a worker, as it was when the listing was made.

    Attributes:
        name: The name of the task.
        worker: The name of the worker's thread.
        state: Whether its code runs at this moment, it waits for something, or it waits although it
            was asked to end.
        coro: The qualified name of its coroutine function.
        awaited_by: The names of the tasks that await it, those of a group's or a gather's parent
            among them. Empty before CPython 3.14, which does not record them.
    """

    name: str
    worker: str
    state: Literal["running", "suspended", "cancelling"]
    coro: str
    awaited_by: tuple[str, ...]

    def __str__(self) -> str:
        waiting = f", awaited by {', '.join(self.awaited_by)}" if self.awaited_by else ""
        return f"{self.name} ({self.coro}) {self.state} on {self.worker}{waiting}"


def all_tasks() -> list[TaskInfo]:
    """Return what runs on the workers of this process, worker by worker.

    Tasks that wait for a worker are not among them: `LoopPool.stats` counts those. What a task
    itself has started on its worker is. The other threads are halted for a moment, so this is for
    people who look for what hangs, and not for what is called often. May be called from any thread.

    Returns:
        A description of each task.
    """
    listing: list[TaskInfo] = []
    for worker, loop in worker_loops():
        running = asyncio.current_task(loop)
        for task in asyncio.all_tasks(loop):
            if task is running:
                state: Literal["running", "suspended", "cancelling"] = "running"
            else:
                state = "cancelling" if task.cancelling() else "suspended"
            coro = task.get_coro()
            listing.append(
                TaskInfo(
                    name=task.get_name(),
                    worker=worker,
                    state=state,
                    coro=getattr(coro, "__qualname__", type(coro).__qualname__),
                    awaited_by=tuple(dict.fromkeys(_awaiters(task, set()))),
                )
            )
    return listing


def _awaiters(future: Any, seen: set[int]) -> Iterator[str]:
    """Yield the names of the tasks that await a future, through other futures where need be."""
    for awaiter in getattr(future, "_asyncio_awaited_by", None) or ():
        if id(awaiter) in seen:
            continue
        seen.add(id(awaiter))
        if isinstance(awaiter, asyncio.Task):
            yield awaiter.get_name()
        else:
            yield from _awaiters(awaiter, seen)
