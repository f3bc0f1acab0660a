"""Rows 5 and 6: children that are cancelled, and what they do then."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from support import Everybody, Signal, fail, for_ever, me, value

from thrasks import SchedulingMode, ThreadedTaskGroup


def kinds(group: BaseExceptionGroup[BaseException]) -> Counter[type[BaseException]]:
    return Counter(type(error) for error in group.exceptions)


class TestCleanup:  # row 5
    async def test_each_child_is_cancelled_exactly_once(self, mode: SchedulingMode) -> None:
        cancellations: list[int] = []
        running = Everybody(3)
        go = Signal()

        async def child() -> None:
            try:
                await running.meet()
                await for_ever()
            except asyncio.CancelledError:
                # Any further cancellation would come out of one of these.
                await go.wait()
                for _ in range(5):
                    await asyncio.sleep(0)
                cancellations.append(me().cancelling())
                raise

        async def second_failure() -> None:
            try:
                await running.meet()
                await for_ever()
            finally:
                go.set()
                raise KeyError

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child())
                group.create_task(second_failure())
                await running.meet()
                raise ValueError
        assert cancellations == [1]
        assert kinds(caught.value) == {ValueError: 1, KeyError: 1}

    async def test_the_group_waits_for_what_children_await_in_finally(
        self, mode: SchedulingMode
    ) -> None:
        started, cleaning, go = Signal(), Signal(), Signal()
        cleaned = False

        async def child() -> None:
            nonlocal cleaned
            try:
                await for_ever(started)
            finally:
                cleaning.set()
                await go.wait()
                cleaned = True

        async def main() -> None:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child())
                await started.wait()
                raise ZeroDivisionError

        group_ends = asyncio.create_task(main())
        await cleaning.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not group_ends.done()
        go.set()
        with pytest.raises(ZeroDivisionError):
            await group_ends
        assert cleaned

    async def test_errors_raised_there_join_the_group(self, mode: SchedulingMode) -> None:
        running = Everybody(3)

        async def child(number: int) -> None:
            try:
                await running.meet()
                await for_ever()
            finally:
                await asyncio.sleep(0)
                raise LookupError(number)

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child(1))
                group.create_task(child(2))
                await running.meet()
                await group.create_task(fail(ZeroDivisionError()))
        assert kinds(caught.value) == {ZeroDivisionError: 1, LookupError: 2}


class TestChildCancelled:  # row 6
    async def test_by_its_handle_is_not_an_error(self, mode: SchedulingMode) -> None:
        started, go = Signal(), Signal()

        async def sibling() -> str:
            await go.wait()
            return "went on"

        async with ThreadedTaskGroup(2, mode=mode) as group:
            cancelled = group.create_task(for_ever(started))
            other = group.create_task(sibling())
            await started.wait()
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            go.set()
        assert cancelled.cancelled()
        assert other.result() == "went on"

    async def test_by_itself_is_not_an_error(self, mode: SchedulingMode) -> None:
        async def child() -> None:
            raise asyncio.CancelledError

        async with ThreadedTaskGroup(2, mode=mode) as group:
            cancelled = group.create_task(child())
            other = group.create_task(value(1))
        assert cancelled.cancelled()
        assert other.result() == 1
