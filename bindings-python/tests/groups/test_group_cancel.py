"""Row 23: `cancel()`."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading

import pytest
from support import Signal, fail_when_cancelled, for_ever, me, value

from thrasks import SchedulingMode, ThreadedTaskGroup


class TestGroupCancel:  # row 23
    async def test_ends_the_group_without_an_error(self, mode: SchedulingMode) -> None:
        started = Signal()
        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(for_ever(started))
            await started.wait()
            group.cancel()
            with pytest.raises(asyncio.CancelledError):
                await for_ever()
            await asyncio.sleep(0)
            raise asyncio.CancelledError
        assert task.cancelled()
        assert me().cancelling() == 0
        await asyncio.sleep(0)

    async def test_interrupts_the_body(self) -> None:
        reached = False
        async with ThreadedTaskGroup(1) as group:
            group.cancel()
            await for_ever()
            reached = True
        assert not reached
        assert me().cancelling() == 0

    async def test_is_idempotent(self) -> None:
        started = Signal()
        cancels: list[int] = []

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                cancels.append(me().cancelling())

        async with ThreadedTaskGroup(1) as group:
            group.create_task(child())
            await started.wait()
            for _ in range(3):
                group.cancel()
        assert cancels == [1]
        assert me().cancelling() == 0

    async def test_before_the_group_is_entered_cancels_it_on_entry(self) -> None:
        group = ThreadedTaskGroup(1)
        group.cancel()
        reached = False
        async with group:
            coro = value(1)
            with pytest.raises(RuntimeError, match="is shutting down"):
                group.create_task(coro)
            await for_ever()
            reached = True
        assert not reached
        assert me().cancelling() == 0

    async def test_after_the_exit_does_nothing(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(value(1))
        group.cancel()
        await asyncio.sleep(0)
        assert task.result() == 1
        assert me().cancelling() == 0

    def test_after_the_loop_was_closed_does_nothing(self) -> None:
        async def main() -> ThreadedTaskGroup:
            async with ThreadedTaskGroup(1) as group:
                pass
            return group

        asyncio.run(main()).cancel()

    async def test_while_the_group_waits_in_its_exit(self) -> None:
        started = Signal()

        async def cancel_it(group: ThreadedTaskGroup) -> None:
            await started.wait()
            group.cancel()

        async with ThreadedTaskGroup(2) as group:
            task = group.create_task(for_ever(started))
            canceller = asyncio.create_task(cancel_it(group))
        assert task.cancelled()
        await canceller
        assert me().cancelling() == 0

    async def test_from_another_thread(self, mode: SchedulingMode) -> None:
        started = Signal()
        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(for_ever(started))
            await started.wait()
            thread = threading.Thread(target=group.cancel)
            thread.start()
            with pytest.raises(asyncio.CancelledError):
                await for_ever()
            thread.join()
        assert task.cancelled()

    async def test_from_a_child(self, mode: SchedulingMode) -> None:
        # gh-155418, too: before its first suspension.
        async def child(group: ThreadedTaskGroup) -> None:
            group.cancel()
            await for_ever()

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(child(group))
        assert task.cancelled()
        assert me().cancelling() == 0

    async def test_errors_are_still_raised(self) -> None:
        started = Signal()
        with pytest.raises(ValueError, match="in cleanup"):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail_when_cancelled(ValueError("in cleanup"), started))
                await started.wait()
                group.cancel()
        assert me().cancelling() == 0
