"""Async code, called from threads that block: on the right loop, and never for ever."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from support import (
    PATIENCE,
    Blocking,
    Signal,
    eventually,
    eventually_async,
    me,
    reports,
    value,
)

from thrasks import (
    ThreadedTaskGroup,
    call,
    generate,
    iterate,
    iterate_callback,
    sync_await,
    sync_wait_coroutine,
    threaded,
    threaded_gather,
    threaded_iterable,
    threaded_separate,
    wait_coroutine,
)

from .support import CAP, Thing, new_loop, run

# Type checkers cannot see which overload of a decorator a generic function is for.
ask: Any = sync_await
ask_on: Any = sync_wait_coroutine
ask_coroutine: Any = wait_coroutine


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def where() -> tuple[threading.Thread, asyncio.AbstractEventLoop]:
    return threading.current_thread(), asyncio.get_running_loop()


class TestFromOurThreads:
    async def test_from_a_call(self) -> None:
        @threaded
        def work() -> list[int]:
            return [
                sync_await(double, 1),
                sync_await(double, number=2),
                wait_coroutine(double(3)),
                sync_wait_coroutine(None, double, 4),
            ]

        assert await work() == [2, 4, 6, 8]

    async def test_it_runs_on_the_callers_loop(self) -> None:
        here = (threading.current_thread(), asyncio.get_running_loop())
        assert await threaded(ask)(where) == here
        assert await threaded_separate(ask)(where) == here
        in_call: Any = call(ask)
        assert await in_call(where) == here

    async def test_from_iterators_generators_and_callbacks(self) -> None:
        def numbers() -> Generator[int, Any, None]:
            for i in range(3):
                yield sync_await(double, i)

        def back(callback: Callable[[int], None]) -> None:
            callback(sync_await(double, 4))

        assert [i async for i in threaded_iterable(numbers)()] == [0, 2, 4]
        assert [i async for i in threaded_separate(numbers)()] == [0, 2, 4]
        assert [i async for i in iterate(numbers)()] == [0, 2, 4]
        assert [i async for i in generate(numbers)()] == [0, 2, 4]
        assert [i async for i in iterate_callback(back)()] == [8]

    async def test_in_the_finally_of_one_that_is_left(self) -> None:
        cleaned: list[int] = []

        @threaded_iterable(max_size=2)
        def numbers() -> Iterator[int]:
            try:
                while True:
                    yield 1
            finally:
                cleaned.append(sync_await(double, 5))

        async with numbers() as stream:
            await anext(stream)
        assert cleaned == [10]

    async def test_with_all_of_the_pool_at_it(self) -> None:
        # A thread that waits leaves its place to others, such as those that it waits for.
        async def through_a_thread(number: int) -> int:
            return await threaded(int)(number)

        @threaded
        def work(number: int) -> int:
            return sync_await(through_a_thread, number)

        assert await asyncio.gather(*map(work, range(5 * CAP))) == [*range(5 * CAP)]

    async def test_deep(self) -> None:
        @threaded
        def down(depth: int) -> int:
            async def further() -> int:
                return await down(depth - 1)

            return 0 if depth == 0 else 1 + sync_await(further)

        assert await down(2 * CAP) == 2 * CAP

    async def test_what_it_raises_is_raised(self) -> None:
        error = ValueError("of the async function")

        async def fail() -> None:
            await asyncio.sleep(0)
            raise error

        with pytest.raises(ValueError, match="of the async") as caught:
            await threaded(ask)(fail)
        assert caught.value is error

    async def test_other_awaitables_will_do(self) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, 3)

        @threaded
        def work() -> list[Any]:
            return [
                sync_await(lambda: future),
                sync_await(lambda: asyncio.sleep(0, 4)),
                sync_await(asyncio.sleep, 0, 5),
            ]

        assert await work() == [3, 4, 5]

    async def test_nobody_is_told_of_failures_that_were_raised(self) -> None:
        async def fail() -> None:
            raise KeyError

        with reports() as reported:
            with pytest.raises(KeyError):
                await threaded(ask)(fail)
            await asyncio.sleep(0)
        assert reported == []

    async def test_a_result_is_let_go(self) -> None:
        async def thing() -> Thing:
            return Thing()

        made: list[weakref.ref[Thing]] = []

        @threaded
        def work() -> None:
            made.append(weakref.ref(sync_await(thing)))

        await work()
        assert await eventually_async(lambda: made[0]() is None)


class TestFromOtherThreads:
    async def test_with_the_loop_named(self) -> None:
        loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(ask_on, loop, double, 1) == 2
        assert await asyncio.to_thread(ask_coroutine, double(1), loop) == 2

    async def test_without_it_they_are_told_what_to_write(self) -> None:
        def plain() -> None:
            with pytest.raises(RuntimeError, match="pass the loop to sync_wait_coroutine"):
                sync_await(double, 1)
            coro: Any = double(1)
            with pytest.raises(RuntimeError, match="works for no event loop"):
                wait_coroutine(coro)
            assert coro.cr_frame is None

        thread = (
            threading.Thread(target=plain, context=contextvars.Context())
            if hasattr(threading.Thread, "_context")
            else threading.Thread(target=plain)
        )
        failures: list[Any] = []
        before, threading.excepthook = threading.excepthook, failures.append
        try:
            thread.start()
            thread.join()
        finally:
            threading.excepthook = before
        assert failures == []

    def test_outside_of_everything(self) -> None:
        with pytest.raises(RuntimeError, match="this thread works for no event loop"):
            sync_await(double, 1)


class TestFromWorkers:
    async def test_on_the_callers_loop(self) -> None:
        here = (threading.current_thread(), asyncio.get_running_loop())

        async def child() -> Any:
            # It blocks its worker, and nobody else.
            return sync_await(where)

        assert [*await threaded_gather(child(), child())] == [here, here]
        async with ThreadedTaskGroup(2) as group:
            task = group.create_task(child())
        assert task.result() == here

    async def test_of_a_nested_group_it_is_the_worker_that_made_it(self) -> None:
        async def grandchild() -> Any:
            return sync_await(where)

        async def child() -> bool:
            here = (threading.current_thread(), asyncio.get_running_loop())
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(grandchild())
            return bool(task.result() == here)

        assert all(await threaded_gather(child()))

    async def test_from_a_call_that_a_child_made_it_is_the_childs_loop(self) -> None:
        async def child() -> bool:
            here = (threading.current_thread(), asyncio.get_running_loop())
            return bool(await threaded(ask)(where) == here)

        assert all(await threaded_gather(child(), child()))

    async def test_a_cycle_is_refused(self) -> None:
        # The caller's loop waits, blocked, for the child's, which would wait for the caller's.
        refused: list[str] = []
        childs: list[asyncio.AbstractEventLoop] = []
        ready, go = Signal(), Signal()

        async def ask_back() -> None:
            try:
                sync_wait_coroutine(callers, value, 1)
            except RuntimeError as error:
                refused.append(str(error))

        async def child() -> None:
            childs.append(asyncio.get_running_loop())
            ready.set()
            await go.wait()

        callers = asyncio.get_running_loop()
        gathered = threaded_gather(child())
        await asyncio.wait_for(ready.wait(), PATIENCE)
        sync_wait_coroutine(childs[0], ask_back)
        go.set()
        await gathered
        [text] = refused
        assert "waits for this one" in text
        assert "for ever" in text

    async def test_a_cycle_of_three_is_refused(self) -> None:
        loops: list[asyncio.AbstractEventLoop] = []
        ready, go = [Signal(), Signal()], Signal()

        async def child(number: int) -> None:
            loops.append(asyncio.get_running_loop())
            ready[number].set()
            await go.wait()

        here = asyncio.get_running_loop()
        async with ThreadedTaskGroup(2) as group:
            for number in range(2):
                group.create_task(child(number))
                await asyncio.wait_for(ready[number].wait(), PATIENCE)
            assert len({*loops, here}) == 3

            async def second() -> str:
                try:
                    return str(sync_wait_coroutine(here, value, 1))
                except RuntimeError as error:
                    return str(error)

            async def first() -> str:
                return sync_wait_coroutine(loops[1], second)

            answer = sync_wait_coroutine(loops[0], first)
            go.set()
        assert "for ever" in answer


class TestNeverForEver:
    async def test_the_own_loop_is_refused(self) -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match=r"would wait for ever: write `await`"):
            sync_wait_coroutine(loop, double, 1)
        coro: Any = double(1)
        with pytest.raises(RuntimeError, match="write `await`"):
            wait_coroutine(coro, loop)
        assert coro.cr_frame is None
        with pytest.raises(RuntimeError, match="this is async code: write `await`"):
            sync_await(double, 1)

    async def test_also_in_what_a_thread_has_it_run(self) -> None:
        async def wrong() -> None:
            sync_await(double, 1)

        with pytest.raises(RuntimeError, match="write `await`"):
            await threaded(ask)(wrong)

    async def test_a_closed_loop_is_refused(self) -> None:
        loop = new_loop()
        loop.close()
        with pytest.raises(RuntimeError, match="the event loop is closed"):
            await threaded(ask_on)(loop, double, 1)
        coro: Any = double(1)
        with pytest.raises(RuntimeError, match="the event loop is closed"):
            await threaded(ask_coroutine)(coro, loop)
        assert coro.cr_frame is None

    def test_a_loop_that_is_closed_meanwhile_is_noticed(self) -> None:
        loop = new_loop()
        begun = Signal()
        said: list[str] = []

        async def for_ever() -> None:
            begun.set()
            await asyncio.get_running_loop().create_future()

        def wait() -> None:
            try:
                sync_wait_coroutine(loop, for_ever)
            except RuntimeError as error:
                said.append(str(error))

        thread = threading.Thread(target=wait)
        thread.start()
        loop.run_until_complete(begun.wait())
        [task] = asyncio.all_tasks(loop)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task
        loop.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert "the event loop is closed" in said[0]

    def test_one_that_never_runs_and_is_closed_too(self) -> None:
        loop = new_loop()
        coro: Any = double(1)
        said: list[str] = []

        def wait() -> None:
            try:
                wait_coroutine(coro, loop)
            except RuntimeError as error:
                said.append(str(error))

        thread = threading.Thread(target=wait)
        thread.start()
        assert eventually(lambda: thread.is_alive() and not said)
        loop.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert "the event loop is closed" in said[0]
        assert coro.cr_frame is None

    def test_a_run_that_ends_cancels_what_threads_wait_for(self) -> None:
        begun = Signal()
        ended: list[type[BaseException]] = []
        over = Signal()

        async def for_ever() -> None:
            begun.set()
            await asyncio.get_running_loop().create_future()

        @threaded_separate
        def work() -> None:
            try:
                sync_await(for_ever)
            except BaseException as error:
                ended.append(type(error))
                over.set()
                raise

        async def main() -> None:
            future = work()
            await asyncio.wait_for(begun.wait(), PATIENCE)
            future.cancel()

        run(main())
        over.block()
        assert ended == [asyncio.CancelledError]

    async def test_a_cancelled_call_that_ends_by_that_is_no_news(self) -> None:
        begun = Signal()
        tasks: list[asyncio.Task[Any]] = []

        async def for_ever() -> None:
            tasks.append(me())
            begun.set()
            await asyncio.get_running_loop().create_future()

        with reports() as reported:
            future = threaded(ask)(for_ever)
            await asyncio.wait_for(begun.wait(), PATIENCE)
            future.cancel()
            tasks[0].cancel()
            assert await eventually_async(lambda: not Blocking.now().at_work)
            await threaded(int)()
            await asyncio.sleep(0)
        assert reported == []

    async def test_a_task_that_is_cancelled_is_an_error_of_the_waiter_only(self) -> None:
        async def cancelled() -> None:
            raise asyncio.CancelledError("enough")

        @threaded
        def work() -> str:
            with pytest.raises(asyncio.CancelledError):
                sync_await(cancelled)
            return "went on"

        assert await work() == "went on"


class TestContexts:
    async def test_it_sees_the_threads_variables(self) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

        async def look() -> str:
            return variable.get()

        @threaded
        def work() -> str:
            variable.set("of the thread")
            return sync_await(look)

        variable.set("of the caller")
        assert await threaded(ask)(look) == "of the caller"
        assert await work() == "of the thread"
        assert variable.get() == "of the caller"

    async def test_what_it_sets_stays_there(self) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

        async def change() -> None:
            variable.set("changed")

        @threaded
        def work() -> str:
            sync_await(change)
            return variable.get()

        assert await work() == "unset"
        assert variable.get() == "unset"
