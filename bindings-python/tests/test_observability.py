"""What users see of what runs: notes on exceptions, listings, call graphs, debug mode's reports."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support import (
    Signal,
    block_until,
    eventually_async,
    fail,
    fail_later,
    for_ever,
    reports,
    value,
)

import thrasks
from thrasks import (
    LoopPool,
    SchedulingMode,
    TaskInfo,
    ThreadedTaskGroup,
    all_tasks,
    threaded_gather,
)

needs_call_graphs = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="call graphs came with CPython 3.14"
)


class TestNotes:
    @pytest.mark.parametrize("failing", [fail, fail_later], ids=["at once", "later"])
    async def test_name_the_task_and_the_worker(
        self, failing: Callable[[BaseException], Coroutine[Any, Any, None]]
    ) -> None:
        workers: list[str] = []

        async def child() -> None:
            workers.append(threading.current_thread().name)
            await failing(LookupError("lost"))

        with pytest.raises(LookupError) as raised:
            async with ThreadedTaskGroup(2) as group:
                group.create_task(child(), name="the child")
        assert raised.value.__notes__ == [f"raised in task 'the child' on {workers[0]}"]
        assert raised.value.__notes__[0] in "".join(traceback.format_exception(raised.value))

    async def test_are_on_the_results_of_a_gather(self) -> None:
        (error,) = await threaded_gather(fail(ValueError("no")), return_exceptions=True)
        assert isinstance(error, ValueError)
        (note,) = error.__notes__
        assert note.startswith("raised in task 'Task-")
        assert " on thrasks-loop-" in note

    async def test_say_how_an_exception_came_through_nested_groups(self) -> None:
        async def middle() -> None:
            async with ThreadedTaskGroup(1) as inner:
                inner.create_task(fail_later(ValueError()), name="inner")

        with pytest.raises(ValueError) as raised:  # noqa: PT011  # It has no text.
            async with ThreadedTaskGroup(1) as outer:
                outer.create_task(middle(), name="middle")
        names = [note.partition(" on ")[0] for note in raised.value.__notes__]
        assert names == ["raised in task 'inner'", "raised in task 'middle'"]

    async def test_do_not_pile_up_on_an_exception_that_is_raised_again_and_again(self) -> None:
        always_the_same = ValueError()
        for _ in range(50):
            await threaded_gather(fail(always_the_same), return_exceptions=True)
        assert len(always_the_same.__notes__) < 20

    async def test_an_exception_that_takes_none_is_raised_all_the_same(self) -> None:
        class PlainError(Exception):
            def add_note(self, note: str) -> None:
                raise RuntimeError(note)

        with pytest.raises(PlainError):
            await threaded_gather(fail(PlainError()))

    async def test_leave_system_exit_alone(self) -> None:
        with pytest.raises(SystemExit) as raised:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail(SystemExit(3)))
        assert not hasattr(raised.value, "__notes__")

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
    async def test_leave_alone_what_ends_programs_later_too(
        self, kind: type[BaseException]
    ) -> None:
        with pytest.raises(kind) as raised:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(fail_later(kind()))
        assert not hasattr(raised.value, "__notes__")

    async def test_do_not_say_the_same_twice(self) -> None:
        always_the_same = ValueError()
        async with LoopPool(1) as pool:
            for _ in range(3):
                task = pool.run(fail_later(always_the_same), name="again")
                await asyncio.wait([task])
                assert task.exception() is always_the_same
        assert len(always_the_same.__notes__) == 1


class TestAllTasks:
    async def test_lists_every_task_with_its_worker_and_state(self) -> None:
        started, busy, asleep, go = Signal(), Signal(), Signal(), Signal()

        async def refuse(cancelled: Signal) -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError:
                cancelled.set()
                await go.wait()

        # In QUEUE the worker of one that is suspended is free for another.
        async with ThreadedTaskGroup(3, mode=SchedulingMode.ROUND_ROBIN) as group:
            cancelled = Signal()
            stubborn = group.create_task(refuse(cancelled), name="stubborn")
            group.create_task(block_until(go, busy), name="blocking")
            sleeper = group.create_task(for_ever(asleep), name="sleeper")
            # One that has not started would be cancelled at once.
            await started.wait()
            stubborn.cancel()
            await busy.wait()
            await cancelled.wait()
            await asleep.wait()
            assert await eventually_async(lambda: len(sleeper.get_stack()) == 1)
            assert await eventually_async(
                lambda: "cancelling" in {info.state for info in all_tasks()}
            )
            listing = {info.name: info for info in all_tasks()}
            workers = {info.worker for info in listing.values()}
            go.set()
            sleeper.cancel()
        assert {name: info.state for name, info in listing.items()} == {
            "stubborn": "cancelling",
            "blocking": "running",
            "sleeper": "suspended",
        }
        assert len(workers) == 3
        assert all(worker.startswith("thrasks-loop-") for worker in workers)
        assert listing["sleeper"].coro == "for_ever"

    @needs_call_graphs
    async def test_says_who_awaits_a_task(self) -> None:
        started = Signal()

        async def parent() -> None:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(for_ever(started), name="in a group")

        async def gatherer() -> None:
            await threaded_gather(for_ever(), num_threads=1)

        async def runner() -> None:
            async with LoopPool(1) as pool:
                await pool.run(for_ever(), name="in a pool")

        tasks = [
            asyncio.create_task(parent(), name="the parent"),
            asyncio.create_task(gatherer(), name="the gatherer"),
            asyncio.create_task(runner(), name="the runner"),
        ]
        await started.wait()
        assert await eventually_async(lambda: len(all_tasks()) == 3)
        listing = all_tasks()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert sorted(info.awaited_by for info in listing) == [
            ("the gatherer",),
            ("the parent",),
            ("the runner",),
        ]

    async def test_lists_what_a_task_has_started_on_its_worker(self) -> None:
        started = Signal()

        async def child() -> None:
            async with asyncio.TaskGroup() as inner:
                inner.create_task(for_ever(started), name="grandchild")

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child(), name="child")
            await started.wait()
            assert {info.name for info in all_tasks()} == {"child", "grandchild"}
            task.cancel()

    async def test_may_be_called_on_a_worker(self) -> None:
        async def child() -> list[TaskInfo]:
            return all_tasks()

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child(), name="me")
        (me,) = task.result()
        assert (me.name, me.state) == ("me", "running")
        assert str(me).startswith("me (")

    async def test_is_empty_when_nothing_runs(self) -> None:
        await threaded_gather(value(1))
        assert thrasks.all_tasks() == []


@needs_call_graphs
class TestCallGraphs:
    async def test_a_gathers_child_is_awaited_by_whoever_gathers(self) -> None:
        graphs: list[str] = []

        async def child() -> None:
            await asyncio.sleep(0)
            if sys.version_info >= (3, 14):
                graphs.append(asyncio.format_call_graph())

        async def gatherer() -> None:
            await threaded_gather(child(), num_threads=1)

        await asyncio.create_task(gatherer(), name="the gatherer")
        assert "name='the gatherer'" in graphs[0]
        assert "gatherer()" in graphs[0]

    async def test_a_task_that_awaits_another_workers_handle_shows(self) -> None:
        ready, go = Signal(), Signal()
        graphs: list[str] = []

        async def awaited() -> None:
            await ready.wait()
            await go.wait()
            if sys.version_info >= (3, 14):
                graphs.append(asyncio.format_call_graph())

        async with ThreadedTaskGroup(2) as group:
            task = group.create_task(awaited(), name="awaited")

            async def awaits() -> None:
                ready.set()
                await task

            group.create_task(awaits(), name="awaits")
            assert await eventually_async(
                lambda: any("awaits" in info.awaited_by for info in all_tasks())
            )
            go.set()
        assert "name='awaits'" in graphs[0]

    async def test_edges_are_taken_away_when_the_task_has_ended(self) -> None:
        inner: list[asyncio.Task[Any]] = []

        async def child() -> None:
            task = asyncio.current_task()
            assert task is not None
            inner.append(task)
            await asyncio.sleep(0)

        async with ThreadedTaskGroup(1) as group:
            handle = group.create_task(child())
        await threaded_gather(child())
        ended: list[Any] = [*inner, handle]
        assert [task._asyncio_awaited_by for task in ended] == [None, None, None]


class TestMisuseInDebugMode:
    """Asyncio's objects belong to one loop. In debug mode, who breaks that is told so."""

    async def run(self, *children: Coroutine[Any, Any, None]) -> BaseException:
        asyncio.get_running_loop().set_debug(True)
        # asyncio may log a slow callback: this is not about that.
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        try:
            with pytest.raises(ExceptionGroup) as raised:
                async with ThreadedTaskGroup(2, strict_exception_groups=True) as group:
                    for child in children:
                        group.create_task(child)
        finally:
            logging.getLogger("asyncio").setLevel(logging.NOTSET)
        (error, *others) = raised.value.exceptions
        assert others == []
        assert "use threading's" in error.__notes__[-1]
        return error

    async def test_a_contended_lock(self) -> None:
        lock, held, waiting = asyncio.Lock(), Signal(), Signal()
        names: list[str] = []

        async def holds() -> None:
            names.append(threading.current_thread().name)
            async with lock:
                held.set()
                await waiting.wait()

        async def waits() -> None:
            await held.wait()
            asyncio.get_running_loop().call_soon(waiting.set)
            async with lock:
                raise AssertionError("the lock was never handed over")

        error = await self.run(holds(), waits())
        assert "Non-thread-safe operation" in str(error)
        # On the side that misuses it: the one that released a lock that another loop waits for.
        assert names[0] in error.__notes__[0]

    async def test_an_event_of_another_loop(self) -> None:
        event, waiting = asyncio.Event(), Signal()

        async def waits() -> None:
            asyncio.get_running_loop().call_soon(waiting.set)
            await event.wait()

        async def sets() -> None:
            await waiting.wait()
            event.set()

        error = await self.run(waits(), sets())
        assert "Non-thread-safe operation" in str(error)

    async def test_a_lock_that_is_contended_on_two_loops(self) -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        mine = asyncio.ensure_future(lock.acquire())
        await asyncio.sleep(0)

        async def waits() -> None:
            await lock.acquire()

        error = await self.run(waits())
        assert "is bound to a different event loop" in str(error)
        mine.cancel()

    async def test_a_future_of_another_loop(self) -> None:
        future = asyncio.get_running_loop().create_future()

        async def awaits() -> None:
            await future

        error = await self.run(awaits())
        assert "attached to a different loop" in str(error)

    async def test_the_result_of_a_future_of_another_loop(self) -> None:
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: None)

        async def sets() -> None:
            future.set_result(None)

        error = await self.run(sets())
        assert "Non-thread-safe operation" in str(error)


class TestReports:
    async def test_what_is_left_behind_is_told_with_the_worker(self) -> None:
        async def child() -> str:
            asyncio.get_running_loop().create_task(for_ever(), name="left")
            return threading.current_thread().name

        with reports() as seen:
            (worker,) = await threaded_gather(child())
            assert await eventually_async(lambda: bool(seen))
        assert [report["message"] for report in seen] == [
            f"left behind on {worker}, and ended with what left it there: 1 task"
        ]
