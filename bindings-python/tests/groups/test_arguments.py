"""Rows 16 and 17: what `create_task` takes, and what reaches the worker."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import Any

import pytest
from support import Everybody, Signal, block_until, is_closed, me, value

from thrasks import SchedulingMode, ThreadedTaskGroup

needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks are new in CPython 3.12"
)


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

    async def test_a_context_in_use_elsewhere_is_refused_until_its_last_task_has_ended(
        self,
    ) -> None:
        context = contextvars.copy_context()
        first, second = Signal(), Signal()
        async with ThreadedTaskGroup(1) as user, ThreadedTaskGroup(1) as other:
            tasks = [user.create_task(each.wait(), context=context) for each in (first, second)]
            for signal, task in zip((first, second), tasks, strict=True):
                coro = value(1)
                with pytest.raises(RuntimeError, match="context is in use"):
                    other.create_task(coro, context=context)
                assert is_closed(coro)
                signal.set()
                await task
            assert await other.create_task(value(1), context=context) == 1

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

        # In QUEUE the second would not be taken up before the first has run.
        async with ThreadedTaskGroup(1, mode=SchedulingMode.ROUND_ROBIN) as group:
            group.create_task(outer(group))
        assert order == (["first", "second"] if eager else ["second", "first"])

    async def test_an_unknown_keyword_is_refused_at_the_call(self) -> None:
        coro = value(1)
        async with ThreadedTaskGroup(1) as group:
            with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
                group.create_task(coro, colour="red")
            assert is_closed(coro)

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
