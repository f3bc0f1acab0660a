"""Rows 1 and 2: entering a group, and leaving it when all went well."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio

import pytest
from support import Signal, block_until, value, where

from thrasks import SchedulingMode, ThreadedTaskGroup


class TestEnter:  # row 1
    async def test_twice_is_refused(self) -> None:
        group = ThreadedTaskGroup(1)
        async with group:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await group.__aenter__()
            # The group is none the worse for it.
            task = group.create_task(value(1))
        assert task.result() == 1

    async def test_the_refusal_names_the_group(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            with pytest.raises(RuntimeError) as caught:
                await group.__aenter__()
            assert str(caught.value) == f"{group!r} has already been entered"

    async def test_again_after_the_exit_is_refused(self) -> None:
        group = ThreadedTaskGroup(1)
        async with group:
            pass
        with pytest.raises(RuntimeError, match="has already been entered"):
            async with group:
                pass

    async def test_outside_a_task_is_refused_and_the_group_stays_unentered(self) -> None:
        group = ThreadedTaskGroup(1)
        outcome: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

        def callback() -> None:
            entering = group.__aenter__()
            try:
                entering.send(None)
            except BaseException as error:
                outcome.set_result(error)
            else:
                entering.close()
                outcome.set_exception(AssertionError("it suspended"))

        asyncio.get_running_loop().call_soon(callback)
        error = await outcome
        assert isinstance(error, RuntimeError)
        assert "cannot determine the parent task" in str(error)
        async with group:
            task = group.create_task(value("still usable"))
        assert task.result() == "still usable"

    def test_without_a_loop_is_refused_and_the_group_stays_unentered(self) -> None:
        group = ThreadedTaskGroup(1)
        entering = group.__aenter__()
        with pytest.raises(RuntimeError):
            entering.send(None)

        async def main() -> None:
            async with group:
                pass

        asyncio.run(main())

    async def test_does_not_block_the_callers_loop_while_workers_start(self) -> None:
        may_start = Signal()

        def slow_factory() -> asyncio.AbstractEventLoop:
            may_start.block()
            return asyncio.new_event_loop()

        async def enter() -> str:
            async with ThreadedTaskGroup(2, loop_factory=slow_factory) as group:
                task = group.create_task(where())
            return task.result()

        entering = asyncio.create_task(enter())
        for _ in range(10):
            await asyncio.sleep(0)
        # We got here, though no worker has a loop.
        may_start.set()
        assert "thrasks" in await entering


class TestCleanExit:  # row 2
    async def test_waits_for_every_task_and_results_are_there(self, mode: SchedulingMode) -> None:
        go = Signal()

        async def work(i: int) -> int:
            await go.wait()
            return i * i

        async with ThreadedTaskGroup(3, mode=mode) as group:
            tasks = [group.create_task(work(i)) for i in range(50)]
            assert not any(task.done() for task in tasks)
            go.set()
        # Not awaited: done, and the result is there.
        assert [task.result() for task in tasks] == [i * i for i in range(50)]
        assert all(task.done() and not task.cancelled() for task in tasks)
        assert all(task.exception() is None for task in tasks)

    async def test_results_can_be_awaited_again_and_again(self, mode: SchedulingMode) -> None:
        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(value("x"))
            assert await task == "x"
        assert await task == "x"
        assert await task == "x"

    async def test_the_loop_runs_on_while_the_group_waits(self) -> None:
        release = Signal()

        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(block_until(release))

        waiting = asyncio.create_task(main())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        release.set()
        await waiting

    async def test_of_an_empty_group(self) -> None:
        async with ThreadedTaskGroup(4):
            pass

    async def test_with_ten_thousand_tasks(self, mode: SchedulingMode) -> None:
        async with ThreadedTaskGroup(2, mode=mode) as group:
            tasks = [group.create_task(value(i)) for i in range(10_000)]
        assert [task.result() for task in tasks] == list(range(10_000))
