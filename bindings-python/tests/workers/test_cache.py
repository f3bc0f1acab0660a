"""Decision 3: workers are leased from a warm cache."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading

import pytest
from support import (
    Signal,
    block_until,
    eventually,
    eventually_async,
    fail,
    for_ever,
    idle_workers,
    value,
    where,
    worker_threads,
)

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, _workers, threaded_gather


class TestTheCache:  # decision 3
    async def test_serves_one_group_after_another_with_the_same_threads(self) -> None:
        async def use() -> set[str]:
            async with ThreadedTaskGroup(2) as group:
                tasks = [group.create_task(where()) for _ in range(2)]
            return {task.result() for task in tasks}

        await use()
        threads = worker_threads()
        for _ in range(20):
            await use()
        assert worker_threads() <= threads

    async def test_leases_are_exclusive(self) -> None:
        release, first_busy, second_busy = Signal(), Signal(), Signal()

        async def hold(busy: Signal) -> str:
            await block_until(release, busy)
            return threading.current_thread().name

        async with ThreadedTaskGroup(1) as one, ThreadedTaskGroup(1) as other:
            a = one.create_task(hold(first_busy))
            b = other.create_task(hold(second_busy))
            # Both at once, though each blocks its thread.
            await first_busy.wait()
            await second_busy.wait()
            release.set()
        assert a.result() != b.result()

    async def test_a_lease_never_waits_for_another_group(self, mode: SchedulingMode) -> None:
        async def level(depth: int) -> int:
            if depth == 0:
                return 0
            async with ThreadedTaskGroup(2, mode=mode) as group:
                tasks = [group.create_task(level(depth - 1)) for _ in range(2)]
            return 1 + max(task.result() for task in tasks)

        assert await level(4) == 4

    async def test_a_gathers_lease_lasts_until_its_last_child(self) -> None:
        started, go = Signal(), Signal()

        async def sibling() -> None:
            started.set()
            await go.wait()

        async def fails() -> None:
            await started.wait()
            raise ValueError("the first")

        with pytest.raises(ValueError, match="the first"):
            await threaded_gather(sibling(), fails(), num_threads=2)
        # The sibling still runs, on a worker that is still leased.
        assert idle_workers() < len(worker_threads())
        go.set()
        assert await eventually_async(lambda: idle_workers() == len(worker_threads()))

    async def test_two_hundred_groups_leave_nothing(self) -> None:
        async def use(i: int) -> None:
            try:
                async with ThreadedTaskGroup(1 + i % 3) as group:
                    group.create_task(value(i))
                    if i % 5 == 0:
                        group.create_task(fail(ValueError()))
                        group.create_task(for_ever())
            except ValueError:
                pass

        def resources() -> tuple[int, int]:
            fds = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
            return fds, threading.active_count()

        for i in range(6):
            await use(i)
        before = resources()
        for i in range(200):
            await use(i)
        gc.collect()
        after = resources()
        assert after[0] <= before[0]
        assert after[1] <= before[1]

    async def test_two_hundred_groups_and_gathers_leave_no_memory(self) -> None:
        async def use(i: int, pool: LoopPool) -> None:
            async with ThreadedTaskGroup(1 + i % 3) as group:
                for j in range(5):
                    group.create_task(value(j))
            # On a pool, since a new gather may find the workers of the last one not yet idle, and
            # start others.
            await threaded_gather(value(i), value(i), pool=pool)

        async with LoopPool(2) as pool:
            for i in range(50):
                await use(i, pool)
            gc.collect()
            before = sys.getallocatedblocks()
            for i in range(200):
                await use(i, pool)

            def is_gone() -> bool:
                gc.collect()
                # Of Python's memory, not one block for each of them.
                return sys.getallocatedblocks() - before < 200

            # What another thread dropped last, a worker frees when it next runs: now and then one
            # that is idle does.
            assert await eventually_async(is_gone)

    def test_groups_in_many_loops_at_once(self) -> None:
        failures: list[BaseException] = []

        def run() -> None:
            async def main() -> None:
                for _ in range(5):
                    async with ThreadedTaskGroup(2) as group:
                        tasks = [group.create_task(value(i)) for i in range(20)]
                    assert [task.result() for task in tasks] == list(range(20))
                    assert await threaded_gather(*[value(1), value(2)]) == [1, 2]

            try:
                asyncio.run(main())
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    async def test_a_loop_factory_has_warm_workers_of_its_own(self) -> None:
        made: list[asyncio.AbstractEventLoop] = []

        def factory() -> asyncio.AbstractEventLoop:
            loop = asyncio.new_event_loop()
            made.append(loop)
            return loop

        async def which() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        async with ThreadedTaskGroup(2, mode=SchedulingMode.ROUND_ROBIN, loop_factory=factory) as g:
            tasks = [g.create_task(which()) for _ in range(4)]
        assert {task.result() for task in tasks} == set(made)
        async with LoopPool(2, loop_factory=factory) as pool:
            assert await pool.run(which()) in made
        assert len(made) == 2, "the warm ones were not used"

    async def test_a_loop_that_is_still_being_made_serves_the_next(self) -> None:
        making, go_on = Signal(), Signal()

        def factory() -> asyncio.AbstractEventLoop:
            making.set()
            go_on.block()
            return asyncio.new_event_loop()

        async def enter() -> None:
            async with ThreadedTaskGroup(1, loop_factory=factory):
                raise AssertionError("it is cancelled before there is a loop")

        async def work() -> str:
            # Time enough to be disturbed by what was meant for the first.
            for _ in range(10):
                await asyncio.sleep(0)
            return await where()

        before = worker_threads()
        entering = asyncio.create_task(enter())
        await making.wait()
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        (new,) = worker_threads() - before
        gathering = threaded_gather(*[work()], num_threads=1, loop_factory=factory)
        go_on.set()
        assert await gathering == [new.name]

    def test_workers_that_are_idle_for_long_retire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_workers, "IDLE_FOR", 0.05)

        def factory() -> asyncio.AbstractEventLoop:
            return asyncio.new_event_loop()

        before = worker_threads()
        asyncio.run(threaded_gather(value(1), value(2), num_threads=2, loop_factory=factory))
        new = worker_threads() - before
        assert len(new) == 2
        assert eventually(lambda: not any(thread.is_alive() for thread in new))
        # The next lease makes others.
        assert asyncio.run(threaded_gather(*[value(3)], loop_factory=factory)) == [3]
