"""Rows 18 and 19: handles in asyncio, on the parent loop and on others."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import gc
import io
import sys
import threading
import weakref

import pytest
from support import (
    WORKER_PREFIX,
    Signal,
    eventually_async,
    fail,
    fail_later,
    for_ever,
    me,
    reports,
    value,
)

from thrasks import LoopPool, SchedulingMode, ThreadedTask, ThreadedTaskGroup

ROUND_ROBIN = SchedulingMode.ROUND_ROBIN


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
        # When it is done it still has its name, and holds its coroutine no longer.
        assert task.get_name() == "after"
        assert task.get_coro() is None

    async def test_a_running_task_is_called_what_its_loop_calls_it(self) -> None:
        started = Signal()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(for_ever(started))
            await started.wait()
            # When it has suspended for the first time.
            assert await eventually_async(lambda: len(task.get_stack()) == 1)
            assert task.get_name().startswith("Task-")
            task.cancel()

    async def test_the_repr_tells_the_name_and_the_thread(self) -> None:
        started = Signal()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(for_ever(started), name="called this")
            await started.wait()
            assert "called this" in repr(task)
            assert WORKER_PREFIX in repr(task)
            task.cancel()

    async def test_a_name_that_was_told_stays(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(value(1))
        name = task.get_name()
        assert name
        assert task.get_name() == name

    async def test_the_repr_does_not_count_as_looking_at_the_error(self) -> None:
        with reports() as seen:
            async with LoopPool(1) as pool:
                task = pool.run(fail(LookupError("of nobody")))
                assert await eventually_async(task.done)
                assert "LookupError('of nobody')" in repr(task)
                del task
                gc.collect()
                assert await eventually_async(lambda: bool(seen))
        assert ["never retrieved" in report["message"] for report in seen] == [True]

    async def test_every_task_has_a_name_of_its_own(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            names = {group.create_task(value(i)).get_name() for i in range(5)}
        assert len(names) == 5
        assert all(names)

    async def test_the_outcome_is_nobody_elses_to_set(self) -> None:
        started = Signal()
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(for_ever(started))
            with pytest.raises(RuntimeError, match="does not support"):
                task.set_result(None)  # type: ignore[arg-type, func-returns-value, unused-ignore]
            with pytest.raises(RuntimeError, match="does not support"):
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

    async def test_cancelling_who_awaits_it_cancels_the_sibling_and_waits_for_it(self) -> None:
        # As with a task that is awaited on its own loop.
        started, waiting, cancelled, go = Signal(), Signal(), Signal(), Signal()
        heard: list[object] = []

        async def sibling() -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError as error:
                heard.append(error.args)
                cancelled.set()
                await go.wait()
                raise

        async def child(other: ThreadedTask[None]) -> None:
            asyncio.get_running_loop().call_soon(waiting.set)
            await other

        async with ThreadedTaskGroup(2) as group:
            other = group.create_task(sibling())
            await started.wait()
            task = group.create_task(child(other))
            await waiting.wait()
            task.cancel("enough")
            await cancelled.wait()
            assert not task.done()
            go.set()
        assert heard == [("enough",)]
        assert task.cancelled()
        assert other.cancelled()

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


class TestHowHandlesAreMade:
    """One after the other, they are made in a shorter way than the first."""

    COUNT = 100

    async def test_they_refer_to_their_loop_and_let_go_of_it(self) -> None:
        loop = asyncio.get_running_loop()

        async def round_() -> None:
            async with ThreadedTaskGroup(2) as group:
                tasks = [group.create_task(value(number)) for number in range(self.COUNT)]
                assert all(loop in gc.get_referents(task) for task in tasks)
                assert all(task.get_loop() is loop for task in tasks)
            assert [await task for task in tasks] == list(range(self.COUNT))

        await round_()
        before = sys.getrefcount(loop)
        for _ in range(3):
            await round_()
        assert sys.getrefcount(loop) - before < self.COUNT

    async def test_they_are_as_asyncio_makes_a_future(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            first, second = group.create_task(value(1)), group.create_task(value(2))
            theirs = asyncio.get_running_loop().create_future()
            for name in ("_loop", "_exception", "_result", "_cancel_message", "_callbacks"):
                ours = [getattr(task, name) for task in (first, second)]
                assert ours == [getattr(theirs, name)] * 2
            assert weakref.ref(second)() is second
            theirs.cancel()

    @pytest.mark.not_in("uvloop", reason="its debug mode crashes (uvloop issue 730)")
    async def test_in_debug_mode_they_know_where_they_were_made(self) -> None:
        loop = asyncio.get_running_loop()
        async with ThreadedTaskGroup(1) as group:
            # One without it, before and after.
            debug = loop.get_debug()
            tasks: list[ThreadedTask[int]] = []
            for now in (False, True, False):
                loop.set_debug(now)
                tasks.append(group.create_task(value(1)))
            loop.set_debug(debug)
        traces = [getattr(task, "_source_traceback", None) for task in tasks]
        assert [trace is not None for trace in traces] == [False, True, False]
