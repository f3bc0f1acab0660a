"""`LoopPool`."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars

import pytest
from support import Signal, SlowToEnd, block_until, fail, for_ever, is_closed, value, where

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather


class TestLoopPool:
    async def test_runs_coroutines_and_counts_them(self, mode: SchedulingMode) -> None:
        # Its threads may have worked for others before: that does not count.
        await threaded_gather(*[value(i) for i in range(10)])
        async with LoopPool(2, mode=mode) as pool:
            assert pool.num_threads == 2
            assert pool.mode is mode
            names = {await pool.run(where()) for _ in range(6)}
            stats = pool.stats()
            assert (stats.queued, stats.running, stats.done) == (0, 0, 6)
            assert sum(loop.done for loop in stats.loops) == 6
            assert names <= {loop.name for loop in stats.loops}

    async def test_passes_name_and_context_on(self) -> None:
        var: contextvars.ContextVar[int] = contextvars.ContextVar("var")
        context = contextvars.copy_context()

        async def child() -> str:
            var.set(5)
            task = asyncio.current_task()
            assert task is not None
            return task.get_name()

        async with LoopPool(1) as pool:
            assert await pool.run(child(), name="called this", context=context) == "called this"
        assert context[var] == 5

    async def test_a_failure_is_the_handles_alone(self) -> None:
        async with LoopPool(1) as pool:
            with pytest.raises(ValueError, match="alone"):
                await pool.run(fail(ValueError("alone")))
            assert await pool.run(value(1)) == 1

    async def test_leaving_it_waits_for_what_runs(self) -> None:
        started, go = Signal(), Signal()

        async def child() -> str:
            started.set()
            await go.wait()
            return "ran to its end"

        async def main() -> list[str]:
            async with LoopPool(1) as pool:
                task = pool.run(child())
                gathered = threaded_gather(*[child()], pool=pool)
            assert task.done()
            return [task.result(), *await gathered]

        leaving = asyncio.create_task(main())
        await started.wait()
        assert not leaving.done()
        go.set()
        assert await leaving == ["ran to its end"] * 2

    async def test_leaving_it_by_an_error_cancels_what_runs(self) -> None:
        child = SlowToEnd()
        with pytest.raises(ValueError, match="stop"):
            async with LoopPool(1) as pool:
                running = pool.run(child.run())
                await child.started.wait()
                raise ValueError("stop")
        assert running.cancelled()
        assert child.has_ended

    async def test_cancelling_its_exit_cancels_what_runs_and_waits(self) -> None:
        child = SlowToEnd()

        async def use() -> None:
            async with LoopPool(1) as pool:
                pool.run(child.run())

        task = asyncio.create_task(use())
        await child.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert child.has_ended

    async def test_handles_belong_to_the_loop_that_called_run(self) -> None:
        async def use(pool: LoopPool) -> int:
            task = pool.run(value(4))
            assert task.get_loop() is asyncio.get_running_loop()
            return await task

        async with LoopPool(2) as pool:
            calls = [asyncio.to_thread(asyncio.run, use(pool)) for _ in range(4)]
            assert await asyncio.gather(*calls) == [4] * 4
            # And from one of the pool's own loops.
            assert await pool.run(use(pool)) == 4

    async def test_tasks_with_the_same_context_share_a_thread(self) -> None:
        context = contextvars.copy_context()
        async with LoopPool(4) as pool:
            tasks = [pool.run(where(), context=context) for _ in range(8)]
            assert len({await task for task in tasks}) == 1

    async def test_tells_what_it_does(self) -> None:
        started = Signal()
        async with LoopPool(2) as pool:
            sleeper = pool.run(for_ever(started))
            await started.wait()
            stats = pool.stats()
            assert (stats.queued, stats.running) == (0, 1)
            assert [loop.running for loop in stats.loops].count(1) == 1
            assert len(stats.loops) == 2
            assert repr(pool) == "<LoopPool threads=2 mode=QUEUE running=1>"
            sleeper.cancel()

    async def test_is_shared_by_groups_and_gathers(self) -> None:
        async with LoopPool(2) as pool:
            mine = {loop.name for loop in pool.stats().loops}
            async with ThreadedTaskGroup(pool=pool) as one, ThreadedTaskGroup(pool=pool) as other:
                tasks = [group.create_task(where()) for group in (one, other) for _ in range(10)]
                names = set(await threaded_gather(*[where() for _ in range(10)], pool=pool))
            names |= {task.result() for task in tasks}
            assert names <= mine

    async def test_a_group_that_fails_on_it_leaves_it_and_its_other_tasks_alone(self) -> None:
        started, go = Signal(), Signal()

        async def unrelated() -> str:
            started.set()
            await go.wait()
            return "unrelated"

        async with LoopPool(1) as pool:
            task = pool.run(unrelated())
            await started.wait()
            with pytest.raises(ValueError, match="of the group"):
                async with ThreadedTaskGroup(pool=pool) as group:
                    group.create_task(for_ever())
                    group.create_task(fail(ValueError("of the group")))
            assert not task.done()
            go.set()
            assert await task == "unrelated"

    async def test_handles_can_be_cancelled(self) -> None:
        started = Signal()
        async with LoopPool(1) as pool:
            task = pool.run(for_ever(started))
            await started.wait()
            assert task.cancel("enough")
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await task

    async def test_closes_what_it_never_started(self) -> None:
        release, busy = Signal(), Signal()
        coro = value(1)
        with pytest.raises(ValueError, match="stop"):
            async with LoopPool(1) as pool:
                pool.run(block_until(release, busy))
                waiting = pool.run(coro)
                await busy.wait()
                release_soon = asyncio.get_running_loop().call_soon(release.set)
                raise ValueError("stop")
        assert not release_soon.cancelled()
        assert waiting.done()
        if waiting.cancelled():
            assert is_closed(coro)

    async def test_refuses_what_comes_while_an_error_ends_it(self) -> None:
        started = Signal()
        refused: list[str] = []

        async def child(pool: LoopPool) -> None:
            try:
                await for_ever(started)
            finally:
                coro = value(1)
                with pytest.raises(RuntimeError) as caught:
                    pool.run(coro)
                assert is_closed(coro)
                refused.append(str(caught.value))

        with pytest.raises(LookupError):
            async with LoopPool(1) as pool:
                task = pool.run(child(pool))
                await started.wait()
                raise LookupError
        assert task.cancelled()
        assert refused == ["the LoopPool is closed"]
