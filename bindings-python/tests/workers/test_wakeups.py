"""Loops and workers wake each other by descriptors that they watch, where they can."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import os
import re
import sys
import threading
import weakref
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import Signal, block_until, eventually_async, value

from thrasks import ThreadedTaskGroup, threaded_gather


class Plain(asyncio.SelectorEventLoop):
    """A loop that has its own way of being woken, which is used then."""

    rung = 0

    def call_soon_threadsafe(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> asyncio.Handle:
        Plain.rung += 1
        return super().call_soon_threadsafe(*args, **kwargs)


class TestTheCallersLoop:
    def test_may_stand_still_while_its_tasks_end(self) -> None:
        loop = asyncio.new_event_loop()
        blocked, release = Signal(), Signal()

        async def start() -> Awaitable[Sequence[object]]:
            outer = threaded_gather(value(1), block_until(release, blocked), num_threads=2)
            await blocked.wait()
            return outer

        try:
            for _ in range(3):
                outer = loop.run_until_complete(start())
                # It comes to its end while the loop does not run.
                release.set()
                assert [*loop.run_until_complete(outer)] == [1, None]
                blocked, release = Signal(), Signal()
        finally:
            loop.close()

    def test_that_is_closed_is_let_go_of(self) -> None:
        loop = asyncio.new_event_loop()
        dead = weakref.ref(loop)

        async def main() -> None:
            (result,) = await threaded_gather(value(1))
            assert result == 1

        loop.run_until_complete(main())
        loop.close()
        del loop
        gc.collect()
        assert dead() is None

    async def test_keeps_no_context_of_who_came_first(self) -> None:
        class Value:
            pass

        variable = contextvars.ContextVar[Value]("variable")
        token = variable.set(Value())
        dead = weakref.ref(variable.get())
        await threaded_gather(value(1))
        variable.reset(token)
        del token
        assert await eventually_async(lambda: gc.collect() >= 0 and dead() is None)

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    def test_that_is_closed_has_no_descriptors(self) -> None:
        async def main() -> None:
            assert await threaded_gather(*(value(i) for i in range(4)), num_threads=1) == [
                *range(4)
            ]
            async with ThreadedTaskGroup(1) as group:
                await group.create_task(value(1))

        def descriptors() -> int:
            gc.collect()
            return len(os.listdir("/proc/self/fd"))

        # What it leases may be busy for a moment, and another worker be made in its place.
        counts = []
        for _ in range(30):
            asyncio.run(main())
            counts.append(descriptors())
        assert counts[-1] <= max(counts[:15])

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    def test_that_is_closed_has_no_descriptors_though_its_task_goes_on(self) -> None:
        blocked, release = Signal(), Signal()

        async def start() -> None:
            outer.append(threaded_gather(block_until(release, blocked), num_threads=1))
            await blocked.wait()

        def events() -> set[str]:
            """Return what tells one eventfd from another, of each that there is."""
            found = set()
            for path in Path("/proc/self/fdinfo").iterdir():
                # One of them is that of the folder itself, and is closed by now.
                with contextlib.suppress(OSError):
                    found |= set(re.findall("eventfd-id: *([0-9]+)", path.read_text()))
            return found

        def watched(loop: Any) -> set[str]:
            infos = [Path(f"/proc/self/fdinfo/{fd}").read_text() for fd in loop._selector.get_map()]
            return {found for info in infos for found in re.findall("eventfd-id: *([0-9]+)", info)}

        outer: list[object] = []
        loop = asyncio.new_event_loop()
        # It is told that the task goes on.
        loop.set_exception_handler(lambda loop, context: None)
        try:
            loop.run_until_complete(start())
            bell = watched(loop)
            assert len(bell) == 1
            assert bell <= events()
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
        try:
            assert not bell & events()
        finally:
            release.set()

    def test_that_is_one_after_the_other_on_many_threads(self) -> None:
        def run() -> None:
            for i in range(10):
                assert asyncio.run(gather(i)) == [i, i + 1]

        async def gather(i: int) -> list[int]:
            return [*await threaded_gather(value(i), value(i + 1), num_threads=2)]

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_that_has_its_own_way_is_woken_that_way(self) -> None:
        async def main() -> None:
            assert [*await threaded_gather(value(1), value(2))] == [1, 2]

        Plain.rung = 0
        with asyncio.Runner(loop_factory=Plain) as runner:
            runner.run(main())
        assert Plain.rung > 0


class TestAWorkersLoop:
    async def test_that_has_its_own_way_is_woken_that_way(self) -> None:
        Plain.rung = 0
        async with ThreadedTaskGroup(2, loop_factory=Plain) as group:
            tasks = [group.create_task(value(i)) for i in range(4)]
        assert [task.result() for task in tasks] == [0, 1, 2, 3]
        assert Plain.rung > 0

    async def test_that_has_tasks_of_its_own_elsewhere_is_left_clean(self) -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        async def nested(i: int) -> list[int]:
            return [*await threaded_gather(value(i), value(-i), num_threads=1)]

        for _ in range(10):
            assert await threaded_gather(*(nested(i) for i in range(4))) == [
                [i, -i] for i in range(4)
            ]
        assert told == []
