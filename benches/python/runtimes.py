"""What runs a contender's coroutines: asyncio's loop, uvloop's, or tonio."""

from __future__ import annotations

__all__ = ["Run", "Tonio", "runtime"]

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from jobs import Work, jobs
from scenarios import NEED_UVLOOP, SCENARIOS, Contender, Kind, Scenario

#: Runs a coroutine to its end, and returns its result.
Run = Callable[[Coroutine[Any, Any, list[float]]], list[float]]


@contextlib.contextmanager
def runtime(contender: Contender) -> Iterator[Run]:
    """Make what runs the contender's coroutines, one after another."""
    if contender is Contender.TONIO:
        # There can be only one in a process, and it has its number of threads for good.
        (threads,) = {one.workers for one in SCENARIOS if Contender.TONIO in one.who}
        yield _tonio().runtime(threads=threads).run_until_complete
        return
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if contender in NEED_UVLOOP:
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner.run


class Tonio:
    """Coroutines of its own kind, on threads that share them all."""

    def __init__(self) -> None:
        self._tonio = _tonio()

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        tonio = self._tonio
        # Those that do not suspend are no kind's own.
        job, inputs = jobs(scenario)

        async def suspended_once(x: int) -> int:
            # Not `yield_now`: what that returns is there at once, and nothing is suspended.
            await tonio.sleep(0)
            return x * 2

        if scenario.kind is Kind.GATHER_SLEEP0:
            job = suspended_once

        async def spawned() -> list[int]:
            results: list[int] = await tonio.spawn(*[job(x) for x in inputs])
            return results

        return spawned


def _tonio() -> Any:
    # The half of it that is for `async` and `await`; it is not installed beside the type checker.
    return importlib.import_module("tonio.colored")
