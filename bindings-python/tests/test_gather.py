"""threaded_gather does what asyncio.gather does, over threads."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Coroutine, Generator
from typing import Any

import pytest
from conftest import Complaints
from test_group import Error, Pair, fail, fail_later, thread_name, value, value_later

from thrasks import GatheringFuture, SchedulingMode, ThreadedTaskGroup, threaded_gather


def closed(coroutine: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_results_are_in_the_order_of_the_arguments(mode: SchedulingMode) -> None:
    async def main() -> None:
        coroutines = [(value, value_later)[i % 2](i) for i in range(300)]
        results = await threaded_gather(*coroutines, num_threads=3, mode=mode)
        assert results == list(range(300))

    asyncio.run(main())


def test_no_arguments_give_an_empty_list() -> None:
    async def main() -> None:
        assert await threaded_gather() == []

    asyncio.run(main())


def test_round_robin_runs_coroutine_i_on_worker_i_mod_n() -> None:
    async def main() -> None:
        names = await threaded_gather(*(thread_name() for _ in range(9)), num_threads=3)
        assert names == names[:3] * 3
        assert len(set(names)) == 3

    asyncio.run(main())


def test_the_first_failure_is_raised_at_once_and_the_others_go_on() -> None:
    async def main() -> None:
        release, ended = threading.Event(), threading.Event()

        async def go_on() -> None:
            await asyncio.to_thread(release.wait)
            ended.set()

        with pytest.raises(Error, match="failed"):
            await threaded_gather(go_on(), fail_later(), num_threads=2)
        assert not ended.is_set()
        release.set()
        await asyncio.to_thread(ended.wait)

    asyncio.run(main())


def test_later_failures_are_not_complained_about() -> None:
    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        with pytest.raises(Error):
            await threaded_gather(fail("a"), fail_later("b"), fail_later("c"))
        assert complaints.messages == []

    asyncio.run(main())


def test_return_exceptions_makes_exceptions_results() -> None:
    async def cancel_myself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async def main() -> None:
        one, error, cancelled = await threaded_gather(
            value(1), fail(), cancel_myself(), return_exceptions=True
        )
        assert one == 1
        assert isinstance(error, Error)
        assert isinstance(cancelled, asyncio.CancelledError)

    asyncio.run(main())


def test_a_cancelled_child_raises_without_cancelling_the_gather() -> None:
    async def main() -> None:
        sleeper = asyncio.create_task(asyncio.sleep(3600))
        gathered = threaded_gather(value_later(1), sleeper)
        await asyncio.sleep(0)
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathered
        assert not gathered.cancelled()

    asyncio.run(main())


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_cancelling_cancels_every_child_and_ends_when_all_have(return_exceptions: bool) -> None:
    async def main() -> None:
        pairs = [Pair() for _ in range(3)]
        gathered = threaded_gather(
            *(pair.sleep() for pair in pairs), return_exceptions=return_exceptions
        )
        for pair in pairs:
            await pair.wait_started()
        assert gathered.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await gathered
        assert all(pair.ended.is_set() for pair in pairs)
        assert not gathered.cancel()

    asyncio.run(main())


def test_an_error_while_it_is_cancelled_comes_before_the_cancellation() -> None:
    async def main() -> None:
        pair, started = Pair(), threading.Event()

        async def clean_up_badly() -> None:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                raise Error("of the cleanup")

        gathered = threaded_gather(pair.sleep(), clean_up_badly())
        await pair.wait_started()
        await asyncio.to_thread(started.wait)
        gathered.cancel()
        with pytest.raises(Error, match="of the cleanup"):
            await gathered
        assert pair.ended.is_set()

    asyncio.run(main())


def test_a_cancelled_waiter_cancels_the_children() -> None:
    async def main() -> None:
        pair = Pair()

        async def waiter() -> None:
            await threaded_gather(pair.sleep())

        task = asyncio.create_task(waiter())
        await pair.wait_started()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pair.ended.is_set()

    asyncio.run(main())


def test_the_same_object_runs_once() -> None:
    async def main() -> None:
        ran: list[int] = []

        async def run() -> int:
            ran.append(1)
            return 5

        coroutine = run()
        future = asyncio.get_running_loop().create_future()
        future.set_result(6)
        assert await threaded_gather(coroutine, future, coroutine, future) == [5, 6, 5, 6]
        assert ran == [1]

    asyncio.run(main())


class Custom:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return threading.current_thread().name


def test_futures_tasks_handles_and_awaitables_stay_on_the_callers_loop() -> None:
    async def main() -> None:
        here = threading.current_thread().name
        async with ThreadedTaskGroup(1) as group:
            handle = group.create_task(value_later(3))
            results = await threaded_gather(
                asyncio.create_task(thread_name()), Custom(), handle, thread_name()
            )
        assert results[:3] == [here, here, 3]
        assert results[3] != here

    asyncio.run(main())


def test_works_in_a_task_a_task_group_a_gather_and_with_wait_for() -> None:
    async def main() -> None:
        assert await asyncio.create_task(threaded_gather(value(1))) == [1]
        async with asyncio.TaskGroup() as group:
            task = group.create_task(threaded_gather(value_later(2)))
        assert task.result() == [2]
        assert await asyncio.wait_for(threaded_gather(value(3)), 10) == [3]
        assert await asyncio.gather(threaded_gather(value(4)), value(5)) == [[4], 5]
        assert await threaded_gather(threaded_gather(value(6)), value(7)) == [[6], 7]
        called: list[list[int]] = []
        gathered = threaded_gather(*[value(8)])
        gathered.add_done_callback(lambda future: called.append(future.result()))
        assert isinstance(gathered, GatheringFuture)
        assert asyncio.ensure_future(gathered) is gathered
        await gathered
        assert called == [[8]]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threaded_gather(asyncio.sleep(3600)), 0.01)

    asyncio.run(main())


def test_without_a_running_loop_it_starts_when_awaited() -> None:
    assert asyncio.run(threaded_gather(value(1), value_later(2))) == [1, 2]
    with pytest.raises(Error):
        asyncio.run(threaded_gather(fail(), return_exceptions=False))


def test_everything_is_scheduled_at_the_call() -> None:
    async def main() -> None:
        started = threading.Event()

        async def start() -> None:
            started.set()

        gathered = threaded_gather(start())
        # Blocks this loop: nothing but the call above can have started it.
        assert started.wait(10)
        await gathered

    asyncio.run(main())


def test_the_context_is_a_copy_of_the_callers() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def change() -> str:
        before = variable.get()
        variable.set("changed")
        return before

    async def main() -> None:
        variable.set("mine")
        assert await threaded_gather(*(change() for _ in range(4))) == ["mine"] * 4
        assert variable.get() == "mine"

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [42, None, "text"])
def test_what_is_not_awaitable_is_refused_before_anything_starts(wrong: object) -> None:
    async def main() -> None:
        ran: list[int] = []

        async def run() -> None:
            ran.append(1)

        coroutine = run()
        with pytest.raises(TypeError, match="is required, got"):
            threaded_gather(coroutine, wrong)  # type: ignore[call-overload]
        assert closed(coroutine)
        assert ran == []

    asyncio.run(main())


def test_what_is_not_hashable_is_refused() -> None:
    class Unhashable(Custom):
        __hash__ = None  # type: ignore[assignment]

    async def main() -> None:
        coroutine = value(1)
        with pytest.raises(TypeError, match="unhashable"):
            threaded_gather(coroutine, Unhashable())
        assert closed(coroutine)

    asyncio.run(main())


def test_a_future_of_another_loop_is_refused() -> None:
    async def main() -> None:
        other = asyncio.new_event_loop()
        future: asyncio.Future[int] = other.create_future()
        coroutine = value(1)
        with pytest.raises(ValueError, match="belongs to a different loop"):
            threaded_gather(coroutine, future)
        assert closed(coroutine)
        other.close()

    asyncio.run(main())


def test_children_left_running_are_cancelled_when_the_loop_shuts_down() -> None:
    pairs = [Pair(), Pair()]

    async def main() -> None:
        threaded_gather(pairs[0].sleep(), pairs[1].sleep())
        for pair in pairs:
            await pair.wait_started()

    asyncio.run(main())
    # asyncio.run has waited for them.
    assert all(pair.ended.is_set() for pair in pairs)


def test_siblings_of_a_failure_are_cancelled_when_the_loop_shuts_down() -> None:
    pair = Pair()

    async def main() -> None:
        with pytest.raises(Error):
            await threaded_gather(pair.sleep(), fail())
        await pair.wait_started()

    asyncio.run(main())
    assert pair.ended.is_set()


def test_max_concurrency_bounds_what_runs(mode: SchedulingMode) -> None:
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

    coroutines = [child() for _ in range(40)]
    asyncio.run(threaded_gather(*coroutines, num_threads=3, mode=mode, max_concurrency=2))
    assert most == 2


def test_cancelling_what_waits_behind_the_limit() -> None:
    async def main() -> None:
        pair = Pair()
        waiting = [value(i) for i in range(10)]
        gathered = threaded_gather(pair.sleep(), *waiting, max_concurrency=1)
        await pair.wait_started()
        gathered.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathered
        assert all(closed(coroutine) for coroutine in waiting)

    asyncio.run(main())


def test_many_gathers_at_once() -> None:
    async def main() -> None:
        gathers = [threaded_gather(value_later(i), value(i), num_threads=2) for i in range(50)]
        results = await asyncio.gather(*gathers)
        assert results == [[i, i] for i in range(50)]

    asyncio.run(main())
