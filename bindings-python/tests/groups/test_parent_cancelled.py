"""Rows 8 to 10: the task that entered the group is cancelled."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio

import pytest
from support import (
    Signal,
    SlowToEnd,
    eventually_async,
    fail,
    fail_later,
    fail_when_cancelled,
    for_ever,
    me,
)

from thrasks import SchedulingMode, ThreadedTaskGroup


class TestParentCancelledInTheBody:  # row 8
    async def test_children_are_aborted_and_awaited(self, mode: SchedulingMode) -> None:
        child = SlowToEnd()

        async def parent() -> None:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child.run())
                await for_ever()

        task = asyncio.create_task(parent())
        await child.started.wait()
        task.cancel("from outside")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert child.has_ended
        assert caught.value.args == ("from outside",)
        assert task.cancelled()


class TestParentCancelledInTheExit:  # row 9
    async def test_aborts_once_and_waits_through_further_cancels(
        self, mode: SchedulingMode
    ) -> None:
        started, cleaning, go = Signal(), Signal(), Signal()
        cancels: list[int] = []

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                cleaning.set()
                await go.wait()
                cancels.append(me().cancelling())

        async def parent() -> None:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child())

        task = asyncio.create_task(parent())
        await started.wait()
        task.cancel("first")
        await cleaning.wait()
        for _ in range(3):
            task.cancel("again")
            await asyncio.sleep(0)
            assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError, match="first"):
            await task
        assert cancels == [1]

    async def test_errors_come_before_the_cancellation(self, mode: SchedulingMode) -> None:
        started = Signal()

        async def parent() -> None:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(fail_when_cancelled(LookupError("in cleanup"), started))

        task = asyncio.create_task(parent())
        await started.wait()
        task.cancel()
        with pytest.raises(LookupError, match="in cleanup"):
            await task

    async def test_a_later_cancel_from_outside_during_an_abort_is_kept(
        self, mode: SchedulingMode
    ) -> None:
        # gh-155433: the group's own cancel() must not swallow somebody else's.
        started, cleaning, go = Signal(), Signal(), Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                cleaning.set()
                await go.wait()

        async def parent() -> None:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child())
                await started.wait()
                group.cancel()

        task = asyncio.create_task(parent())
        await cleaning.wait()
        # By now the group's own cancellation has come, and does not merge with this one.
        await asyncio.sleep(0)
        task.cancel("from outside")
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.args == ("from outside",)


class TestCancelCounts:  # row 10
    @pytest.mark.parametrize("strict", [False, True])
    async def test_the_groups_own_cancel_is_taken_back(self, strict: bool) -> None:
        with pytest.raises((RuntimeError, ExceptionGroup)):
            async with ThreadedTaskGroup(1, strict_exception_groups=strict) as group:
                group.create_task(fail_later(RuntimeError()))
                await for_ever()
        assert me().cancelling() == 0
        await asyncio.sleep(0)

    @pytest.mark.parametrize("strict", [False, True])
    @pytest.mark.parametrize("where", ["in the body", "in the exit"])
    async def test_one_from_outside_is_delivered_at_the_next_await(
        self, where: str, strict: bool
    ) -> None:
        started = Signal()
        reached: list[str] = []

        async def child() -> None:
            await for_ever(started)

        async def cleanup_fails() -> None:
            try:
                await child()
            finally:
                raise RuntimeError("of the child")

        async def inner() -> None:
            try:
                async with ThreadedTaskGroup(1, strict_exception_groups=strict) as group:
                    group.create_task(cleanup_fails())
                    if where == "in the body":
                        await for_ever()
            except (RuntimeError, ExceptionGroup):
                reached.append("caught the error")
                assert me().cancelling() == 1
            assert me().cancelling() == 1
            await asyncio.sleep(0)
            reached.append("not cancelled again")

        task = asyncio.create_task(inner())
        await started.wait()
        assert task.cancelling() == 0
        task.cancel()
        assert task.cancelling() == 1
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert reached == ["caught the error"]

    async def test_of_two_nested_groups_that_both_abort(self) -> None:
        seen: list[int] = []
        inner_failed = Signal()

        async def fails_after(signal: Signal, error: Exception) -> None:
            await signal.wait()
            raise error

        with pytest.raises(ValueError, match="of the outer"):
            async with ThreadedTaskGroup(1) as outer:
                go = Signal()
                try:
                    async with ThreadedTaskGroup(1) as inner:

                        async def cleanup() -> None:
                            try:
                                await for_ever(go)
                            finally:
                                # The inner group aborts. Now the outer one does, too.
                                inner_failed.set()
                                await eventually_async(lambda: parent.cancelling() == 2)

                        parent = me()
                        outer.create_task(fails_after(inner_failed, ValueError("of the outer")))
                        inner.create_task(cleanup())
                        await go.wait()
                        inner.create_task(fail(RuntimeError("of the inner")))
                except RuntimeError:
                    seen.append(me().cancelling())
                await for_ever()
        assert seen == [1]
        assert me().cancelling() == 0
