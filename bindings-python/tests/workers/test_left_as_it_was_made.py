"""Decision 8: what a job changes in its worker's loop itself does not meet the next lease.

A worker that sees that its loop is as it was made is not asked to clean it, so each of these stands
for something that has to be seen.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import eventually_async, idle_workers, where

from thrasks import ThreadedTaskGroup, threaded_gather

Change = Callable[[asyncio.AbstractEventLoop], object]


def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    raise AssertionError(f"nothing is reported to {loop!r}: {context!r}")


CHANGES: dict[str, Change] = {
    "debug": lambda loop: loop.set_debug(not loop.get_debug()),
    "slow_callback_duration": lambda loop: setattr(loop, "slow_callback_duration", 12.5),
    "exception_handler": lambda loop: loop.set_exception_handler(handle),
    "task_factory": lambda loop: loop.set_task_factory(asyncio.Task),  # type: ignore[arg-type]
    "hooks": lambda _: sys.set_asyncgen_hooks(None, None),
}


def state(loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    return {
        "debug": loop.get_debug(),
        "slow_callback_duration": getattr(loop, "slow_callback_duration", None),
        "exception_handler": loop.get_exception_handler(),
        "task_factory": loop.get_task_factory(),
        # Each generator gets a finalizer of its own, but one of ours.
        "hooks": [type(hook) for hook in sys.get_asyncgen_hooks()],
    }


async def look() -> tuple[str, dict[str, Any]]:
    return await where(), state(asyncio.get_running_loop())


@pytest.mark.parametrize("name", CHANGES)
class TestWhatAJobChanges:
    async def in_turn(self, change: Change, run: Callable[[Any], Any]) -> None:
        async def job() -> str:
            change(asyncio.get_running_loop())
            return threading.current_thread().name

        name, before = await run(look())
        assert await run(job()) == name
        assert await run(look()) == (name, before)

    @pytest.mark.not_in("uvloop", reason="its hooks are set anew only when it runs anew")
    async def test_in_a_group(self, name: str) -> None:
        async def run(coro: Any) -> Any:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(coro)
            return task.result()

        await self.in_turn(CHANGES[name], run)

    @pytest.mark.not_in("uvloop", reason="its hooks are set anew only when it runs anew")
    async def test_in_a_gather(self, name: str) -> None:
        async def run(coro: Any) -> Any:
            idle = max(idle_workers(), 1)
            (result,) = await threaded_gather(coro, num_threads=1)
            # The worker is given back a moment after the outcome is told.
            assert await eventually_async(lambda: idle_workers() >= idle)
            return result

        await self.in_turn(CHANGES[name], run)
