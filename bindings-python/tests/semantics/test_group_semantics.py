"""`ThreadedTaskGroup`, row by row of the table in SEMANTICS.md."""

# mypy: disable-error-code="unused-awaitable"
# A group's tasks need not be awaited: the group does that.

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import io
import subprocess
import sys
import textwrap
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from thrasks import SchedulingMode, ThreadedTask, ThreadedTaskGroup

from .support import (
    Everybody,
    Signal,
    block_until,
    eventually_async,
    fail,
    fail_later,
    fail_when_cancelled,
    for_ever,
    is_closed,
    me,
    no_gc,
    reports,
    value,
    where,
    worker_threads,
)

QUEUE = SchedulingMode.QUEUE
ROUND_ROBIN = SchedulingMode.ROUND_ROBIN

needs_call_graph = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="call graphs are new in CPython 3.14"
)
needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks are new in CPython 3.12"
)


class OddError(BaseException):
    """Neither an Exception, nor one of those that asyncio treats specially."""


def kinds(group: BaseExceptionGroup[BaseException]) -> Counter[type[BaseException]]:
    return Counter(type(error) for error in group.exceptions)


class TestEnter:  # row 1
    async def test_twice_is_refused(self) -> None:
        group = ThreadedTaskGroup(1)
        async with group:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await group.__aenter__()
            # The group is none the worse for it.
            task = group.create_task(value(1))
        assert task.result() == 1

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


class TestHandleCancel:  # row 7
    async def test_is_a_request_that_carries_its_message(self, mode: SchedulingMode) -> None:
        started = Signal()
        heard: list[tuple[object, ...]] = []

        async def child() -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError as error:
                heard.append(error.args)
                raise

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(child())
            await started.wait()
            assert task.cancelling() == 0
            assert task.cancel("enough") is True
            assert task.cancelling() == 1
            # The worker has yet to be told; nothing is decided.
            assert not task.done()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
        assert heard == [("enough",)]
        assert caught.value.args == ("enough",)
        assert task.cancelled()

    async def test_may_be_refused_by_the_task(self, mode: SchedulingMode) -> None:
        started, refused, go = Signal(), Signal(), Signal()

        async def child() -> str:
            try:
                await for_ever(started)
            except asyncio.CancelledError:
                refused.set()
            await go.wait()
            return "went on"

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(child())
            await started.wait()
            assert task.cancel()
            await refused.wait()
            await asyncio.sleep(0)
            assert not task.done()
            assert task.cancelling() == 1
            assert task.uncancel() == 0
            go.set()
            assert await task == "went on"
        assert not task.cancelled()
        assert task.cancel() is False

    async def test_counts_each_request(self) -> None:
        started, go = Signal(), Signal()
        seen: list[int] = []

        async def child() -> None:
            for _ in range(2):
                try:
                    await for_ever(started)
                except asyncio.CancelledError:
                    seen.append(me().cancelling())
                    if len(seen) == 1:
                        go.set()

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
            await started.wait()
            task.cancel()
            await go.wait()
            task.cancel()
            assert task.cancelling() == 2
        assert seen == [1, 2]

    async def test_the_handle_is_done_only_when_the_task_is(self, mode: SchedulingMode) -> None:
        started, cleaning, go = Signal(), Signal(), Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                cleaning.set()
                await go.wait()

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(child())
            await started.wait()
            task.cancel()
            await cleaning.wait()
            await asyncio.sleep(0)
            assert not task.done()
            go.set()
        assert task.cancelled()

    async def test_takes_an_unstarted_job_out_of_the_queue_at_once(
        self, mode: SchedulingMode
    ) -> None:
        busy, release = Signal(), Signal()
        ran = False

        async def never() -> None:
            nonlocal ran
            ran = True

        async with ThreadedTaskGroup(1, mode=mode) as group:
            group.create_task(block_until(release, busy))
            await busy.wait()
            coro = never()
            waiting = group.create_task(coro)
            behind = group.create_task(value("behind"))
            try:
                assert waiting.cancel("not needed") is True
                # At once: the worker is still busy.
                assert waiting.cancelled()
                assert is_closed(coro)
                assert waiting.cancel() is False
            finally:
                release.set()
            with pytest.raises(asyncio.CancelledError, match="not needed"):
                await waiting
        assert not ran
        assert behind.result() == "behind"

    async def test_works_from_any_thread(self, mode: SchedulingMode) -> None:
        started = Signal()
        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(for_ever(started))
            await started.wait()
            assert await asyncio.to_thread(task.cancel, "from elsewhere") is True
            with pytest.raises(asyncio.CancelledError, match="from elsewhere"):
                await task
        assert task.cancelled()

    async def test_of_a_finished_task_is_false(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(value(1))
        assert task.cancel() is False
        assert task.result() == 1


class TestParentCancelledInTheBody:  # row 8
    async def test_children_are_aborted_and_awaited(self, mode: SchedulingMode) -> None:
        started = Signal()
        ended = False

        async def child() -> None:
            nonlocal ended
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended = True

        async def parent() -> None:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child())
                await for_ever()

        task = asyncio.create_task(parent())
        await started.wait()
        task.cancel("from outside")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert ended
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
    async def test_one_from_outside_is_delivered_at_the_next_await(self, strict: bool) -> None:
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


BASE_ERRORS = [KeyboardInterrupt, SystemExit]


class TestKeyboardInterruptAndSystemExit:  # row 11
    @pytest.mark.parametrize("kind", BASE_ERRORS)
    async def test_in_the_body_is_raised_alone_when_the_children_have_ended(
        self, kind: type[BaseException]
    ) -> None:
        started = Signal()
        ended = False

        async def child() -> None:
            nonlocal ended
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended = True

        error = kind("from the body")
        with pytest.raises(kind) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(child())
                await started.wait()
                raise error
        assert caught.value is error
        assert ended

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
    async def test_the_workers_loop_survives(self, kind: type[BaseException]) -> None:
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
                group.create_task(fail_later(kind()))
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
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
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


class TestArguments:  # rows 16 and 17
    @pytest.mark.parametrize("given", [42, None, "text", value])
    async def test_what_is_not_a_coroutine_is_refused_at_the_call(self, given: Any) -> None:
        async with ThreadedTaskGroup(1) as group:
            with pytest.raises(TypeError) as caught:
                group.create_task(given)
            assert str(caught.value) == f"a coroutine was expected, got {given!r}"

    async def test_a_future_is_not_a_coroutine(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            given: Any = asyncio.get_running_loop().create_future()
            with pytest.raises(TypeError, match="a coroutine was expected, got <Future pending"):
                group.create_task(given)

    async def test_the_name_is_the_tasks_own(self, mode: SchedulingMode) -> None:
        async def name() -> str:
            return me().get_name()

        async with ThreadedTaskGroup(1, mode=mode) as group:
            task = group.create_task(name(), name="called this")
            assert task.get_name() == "called this"
        assert task.result() == "called this"
        assert task.get_name() == "called this"

    async def test_the_context_is_the_tasks_own(self, mode: SchedulingMode) -> None:
        var: contextvars.ContextVar[int] = contextvars.ContextVar("var")

        async def set_it(number: int) -> None:
            await asyncio.sleep(0)
            var.set(number)

        context = contextvars.copy_context()
        async with ThreadedTaskGroup(2, mode=mode) as group:
            await group.create_task(set_it(1), context=context)
            assert context[var] == 1
            await group.create_task(set_it(2), context=context)
            assert context[var] == 2
        assert var.get(None) is None

    async def test_tasks_with_the_same_context_share_a_worker(self, mode: SchedulingMode) -> None:
        # Decision 6: a Context cannot be entered on two threads at once.
        context = contextvars.copy_context()
        together = Everybody(8)

        async def child() -> str:
            await together.meet()
            return threading.current_thread().name

        async with ThreadedTaskGroup(3, mode=mode) as group:
            tasks = [group.create_task(child(), context=context) for _ in range(8)]
        assert len({task.result() for task in tasks}) == 1

    @pytest.mark.skipif(
        sys.version_info < (3, 12), reason="before CPython 3.12 a task does not tell its context"
    )
    async def test_the_current_tasks_own_context_is_copied_instead(self) -> None:
        var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="nothing")
        own: list[contextvars.Context] = []

        async def child() -> str:
            seen = var.get()
            await asyncio.sleep(0)
            var.set("the child's")
            return seen

        async def parent() -> None:
            var.set("the parent's")
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child(), context=own[0])
            assert task.result() == "the parent's"
            assert var.get() == "the parent's"

        own.append(contextvars.copy_context())
        await asyncio.get_running_loop().create_task(parent(), context=own[0])

    async def test_the_default_context_is_a_copy_made_at_the_call(
        self, mode: SchedulingMode
    ) -> None:
        var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="nothing")
        busy, release = Signal(), Signal()

        async def child() -> str:
            seen = var.get()
            var.set("the child's")
            return seen

        async with ThreadedTaskGroup(1, mode=mode) as group:
            # The child cannot start before we have changed the variable again.
            group.create_task(block_until(release, busy))
            await busy.wait()
            var.set("at the call")
            task = group.create_task(child())
            var.set("after the call")
            release.set()
        assert task.result() == "at the call"
        assert var.get() == "after the call"

    @needs_eager_tasks
    @pytest.mark.parametrize("eager", [True, False])
    async def test_eager_start_reaches_the_workers_task(self, eager: bool) -> None:
        order: list[str] = []

        async def outer(group: ThreadedTaskGroup) -> None:
            # Of two tasks waiting for one worker, the first does not run before the second is
            # taken up, unless it starts eagerly.
            group.create_task(note("first"), eager_start=eager)
            group.create_task(note("second"), eager_start=True)

        async def note(text: str) -> None:
            order.append(text)

        async with ThreadedTaskGroup(1) as group:
            group.create_task(outer(group))
        assert order == (["first", "second"] if eager else ["second", "first"])

    async def test_an_unknown_keyword_is_a_type_error(self) -> None:
        coro = value(1)
        with pytest.raises(TypeError, match="no_such_keyword"):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(coro, no_such_keyword=1)
        coro.close()

    @pytest.mark.parametrize("number", [0, -1])
    def test_fewer_than_one_thread_is_a_value_error(self, number: int) -> None:
        with pytest.raises(ValueError, match=f"num_threads must be at least 1.*{number}"):
            ThreadedTaskGroup(number)

    @pytest.mark.parametrize("number", ["2", 2.0, [2]])
    def test_threads_that_are_not_an_int_are_a_type_error(self, number: Any) -> None:
        with pytest.raises(TypeError, match="num_threads"):
            ThreadedTaskGroup(number)


class TestHandlesInAsyncio:  # row 18
    async def test_wait(self, mode: SchedulingMode) -> None:
        go = Signal()

        async def slow() -> str:
            await go.wait()
            return "slow"

        async with ThreadedTaskGroup(2, mode=mode) as group:
            tasks = {group.create_task(slow()), group.create_task(value("quick"))}
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in done] == ["quick"]
            assert len(pending) == 1
            go.set()
            done, pending = await asyncio.wait(tasks)
            assert {task.result() for task in done} == {"quick", "slow"}
            assert not pending

    async def test_wait_for_cancels_the_task_when_the_time_is_up(
        self, mode: SchedulingMode
    ) -> None:
        async with ThreadedTaskGroup(2, mode=mode) as group:
            assert await asyncio.wait_for(group.create_task(value(1)), 60) == 1
            task = group.create_task(for_ever())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(task, 0.01)
            assert task.cancelled()

    async def test_shield(self, mode: SchedulingMode) -> None:
        go = Signal()

        async def slow() -> str:
            await go.wait()
            return "went on"

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(slow())
            shielded = asyncio.shield(task)
            await asyncio.sleep(0)
            shielded.cancel()
            with pytest.raises(asyncio.CancelledError):
                await shielded
            go.set()
            assert await task == "went on"

    async def test_as_completed(self, mode: SchedulingMode) -> None:
        async with ThreadedTaskGroup(2, mode=mode) as group:
            tasks = [group.create_task(value(i)) for i in range(10)]
            found = [await each for each in asyncio.as_completed(tasks)]
        assert sorted(found) == list(range(10))

    async def test_gather(self, mode: SchedulingMode) -> None:
        async with ThreadedTaskGroup(2, mode=mode) as group:
            found = await asyncio.gather(*(group.create_task(value(i)) for i in range(10)))
        assert found == list(range(10))

    async def test_timeout_around_an_await(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(for_ever())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await task
            assert task.cancelled()

    async def test_done_callbacks_run_on_the_parent_loop(self, mode: SchedulingMode) -> None:
        called: list[tuple[asyncio.Future[int], threading.Thread]] = []
        loops: list[asyncio.AbstractEventLoop] = []

        def callback(future: asyncio.Future[int]) -> None:
            called.append((future, threading.current_thread()))
            loops.append(asyncio.get_running_loop())

        unwanted: list[object] = []
        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(value(1))
            task.add_done_callback(callback)
            task.add_done_callback(unwanted.append)
            assert task.remove_done_callback(unwanted.append) == 1
        await asyncio.sleep(0)
        assert called == [(task, threading.current_thread())]
        assert loops == [asyncio.get_running_loop()]
        assert not unwanted

    async def test_names_coroutines_contexts_and_stacks(self, mode: SchedulingMode) -> None:
        started = Signal()
        context = contextvars.copy_context()
        async with ThreadedTaskGroup(1, mode=mode) as group:
            coro = for_ever(started)
            task = group.create_task(coro, context=context, name="before")
            await started.wait()
            # Before it has suspended, the frames of its worker's loop are below its own.
            assert await eventually_async(lambda: len(task.get_stack()) == 1)
            assert task.get_coro() is coro
            if sys.version_info >= (3, 12):
                assert task.get_context() is context
            (frame,) = task.get_stack()
            assert frame.f_code is for_ever.__code__
            text = io.StringIO()
            task.print_stack(file=text)
            assert "for_ever" in text.getvalue()
            task.set_name("after")
            assert task.get_name() == "after"
            task.cancel()

    async def test_every_task_has_a_name_of_its_own(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            names = {group.create_task(value(i)).get_name() for i in range(5)}
        assert len(names) == 5
        assert all(names)

    async def test_the_outcome_is_nobody_elses_to_set(self) -> None:
        started = Signal()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(for_ever(started))
            with pytest.raises(RuntimeError):
                task.set_result(None)  # type: ignore[arg-type, func-returns-value, unused-ignore]
            with pytest.raises(RuntimeError):
                task.set_exception(ValueError())
            with pytest.raises(asyncio.InvalidStateError):
                task.result()
            with pytest.raises(asyncio.InvalidStateError):
                task.exception()
            assert asyncio.isfuture(task)
            task.cancel()


class TestHandleAwaitedElsewhere:  # row 19
    async def test_a_child_awaits_its_sibling(self, mode: SchedulingMode) -> None:
        go = Signal()
        loops: list[asyncio.AbstractEventLoop] = []

        async def first() -> str:
            loops.append(asyncio.get_running_loop())
            await go.wait()
            return "of the first"

        async def second(sibling: ThreadedTask[str]) -> str:
            loops.append(asyncio.get_running_loop())
            go.set()
            return "second has the result " + await sibling

        async with ThreadedTaskGroup(2, mode=ROUND_ROBIN) as group:
            sibling = group.create_task(first())
            task = group.create_task(second(sibling))
        assert task.result() == "second has the result of the first"
        assert len({id(loop) for loop in loops}) == 2
        del mode

    async def test_an_error_of_the_sibling_is_raised_there(self) -> None:
        async def second(sibling: ThreadedTask[None]) -> str:
            try:
                await sibling
            except ValueError as error:
                return str(error)
            return "nothing was raised"

        heard = ""
        with pytest.raises(ValueError, match="of the first"):
            async with ThreadedTaskGroup(1) as outer, ThreadedTaskGroup(2) as group:
                sibling = group.create_task(fail_later(ValueError("of the first")))
                # In another group, or it would be cancelled.
                task = outer.create_task(second(sibling))
                try:
                    await for_ever()
                finally:
                    heard = await task
        assert heard == "of the first"

    async def test_a_cancelled_sibling_raises_there(self) -> None:
        started = Signal()

        async def second(sibling: ThreadedTask[None]) -> object:
            try:
                await sibling
            except asyncio.CancelledError as error:
                assert me().cancelling() == 0
                return error.args
            return None

        async with ThreadedTaskGroup(2) as group:
            sibling = group.create_task(for_ever(started))
            task = group.create_task(second(sibling))
            await started.wait()
            sibling.cancel("the first")
        assert task.result() == ("the first",)

    async def test_a_finished_sibling_needs_no_waiting(self) -> None:
        async def second(sibling: ThreadedTask[int]) -> int:
            return await sibling

        async with ThreadedTaskGroup(2) as group:
            sibling = group.create_task(value(7))
            await sibling
            task = group.create_task(second(sibling))
        assert task.result() == 7

    async def test_all_wait_for_all_before(self, mode: SchedulingMode) -> None:
        # Tasks that wait for each other never deadlock: one that suspends frees its worker.
        async def link(before: ThreadedTask[int] | None) -> int:
            return 0 if before is None else 1 + await before

        async with ThreadedTaskGroup(1, mode=mode) as group:
            last: ThreadedTask[int] | None = None
            for _ in range(20):
                last = group.create_task(link(last))
        assert last is not None
        assert last.result() == 19


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


class Thing:
    """Something that can be referred to weakly."""


class TestMemory:  # row 21
    async def test_coroutine_and_arguments_are_dropped_at_once(self, mode: SchedulingMode) -> None:
        made: list[weakref.ref[Any]] = []

        async def child(argument: Thing) -> None:
            await asyncio.sleep(0)
            made.append(weakref.ref(argument))

        with no_gc():
            async with ThreadedTaskGroup(2, mode=mode) as group:
                coro = child(Thing())
                made.append(weakref.ref(coro))
                task = group.create_task(coro)
                del coro
                await task
                # The group is still open, and we have the handle.
                assert await eventually_async(lambda: all(r() is None for r in made), 1.0)
        assert len(made) == 2

    async def test_a_result_dies_with_the_handle(self, mode: SchedulingMode) -> None:
        made: list[weakref.ref[Thing]] = []

        async def child() -> Thing:
            result = Thing()
            made.append(weakref.ref(result))
            return result

        with no_gc():
            async with ThreadedTaskGroup(2, mode=mode) as group:
                tasks = [group.create_task(child()) for _ in range(4)]
            assert all(dead() is not None for dead in made)
            tasks.clear()
            assert await eventually_async(lambda: all(dead() is None for dead in made), 1.0)
        assert len(made) == 4

    async def test_a_handle_dies_with_its_last_reference(self, mode: SchedulingMode) -> None:
        with no_gc():
            async with ThreadedTaskGroup(2, mode=mode) as group:
                task = group.create_task(value(1))
                dead = weakref.ref(task)
                await task
                del task
                assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_finished_tasks_are_not_counted_or_kept(self) -> None:
        with no_gc():
            async with ThreadedTaskGroup(2) as group:
                refs = [weakref.ref(group.create_task(value(i))) for i in range(20)]
                await group.create_task(value("last"))
                assert await eventually_async(lambda: all(r() is None for r in refs), 1.0)

    async def test_a_childs_error_dies_with_its_last_reference(self) -> None:
        with no_gc():
            dead = await self._fail_and_catch(strict=False)
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_so_does_one_in_an_exception_group(self) -> None:
        with no_gc():
            dead = await self._fail_and_catch(strict=True)
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def _fail_and_catch(self, *, strict: bool) -> weakref.ref[BaseException]:
        class DoneError(Exception):
            pass

        async def child() -> None:
            await asyncio.sleep(0)
            # Not out of a variable, or the frame in its traceback would refer to it.
            raise DoneError

        try:
            async with ThreadedTaskGroup(1, strict_exception_groups=strict) as group:
                group.create_task(child())
                await for_ever()
        except ExceptionGroup as errors:
            return weakref.ref(errors.exceptions[0])
        except DoneError as error:
            return weakref.ref(error)
        raise AssertionError("nothing was raised")

    @pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt], ids=["error", "base error"])
    async def test_the_bodys_error_dies_with_its_last_reference(
        self, kind: type[BaseException]
    ) -> None:
        class DoneError(kind):  # type: ignore[misc, valid-type]
            pass

        async def body() -> weakref.ref[BaseException]:
            try:
                async with ThreadedTaskGroup(1):
                    raise DoneError
            except DoneError as error:
                return weakref.ref(error)
            raise AssertionError("nothing was raised")

        with no_gc():
            dead = await body()
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_a_group_dies_with_its_last_reference(self) -> None:
        with no_gc():
            group = ThreadedTaskGroup(1)
            async with group:
                group.create_task(value(1))
            dead = weakref.ref(group)
            del group
            assert await eventually_async(lambda: dead() is None, 1.0)


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


class TestRepr:  # row 24
    async def test_says_what_the_group_does(self) -> None:
        group = ThreadedTaskGroup(4, mode=QUEUE)
        assert repr(group) == "<ThreadedTaskGroup threads=4 mode=QUEUE>"
        all_run, fail_now, go = Everybody(4), Signal(), Signal()
        texts: list[str] = []

        async def stays() -> None:
            try:
                await all_run.meet()
                await for_ever()
            finally:
                await go.wait()

        async def fails() -> None:
            await all_run.meet()
            await fail_now.wait()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with group:
                assert repr(group) == "<ThreadedTaskGroup threads=4 mode=QUEUE entered>"
                for _ in range(2):
                    group.create_task(stays())
                group.create_task(fails())
                await all_run.meet()
                texts.append(repr(group))
                fail_now.set()
                try:
                    await for_ever()
                finally:
                    texts.append(repr(group))
                    go.set()
        assert texts == [
            "<ThreadedTaskGroup threads=4 mode=QUEUE tasks=3 entered>",
            "<ThreadedTaskGroup threads=4 mode=QUEUE tasks=2 errors=1 cancelling>",
        ]


@needs_call_graph
class TestCallGraph:  # row 25
    async def test_shows_the_parent_behind_a_child(self) -> None:
        ready, looked = Signal(), Signal()
        graphs: list[str] = []

        async def child() -> None:
            ready.set()
            await looked.wait()

        async def parent() -> None:
            async with ThreadedTaskGroup(1) as group:
                tasks.append(group.create_task(child()))

        tasks: list[ThreadedTask[None]] = []
        running = asyncio.create_task(parent(), name="the parent")
        await ready.wait()
        await asyncio.sleep(0)
        if sys.version_info >= (3, 14):
            graphs.append(asyncio.format_call_graph(tasks[0]))
        looked.set()
        await running
        assert "the parent" in graphs[0]

    async def test_crosses_threads_from_inside_a_child(self) -> None:
        graphs: list[str] = []

        async def child() -> None:
            await asyncio.sleep(0)
            if sys.version_info >= (3, 14):
                graphs.append(asyncio.format_call_graph())

        async def parent() -> None:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child(), name="the child")

        await asyncio.create_task(parent(), name="the parent")
        assert "the child" in graphs[0]
        assert "the parent" in graphs[0]


class TestRoundRobin:  # row 26
    @pytest.mark.parametrize("threads", [1, 2, 3, 5])
    async def test_job_i_runs_on_worker_i_mod_n(self, threads: int) -> None:
        async with ThreadedTaskGroup(threads) as group:
            tasks = [group.create_task(where()) for _ in range(threads * 7 + 1)]
        names = [task.result() for task in tasks]
        assert len(set(names[:threads])) == threads
        assert names == [names[i % threads] for i in range(len(names))]

    async def test_one_counter_for_all_creators(self) -> None:
        # However the creators interleave, each worker gets its share.
        async with ThreadedTaskGroup(4, mode=ROUND_ROBIN) as group:

            def create() -> list[ThreadedTask[str]]:
                return [group.create_task(where()) for _ in range(100)]

            created = await asyncio.gather(*(asyncio.to_thread(create) for _ in range(4)))
        counts = Counter(task.result() for tasks in created for task in tasks)
        assert sorted(counts.values()) == [100] * 4


class TestQueue:  # decision 2
    async def test_idle_workers_each_get_one_of_as_many_jobs(self) -> None:
        together = Everybody(4)

        async def child() -> str:
            # Stands on its thread: no other job can run there meanwhile.
            together.meet_blocking()
            return threading.current_thread().name

        async with ThreadedTaskGroup(4, mode=QUEUE) as group:
            tasks = [group.create_task(child()) for _ in range(4)]
        assert len({task.result() for task in tasks}) == 4

    async def test_a_busy_worker_takes_nothing(self) -> None:
        busy, release = Signal(), Signal()

        async def blocker() -> str:
            await block_until(release, busy)
            return threading.current_thread().name

        async with ThreadedTaskGroup(2, mode=QUEUE) as group:
            blocked = group.create_task(blocker())
            await busy.wait()
            tasks = [group.create_task(where()) for _ in range(20)]
            names = {await task for task in tasks}
            # All of them ran though a worker was blocked all the time.
            assert not blocked.done()
            release.set()
        assert len(names) == 1
        assert blocked.result() not in names

    async def test_a_suspended_job_frees_its_worker(self) -> None:
        together = Everybody(50)

        async def child() -> None:
            await together.meet()

        async with ThreadedTaskGroup(1, mode=QUEUE) as group:
            for _ in range(50):
                group.create_task(child())

    async def test_jobs_start_in_the_order_of_their_creation(self) -> None:
        order: list[int] = []

        async def child(i: int) -> None:
            order.append(i)

        async with ThreadedTaskGroup(1, mode=QUEUE) as group:
            for i in range(100):
                group.create_task(child(i))
        assert order == list(range(100))


class TestMaxConcurrency:  # decision 2
    @pytest.mark.parametrize("limit", [1, 3])
    async def test_bounds_how_many_run_at_once(self, limit: int, mode: SchedulingMode) -> None:
        lock = threading.Lock()
        alive = most = 0

        async def child() -> None:
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            for _ in range(3):
                await asyncio.sleep(0)
            with lock:
                alive -= 1

        async with ThreadedTaskGroup(4, mode=mode, max_concurrency=limit) as group:
            for _ in range(40):
                group.create_task(child())
        assert most <= limit
        assert alive == 0

    async def test_is_reached(self, mode: SchedulingMode) -> None:
        together = Everybody(3)
        async with ThreadedTaskGroup(4, mode=mode, max_concurrency=3) as group:
            for _ in range(3):
                group.create_task(together.meet())

    async def test_a_job_that_waits_for_its_turn_can_be_cancelled(self) -> None:
        started, go = Signal(), Signal()

        async def first() -> None:
            started.set()
            await go.wait()

        async with ThreadedTaskGroup(2, max_concurrency=1) as group:
            group.create_task(first())
            await started.wait()
            coro = value(1)
            waiting = group.create_task(coro)
            last = group.create_task(value("last"))
            waiting.cancel()
            assert waiting.cancelled()
            assert is_closed(coro)
            go.set()
        assert last.result() == "last"
