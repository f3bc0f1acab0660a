"""LoopPool, and what runs on one."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading

import pytest
from test_group import Error, Pair, fail, fail_later, thread_name, value, value_later

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather


def test_runs_coroutines_and_shares_its_threads(mode: SchedulingMode) -> None:
    async def main() -> None:
        async with LoopPool(2, mode=mode) as pool:
            assert pool.num_threads == 2
            assert pool.mode is mode
            assert await pool.run(value_later(1), name="one") == 1
            names = {await pool.run(thread_name()) for _ in range(10)}
            names.update(await threaded_gather(*(thread_name() for _ in range(10)), pool=pool))
            async with ThreadedTaskGroup(pool=pool) as group:
                tasks = [group.create_task(thread_name()) for _ in range(10)]
            names.update(task.result() for task in tasks)
        assert len(names) <= 2

    asyncio.run(main())


def test_a_failure_is_the_handles_alone() -> None:
    async def main() -> None:
        async with LoopPool(1) as pool:
            with pytest.raises(Error):
                await pool.run(fail())
            assert await pool.run(value(1)) == 1

    asyncio.run(main())


def test_leaving_waits_for_what_runs() -> None:
    async def main() -> None:
        release = threading.Event()
        async with LoopPool(1) as pool:
            task = pool.run(asyncio.to_thread(release.wait))
            gathered = threaded_gather(value_later(2), pool=pool)
            threading.Timer(0.01, release.set).start()
        assert task.done()
        assert await gathered == [2]

    asyncio.run(main())


def test_leaving_by_an_exception_cancels_what_runs() -> None:
    async def main() -> None:
        pair = Pair()
        with pytest.raises(Error):
            async with LoopPool(1) as pool:
                task = pool.run(pair.sleep())
                await pair.wait_started()
                raise Error
        assert pair.ended.is_set()
        assert task.cancelled()

    asyncio.run(main())


def test_a_cancelled_exit_cancels_what_runs_and_waits() -> None:
    async def main() -> None:
        pair = Pair()

        async def use() -> None:
            async with LoopPool(1) as pool:
                pool.run(pair.sleep())

        task = asyncio.create_task(use())
        await pair.wait_started()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pair.ended.is_set()

    asyncio.run(main())


def test_handles_belong_to_the_loop_that_called_run() -> None:
    async def use(pool: LoopPool) -> int:
        task = pool.run(value_later(4))
        assert task.get_loop() is asyncio.get_running_loop()
        return await task

    async def main() -> None:
        async with LoopPool(2) as pool:
            results = await asyncio.gather(
                *(asyncio.to_thread(asyncio.run, use(pool)) for _ in range(4))
            )
            # And from one of the pool's own loops.
            assert await pool.run(use(pool)) == 4
        assert results == [4] * 4

    asyncio.run(main())


def test_an_error_in_a_group_on_a_pool_leaves_the_pool_usable() -> None:
    async def main() -> None:
        async with LoopPool(2) as pool:
            pair = Pair()
            with pytest.raises(Error):
                async with ThreadedTaskGroup(pool=pool) as group:
                    group.create_task(pair.sleep())
                    await pair.wait_started()
                    group.create_task(fail_later())
            assert pair.ended.is_set()
            assert await pool.run(value(1)) == 1

    asyncio.run(main())


def test_a_pool_that_is_not_open_is_refused() -> None:
    async def main() -> None:
        pool = LoopPool(1)
        coroutine = value(1)
        with pytest.raises(RuntimeError, match="has not been entered"):
            pool.run(coroutine)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
        async with pool:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await pool.__aenter__()
        for use in (
            lambda c: pool.run(c),
            lambda c: threaded_gather(c, pool=pool),
        ):
            coroutine = value(1)
            with pytest.raises(RuntimeError, match="<LoopPool threads=1 mode=QUEUE closed> is clo"):
                use(coroutine)
            assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
        with pytest.raises(RuntimeError, match="is closed"):
            async with ThreadedTaskGroup(pool=pool):
                pass
        with pytest.raises(RuntimeError, match="is closed"):
            pool.stats()

    asyncio.run(main())


def test_stats_count() -> None:
    async def main() -> None:
        pair = Pair()
        async with LoopPool(2) as pool:
            for i in range(5):
                await pool.run(value(i))
            sleeper = pool.run(pair.sleep())
            await pair.wait_started()
            stats = pool.stats()
            assert (stats.queued, stats.running) == (0, 1)
            assert len(stats.loops) == 2
            assert sum(loop.running for loop in stats.loops) == 1
            assert repr(pool) == "<LoopPool threads=2 mode=QUEUE running=1>"
            sleeper.cancel()
        assert repr(pool) == "<LoopPool threads=2 mode=QUEUE closed>"

    asyncio.run(main())


def test_tasks_with_the_same_context_share_a_thread() -> None:
    async def main() -> None:
        context = contextvars.copy_context()
        async with LoopPool(4) as pool:
            tasks = [pool.run(thread_name(), context=context) for _ in range(8)]
            assert len({await task for task in tasks}) == 1

    asyncio.run(main())
