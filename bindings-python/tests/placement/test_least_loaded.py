"""Decision 2: LEAST_LOADED."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

from support import Signal, for_ever, where

from thrasks import SchedulingMode, ThreadedTaskGroup


class TestLeastLoaded:
    async def test_avoids_the_loaded_worker(self) -> None:
        started = Signal()
        async with ThreadedTaskGroup(2, mode=SchedulingMode.LEAST_LOADED) as group:
            sleeper = group.create_task(for_ever(started))
            await started.wait()
            names = {await group.create_task(where()) for _ in range(6)}
            loaded = repr(sleeper)
            sleeper.cancel()
        assert len(names) == 1
        assert f"worker={names.pop()!r}" not in loaded
