"""Functions that block, awaited: their calls run on threads."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import os
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from support import (
    BLOCKING_PREFIX,
    PATIENCE,
    Blocking,
    Everybody,
    Signal,
    eventually_async,
    reports,
)

import thrasks
from thrasks import ThreadedCall, call, threaded, threaded_separate

from .support import CAP, Thing, occupy, run


def thread_name() -> str:
    return threading.current_thread().name


def add(left: int, right: int = 1) -> int:
    return left + right


def fail(error: BaseException) -> None:
    raise error


#: The ways to have a function called on a thread.
WAYS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "threaded": threaded,
    "threaded_separate": threaded_separate,
    "threaded_separate, waited for": lambda f: threaded_separate(f, detach=False),
    "call": call,
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return WAYS[request.param]


class TestACall:
    async def test_returns_what_the_function_returns(self, way: Any) -> None:
        assert await way(add)(1) == 2
        assert await way(add)(1, right=5) == 6

    async def test_runs_on_another_thread(self, way: Any) -> None:
        assert await way(threading.current_thread)() is not threading.current_thread()

    async def test_raises_what_the_function_raises_with_its_traceback(self, way: Any) -> None:
        error = ValueError("of the function")
        with pytest.raises(ValueError, match="of the function") as caught:
            await way(fail)(error)
        assert caught.value is error
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert frames[-1] == "fail"
        assert error.__context__ is None

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    async def test_wraps_what_means_something_else_to_who_awaits(
        self, way: Any, kind: type[Exception]
    ) -> None:
        with pytest.raises(RuntimeError, match=f"raised {kind.__name__}") as caught:
            await way(fail)(kind(1))
        assert isinstance(caught.value.__cause__, kind)

    async def test_raises_base_exceptions_to_who_awaits(self, way: Any) -> None:
        class Mine(BaseException):
            pass

        with pytest.raises(Mine):
            await way(fail)(Mine())
        # Nor does the thread end by one.
        assert await way(add)(1) == 2

    async def test_of_system_exit_ends_the_caller_only(self, way: Any) -> None:
        async def main() -> None:
            await way(fail)(SystemExit(3))

        def in_a_thread() -> int:
            with pytest.raises(SystemExit) as caught:
                run(main())
            assert isinstance(caught.value.code, int)
            return caught.value.code

        assert await threaded(in_a_thread)() == 3

    async def test_may_be_given_anything_to_return(self, way: Any) -> None:
        thing = Thing()
        assert await way(lambda: thing)() is thing
        assert await way(lambda: None)() is None
        # An exception that is returned is a result.
        assert isinstance(await way(lambda: ValueError("returned"))(), ValueError)

    async def test_of_a_coroutine_function_in_disguise_gives_the_coroutine(self) -> None:
        async def value() -> int:
            return 7

        assert await (await threaded(lambda: value())()) == 7

    async def test_many_at_once(self, way: Any) -> None:
        answers = await asyncio.gather(*(way(add)(i) for i in range(200)))
        assert answers == [i + 1 for i in range(200)]


class TestWhere:
    async def test_threads_have_telling_names(self) -> None:
        assert (await threaded(thread_name)()).startswith(BLOCKING_PREFIX)
        assert (await call(thread_name)()).startswith(BLOCKING_PREFIX)
        assert (await threaded_separate(thread_name)()).startswith("thrasks-separate-")

    async def test_a_call_begins_when_it_is_made_not_when_it_is_awaited(self) -> None:
        began = Signal()
        future = threaded(began.set)()
        await asyncio.wait_for(began.wait(), PATIENCE)
        await future

    async def test_a_thread_serves_again(self) -> None:
        names = {await threaded(thread_name)() for _ in range(50)}
        # One call at a time: a second thread may be started while the first is about to be idle.
        assert len(names) <= CAP

    async def test_as_many_calls_run_at_once_as_the_pool_has_threads(self) -> None:
        everybody = Everybody(CAP)
        await asyncio.gather(*(threaded(everybody.meet_blocking)() for _ in range(CAP)))

    async def test_more_wait_for_their_turn(self) -> None:
        occupied = await occupy(CAP)
        begun = threading.Event()
        future = threaded(begun.set)()
        assert Blocking.now().queued == 1
        assert not begun.is_set()
        occupied.free()
        await future
        await asyncio.gather(*occupied.calls)

    async def test_a_separate_call_needs_no_place_in_the_pool(self) -> None:
        occupied = await occupy(CAP)
        assert await threaded_separate(add)(1) == 2
        occupied.free()
        await asyncio.gather(*occupied.calls)

    async def test_separate_calls_have_no_bound(self) -> None:
        count = CAP + 30
        everybody = Everybody(count)
        calls = [threaded_separate(everybody.meet_blocking)() for _ in range(count)]
        await asyncio.gather(*calls)

    async def test_a_call_stuck_in_the_system_delays_only_itself(self) -> None:
        reader, writer = os.pipe()
        try:
            stuck = threaded(os.read)(reader, 1)
            assert await asyncio.gather(*(threaded(add)(i) for i in range(20))) == [*range(1, 21)]
            assert not stuck.done()
            os.write(writer, b"x")
            assert await stuck == b"x"
        finally:
            os.close(reader)
            os.close(writer)


class TestCancelling:
    async def test_a_call_that_waits_for_a_thread_never_runs(self) -> None:
        occupied = await occupy(CAP)
        ran: list[object] = []
        thing = Thing()
        dead = weakref.ref(thing)
        future = threaded(ran.append)(thing)
        del thing
        assert Blocking.now().queued == 1
        assert future.cancel()
        assert future.cancelled()
        # Nor does it keep what it was to be given, until its turn would come.
        assert dead() is None
        occupied.free()
        await asyncio.gather(*occupied.calls)
        assert await threaded(add)(1) == 2
        assert ran == []

    @pytest.mark.parametrize("make", [threaded, call])
    async def test_so_when_the_task_that_awaits_it_is_cancelled(self, make: Any) -> None:
        occupied = await occupy(CAP)
        ran: list[int] = []

        async def main() -> None:
            await make(ran.append)(1)

        task = asyncio.create_task(main())
        assert await eventually_async(lambda: Blocking.now().queued == 1)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        occupied.free()
        await asyncio.gather(*occupied.calls)
        assert ran == []

    async def test_one_that_runs_goes_on_and_its_result_is_dropped(self) -> None:
        began, gate, ended = Signal(), Signal(), Signal()

        def slow() -> int:
            began.set()
            gate.block()
            ended.set()
            return 1

        with reports() as reported:
            future = threaded(slow)()
            await asyncio.wait_for(began.wait(), PATIENCE)
            assert future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future
            gate.set()
            await asyncio.wait_for(ended.wait(), PATIENCE)
            await threaded(add)(1)
            assert await eventually_async(lambda: not Blocking.now().at_work)
        assert reported == []

    @pytest.mark.parametrize("make", [threaded, threaded_separate, call])
    async def test_one_that_fails_after_that_is_reported(self, make: Any) -> None:
        began, gate = Signal(), Signal()
        error = ValueError("too late")

        def slow() -> None:
            began.set()
            gate.block()
            raise error

        with reports() as reported:
            future = asyncio.ensure_future(make(slow)())
            await asyncio.wait_for(began.wait(), PATIENCE)
            future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future
            gate.set()
            assert await eventually_async(lambda: bool(reported))
        [context] = reported
        assert context["exception"] is error
        assert "cancelled" in context["message"]

    async def test_one_that_fails_as_it_is_cancelled_is_reported_or_cancelled_never_kept(
        self,
    ) -> None:
        # The end of the call and its cancellation, at every point of either.
        error_count = 300
        with reports() as reported:
            for i in range(error_count):
                gate = Signal()

                def slow(gate: Signal = gate, i: int = i) -> None:
                    gate.block()
                    raise ValueError(i)

                began = Signal()

                def begin(began: Signal = began, slow: Callable[[], None] = slow) -> None:
                    began.set()
                    slow()

                future = threaded(begin)()
                await asyncio.wait_for(began.wait(), PATIENCE)
                gate.set()
                assert future.cancel()
            assert await eventually_async(lambda: len(reported) == error_count), len(reported)
        assert sorted(context["exception"].args[0] for context in reported) == [*range(error_count)]

    async def test_wait_for_gives_up(self) -> None:
        gate = Signal()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threaded(gate.block)(), 0.01)
        gate.set()

    async def test_a_call_that_has_ended_cannot_be_cancelled(self) -> None:
        future = threaded(add)(1)
        await future
        assert not future.cancel()
        assert future.result() == 2


class TestTheFuture:
    async def test_is_one_of_asyncio(self) -> None:
        future = threaded(add)(1)
        assert isinstance(future, ThreadedCall)
        assert isinstance(future, asyncio.Future)
        assert future.get_loop() is asyncio.get_running_loop()
        done, pending = await asyncio.wait([future])
        assert done == {future}
        assert not pending
        assert await asyncio.shield(threaded(add)(2)) == 3
        results = {await each for each in asyncio.as_completed([threaded(add)(i) for i in (1, 2)])}
        assert results == {2, 3}

    async def test_calls_back_on_its_loop(self) -> None:
        called: list[threading.Thread] = []
        future = threaded(add)(1)
        future.add_done_callback(lambda _: called.append(threading.current_thread()))
        await future
        await asyncio.sleep(0)
        assert called == [threading.current_thread()]

    async def test_goes_where_coroutines_go_when_made_by_call(self) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(call(add)(1))
        assert task.result() == 2

    async def test_is_awaited_on_worker_loops_too(self) -> None:
        async def child(number: int) -> int:
            return await threaded(add)(number)

        assert await thrasks.threaded_gather(*map(child, range(20))) == [*range(1, 21)]
