"""ThreadedTaskGroup does what asyncio.TaskGroup does, over threads."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from conftest import Complaints

from thrasks import SchedulingMode, ThreadedTask, ThreadedTaskGroup

variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


class Error(Exception):
    """What the tests' tasks fail with."""


async def value(x: int) -> int:
    return x


async def value_later(x: int) -> int:
    await asyncio.sleep(0)
    return x


async def fail(text: str = "failed") -> None:
    raise Error(text)


async def fail_later(text: str = "failed") -> None:
    await asyncio.sleep(0)
    raise Error(text)


async def thread_name() -> str:
    return threading.current_thread().name


class Pair:
    """Two events for code on two threads, each with a loop."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.ended = threading.Event()

    async def sleep(self) -> None:
        """Say that it has started, sleep for ever, and say that it has ended."""
        try:
            self.started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended.set()

    async def wait_started(self) -> None:
        """Wait without blocking the loop."""
        await asyncio.to_thread(self.started.wait)


# 1: enter


def test_reentry_is_refused_also_after_exit() -> None:
    async def main() -> None:
        group = ThreadedTaskGroup(1)
        async with group:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await group.__aenter__()
        with pytest.raises(RuntimeError, match="has already been entered"):
            await group.__aenter__()

    asyncio.run(main())


def test_entering_outside_a_task_is_refused_and_leaves_it_unentered() -> None:
    async def enter(group: ThreadedTaskGroup) -> None:
        await group.__aenter__()

    group = ThreadedTaskGroup(1)
    loop = asyncio.new_event_loop()
    try:
        raised: list[BaseException] = []

        def step() -> None:
            coroutine = enter(group)
            try:
                coroutine.send(None)
            except RuntimeError as error:
                raised.append(error)
            finally:
                coroutine.close()
                loop.stop()

        loop.call_soon(step)
        loop.run_forever()
    finally:
        loop.close()
    assert "cannot determine the parent task" in str(raised[0])

    async def main() -> int:
        async with group:
            task = group.create_task(value(1))
        return task.result()

    assert asyncio.run(main()) == 1


# 2: clean exit


def test_waits_for_every_task_and_has_the_results(mode: SchedulingMode) -> None:
    async def main() -> list[int]:
        async with ThreadedTaskGroup(3, mode=mode) as group:
            tasks = [group.create_task((value, value_later)[i % 2](i)) for i in range(200)]
        return [task.result() for task in tasks]

    assert asyncio.run(main()) == list(range(200))


def test_an_empty_group_ends() -> None:
    async def main() -> None:
        async with ThreadedTaskGroup(2):
            pass

    asyncio.run(main())


# 3: the body raises


def test_the_bodys_exception_goes_on_bare_once_the_tasks_have_ended(mode: SchedulingMode) -> None:
    async def main() -> None:
        pair = Pair()
        with pytest.raises(Error, match="of the body") as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(pair.sleep())
                await pair.wait_started()
                raise Error("of the body")
        assert caught.value.__context__ is None
        assert pair.ended.is_set()

    asyncio.run(main())


def test_the_bodys_exception_is_last_among_several() -> None:
    async def stubborn(started: threading.Event) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            raise Error("of the task")

    async def main() -> None:
        started = threading.Event()
        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(stubborn(started))
                await asyncio.to_thread(started.wait)
                raise Error("of the body")
        assert caught.value.message == "unhandled errors in a TaskGroup"
        assert [str(error) for error in caught.value.exceptions] == ["of the task", "of the body"]

    asyncio.run(main())


# 4: a child raises


@pytest.mark.parametrize("failing", [fail, fail_later])
def test_a_failure_cancels_siblings_and_interrupts_the_body(
    failing: Callable[[], Coroutine[Any, Any, None]], mode: SchedulingMode
) -> None:
    async def main() -> None:
        pair = Pair()
        with pytest.raises(Error, match="failed") as caught:
            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(pair.sleep())
                await pair.wait_started()
                group.create_task(failing())
                await asyncio.Event().wait()
        assert caught.value.__context__ is None
        assert pair.ended.is_set()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)  # The internal cancellation does not come after all.

    asyncio.run(main())


def test_several_failures_are_an_exception_group() -> None:
    async def main() -> None:
        barrier = threading.Barrier(2)

        async def fail_together(text: str) -> None:
            barrier.wait()
            raise Error(text)

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(fail_together("a"))
                group.create_task(fail_together("b"))
        assert sorted(map(str, caught.value.exceptions)) == ["a", "b"]

    asyncio.run(main())


def test_strict_exception_groups_groups_a_single_failure() -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(1, strict_exception_groups=True) as group:
                group.create_task(fail())
        assert [type(error) for error in caught.value.exceptions] == [Error]

    asyncio.run(main())


def test_an_exception_keeps_the_context_it_had() -> None:
    async def fail_in_handler() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise Error("second")  # noqa: B904

    async def main() -> None:
        with pytest.raises(Error) as caught:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail_in_handler())
                await asyncio.Event().wait()
        assert repr(caught.value.__context__) == "KeyError('first')"
        assert caught.value.__context__ is not None
        assert caught.value.__context__.__context__ is None

    asyncio.run(main())


# 5: cleanup


def test_an_error_in_a_cancelled_tasks_cleanup_joins_the_group() -> None:
    async def clean_up_badly(started: threading.Event) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            raise Error("of the cleanup")

    async def main() -> None:
        started = threading.Event()
        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(clean_up_badly(started))
                await asyncio.to_thread(started.wait)
                group.create_task(fail("first"))
        assert [str(error) for error in caught.value.exceptions] == ["first", "of the cleanup"]

    asyncio.run(main())


def test_each_task_is_cancelled_once() -> None:
    counts: list[int] = []

    async def count(started: threading.Event) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for _ in range(20):
                await asyncio.sleep(0)
            task = asyncio.current_task()
            assert task is not None
            counts.append(task.cancelling())
            raise

    async def main() -> None:
        started = threading.Event()
        # One that is cancelled before it starts does not fail.
        with pytest.raises((ExceptionGroup, Error)):
            async with ThreadedTaskGroup(2) as group:
                group.create_task(count(started))
                await asyncio.to_thread(started.wait)
                group.create_task(fail())
                group.create_task(fail())
                raise Error

    asyncio.run(main())
    assert counts == [1]


# 6 and 7: cancelling a task


def test_a_cancelled_task_is_not_an_error() -> None:
    async def main() -> None:
        pair = Pair()
        async with ThreadedTaskGroup(2) as group:
            cancelled = group.create_task(pair.sleep())
            other = group.create_task(value_later(1))
            await pair.wait_started()
            assert cancelled.cancel("enough")
            assert cancelled.cancelling() == 1
            assert not cancelled.done()
        assert cancelled.cancelled()
        assert other.result() == 1
        assert pair.ended.is_set()
        assert not cancelled.cancel()
        with pytest.raises(asyncio.CancelledError, match="enough"):
            cancelled.result()

    asyncio.run(main())


def test_a_task_may_refuse_to_be_cancelled() -> None:
    async def refuse(started: threading.Event) -> str:
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            return f"refused {error.args[0]}"
        raise AssertionError

    async def main() -> None:
        started = threading.Event()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(refuse(started))
            await asyncio.to_thread(started.wait)
            assert task.cancel("it")
        assert task.result() == "refused it"
        assert not task.cancelled()

    asyncio.run(main())


def test_a_task_that_has_not_started_is_cancelled_at_once_and_closed() -> None:
    async def main() -> None:
        hold, held = threading.Event(), threading.Event()

        async def occupy() -> None:
            held.set()
            hold.wait()

        async with ThreadedTaskGroup(1) as group:
            group.create_task(occupy())
            await asyncio.to_thread(held.wait)
            coroutine = value(1)
            waiting = group.create_task(coroutine)
            assert waiting.cancel("not needed")
            assert waiting.cancelled()
            assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
            hold.set()

    asyncio.run(main())


# 8 to 10: the parent is cancelled


def test_cancelling_the_parent_in_the_body_ends_the_tasks_first() -> None:
    async def main() -> None:
        pair = Pair()

        async def parent() -> None:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(pair.sleep())
                await asyncio.Event().wait()

        task = asyncio.create_task(parent())
        await pair.wait_started()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pair.ended.is_set()

    asyncio.run(main())


def test_cancelling_the_parent_while_it_waits_any_number_of_times() -> None:
    async def main() -> None:
        started, release, ended = threading.Event(), threading.Event(), threading.Event()

        async def slow_to_end() -> None:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.to_thread(release.wait)
                ended.set()

        async def parent() -> None:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(slow_to_end())

        task = asyncio.create_task(parent())
        await asyncio.to_thread(started.wait)
        for _ in range(5):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(main())


def test_an_external_cancellation_beside_an_error_comes_at_the_next_await() -> None:
    async def main() -> None:
        pair = Pair()
        counted: list[int] = []

        async def fail_when_cancelled() -> None:
            try:
                pair.started.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise Error from None

        async def parent() -> None:
            with pytest.raises(Error):
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(fail_when_cancelled())
            task = asyncio.current_task()
            assert task is not None
            counted.append(task.cancelling())
            await asyncio.sleep(0)
            raise AssertionError("the cancellation was lost")

        task = asyncio.create_task(parent())
        await pair.wait_started()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert counted == [1]

    asyncio.run(main())


def test_timeout_around_and_inside() -> None:
    async def limited() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        raise AssertionError

    async def main() -> None:
        pair = Pair()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), ThreadedTaskGroup(1) as group:
                group.create_task(pair.sleep())
                await asyncio.Event().wait()
        assert pair.ended.is_set() or not pair.started.is_set()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(limited())
        assert task.result() == "timed out"

    asyncio.run(main())


# 11 and 12: exceptions that are not Exceptions


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("suspends", [False, True])
def test_a_base_error_of_a_task_is_raised_alone(error: type[BaseException], suspends: bool) -> None:
    async def main() -> None:
        pair = Pair()

        async def child() -> None:
            if suspends:
                await asyncio.sleep(0)
            raise error

        with pytest.raises(error):
            async with ThreadedTaskGroup(2) as group:
                group.create_task(pair.sleep())
                await pair.wait_started()
                group.create_task(child())
        assert pair.ended.is_set()
        # The workers' loops survive.
        async with ThreadedTaskGroup(2) as group:
            tasks = [group.create_task(value_later(i)) for i in range(4)]
        assert [task.result() for task in tasks] == [0, 1, 2, 3]

    asyncio.run(main())


def test_errors_dropped_for_a_base_error_are_reported() -> None:
    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        started = threading.Event()

        async def clean_up_badly() -> None:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                raise Error

        with pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(2) as group:
                group.create_task(clean_up_badly())
                await asyncio.to_thread(started.wait)
                raise KeyboardInterrupt
        assert [type(context["exception"]) for context in complaints.contexts] == [Error]

    asyncio.run(main())


class Base(BaseException):
    """Neither an Exception nor one of asyncio's special ones."""


def test_other_base_exceptions_make_a_base_exception_group() -> None:
    async def child() -> None:
        raise Base

    async def main() -> None:
        with pytest.raises(BaseExceptionGroup) as caught:
            async with ThreadedTaskGroup(1, strict_exception_groups=True) as group:
                group.create_task(child())
        assert not isinstance(caught.value, ExceptionGroup)

    asyncio.run(main())


# 13: nested


def test_an_inner_groups_error_is_one_error_of_the_outer() -> None:
    async def inner() -> None:
        async with ThreadedTaskGroup(1, strict_exception_groups=True) as group:
            group.create_task(fail("inner"))

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(inner())
        assert [str(error) for error in caught.value.exceptions] == ["inner"]

    asyncio.run(main())


def test_groups_nest_on_one_thread_each() -> None:
    async def nest(depth: int) -> int:
        if depth == 0:
            return 0
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(nest(depth - 1))
        return task.result() + 1

    assert asyncio.run(nest(16)) == 16


# 14 to 17: create_task


def test_create_task_is_refused_and_the_coroutine_closed() -> None:
    async def main() -> None:
        coroutine = value(1)
        group = ThreadedTaskGroup(1)
        with pytest.raises(RuntimeError, match="has not been entered: it must be used in async"):
            group.create_task(coroutine)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED

        async with group:
            pass
        coroutine = value(1)
        with pytest.raises(RuntimeError, match="is finished"):
            group.create_task(coroutine)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED

        with pytest.raises(Error):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail())
                try:
                    await asyncio.Event().wait()
                finally:
                    pair = Pair()
                    coroutine = value(1)
                    with pytest.raises(RuntimeError, match=r"is (finished|shutting down)"):
                        group.create_task(coroutine)
                    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
                    del pair

    asyncio.run(main())


def test_children_and_other_threads_may_create_tasks() -> None:
    async def main() -> None:
        made: list[ThreadedTask[int]] = []

        async def child(group: ThreadedTaskGroup, depth: int) -> None:
            made.append(group.create_task(value_later(depth)))
            if depth:
                group.create_task(child(group, depth - 1))

        async with ThreadedTaskGroup(2) as group:
            group.create_task(child(group, 5))
            await asyncio.to_thread(lambda: made.append(group.create_task(value(9))))
        assert sorted(task.result() for task in made) == [0, 1, 2, 3, 4, 5, 9]
        assert {task.get_loop() for task in made} == {asyncio.get_running_loop()}

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [42, None, value, "text"])
def test_what_is_no_coroutine_is_refused(wrong: object) -> None:
    async def main() -> None:
        async with ThreadedTaskGroup(1) as group:
            with pytest.raises(TypeError, match="a coroutine was expected, got") as caught:
                group.create_task(wrong)  # type: ignore[arg-type]
            assert repr(wrong) in str(caught.value)

    asyncio.run(main())


def test_names_and_contexts_reach_the_task() -> None:
    async def child() -> tuple[str, int]:
        task = asyncio.current_task()
        assert task is not None
        seen = variable.get()
        variable.set(99)
        return task.get_name(), seen

    async def main() -> None:
        variable.set(1)
        context = contextvars.copy_context()
        context.run(variable.set, 2)
        async with ThreadedTaskGroup(2) as group:
            plain = group.create_task(child(), name="plain")
            given = group.create_task(child(), name="given", context=context)
        assert plain.result() == ("plain", 1)
        assert given.result() == ("given", 2)
        assert plain.get_name() == "plain"
        assert variable.get() == 1
        assert context[variable] == 99

    asyncio.run(main())


def test_tasks_with_the_same_context_share_a_worker() -> None:
    async def child() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    async def main() -> None:
        context = contextvars.copy_context()
        async with ThreadedTaskGroup(4) as group:
            tasks = [group.create_task(child(), context=context) for _ in range(20)]
        assert len({task.result() for task in tasks}) == 1

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_keywords_reach_the_task() -> None:
    order: list[str] = []

    async def first() -> None:
        group_ready.wait()
        order.append("first")

    async def note() -> None:
        order.append("noted")

    group_ready = threading.Event()

    async def main() -> None:
        async with ThreadedTaskGroup(1) as group:
            lazy = group.create_task(note(), eager_start=False)
            group_ready.set()
        assert lazy.done()
        with pytest.raises(TypeError, match="nonsense"):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(value(1), nonsense=True)

    asyncio.run(main())
    assert order == ["noted"]


# 18 and 19: handles


def test_handles_work_in_asyncio() -> None:
    async def main() -> None:
        here = threading.get_ident()
        called: list[int] = []
        async with ThreadedTaskGroup(2) as group:
            tasks = [group.create_task(value_later(i)) for i in range(6)]
            tasks[0].add_done_callback(lambda _: called.append(threading.get_ident()))
            done, pending = await asyncio.wait(tasks[:2])
            assert (len(done), len(pending)) == (2, 0)
            assert await asyncio.wait_for(tasks[2], 10) == 2
            assert await asyncio.shield(tasks[3]) == 3
            assert list(await asyncio.gather(tasks[4], tasks[5])) == [4, 5]
            assert [await each for each in asyncio.as_completed([tasks[1]])] == [1]
        assert called == [here]

    asyncio.run(main())


def test_waiting_for_a_handle_too_long_cancels_the_task() -> None:
    async def main() -> None:
        pair = Pair()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(pair.sleep())
            await pair.wait_started()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(task, 0.01)
            assert task.cancelled()
        assert pair.ended.is_set()

    asyncio.run(main())


def test_a_handle_tells_of_its_task() -> None:
    async def main() -> None:
        pair = Pair()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(pair.sleep())
            await pair.wait_started()
            assert task.get_name().startswith("Task-")
            task.set_name("renamed")
            assert task.get_name() == "renamed"
            assert "renamed" in repr(task)
            assert "thrasks-loop-" in repr(task)
            coroutine = task.get_coro()
            assert coroutine is not None
            assert getattr(coroutine, "__name__", None) == "sleep"
            for setter in (task.set_result, task.set_exception):
                with pytest.raises(RuntimeError, match="does not support"):
                    setter(None)
            task.cancel()
        assert task.get_name() == "renamed"
        assert task.get_coro() is None

    asyncio.run(main())


def test_a_sibling_may_await_a_handle_on_its_own_loop() -> None:
    async def main() -> None:
        pair = Pair()

        async def wait_for(task: ThreadedTask[Any]) -> object:
            try:
                return await task
            except Error as error:
                return str(error)
            except asyncio.CancelledError:
                return "cancelled"

        with pytest.raises(Error):
            async with ThreadedTaskGroup(3) as group:
                result = group.create_task(wait_for(group.create_task(value_later(7))))
                sleeping = group.create_task(pair.sleep())
                cancelled = group.create_task(wait_for(sleeping))
                await pair.wait_started()
                sleeping.cancel()
                assert await result == 7
                assert await cancelled == "cancelled"
                failed = group.create_task(wait_for(group.create_task(fail_later("seen"))))
                await failed

    asyncio.run(main())


# 21 to 24: the rest


def test_a_result_is_held_by_nobody_but_the_caller() -> None:
    import gc
    import weakref

    class Result:
        pass

    async def make() -> Result:
        return Result()

    async def main() -> None:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(make())
            other = group.create_task(value(1))
        alive = weakref.ref(task.result())
        del task
        # The worker that made it has its references merged when it next runs.
        async with ThreadedTaskGroup(1) as again:
            again.create_task(value(1))
        gc.collect()
        assert alive() is None
        assert other.result() == 1
        assert group is not None

    asyncio.run(main())


def test_cancel_ends_the_group_without_an_exception() -> None:
    async def main() -> None:
        pair = Pair()
        async with ThreadedTaskGroup(2) as group:
            group.create_task(pair.sleep())
            await pair.wait_started()
            group.cancel()
            group.cancel()
            await asyncio.Event().wait()
        assert pair.ended.is_set()
        group.cancel()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    asyncio.run(main())


def test_cancel_before_the_group_is_entered_and_from_another_thread() -> None:
    async def main() -> None:
        group = ThreadedTaskGroup(1)
        group.cancel()
        async with group:
            await asyncio.sleep(0)
            raise AssertionError("not cancelled on entry")

        async with ThreadedTaskGroup(1) as group:
            await asyncio.to_thread(group.cancel)
            await asyncio.Event().wait()

    asyncio.run(main())


def test_repr_tells_the_state() -> None:
    async def main() -> None:
        pair = Pair()
        group = ThreadedTaskGroup(4, mode=SchedulingMode.QUEUE)
        assert repr(group) == "<ThreadedTaskGroup threads=4 mode=QUEUE>"
        async with group:
            group.create_task(pair.sleep())
            await pair.wait_started()
            assert repr(group) == "<ThreadedTaskGroup threads=4 mode=QUEUE tasks=1 entered>"
            group.cancel()
            assert repr(group) == "<ThreadedTaskGroup threads=4 mode=QUEUE tasks=1 cancelling>"

    asyncio.run(main())


# 26: modes


def test_round_robin_runs_task_i_on_worker_i_mod_n() -> None:
    async def main() -> None:
        async with ThreadedTaskGroup(3) as group:
            tasks = [group.create_task(thread_name()) for _ in range(12)]
        names = [task.result() for task in tasks]
        assert names == names[:3] * 4
        assert len(set(names)) == 3

    asyncio.run(main())


def test_queue_uses_every_idle_worker() -> None:
    async def main() -> None:
        for _ in range(20):
            async with ThreadedTaskGroup(4, mode=SchedulingMode.QUEUE) as group:
                tasks = [group.create_task(thread_name()) for _ in range(4)]
            assert len({task.result() for task in tasks}) == 4

    asyncio.run(main())


def test_queue_leaves_no_task_behind_a_busy_worker() -> None:
    async def main() -> None:
        hold, held = threading.Event(), threading.Event()

        async def occupy() -> str:
            held.set()
            hold.wait()
            return threading.current_thread().name

        async with ThreadedTaskGroup(2, mode=SchedulingMode.QUEUE) as group:
            busy = group.create_task(occupy())
            await asyncio.to_thread(held.wait)
            others = [group.create_task(thread_name()) for _ in range(20)]
            await asyncio.wait(others)
            hold.set()
        assert busy.result() not in {other.result() for other in others}

    asyncio.run(main())


def test_queue_shares_work_that_begins_with_a_wait() -> None:
    async def wait_then_work() -> str:
        await asyncio.to_thread(int)
        time.sleep(0.002)  # noqa: ASYNC251 - stands for work that keeps the worker busy
        return threading.current_thread().name

    async def main() -> None:
        async with ThreadedTaskGroup(2, mode=SchedulingMode.QUEUE) as group:
            tasks = [group.create_task(wait_then_work()) for _ in range(150)]
        names = [task.result() for task in tasks]
        # While one worker works, the other, whose tasks all wait, does not take the lot.
        assert min(names.count(name) for name in set(names)) > 30
        assert len(set(names)) == 2

    asyncio.run(main())


def test_queue_tasks_that_wait_for_each_other_do_not_deadlock() -> None:
    async def main() -> None:
        async with ThreadedTaskGroup(1, mode=SchedulingMode.QUEUE) as group:

            async def first() -> int:
                return await group.create_task(value_later(1))

            task = group.create_task(first())
        assert task.result() == 1

    asyncio.run(main())


def test_least_loaded_avoids_the_loaded_worker() -> None:
    async def main() -> None:
        pair = Pair()

        async with ThreadedTaskGroup(2, mode=SchedulingMode.LEAST_LOADED) as group:
            sleeper = group.create_task(pair.sleep())
            await pair.wait_started()
            names = set()
            for _ in range(6):
                names.add(await group.create_task(thread_name()))
            worker = repr(sleeper)
            sleeper.cancel()
        assert len(names) == 1
        assert names.pop() not in worker

    asyncio.run(main())


@pytest.mark.parametrize("limit", [1, 3])
def test_max_concurrency_bounds_what_runs(limit: int, mode: SchedulingMode) -> None:
    async def main() -> None:
        lock = threading.Lock()
        alive = most = 0

        async def child() -> None:
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            await asyncio.sleep(0.0005)
            with lock:
                alive -= 1

        async with ThreadedTaskGroup(3, mode=mode, max_concurrency=limit) as group:
            tasks = [group.create_task(child()) for _ in range(40)]
            # One that is cancelled while it waits gives its place to nobody: it had none.
            tasks[-1].cancel()
            tasks[20].cancel()
        assert all(task.done() for task in tasks)
        assert most == limit

    asyncio.run(main())
