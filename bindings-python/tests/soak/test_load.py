"""Very many of everything: it ends, the results are right, and memory does not grow.

The normal suite does each with fewer, `cargo xtask soak` with the numbers that the tests are about.
"""

# mypy: disable-error-code="comparison-overlap"

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import sys
import threading
from collections.abc import Iterator

import pytest
from leaks import busy_workers, wait_until

from thrasks import LoopPool, SchedulingMode, ThreadedTask, ThreadedTaskGroup, threaded_gather

from .conftest import Effort
from .watchdog import Watchdog

#: What any of these may take, in seconds, on a slow machine that is busy: more is a hang.
HANGS = 900.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(HANGS + 60)]


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest, watchdog: Watchdog) -> Iterator[None]:
    with watchdog.watching(request.node.nodeid, HANGS):
        yield


def resident() -> int:
    """Return how many bytes of memory this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def same(number: int) -> int:
    """Suspend once, so that the task is a whole one."""
    await asyncio.sleep(0)
    return number


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")
@pytest.mark.parametrize("mode", SchedulingMode, ids=lambda mode: mode.name)
def test_very_many_tasks_in_one_group_need_no_more_memory(
    effort: Effort, mode: SchedulingMode
) -> None:
    tasks, in_flight, samples = (1_000_000 if effort.minutes else 20_000), 200, 10
    # What the allocator keeps of a peak, and the caches of four threads: not one byte per task.
    bound = 16 << 20

    async def main() -> None:
        room = asyncio.Semaphore(in_flight)
        total = 0

        def ended(handle: ThreadedTask[int]) -> None:
            nonlocal total
            total += handle.result()
            room.release()

        sizes: list[int] = []
        async with ThreadedTaskGroup(2, mode=mode) as group:
            for number in range(tasks):
                await room.acquire()
                # Nothing keeps the handle.
                group.create_task(same(number)).add_done_callback(ended)
                if number % (tasks // samples) == tasks // samples - 1:
                    gc.collect()
                    sizes.append(resident())
        assert total == tasks * (tasks - 1) // 2
        print(f"\nMiB resident after each tenth: {[size >> 20 for size in sizes]}")
        # The first samples warm up: arenas, caches, the sizes of queues.
        warm = max(sizes[:3])
        assert max(sizes[3:]) <= warm + bound, [size >> 10 for size in sizes]

    asyncio.run(main())


def test_very_many_groups_in_a_row(effort: Effort) -> None:
    groups = 10_000 if effort.minutes else 500

    async def main() -> None:
        before = set(threading.enumerate())
        for number in range(groups):
            async with ThreadedTaskGroup(2, mode=list(SchedulingMode)[number % 3]) as group:
                handles = [group.create_task(same(number + i)) for i in range(2)]
            assert [handle.result() for handle in handles] == [number, number + 1]
        # Each group has had the threads of the one before it.
        assert len(set(threading.enumerate()) - before) <= 3

    asyncio.run(main())


def test_very_many_gathers_at_once(effort: Effort) -> None:
    gathers = 1_000 if effort.minutes else 100

    async def main() -> None:
        async with LoopPool(2) as pool:
            futures = [
                threaded_gather(*(same(number + i) for i in range(3)), pool=pool)
                for number in range(gathers)
            ]
            results = await asyncio.gather(*futures)
        assert results == [[number, number + 1, number + 2] for number in range(gathers)]

    asyncio.run(main())


def test_many_gathers_at_once_with_threads_of_their_own(effort: Effort) -> None:
    # Each has a thread: so many threads are an operating system's business, not ours.
    gathers = 200 if effort.minutes else 20

    async def main() -> None:
        futures = [threaded_gather(same(n), same(-n), num_threads=1) for n in range(gathers)]
        assert await asyncio.gather(*futures) == [[n, -n] for n in range(gathers)]

    asyncio.run(main())
    wait_until(lambda: not busy_workers(), "every worker is idle")


async def dig(depth: int, pool: LoopPool | None) -> int:
    """Open a group in a task of a group in a task ..."""
    if depth == 0:
        return 0
    options = {"num_threads": 1} if pool is None else {}
    async with ThreadedTaskGroup(pool=pool, **options) as group:  # type: ignore[arg-type]
        below = group.create_task(dig(depth - 1, pool))
        beside = group.create_task(same(depth))
    return below.result() + beside.result()


@pytest.mark.parametrize("threads", [1, 2])
def test_64_levels_of_groups_in_one_pool(threads: int) -> None:
    async def main() -> int:
        async with LoopPool(threads) as pool:
            return await dig(64, pool)

    assert asyncio.run(main()) == sum(range(65))


def test_64_levels_of_groups_with_a_thread_each() -> None:
    assert asyncio.run(dig(64, None)) == sum(range(65))


class DeepError(Exception):
    """What goes wrong at the very bottom."""


async def dig_and_fail(depth: int, pool: LoopPool | None) -> None:
    if depth == 0:
        raise DeepError
    options = {"num_threads": 1} if pool is None else {}
    async with ThreadedTaskGroup(pool=pool, **options) as group:  # type: ignore[arg-type]
        group.create_task(dig_and_fail(depth - 1, pool))
        group.create_task(asyncio.sleep(3600))


@pytest.mark.parametrize("pooled", [False, True], ids=["threads", "pool"])
def test_an_error_comes_up_64_levels(pooled: bool) -> None:
    async def main() -> None:
        if not pooled:
            await dig_and_fail(64, None)
            return
        async with LoopPool(1) as pool:
            await dig_and_fail(64, pool)

    with pytest.raises(DeepError):
        asyncio.run(main())


def test_a_cancellation_goes_down_64_levels() -> None:
    ended = itertools.count()
    bottom = threading.Event()

    async def down(depth: int, pool: LoopPool) -> None:
        try:
            if depth == 0:
                bottom.set()
                await asyncio.sleep(3600)
            async with ThreadedTaskGroup(pool=pool) as group:
                group.create_task(down(depth - 1, pool))
        finally:
            next(ended)

    async def main() -> None:
        async with LoopPool(2) as pool:
            task = asyncio.create_task(down(64, pool))
            await asyncio.to_thread(bottom.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert next(ended) == 65

    asyncio.run(main())


@pytest.mark.parametrize("how", ["the group", "the parent", "each handle", "an error"])
def test_very_many_sleepers_are_cancelled(effort: Effort, how: str) -> None:
    sleepers = 10_000 if effort.minutes else 1_000
    lock = threading.Lock()
    asleep = ended = 0
    all_asleep = threading.Event()

    async def sleeper() -> None:
        nonlocal asleep, ended
        with lock:
            asleep += 1
            if asleep == sleepers:
                all_asleep.set()
        try:
            await asyncio.sleep(3600)
        finally:
            with lock:
                ended += 1

    async def sleep_all(handles: list[ThreadedTask[None]]) -> None:
        async with ThreadedTaskGroup(2) as group:
            handles += [group.create_task(sleeper()) for _ in range(sleepers)]
            await asyncio.to_thread(all_asleep.wait)
            match how:
                case "the group":
                    group.cancel()
                case "each handle":
                    assert all(handle.cancel() for handle in handles)
                case "an error":
                    raise DeepError
                case _:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()

    async def main() -> None:
        handles: list[ThreadedTask[None]] = []
        parent = asyncio.create_task(sleep_all(handles))
        await asyncio.wait([parent])
        assert ended == sleepers
        assert all(handle.cancelled() for handle in handles)
        match how:
            case "the parent":
                assert parent.cancelled()
            case "an error":
                assert isinstance(parent.exception(), DeepError)
            case _:
                assert parent.exception() is None

    asyncio.run(main())
