"""Rows 14 to 16: who may create tasks, and when."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio

import pytest
from support import Signal, eventually_async, fail, for_ever, is_closed, me, value, where

from thrasks import SchedulingMode, ThreadedTask, ThreadedTaskGroup


class TestCreateTaskRefused:  # row 14
    async def test_before_the_group_is_entered(self) -> None:
        group = ThreadedTaskGroup(1)
        coro = value(1)
        with pytest.raises(
            RuntimeError, match="has not been entered: it must be used in async with statement"
        ):
            group.create_task(coro)
        assert is_closed(coro)

    async def test_when_the_group_is_finished(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            pass
        coro = value(1)
        with pytest.raises(RuntimeError, match="is finished"):
            group.create_task(coro)
        assert is_closed(coro)

    async def test_when_the_group_is_shutting_down(self) -> None:
        started, refused = Signal(), Signal()
        texts: list[str] = []

        async def child(group: ThreadedTaskGroup) -> None:
            try:
                await for_ever(started)
            finally:
                coro = value(1)
                with pytest.raises(RuntimeError) as caught:
                    group.create_task(coro)
                texts.append(str(caught.value))
                assert is_closed(coro)
                refused.set()

        with pytest.raises(ZeroDivisionError):
            async with ThreadedTaskGroup(2) as group:
                group.create_task(child(group))
                await started.wait()
                group.create_task(fail(ZeroDivisionError()))
                try:
                    await for_ever()
                finally:
                    await refused.wait()
        assert len(texts) == 1
        assert texts[0].endswith("is shutting down")

    async def test_to_a_task_that_has_not_heard_of_its_cancellation_is_no_failure(self) -> None:
        # On one loop all tasks are cancelled before any of them runs on.
        started, go = Signal(), Signal()

        async def child(group: ThreadedTaskGroup) -> None:
            started.set()
            go.block()
            assert me().cancelling() == 0
            group.create_task(value(1))

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child(group))
            await started.wait()
            group.cancel()
            go.set()
        assert isinstance(task.exception(), RuntimeError)

    async def test_to_one_that_has_heard_of_it_is_a_failure(self) -> None:
        started = Signal()

        async def child(group: ThreadedTaskGroup) -> None:
            try:
                await for_ever(started)
            finally:
                group.create_task(value(1))

        with pytest.raises(RuntimeError, match="is shutting down"):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child(group))
                await started.wait()
                group.cancel()

    async def test_by_another_group_is_a_failure(self) -> None:
        holding, release, started, go = Signal(), Signal(), Signal(), Signal()
        others: list[ThreadedTaskGroup] = []

        async def hold() -> None:
            try:
                await for_ever(holding)
            finally:
                await release.wait()

        async def keep_shutting_down() -> None:
            async with ThreadedTaskGroup(1) as other:
                other.create_task(hold())
                await holding.wait()
                other.cancel()
                others.append(other)

        async def child() -> None:
            started.set()
            go.block()
            others[0].create_task(value(1))

        keeper = asyncio.create_task(keep_shutting_down())
        await holding.wait()
        assert await eventually_async(lambda: bool(others))
        try:
            with pytest.raises(RuntimeError, match="is shutting down"):
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(child())
                    await started.wait()
                    group.cancel()
                    go.set()
        finally:
            release.set()
            await keeper

    async def test_a_job_created_while_the_group_aborts_is_refused_or_cancelled(self) -> None:
        # Never lost, never left running: the group would hang, or its task would outlive it.
        for _ in range(20):
            running = Signal()
            accepted: list[ThreadedTask[None]] = []

            def create(
                group: ThreadedTaskGroup,
                running: Signal = running,
                accepted: list[ThreadedTask[None]] = accepted,
            ) -> int:
                while True:
                    coro = for_ever(running)
                    try:
                        accepted.append(group.create_task(coro))
                    except RuntimeError:
                        assert is_closed(coro)
                        return 1

            with pytest.raises(ValueError, match="stop"):
                async with ThreadedTaskGroup(2) as group:
                    creators = [asyncio.create_task(asyncio.to_thread(create, group)) for _ in "ab"]
                    await running.wait()
                    raise ValueError("stop")
            refused = sum(await asyncio.gather(*creators))
            assert refused == 2
            assert all(task.cancelled() for task in accepted)


class TestCreateTaskFromElsewhere:  # row 15
    async def test_a_child_may_create_tasks_and_the_group_waits_for_them(
        self, mode: SchedulingMode
    ) -> None:
        grandchildren: list[ThreadedTask[str]] = []

        async def child(group: ThreadedTaskGroup) -> None:
            await asyncio.sleep(0)
            grandchildren.append(group.create_task(where()))

        async with ThreadedTaskGroup(2, mode=mode) as group:
            group.create_task(child(group))
        assert [task.done() for task in grandchildren] == [True]

    async def test_until_the_last_task_has_ended(self, mode: SchedulingMode) -> None:
        # Each makes the next one, when the body ended long ago.
        count = 0

        async def link(group: ThreadedTaskGroup) -> None:
            nonlocal count
            count += 1
            if count < 50:
                group.create_task(link(group))

        async with ThreadedTaskGroup(2, mode=mode) as group:
            group.create_task(link(group))
        assert count == 50

    async def test_from_any_thread_the_handle_belongs_to_the_parent_loop(
        self, mode: SchedulingMode
    ) -> None:
        home = asyncio.get_running_loop()
        async with ThreadedTaskGroup(2, mode=mode) as group:
            from_thread = await asyncio.to_thread(lambda: group.create_task(value("thread")))

            async def child() -> ThreadedTask[str]:
                return group.create_task(value("child"))

            from_child = await group.create_task(child())
        assert from_thread.get_loop() is home
        assert from_child.get_loop() is home
        assert await from_thread == "thread"
        assert await from_child == "child"

    async def test_a_failing_grandchild_aborts_the_group(self) -> None:
        async def child(group: ThreadedTaskGroup) -> None:
            group.create_task(fail(ZeroDivisionError()))
            await for_ever()

        with pytest.raises(ZeroDivisionError):
            async with ThreadedTaskGroup(2) as group:
                group.create_task(child(group))
