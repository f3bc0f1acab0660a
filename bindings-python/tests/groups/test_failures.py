"""Rows 3, 4, 20 and 22: the body or a child raises; what becomes of the exception."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import gc
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support import (
    Everybody,
    Signal,
    eventually_async,
    fail,
    fail_later,
    fail_when_cancelled,
    for_ever,
    me,
    reports,
)

from thrasks import SchedulingMode, ThreadedTask, ThreadedTaskGroup


def kinds(group: BaseExceptionGroup[BaseException]) -> Counter[type[BaseException]]:
    return Counter(type(error) for error in group.exceptions)


class TestBodyRaises:  # row 3
    async def test_the_only_error_goes_on_as_it_is_when_the_children_have_ended(
        self, mode: SchedulingMode
    ) -> None:
        error = ValueError("of the body")
        ended = Signal()
        started = Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended.set()

        with pytest.raises(ValueError, match="of the body") as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                task = group.create_task(child())
                await started.wait()
                raise error
        assert caught.value is error
        assert error.__context__ is None
        assert ended.is_set()
        assert task.cancelled()
        assert me().cancelling() == 0

    async def test_its_error_comes_last_in_the_exception_group(self, mode: SchedulingMode) -> None:
        both_run = Everybody(3)

        async def child(number: int) -> None:
            try:
                await both_run.meet()
                await for_ever()
            finally:
                raise KeyError(number)

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child(1))
                group.create_task(child(2))
                await both_run.meet()
                raise ValueError("of the body")
        assert kinds(caught.value) == {KeyError: 2, ValueError: 1}
        assert isinstance(caught.value.exceptions[-1], ValueError)
        assert caught.value.message == "unhandled errors in a TaskGroup"


class TestChildRaises:  # row 4
    @pytest.mark.parametrize("how", [fail, fail_later], ids=["at once", "later"])
    async def test_siblings_are_cancelled_and_the_body_is_interrupted(
        self,
        how: Callable[[BaseException], Coroutine[Any, Any, None]],
        mode: SchedulingMode,
    ) -> None:
        error = ZeroDivisionError("of the child")
        started = Signal()
        interrupted = False
        with pytest.raises(ZeroDivisionError) as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                sibling = group.create_task(for_ever(started))
                await started.wait()
                failing = group.create_task(how(error))
                try:
                    await for_ever()
                except asyncio.CancelledError:
                    interrupted = True
                    raise
        assert interrupted
        assert caught.value is error
        assert sibling.cancelled()
        assert failing.exception() is error
        # The cancellation of the body was the group's own business.
        assert me().cancelling() == 0
        await asyncio.sleep(0)

    async def test_two_failures_make_an_exception_group(self, mode: SchedulingMode) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                started = Signal()
                group.create_task(fail_when_cancelled(KeyError("second"), started))
                await started.wait()
                group.create_task(fail(ValueError("first")))
        assert caught.value.message == "unhandled errors in a TaskGroup"
        assert [type(error) for error in caught.value.exceptions] == [ValueError, KeyError]
        assert me().cancelling() == 0

    async def test_two_that_fail_at_the_same_time_are_both_raised(
        self, mode: SchedulingMode
    ) -> None:
        together = Everybody(2)

        async def child(error: Exception) -> None:
            together.meet_blocking()
            raise error

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child(ValueError()))
                group.create_task(child(KeyError()))
        assert kinds(caught.value) == {ValueError: 1, KeyError: 1}
        assert me().cancelling() == 0

    async def test_strict_groups_always_raise_an_exception_group(
        self, mode: SchedulingMode
    ) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2, mode=mode, strict_exception_groups=True) as group:
                group.create_task(fail(ValueError()))
        assert kinds(caught.value) == {ValueError: 1}
        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2, mode=mode, strict_exception_groups=True):
                raise KeyError
        assert kinds(caught.value) == {KeyError: 1}

    async def test_a_body_that_ignores_the_interruption_ends_with_the_error_all_the_same(
        self,
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail(ZeroDivisionError()))
                with contextlib.suppress(asyncio.CancelledError):
                    await for_ever()
                # Interrupted once only.
                await asyncio.sleep(0)
        assert me().cancelling() == 0

    async def test_an_exit_handler_in_the_body_that_raises_adds_its_error(self) -> None:
        class CloseError(Exception):
            pass

        @asynccontextmanager
        async def resource() -> AsyncIterator[None]:
            try:
                yield
            finally:
                raise CloseError

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(1) as group, resource():
                group.create_task(fail(ZeroDivisionError()))
                await for_ever()
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError, CloseError]
        assert me().cancelling() == 0


class TestTracebacks:  # row 20
    async def test_the_bare_exception_keeps_its_own_context(self) -> None:
        async def child() -> None:
            try:
                raise KeyError("the reason")
            except KeyError:
                raise ValueError("of the child")  # noqa: B904 -- its context is the point

        with pytest.raises(ValueError, match="of the child") as caught:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
                await for_ever()
        assert isinstance(caught.value.__context__, KeyError)
        assert caught.value.__context__.__context__ is None
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("how", [fail, fail_later], ids=["at once", "later"])
    async def test_the_internal_cancellation_is_not_in_the_users_traceback(
        self, how: Callable[[BaseException], Coroutine[Any, Any, None]]
    ) -> None:
        with pytest.raises(ValueError, match="alone") as caught:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(how(ValueError("alone")))
                await for_ever()
        assert caught.value.__context__ is None

    async def test_nor_in_that_of_an_exception_group(self) -> None:
        started = Signal()

        async def child() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await for_ever(started)
            raise KeyError

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(child())
                await started.wait()
                group.create_task(fail(ValueError()))
                await for_ever()
        assert "CancelledError" not in "".join(traceback.format_exception(caught.value))

    async def test_the_traceback_shows_where_the_child_failed(self) -> None:
        with pytest.raises(ValueError, match="here") as caught:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail_later(ValueError("here")))
        assert "fail_later" in [entry.name for entry in caught.traceback]

    async def test_failures_of_the_group_are_never_logged_as_unretrieved(self) -> None:
        with reports() as seen:
            with pytest.raises(ExceptionGroup):
                async with ThreadedTaskGroup(2) as group:
                    started = Signal()
                    group.create_task(fail_when_cancelled(KeyError(), started))
                    await started.wait()
                    group.create_task(fail(ValueError()))
            gc.collect()
            await asyncio.sleep(0)
        assert seen == []


class TestFailureAfterTheParentIsDone:  # row 22
    async def test_goes_to_the_exception_handler(self) -> None:
        go, started = Signal(), Signal()
        groups = [ThreadedTaskGroup(1)]
        error = ValueError("too late")

        async def child() -> None:
            started.set()
            await go.wait()
            raise error

        async def parent() -> ThreadedTask[None]:
            # Enters, and never leaves.
            await groups[0].__aenter__()
            return groups[0].create_task(child())

        with reports() as seen:
            task = await asyncio.create_task(parent(), name="the parent")
            await started.wait()
            go.set()
            await asyncio.wait([task])
            assert await eventually_async(lambda: bool(seen))
        (report,) = seen
        assert report["exception"] is error
        assert report["task"] is task
        assert "has errored out but its parent task" in report["message"]
        assert report["message"].endswith("is already completed")
        assert "the parent" in report["message"]
        del report, seen[:]
        with pytest.warns(ResourceWarning, match="was entered and never left"):
            groups.clear()
