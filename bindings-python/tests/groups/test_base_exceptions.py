"""Rows 11 and 12: exceptions that are no `Exception`."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from support import (
    Signal,
    SlowToEnd,
    fail,
    fail_later,
    fail_when_cancelled,
    for_ever,
    me,
    python,
    reports,
    value,
    worker_threads,
)

from thrasks import ThreadedTaskGroup


class OddError(BaseException):
    """Neither an Exception, nor one of those that asyncio treats specially."""


def kinds(group: BaseExceptionGroup[BaseException]) -> Counter[type[BaseException]]:
    return Counter(type(error) for error in group.exceptions)


BASE_ERRORS = [KeyboardInterrupt, SystemExit]


class TestKeyboardInterruptAndSystemExit:  # row 11
    @pytest.mark.parametrize("kind", BASE_ERRORS)
    async def test_in_the_body_is_raised_alone_when_the_children_have_ended(
        self, kind: type[BaseException]
    ) -> None:
        child = SlowToEnd()
        error = kind("from the body")
        with pytest.raises(kind) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(child.run())
                await child.started.wait()
                raise error
        assert caught.value is error
        assert child.has_ended

    @pytest.mark.parametrize("kind", BASE_ERRORS)
    @pytest.mark.parametrize("how", [fail, fail_later], ids=["at once", "later"])
    async def test_in_a_child_is_raised_alone_in_the_parent(
        self,
        kind: type[BaseException],
        how: Callable[[BaseException], Coroutine[Any, Any, None]],
    ) -> None:
        started = Signal()
        error = kind("from the child")
        with pytest.raises(kind) as caught:
            async with ThreadedTaskGroup(2, strict_exception_groups=True) as group:
                sibling = group.create_task(for_ever(started))
                await started.wait()
                group.create_task(how(error))
                await for_ever()
        assert caught.value is error
        assert sibling.cancelled()

    @pytest.mark.parametrize("kind", BASE_ERRORS)
    @pytest.mark.parametrize("how", [fail, fail_later], ids=["at once", "later"])
    async def test_the_workers_loop_survives(
        self,
        kind: type[BaseException],
        how: Callable[[BaseException], Coroutine[Any, Any, None]],
    ) -> None:
        started, go = Signal(), Signal()
        sibling_ended_by: list[type[BaseException]] = []

        async def sibling() -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError:
                sibling_ended_by.append(asyncio.CancelledError)
                raise
            finally:
                # On the same loop, after the error went through it.
                await asyncio.sleep(0)
                go.set()

        before: set[threading.Thread] = set()
        with pytest.raises(kind):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(sibling())
                await started.wait()
                before = worker_threads()
                group.create_task(how(kind()))
        assert go.is_set()
        assert sibling_ended_by == [asyncio.CancelledError]
        assert before <= worker_threads()
        # And it is used again.
        async with ThreadedTaskGroup(len(before)) as group:
            tasks = [group.create_task(value(i)) for i in range(10)]
        assert [task.result() for task in tasks] == list(range(10))

    def test_a_childs_exit_code_is_the_programs(self) -> None:
        program = """
            import asyncio
            from thrasks import ThreadedTaskGroup

            async def child():
                await asyncio.sleep(0)
                raise SystemExit(3)

            async def main():
                async with ThreadedTaskGroup(2) as group:
                    group.create_task(child())
                    await asyncio.get_running_loop().create_future()

            asyncio.run(main())
        """
        done = python(program)
        assert (done.returncode, done.stderr) == (3, "")

    async def test_siblings_errors_that_are_dropped_go_to_the_exception_handler(self) -> None:
        started = Signal()
        dropped = ValueError("dropped")
        with reports() as seen, pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(2) as group:
                group.create_task(fail_when_cancelled(dropped, started))
                await started.wait()
                group.create_task(fail_later(KeyboardInterrupt()))
        assert [report["exception"] for report in seen] == [dropped]

    async def test_in_a_child_leaves_no_cancellation_behind(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail_later(KeyboardInterrupt()))
                await for_ever()
        # The group's own is taken back, as it is with every other error.
        assert me().cancelling() == 0
        await asyncio.sleep(0)

    async def test_of_two_the_first_is_raised(self) -> None:
        started = Signal()
        first, second = SystemExit("first"), SystemExit("second")
        with reports() as seen, pytest.raises(SystemExit) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(fail_when_cancelled(second, started))
                await started.wait()
                group.create_task(fail_later(first))
        assert caught.value is first
        assert [report["exception"] for report in seen] == [second]

    async def test_in_a_child_wins_over_what_the_body_raises_then(self) -> None:
        # What CPython's disabled _test_taskgroup_21 asks for.
        async def body() -> None:
            try:
                await for_ever()
            finally:
                raise TypeError

        with reports(), pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail_later(KeyboardInterrupt()))
                await body()

    async def test_in_the_body_wins_over_a_childs_error(self) -> None:
        async def body() -> None:
            try:
                await for_ever()
            finally:
                raise KeyboardInterrupt

        with reports() as seen, pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail_later(ZeroDivisionError()))
                await body()
        assert [type(report["exception"]) for report in seen] == [ZeroDivisionError]

    @pytest.mark.parametrize("strict", [False, True])
    async def test_an_async_generator_closed_in_the_body_is_closed_quietly(
        self, strict: bool
    ) -> None:
        # gh-135736: aclose() must not see an exception group.
        started = Signal()

        async def generator() -> AsyncIterator[int]:
            async with ThreadedTaskGroup(1, strict_exception_groups=strict) as group:
                group.create_task(for_ever(started))
                yield 1

        items = generator()
        assert await anext(items) == 1
        await started.wait()
        await items.aclose()  # type: ignore[attr-defined]


class TestOtherBaseExceptions:  # row 12
    async def test_one_is_raised_as_it_is(self) -> None:
        error = OddError()
        with pytest.raises(OddError) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(fail_later(error))
                await for_ever()
        assert caught.value is error

    async def test_one_in_a_strict_group_makes_a_base_exception_group(self) -> None:
        with pytest.raises(BaseExceptionGroup) as caught:
            async with ThreadedTaskGroup(1, strict_exception_groups=True) as group:
                group.create_task(fail(OddError()))
        assert not isinstance(caught.value, ExceptionGroup)
        assert kinds(caught.value) == {OddError: 1}

    async def test_several_make_a_base_exception_group(self) -> None:
        started = Signal()
        with pytest.raises(BaseExceptionGroup) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(fail_when_cancelled(OddError(), started))
                await started.wait()
                group.create_task(fail(ValueError()))
        assert not isinstance(caught.value, ExceptionGroup)
        assert kinds(caught.value) == {ValueError: 1, OddError: 1}

    async def test_from_the_body_with_a_childs_error(self) -> None:
        async def body() -> None:
            try:
                await for_ever()
            finally:
                raise OddError

        with pytest.raises(BaseExceptionGroup) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(fail_later(ZeroDivisionError()))
                await body()
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError, OddError]
