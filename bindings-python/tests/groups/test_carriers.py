"""Tasks that return at their first step share a task of asyncio's, and none of them can tell.

What holds for the jobs of a gather (see there) holds for them; here is what only they have: a
handle, and a context of their own from the call on.
"""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import sys
import weakref
from typing import Any

import pytest
from support import Signal, block_until, eventually_async, no_gc

from thrasks import LoopPool, ThreadedTask, ThreadedTaskGroup

JOBS = 12

variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable", default="default")


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def hold_workers(group: ThreadedTaskGroup, release: Signal) -> None:
    """Keep the group's only worker busy, so that what is created now waits."""
    blocked = Signal()
    group.create_task(block_until(release, blocked))
    await blocked.wait()


class TestContexts:
    async def test_each_is_as_the_creators_was_at_the_call(self) -> None:
        async def child() -> object:
            seen = variable.get()
            variable.set("changed by a child")
            return seen

        async def look() -> object:
            return variable.get()

        release = Signal()
        async with ThreadedTaskGroup(1) as group:
            await hold_workers(group, release)
            tasks: list[ThreadedTask[object]] = []
            expected: list[object] = []
            for i in range(JOBS):
                if i % 4 == 0:
                    variable.set(i)
                tasks += [group.create_task(child()), group.create_task(look())]
                expected += [variable.get()] * 2
            release.set()
        assert [task.result() for task in tasks] == expected
        variable.set("default")

    async def test_one_that_was_set_back_is_as_before(self) -> None:
        async def look() -> object:
            return variable.get()

        async with ThreadedTaskGroup(1) as group:
            one = group.create_task(look())
            token = variable.set("for a while")
            two = group.create_task(look())
            variable.reset(token)
            three = group.create_task(look())
        seen = [task.result() for task in (one, two, three)]
        assert seen == ["default", "for a while", "default"]

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="a task does not tell its context")
    async def test_that_of_a_handle_is_the_one_that_its_task_runs_in(self) -> None:
        async def child() -> contextvars.Context | None:
            variable.set("by the child")
            return current().get_context()

        release = Signal()
        async with ThreadedTaskGroup(1) as group:
            await hold_workers(group, release)
            tasks = [group.create_task(child()) for _ in range(JOBS)]
            # Some are asked for before they start.
            contexts = {task: task.get_context() for task in tasks[::3]}
            assert all(task.get_context() is context for task, context in contexts.items())
            release.set()
        found = [task.result() for task in tasks]
        assert len({id(context) for context in found}) == JOBS
        for task, context in contexts.items():
            assert task.result() is context
            assert context is not None
            assert context[variable] == "by the child"

    async def test_what_a_context_holds_is_let_go_of(self) -> None:
        class Value:
            pass

        async def child() -> None:
            pass

        with no_gc():
            async with LoopPool(1) as pool:
                value = Value()
                dead = weakref.ref(value)
                token = variable.set(value)
                await asyncio.gather(*(pool.run(child()) for _ in range(JOBS)))
                variable.reset(token)
                del value, token
                assert await eventually_async(lambda: dead() is None, 1.0)


class TestHandles:
    async def test_each_has_its_own_result_and_name(self) -> None:
        async def child(i: int) -> int:
            return i

        release = Signal()
        async with ThreadedTaskGroup(1) as group:
            await hold_workers(group, release)
            tasks = [group.create_task(child(i)) for i in range(JOBS)]
            named = {task: task.get_name() for task in tasks[::2]}
            release.set()
        assert [task.result() for task in tasks] == list(range(JOBS))
        assert len({task.get_name() for task in tasks}) == JOBS
        assert all(task.get_name() == name for task, name in named.items())

    async def test_one_that_was_named_has_its_name_in_its_task(self) -> None:
        async def child() -> str:
            return current().get_name()

        async with ThreadedTaskGroup(1) as group:
            tasks = [
                group.create_task(child(), name=f"child {i}" if i % 2 else None)
                for i in range(JOBS)
            ]
        for i, task in enumerate(tasks):
            assert (task.result() == f"child {i}") == bool(i % 2)

    async def test_one_that_is_named_at_its_first_step_has_that_name_when_it_suspends(self) -> None:
        started, renamed = Signal(), Signal()

        async def child() -> str:
            await block_until(renamed, started)
            await asyncio.sleep(0)
            return current().get_name()

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
            await started.wait()
            task.set_name("renamed")
            renamed.set()
        assert task.result() == "renamed"

    async def test_one_that_is_cancelled_at_its_first_step_is_alone_in_that(self) -> None:
        started, release = Signal(), Signal()

        async def child() -> None:
            await block_until(release, started)
            await asyncio.Event().wait()

        async def other(i: int) -> int:
            return i

        async with ThreadedTaskGroup(1) as group:
            before = [group.create_task(other(i)) for i in range(JOBS)]
            task = group.create_task(child())
            after = [group.create_task(other(i)) for i in range(JOBS)]
            await started.wait()
            assert task.cancel("by its handle")
            release.set()
        assert task.cancelled()
        assert [each.result() for each in before + after] == 2 * list(range(JOBS))

    async def test_some_that_are_cancelled_before_they_start(self) -> None:
        ran: list[int] = []

        async def child(i: int) -> None:
            ran.append(i)

        release = Signal()
        async with ThreadedTaskGroup(1) as group:
            await hold_workers(group, release)
            tasks = [group.create_task(child(i)) for i in range(JOBS)]
            for task in tasks[1::2]:
                task.cancel()
            release.set()
        assert ran == list(range(0, JOBS, 2))
        assert [task.cancelled() for task in tasks] == [False, True] * (JOBS // 2)

    async def test_a_coroutine_is_let_go_of_though_the_handle_is_kept(self) -> None:
        async def child() -> None:
            pass

        with no_gc():
            async with ThreadedTaskGroup(2) as group:
                coros = [child() for _ in range(JOBS)]
                dead = [weakref.ref(coro) for coro in coros]
                tasks = [group.create_task(coro) for coro in coros]
                del coros
            assert await eventually_async(lambda: all(ref() is None for ref in dead), 1.0)
        assert all(task.done() for task in tasks)

    async def test_one_that_fails_among_those_that_do_not(self) -> None:
        async def child(i: int) -> int:
            if i == JOBS // 2:
                raise ValueError(i)
            return i

        release = Signal()
        with pytest.raises(ValueError, match=str(JOBS // 2)) as caught:
            async with ThreadedTaskGroup(1) as group:
                await hold_workers(group, release)
                for i in range(JOBS):
                    group.create_task(child(i))
                release.set()
        (note,) = caught.value.__notes__
        assert "raised in task 'Task-" in note or "raised in task 'ThreadedTask-" in note
