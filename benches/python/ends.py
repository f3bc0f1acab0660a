"""How long a group takes to cancel its tasks."""

from __future__ import annotations

__all__ = ["Latch", "cancelled"]

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from jobs import Timed, Work

#: Longer than any benchmark.
LONG: Final = 3600.0


class Enough(Exception):  # noqa: N818
    """Ends the group."""


class Latch:
    """Says when so many tasks have begun, whatever thread they are on."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()

    def count_down(self) -> None:
        """Say that one has begun."""
        with self._lock:
            self._count -= 1
            last = self._count == 0
        if last:
            self._loop.call_soon_threadsafe(self._open.set)

    async def wait(self) -> None:
        """Wait for the last."""
        await self._open.wait()


def cancelled(make: Callable[[], Any], count: int) -> Work:
    """Return what has a group of sleepers, and measures from its failure to the end of all."""

    async def sleeper(latch: Latch) -> None:
        latch.count_down()
        await asyncio.sleep(LONG)

    async def work() -> Timed:
        latch = Latch(count)
        begin = 0
        handles: list[Any] = []
        try:
            async with make() as tasks:
                handles += [tasks.create_task(sleeper(latch)) for _ in range(count)]
                await latch.wait()
                begin = time.perf_counter_ns()
                raise Enough
        # Within a group, or bare.
        except* Enough:
            end = time.perf_counter_ns()
        return Timed(sum(handle.cancelled() for handle in handles), end - begin)

    return work
