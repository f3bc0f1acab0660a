"""`threaded_gather`: asyncio.gather's rules, and what is different on several threads."""

# mypy: disable-error-code="unused-awaitable"
# A gather goes on whether it is awaited or not.

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
import weakref
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any

import pytest

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather

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
)

QUEUE = SchedulingMode.QUEUE
HERE = threading.main_thread().name

needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="before CPython 3.12 a worker makes the tasks of all its jobs, and then the first runs",
)


class TestResults:
    async def test_are_in_the_order_of_the_arguments(self, mode: SchedulingMode) -> None:
        # They end in the opposite order.
        gates = [Signal() for _ in range(10)]
        gates[-1].set()

        async def child(i: int) -> int:
            await gates[i].wait()
            if i:
                gates[i - 1].set()
            return i

        found = await threaded_gather(*[child(i) for i in range(10)], num_threads=3, mode=mode)
        assert found == list(range(10))

    async def test_of_ten_thousand(self, mode: SchedulingMode) -> None:
        found = await threaded_gather(*[value(i) for i in range(10_000)], num_threads=2, mode=mode)
        assert found == list(range(10_000))

    async def test_of_no_arguments_are_an_empty_list(self) -> None:
        outer: asyncio.Future[list[object]] = threaded_gather()
        assert await outer == []

    async def test_come_from_the_workers(self, mode: SchedulingMode) -> None:
        names = await threaded_gather(*[where() for _ in range(8)], num_threads=2, mode=mode)
        assert HERE not in names

    async def test_round_robin_places_job_i_on_worker_i_mod_n(self) -> None:
        names = await threaded_gather(*[where() for _ in range(10)], num_threads=3)
        assert len(set(names[:3])) == 3
        assert names == [names[i % 3] for i in range(10)]

    async def test_queue_leaves_no_worker_idle(self) -> None:
        together = Everybody(4)

        async def child() -> str:
            together.meet_blocking()
            return threading.current_thread().name

        names = await threaded_gather(*[child() for _ in range(4)], num_threads=4, mode=QUEUE)
        assert len(set(names)) == 4

    async def test_can_be_awaited_more_than_once(self) -> None:
        outer = threaded_gather(*[value(1)])
        assert await outer == [1]
        assert await outer == [1]
        assert outer.result() == [1]


class TestReturnsAFuture:  # decision 4
    async def test_that_is_a_coroutine_as_well(self) -> None:
        outer = threaded_gather(value(1), value(2))
        assert isinstance(outer, asyncio.Future)
        assert isinstance(outer, Coroutine)
        assert isinstance(outer, Awaitable)
        assert asyncio.isfuture(outer)
        assert outer.get_loop() is asyncio.get_running_loop()
        assert list(await outer) == [1, 2]

    async def test_and_schedules_at_the_call(self) -> None:
        started = Signal()

        async def child() -> str:
            started.set()
            return "ran"

        outer = threaded_gather(*[child()])
        # Without our loop having had a turn.
        started.block()
        assert await outer == ["ran"]

    async def test_that_create_task_takes(self) -> None:
        task = asyncio.create_task(threaded_gather(*[value(1)]))
        assert await task == [1]

    async def test_that_ensure_future_takes_as_it_is(self) -> None:
        outer = threaded_gather(*[value(1)])
        assert asyncio.ensure_future(outer) is outer
        assert await outer == [1]

    async def test_that_gather_takes(self) -> None:
        found = await asyncio.gather(threaded_gather(*[value(1)]), threaded_gather(*[value(2)]))
        assert list(found) == [[1], [2]]

    async def test_that_wait_for_takes(self) -> None:
        assert await asyncio.wait_for(threaded_gather(*[value(2)]), 60) == [2]

    async def test_that_wait_for_cancels_when_the_time_is_up(self) -> None:
        ended = Signal()

        async def child() -> None:
            try:
                await for_ever()
            finally:
                ended.set()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threaded_gather(child()), 0.05)
        assert ended.is_set()

    async def test_that_task_groups_take(self) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(threaded_gather(*[value(1)]))
        assert task.result() == [1]

    async def test_that_tells_its_callbacks_on_the_callers_loop(self) -> None:
        called: list[threading.Thread] = []
        outer = threaded_gather(value(1))
        outer.add_done_callback(lambda _: called.append(threading.current_thread()))
        await outer
        await asyncio.sleep(0)
        assert called == [threading.current_thread()]

    def test_or_a_coroutine_that_starts_when_awaited_without_a_running_loop(self) -> None:
        ran = False

        async def child() -> str:
            nonlocal ran
            ran = True
            return threading.current_thread().name

        coro: Any = threaded_gather(*[child()])
        assert not ran
        (name,) = asyncio.run(coro)
        assert name != HERE

    def test_and_one_that_is_never_awaited_can_be_closed(self) -> None:
        child = value(1)
        coro: Any = threaded_gather(child)
        coro.close()
        child.close()


class TestFirstException:
    async def test_is_raised_at_once_and_siblings_go_on(self, mode: SchedulingMode) -> None:
        go, ended = Signal(), Signal()

        async def sibling() -> None:
            await go.wait()
            ended.set()

        error = ValueError("the first")
        outer = threaded_gather(sibling(), fail(error), num_threads=2, mode=mode)
        with pytest.raises(ValueError, match="the first") as caught:
            await outer
        assert caught.value is error
        assert not ended.is_set()
        go.set()
        assert await eventually_async(ended.is_set)

    async def test_later_ones_count_as_retrieved(self) -> None:
        first, go = Signal(), Signal()

        async def later() -> None:
            await go.wait()
            raise LookupError("a later one")

        with reports() as seen:
            with no_gc():
                outer = threaded_gather(later(), fail(ValueError()), later(), num_threads=2)
                with pytest.raises(ValueError) as raised:  # noqa: PT011  # It has no text.
                    await outer
                assert not str(raised.value)
                del raised
                go.set()
                # When the loop has heard of all of them, the gather dies.
                dead = weakref.ref(outer)
                del outer
                await eventually_async(lambda: dead() is None, 1.0)
            gc.collect()
            await asyncio.sleep(0)
        assert seen == []
        del first

    async def test_keeps_its_traceback_and_context(self) -> None:
        with pytest.raises(ValueError, match="here") as caught:
            await threaded_gather(fail_later(ValueError("here")))
        assert caught.value.__context__ is None
        assert "fail_later" in [entry.name for entry in caught.traceback]

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
    async def test_may_be_a_keyboard_interrupt_or_system_exit(
        self, kind: type[BaseException]
    ) -> None:
        error = kind("of the child")
        with pytest.raises(kind) as caught:
            await threaded_gather(fail_later(error))
        assert caught.value is error
        # The workers' loops survived.
        assert await threaded_gather(*[value(i) for i in range(8)]) == list(range(8))


class TestReturnExceptions:
    async def test_makes_exceptions_and_cancellations_results(self, mode: SchedulingMode) -> None:
        async def cancelled() -> None:
            raise asyncio.CancelledError("by itself")

        error = ValueError("the error")
        found = await threaded_gather(
            *[value(1), fail(error), cancelled(), fail_later(error), value(2)],
            num_threads=2,
            mode=mode,
            return_exceptions=True,
        )
        assert found[0] == 1
        assert found[1] is error
        assert isinstance(found[2], asyncio.CancelledError)
        assert found[2].args == ("by itself",)
        assert found[3] is error
        assert found[4] == 2

    async def test_waits_for_all(self) -> None:
        started, go = Signal(), Signal()

        async def slow() -> str:
            started.set()
            await go.wait()
            return "slow"

        outer = threaded_gather(fail(ValueError()), slow(), return_exceptions=True)
        await started.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not outer.done()
        go.set()
        error, text = await outer
        assert isinstance(error, ValueError)
        assert text == "slow"


class TestCancelledChild:
    async def test_raises_without_cancelling_the_others(self, mode: SchedulingMode) -> None:
        go, ended = Signal(), Signal()

        async def cancels_itself() -> None:
            raise asyncio.CancelledError("by itself")

        async def sibling() -> None:
            await go.wait()
            ended.set()

        outer = threaded_gather(sibling(), cancels_itself(), num_threads=2, mode=mode)
        with pytest.raises(asyncio.CancelledError) as caught:
            await outer
        assert caught.value.args == ("by itself",)
        # asyncio.gather, too, says so in an exception, and is not cancelled itself.
        assert not outer.cancelled()
        assert me().cancelling() == 0
        go.set()
        assert await eventually_async(ended.is_set)

    async def test_may_be_a_future_of_ours(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outer = threaded_gather(value(1), future)
        future.cancel("ours")
        with pytest.raises(asyncio.CancelledError, match="ours"):
            await outer
        assert not outer.cancelled()


class TestCancel:
    async def test_cancels_every_child_and_ends_when_all_have_ended(
        self, mode: SchedulingMode
    ) -> None:
        all_run, go = Everybody(4), Signal()
        heard: list[object] = []

        async def child() -> None:
            try:
                await all_run.meet()
                await for_ever()
            except asyncio.CancelledError as error:
                await go.wait()
                heard.append(error.args)
                raise

        outer = threaded_gather(*[child() for _ in range(3)], num_threads=2, mode=mode)
        await all_run.meet()
        assert outer.cancel("enough") is True
        for _ in range(5):
            await asyncio.sleep(0)
        assert not outer.done()
        go.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await outer
        assert caught.value.args == ("enough",)
        assert heard == [("enough",)] * 3

    async def test_of_the_awaiting_task_does_the_same(self) -> None:
        started = Signal()
        ended: list[bool] = []

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        async def caller() -> None:
            await threaded_gather(child())

        task = asyncio.create_task(caller())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    async def test_with_return_exceptions_is_a_cancellation_all_the_same(self) -> None:
        started = Signal()
        outer = threaded_gather(for_ever(started), value(1), return_exceptions=True)
        await started.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer

    @needs_eager_tasks
    async def test_takes_unstarted_jobs_out_of_the_queue(self, mode: SchedulingMode) -> None:
        busy, release = Signal(), Signal()
        waiting = [value(i) for i in range(5)]
        outer = threaded_gather(block_until(release, busy), *waiting, num_threads=1, mode=mode)
        try:
            await busy.wait()
            outer.cancel()
            # At once: the worker is still busy.
            assert all(is_closed(coro) for coro in waiting)
        finally:
            release.set()
        with pytest.raises(asyncio.CancelledError):
            await outer

    async def test_of_a_finished_gather_is_false(self) -> None:
        outer = threaded_gather(*[value(1)])
        await outer
        assert outer.cancel() is False
        assert await outer == [1]

    async def test_an_error_in_a_childs_cleanup_does_not_hide_the_cancellation(self) -> None:
        # As asyncio.gather: it was cancelled, whatever came of the children...
        started = Signal()
        outer = threaded_gather(
            fail_when_cancelled(ValueError("in cleanup"), started), return_exceptions=True
        )
        await started.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer

    async def test_but_the_first_error_is_raised_without_return_exceptions(self) -> None:
        # ... and this as well is asyncio.gather's rule.
        started = Signal()
        outer = threaded_gather(fail_when_cancelled(ValueError("in cleanup"), started))
        await started.wait()
        outer.cancel()
        with pytest.raises(ValueError, match="in cleanup"):
            await outer


class TestOneObjectTwice:
    async def test_runs_once(self, mode: SchedulingMode) -> None:
        runs = 0

        async def child() -> object:
            nonlocal runs
            runs += 1
            return object()

        coro = child()
        first, second, third = await threaded_gather(coro, value(1), coro, mode=mode)
        assert first is third
        assert second == 1
        assert runs == 1


class OnItsLoop:
    """An awaitable that is not a coroutine."""

    def __init__(self) -> None:
        self.ran_on = ""

    def __await__(self) -> Generator[Any, None, str]:
        self.ran_on = threading.current_thread().name
        yield from asyncio.sleep(0).__await__()
        return "awaited"


class TestWhatStaysOnTheCallersLoop:  # decision 5
    async def test_futures_tasks_handles_and_awaitables(self, mode: SchedulingMode) -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "future")
        task = asyncio.create_task(where())
        awaitable = OnItsLoop()
        async with ThreadedTaskGroup(1) as group:
            handle = group.create_task(value("handle"))
            given: list[Awaitable[str]] = [future, task, handle, awaitable, where()]
            found = await threaded_gather(*given, num_threads=2, mode=mode)
        assert found[:4] == ["future", HERE, "handle", "awaited"]
        assert found[4] != HERE
        assert awaitable.ran_on == HERE

    async def test_with_futures_alone_no_worker_is_needed(self) -> None:
        tasks = [asyncio.create_task(where()) for _ in range(3)]
        assert await threaded_gather(*tasks) == [HERE] * 3

    async def test_a_failing_one_is_raised_like_any_other(self) -> None:
        started, go = Signal(), Signal()

        async def child() -> None:
            started.set()
            await go.wait()

        task = asyncio.create_task(fail_later(ValueError("of the task")))
        with pytest.raises(ValueError, match="of the task"):
            await threaded_gather(child(), task)
        go.set()

    async def test_cancel_reaches_them(self) -> None:
        started = Signal()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outer = threaded_gather(for_ever(started), future)
        await started.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert future.cancelled()


class TestInvalidArguments:
    @pytest.mark.parametrize("given", [42, None, "text"])
    async def test_are_found_before_anything_starts(self, given: Any) -> None:
        ran = False

        async def child() -> None:
            nonlocal ran
            ran = True

        coros = [child(), child()]
        with pytest.raises(TypeError):
            threaded_gather(coros[0], given, coros[1])
        assert all(is_closed(coro) for coro in coros)
        assert not ran

    async def test_unhashable_ones_are_type_errors(self) -> None:
        class Unhashable(OnItsLoop):
            __hash__ = None  # type: ignore[assignment]

        coro = value(1)
        with pytest.raises(TypeError, match="unhashable"):
            threaded_gather(coro, Unhashable())
        assert is_closed(coro)

    async def test_a_future_of_another_loop_is_a_value_error_with_asyncios_text(self) -> None:
        other = asyncio.new_event_loop()
        try:
            future: asyncio.Future[None] = other.create_future()
            coro = value(1)
            with pytest.raises(ValueError, match="belongs to a different loop") as caught:
                threaded_gather(coro, future)
            assert is_closed(coro)
        finally:
            other.close()
        own = value(1)
        with pytest.raises(ValueError, match="different loop") as asyncios:
            await asyncio.gather(own, future)
        own.close()
        assert str(caught.value) == str(asyncios.value)


class TestContexts:
    async def test_each_child_has_a_copy_of_the_callers(self, mode: SchedulingMode) -> None:
        var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="nothing")

        async def child() -> str:
            seen = var.get()
            var.set("a child's")
            await asyncio.sleep(0)
            return seen

        var.set("at the call")
        outer = threaded_gather(*[child() for _ in range(6)], num_threads=2, mode=mode)
        var.set("after the call")
        assert await outer == ["at the call"] * 6
        assert var.get() == "after the call"


class TestMaxConcurrency:
    @pytest.mark.parametrize("limit", [1, 3])
    async def test_bounds_what_is_alive(self, limit: int, mode: SchedulingMode) -> None:
        lock = threading.Lock()
        alive = most = 0

        async def child(i: int) -> int:
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            for _ in range(3):
                await asyncio.sleep(0)
            with lock:
                alive -= 1
            return i

        found = await threaded_gather(
            *[child(i) for i in range(40)], num_threads=4, mode=mode, max_concurrency=limit
        )
        assert found == list(range(40))
        assert most <= limit

    async def test_is_reached(self, mode: SchedulingMode) -> None:
        together = Everybody(3)
        await threaded_gather(
            *[together.meet() for _ in range(3)], num_threads=4, mode=mode, max_concurrency=3
        )

    async def test_a_failure_does_not_stop_those_who_wait(self) -> None:
        ran = Signal()

        async def last() -> None:
            ran.set()

        with pytest.raises(ValueError) as raised:  # noqa: PT011  # It has no text.
            await threaded_gather(fail(ValueError()), value(1), last(), max_concurrency=1)
        assert not str(raised.value)
        assert await eventually_async(ran.is_set)


class TestShutdown:
    def test_children_left_running_are_cancelled_with_the_callers_loop(self) -> None:
        started = Signal()
        ended: list[str] = []

        async def child(name: str) -> None:
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        async def main() -> None:
            threaded_gather(child("never awaited"))
            await started.wait()

        asyncio.run(main())
        # Nothing outlives asyncio.run.
        assert ended == ["never awaited"]

    def test_so_are_siblings_of_the_one_that_failed(self) -> None:
        started = Signal()
        ended: list[str] = []

        async def sibling() -> None:
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended.append("sibling")

        async def fails() -> None:
            await started.wait()
            raise ValueError("the first")

        async def main() -> None:
            with pytest.raises(ValueError, match="the first"):
                await threaded_gather(sibling(), fails())

        asyncio.run(main())
        assert ended == ["sibling"]


class TestNesting:
    async def test_inside_a_child(self, mode: SchedulingMode) -> None:
        async def level(depth: int) -> int:
            if depth == 0:
                return 1
            deeper = [level(depth - 1) for _ in range(2)]
            return sum(await threaded_gather(*deeper, num_threads=2, mode=mode))

        assert await level(4) == 16

    async def test_with_timeouts_inside_and_around(self) -> None:
        async def child() -> str:
            try:
                async with asyncio.timeout(0.01):
                    await for_ever()
            except TimeoutError:
                return "timed out"
            return "did not"

        async with asyncio.timeout(60):
            assert await threaded_gather(*[child(), child()]) == ["timed out"] * 2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await threaded_gather(for_ever(), for_ever())

    async def test_many_at_once(self) -> None:
        outers = [threaded_gather(*[value(i), value(-i)], num_threads=1) for i in range(20)]
        assert [await outer for outer in outers] == [[i, -i] for i in range(20)]


class TestOnAPool:
    async def test_runs_there(self) -> None:
        async with LoopPool(2) as pool:
            names = await threaded_gather(*[where() for _ in range(10)], pool=pool)
            assert set(names) <= {loop.name for loop in pool.stats().loops}
            assert pool.stats().done >= 10


@pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs are new in CPython 3.14")
class TestCallGraph:
    async def test_shows_who_awaits_the_gather(self) -> None:
        started, looked = Signal(), Signal()
        graphs: list[str] = []

        async def child() -> None:
            started.set()
            await looked.wait()

        outers: list[asyncio.Future[Any]] = []

        async def caller() -> None:
            outers.append(threaded_gather(child()))
            await outers[0]

        task = asyncio.create_task(caller(), name="the caller")
        await started.wait()
        await asyncio.sleep(0)
        if sys.version_info >= (3, 14):
            graphs.append(asyncio.format_call_graph(outers[0]))
        looked.set()
        await task
        assert "the caller" in graphs[0]


class TestMemory:
    async def test_a_gather_dies_with_its_last_reference(self) -> None:
        with no_gc():
            outer = threaded_gather(*[value(i) for i in range(4)])
            await outer
            dead = weakref.ref(outer)
            del outer
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_the_results_of_a_gather_die_with_their_last_references(self) -> None:
        class Result:
            pass

        async def child() -> Result:
            return Result()

        with no_gc():
            found = await threaded_gather(*[child() for _ in range(4)])
            dead = [weakref.ref(result) for result in found]
            del found
            assert await eventually_async(lambda: all(r() is None for r in dead), 1.0)

    async def test_coroutines_and_arguments_are_dropped_when_they_have_ended(self) -> None:
        class Argument:
            pass

        async def child(argument: Argument) -> None:
            del argument

        with no_gc():
            coros = [child(Argument()) for _ in range(4)]
            dead = [weakref.ref(coro) for coro in coros]
            outer = threaded_gather(*coros)
            del coros
            await outer
            assert await eventually_async(lambda: all(r() is None for r in dead), 1.0)
