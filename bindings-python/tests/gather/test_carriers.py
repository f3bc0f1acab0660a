"""Jobs that return at their first step share a task, and none of them can tell.

The same holds where each has a task of its own: in the flavour ``tasks``, and on other Pythons.
"""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support import Signal, block_until, eventually_async, no_gc

from thrasks import _thrasks, threaded_gather

JOBS = 12

#: A worker makes no task before it takes the job's first step.
EAGER = sys.version_info >= (3, 12)

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def gather(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run them on one worker, so that one carrier may take them all."""
    return await threaded_gather(*coroutines, num_threads=1, return_exceptions=True)


async def among_others(make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Return the outcome of a job that runs among others which leave no trace."""

    async def other() -> tuple[str, int]:
        return variable.get(), current().cancelling()

    before = [other() for _ in range(JOBS)]
    after = [other() for _ in range(JOBS)]
    outcomes = await gather(*before, make(), *after)
    outcome = outcomes.pop(JOBS)
    assert outcomes == [("default", 0)] * (2 * JOBS)
    return outcome


class TestWhatAJobSeesOfItself:
    async def test_its_task_has_its_own_coroutine(self) -> None:
        seen: list[Any] = []

        async def child() -> None:
            seen.append(current().get_coro())

        coros = [child() for _ in range(JOBS)]
        await gather(*coros)
        assert all(a is b for a, b in zip(seen, coros, strict=True))

    async def test_each_has_a_name_of_its_own(self) -> None:
        async def child() -> str:
            return current().get_name()

        names = await gather(*(child() for _ in range(JOBS)))
        assert len(set(names)) == JOBS

    async def test_its_repr_shows_its_own_coroutine(self) -> None:
        async def one() -> str:
            return repr(current())

        async def two() -> str:
            return repr(current())

        first, second, third = await gather(one(), two(), one())
        assert ".one() running" in first
        assert ".two() running" in second
        assert ".one() running" in third

    async def test_its_stack_is_its_own(self) -> None:
        async def child(i: int) -> int:
            found: int = current().get_stack()[-1].f_locals["i"]
            return found

        assert await gather(*(child(i) for i in range(JOBS))) == list(range(JOBS))

    async def test_all_tasks_has_its_task(self) -> None:
        async def child() -> bool:
            return current() in asyncio.all_tasks()

        assert await gather(*(child() for _ in range(JOBS))) == [True] * JOBS


class TestWhatAJobKeeps:
    async def test_its_task_which_has_its_outcome_and_is_no_other_jobs(self) -> None:
        tasks: list[asyncio.Task[Any]] = []

        async def child(i: int) -> int:
            tasks.append(current())
            return i

        assert await gather(*(child(i) for i in range(JOBS))) == list(range(JOBS))
        assert len(set(tasks)) == JOBS
        assert [task.result() for task in tasks] == list(range(JOBS))

    async def test_its_task_as_its_result(self) -> None:
        async def child() -> Any:
            return current()

        tasks = await gather(*(child() for _ in range(JOBS)))
        assert len(set(tasks)) == JOBS
        assert all(task.result() is task for task in tasks)

    async def test_a_weak_reference_to_its_task_which_is_no_other_jobs(self) -> None:
        refs: list[weakref.ref[Any]] = []
        alive: list[int] = []

        async def child() -> None:
            alive.append(sum(ref() is not None for ref in refs))
            refs.append(weakref.ref(current()))

        with no_gc():
            await gather(*(child() for _ in range(JOBS)))
            if EAGER:
                # When a job looks, the tasks of those before it are gone.
                assert alive == [0] * JOBS
            assert await eventually_async(lambda: all(ref() is None for ref in refs), 1.0)

    async def test_its_context(self) -> None:
        async def child(i: int) -> contextvars.Context | None:
            if i % 2:
                variable.set(str(i))
            return current().get_context() if sys.version_info >= (3, 12) else None

        contexts = await gather(*(child(i) for i in range(JOBS)))
        if sys.version_info >= (3, 12):
            assert len({id(context) for context in contexts}) == JOBS
            for i, context in enumerate(contexts):
                assert context.get(variable) == (str(i) if i % 2 else None)

    async def test_a_callback_of_its_task(self) -> None:
        called: list[Any] = []

        async def child(i: int) -> int:
            if i % 3 == 0:
                current().add_done_callback(lambda task: called.append(task.result()))
            return i

        await gather(*(child(i) for i in range(JOBS)))
        assert await eventually_async(lambda: called == [0, 3, 6, 9], 1.0)

    async def test_its_coroutine_as_its_result(self) -> None:
        async def child() -> Any:
            return current().get_coro()

        coros = [child() for _ in range(JOBS)]
        assert all(a is b for a, b in zip(await gather(*coros), coros, strict=True))


class TestWhatAJobChanges:
    async def test_the_name_of_its_task(self) -> None:
        async def rename() -> None:
            current().set_name("changed")

        async def child() -> str:
            return current().get_name()

        assert (await gather(rename(), child()))[1] != "changed"

    async def test_a_context_variable(self) -> None:
        async def child() -> str:
            variable.set("changed")
            return variable.get()

        assert await among_others(child) == "changed"

    async def test_a_context_variable_that_it_resets(self) -> None:
        async def child() -> str:
            token = variable.set("changed")
            variable.reset(token)
            return variable.get()

        assert await among_others(child) == "default"

    async def test_itself_cancelled_before_it_returns(self) -> None:
        async def child() -> int:
            current().cancel("by itself")
            return 1

        outcome = await among_others(child)
        assert isinstance(outcome, asyncio.CancelledError)
        assert outcome.args == ("by itself",)

    @pytest.mark.skipif(sys.version_info < (3, 13), reason="before, uncancel() does not undo it")
    async def test_itself_cancelled_and_uncancelled(self) -> None:
        async def child() -> int:
            current().cancel()
            current().uncancel()
            return 1

        assert await among_others(child) == 1

    async def test_an_attribute_of_its_task(self) -> None:
        async def child() -> bool:
            task: Any = current()
            had = hasattr(task, "attribute")
            task.attribute = 1
            return had

        assert await gather(*(child() for _ in range(JOBS))) == [False] * JOBS

    async def test_a_timeout_that_it_leaves(self) -> None:
        async def child() -> int:
            async with asyncio.timeout(60):  # noqa: ASYNC100 -- it does not come to a wait
                return 1

        assert await among_others(child) == 1

    async def test_the_task_that_is_current_for_a_while(self) -> None:
        async def inner() -> bool:
            return current().get_name() == "inner"

        async def child() -> bool:
            mine = current()
            if sys.version_info < (3, 12):
                return True
            loop = asyncio.get_running_loop()
            task = asyncio.Task(inner(), loop=loop, name="inner", eager_start=True)
            return task.result() and current() is mine

        assert await among_others(child)

    async def test_the_garbage_that_is_collected(self) -> None:
        async def child() -> int:
            cycle: list[Any] = [current()]
            cycle.append(cycle)
            del cycle
            return gc.collect()

        assert await among_others(child) >= 1


class TestHowAJobEnds:
    @pytest.mark.parametrize(
        "value",
        [None, (1, 2), (), ValueError("a value"), StopIteration(3), asyncio.CancelledError("no")],
        ids=repr,
    )
    @pytest.mark.parametrize("keeps", [False, True], ids=["leaves", "keeps"])
    async def test_with_a_value_of_any_kind(self, value: object, keeps: bool) -> None:
        kept: list[Any] = []

        async def child() -> object:
            if keeps:
                kept.append(current())
            return value

        assert await among_others(child) is value
        assert all(task.result() is value for task in kept)

    @pytest.mark.parametrize(
        "error", [ValueError, asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]
    )
    async def test_with_an_exception(self, error: type[BaseException]) -> None:
        async def child() -> None:
            raise error("on purpose")

        outcome = await among_others(child)
        assert type(outcome) is error
        assert outcome.args == ("on purpose",)

    async def test_with_stop_iteration(self) -> None:
        async def child() -> None:
            raise StopIteration(1)

        outcome = await among_others(child)
        assert isinstance(outcome, RuntimeError)
        assert isinstance(outcome.__cause__, StopIteration)

    async def test_with_an_exception_whose_note_has_the_name_of_its_task(self) -> None:
        async def child(i: int) -> None:
            if i % 2:
                current().set_name(f"child {i}")
                raise ValueError

        outcomes = await gather(*(child(i) for i in range(JOBS)))
        for i, outcome in enumerate(outcomes):
            if i % 2:
                (note,) = outcome.__notes__
                assert f"'child {i}'" in note

    async def test_in_the_order_of_the_arguments_however_they_end(self) -> None:
        async def child(i: int) -> int:
            match i % 6:
                case 1:
                    raise ValueError(i)
                case 2:
                    await asyncio.sleep(0)
                case 3:
                    variable.set("changed")
                case 4:
                    current().cancel(i)
                case 5:
                    await asyncio.sleep(0.001)
                    raise ValueError(i)
            return i

        outcomes = await threaded_gather(
            *(child(i) for i in range(600)), num_threads=3, return_exceptions=True
        )
        for i, outcome in enumerate(outcomes):
            if i % 6 in (1, 5):
                assert isinstance(outcome, ValueError)
                assert outcome.args == (i,)
            elif i % 6 == 4:
                assert isinstance(outcome, asyncio.CancelledError)
                assert outcome.args == (i,)
            else:
                assert outcome == i


class TestASuspendedJob:
    async def test_goes_on_as_the_task_that_it_was(self) -> None:
        async def child(i: int) -> tuple[bool, bool, str]:
            task, name = current(), current().get_name() if i % 2 else None
            variable.set(str(i))
            await asyncio.sleep(0)
            same_name = name is None or task.get_name() == name
            return current() is task, same_name, variable.get()

        outcomes = await gather(*(child(i) for i in range(JOBS)))
        assert outcomes == [(True, True, str(i)) for i in range(JOBS)]

    async def test_is_cancelled_with_the_gather_as_are_the_others(self) -> None:
        blocked, release, suspended = Signal(), Signal(), Signal()
        ends: list[str] = []

        async def suspend() -> None:
            try:
                suspended.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError as exc:
                ends.append(f"suspended {exc.args}")
                raise

        async def block_then_suspend() -> None:
            try:
                await block_until(release, blocked)
                await asyncio.Event().wait()
            except asyncio.CancelledError as exc:
                ends.append(f"blocked {exc.args}")
                raise

        async def unstarted() -> None:
            ends.append("never")

        coros = [suspend(), block_then_suspend(), *([unstarted()] if EAGER else [])]
        outer = threaded_gather(*coros, num_threads=1)
        await suspended.wait()
        await blocked.wait()
        assert outer.cancel("enough")
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert sorted(ends) == ["blocked ('enough',)", "suspended ('enough',)"]


class TestWhatOthersSee:
    async def test_a_coroutine_is_let_go_of(self) -> None:
        async def child() -> None:
            pass

        with no_gc():
            coros = [child() for _ in range(JOBS)]
            counts = [sys.getrefcount(coro) for coro in coros]
            await gather(*coros)
            assert await eventually_async(
                lambda: [sys.getrefcount(coro) for coro in coros] == counts, 1.0
            )

    async def test_one_that_another_thread_looks_at(self) -> None:
        # Tasks come and go, and change their coroutines, while another thread reads them.
        over = threading.Event()
        looked: list[str] = []
        errors: list[BaseException] = []

        def look() -> None:
            try:
                while not over.is_set():
                    for _, loop in _thrasks.worker_loops():
                        for task in asyncio.all_tasks(loop):
                            coro = task.get_coro()
                            looked.append(type(coro).__name__)
                            looked.append(repr(coro))
                            del looked[:-100]
            except BaseException as exc:
                errors.append(exc)

        async def child(i: int) -> int:
            return i

        looking = threading.Thread(target=look)
        looking.start()
        try:
            for _ in range(20):
                outcomes = await threaded_gather(*(child(i) for i in range(2000)), num_threads=2)
                assert outcomes == list(range(2000))
        finally:
            over.set()
            await asyncio.to_thread(looking.join)
        assert not errors
