"""Row 13: groups in groups."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest
from support import Signal, fail, fail_when_cancelled, for_ever, where

from thrasks import SchedulingMode, ThreadedTaskGroup


def kinds(group: BaseExceptionGroup[BaseException]) -> Counter[type[BaseException]]:
    return Counter(type(error) for error in group.exceptions)


class TestNestedGroups:  # row 13
    @pytest.mark.parametrize("strict", [False, True])
    async def test_the_inner_groups_error_is_one_error_of_the_outer(self, strict: bool) -> None:
        async def inner() -> None:
            async with ThreadedTaskGroup(2) as group:
                started = Signal()
                group.create_task(fail_when_cancelled(KeyError(), started))
                await started.wait()
                group.create_task(fail(ValueError()))

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(1, strict_exception_groups=strict) as outer:
                task = outer.create_task(inner())
        if strict:
            assert kinds(caught.value) == {ExceptionGroup: 1}
            assert caught.value.exceptions[0] is task.exception()
        else:
            assert caught.value is task.exception()
            assert kinds(caught.value) == {ValueError: 1, KeyError: 1}

    async def test_inside_a_child_the_parent_loop_is_the_workers(
        self, mode: SchedulingMode
    ) -> None:
        async def child() -> tuple[bool, bool]:
            here = asyncio.get_running_loop()
            async with ThreadedTaskGroup(1, mode=mode) as group:
                task = group.create_task(where())
            elsewhere = task.result() != threading.current_thread().name
            return task.get_loop() is here, elsewhere

        async with ThreadedTaskGroup(1, mode=mode) as group:
            task = group.create_task(child())
        assert task.result() == (True, True)

    async def test_five_deep_with_one_thread_each(self, mode: SchedulingMode) -> None:
        async def level(depth: int) -> int:
            if depth == 0:
                return 0
            async with ThreadedTaskGroup(1, mode=mode) as group:
                task = group.create_task(level(depth - 1))
            return task.result() + 1

        assert await level(5) == 5

    async def test_cancelling_the_outer_ends_the_inner(self) -> None:
        started = Signal()
        inner_ended = False

        async def inner() -> None:
            nonlocal inner_ended
            async with ThreadedTaskGroup(1) as group:
                try:
                    task = group.create_task(for_ever(started))
                    await for_ever()
                finally:
                    inner_ended = not task.done()

        with pytest.raises(ValueError, match="stop"):
            async with ThreadedTaskGroup(1) as outer:
                outer.create_task(inner())
                await started.wait()
                raise ValueError("stop")
        assert inner_ended
