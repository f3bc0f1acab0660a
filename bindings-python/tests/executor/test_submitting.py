"""What is submitted, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import threading
import traceback
import types
import weakref
from collections.abc import Awaitable, Generator
from typing import Any

import pytest
from support import PATIENCE, WORKER_PREFIX, eventually_async, fail, me, value

from thrasks import TaskPoolExecutor, threaded_gather

from .support import Gate, Kind, double, identity

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Account:
    """Methods of all kinds."""

    def __init__(self, start: int) -> None:
        self.start = start

    async def add(self, number: int, *, times: int = 1) -> int:
        return self.start + number * times

    async def __call__(self, number: int) -> int:
        return self.start * number

    @classmethod
    async def of(cls, number: int) -> Account:
        return cls(number)

    @staticmethod
    async def twice(number: int) -> int:
        return 2 * number


class Lazy:
    """An awaitable that is neither a coroutine nor a future."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None

    def __await__(self) -> Generator[Any, Any, str]:
        self.thread = threading.current_thread()
        yield from asyncio.sleep(0).__await__()
        return "lazy"


@types.coroutine
def generator_based(result: int) -> Generator[Any, Any, int]:
    yield
    return result


class TestCallables:
    async def test_a_coroutine_function(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert await executor.submit(double, 21) == 42

    async def test_positional_and_keyword_arguments(self, kind: Kind) -> None:
        async def everything(*args: int, **kwargs: int) -> tuple[Any, ...]:
            return args, kwargs

        async with kind.open() as executor:
            future = executor.submit(everything, 1, 2, fn=3, self=4)
            assert await future == ((1, 2), {"fn": 3, "self": 4})
            assert await executor.submit(everything) == ((), {})

    async def test_whatever_else_can_be_called(self, kind: Kind) -> None:
        account = Account(10)
        async with kind.open() as executor:
            assert await executor.submit(account.add, 2, times=3) == 16
            assert await executor.submit(account, 5) == 50
            assert (await executor.submit(Account.of, 3)).start == 3
            assert await executor.submit(Account.twice, 4) == 8
            assert await executor.submit(functools.partial(account.add, times=2), 4) == 18
            assert await executor.submit(lambda: double(3)) == 6

    async def test_a_plain_function_that_returns_a_future(self, kind: Kind) -> None:
        def later() -> Awaitable[str]:
            # A future of the loop that the job runs on.
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            loop.call_soon(future.set_result, threading.current_thread().name)
            return future

        async with kind.open() as executor:
            name = await executor.submit(later)
        assert name.startswith(WORKER_PREFIX) is kind.threaded

    async def test_a_plain_function_is_called_where_the_job_runs(self, kind: Kind) -> None:
        def begin() -> Awaitable[tuple[str, str]]:
            return both(threading.current_thread().name)

        async def both(called_on: str) -> tuple[str, str]:
            return called_on, threading.current_thread().name

        async with kind.open() as executor:
            called, ran = await executor.submit(begin)
        assert called == ran
        assert called.startswith(WORKER_PREFIX) is kind.threaded

    async def test_it_is_not_called_before_its_turn(self, kind: Kind) -> None:
        called = []

        def begin() -> Awaitable[None]:
            called.append(True)
            return value(None)

        async with kind.open() as executor:
            future = executor.submit(begin)
            if not kind.threaded:
                assert called == []
            await future
            assert called == [True]

    @pytest.mark.parametrize("function", [int, lambda: None, lambda: [double]])
    async def test_one_that_returns_no_awaitable(self, kind: Kind, function: Any) -> None:
        async with kind.open() as executor:
            future = executor.submit(function)
            with pytest.raises(TypeError, match=r"must return an awaitable, got "):
                await future

    async def test_one_that_raises_at_the_call(self, kind: Kind) -> None:
        def refuses() -> Awaitable[None]:
            raise KeyError("at the call")

        async with kind.open() as executor:
            with pytest.raises(KeyError, match="at the call"):
                await executor.submit(refuses)
            with pytest.raises(TypeError, match="missing 1 required positional argument"):
                await executor.submit(double)  # type: ignore[call-overload]
            assert await executor.submit(double, 1) == 2


class TestAwaitables:
    async def test_a_coroutine(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert await executor.submit(double(4)) == 8

    async def test_a_coroutine_runs_where_jobs_run(self, kind: Kind) -> None:
        async def where() -> str:
            return threading.current_thread().name

        async with kind.open() as executor:
            assert (await executor.submit(where())).startswith(WORKER_PREFIX) is kind.threaded

    async def test_futures_and_tasks_of_this_loop(self, kind: Kind) -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(double(2))
        async with kind.open() as executor:
            waiting = executor.submit(future)
            assert await executor.submit(task) == 4
            future.set_result(3)
            assert await waiting == 3

    async def test_a_gather(self, kind: Kind) -> None:
        async with kind.open() as executor:
            # It is a future and a coroutine, too.
            gathered: list[int] = [*await executor.submit(threaded_gather(double(1), double(2)))]
            assert gathered == [2, 4]

    async def test_another_awaitable_is_awaited_on_this_loop(self, kind: Kind) -> None:
        lazy = Lazy()
        async with kind.open() as executor:
            assert await executor.submit(lazy) == "lazy"
        assert lazy.thread is threading.current_thread()

    async def test_a_generator_based_coroutine(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert await executor.submit(generator_based(5)) == 5
            assert await executor.submit(generator_based, 6) == 6

    async def test_one_that_has_run_already(self, kind: Kind) -> None:
        coroutine = double(1)
        await coroutine
        async with kind.open() as executor:
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await executor.submit(coroutine)


class TestResults:
    async def test_it_is_a_future_of_this_loop(self, kind: Kind) -> None:
        async with kind.open() as executor:
            future = executor.submit(double, 1)
            assert isinstance(future, asyncio.Future)
            assert future.get_loop() is asyncio.get_running_loop()
            assert not future.done()
            with pytest.raises(asyncio.InvalidStateError):
                future.result()
            await future
            assert (future.done(), future.cancelled()) == (True, False)
            assert (future.result(), future.exception()) == (2, None)

    async def test_an_exception(self, kind: Kind) -> None:
        error = ValueError("of the job")
        async with kind.open() as executor:
            future = executor.submit(fail, error)
            with pytest.raises(ValueError, match="of the job") as caught:
                await future
            assert caught.value is error is future.exception()
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            assert "fail" in names
            # The worker goes on.
            assert await executor.submit(double, 2) == 4

    async def test_a_base_exception(self, kind: Kind) -> None:
        class OfTheJobError(BaseException):
            pass

        async with kind.open(1) as executor:
            with pytest.raises(OfTheJobError):
                await executor.submit(fail, OfTheJobError())
            assert await executor.submit(double, 2) == 4

    async def test_a_stop_iteration_is_what_it_is_in_any_coroutine(self, kind: Kind) -> None:
        def refuses() -> Awaitable[None]:
            raise StopIteration(5)

        async with kind.open(1) as executor:
            with pytest.raises(RuntimeError, match="coroutine raised StopIteration"):
                await executor.submit(fail, StopIteration(5))
            with pytest.raises(RuntimeError, match="coroutine raised StopIteration"):
                await executor.submit(refuses)
            assert await executor.submit(double, 2) == 4

    async def test_a_job_that_raises_a_cancelled_error(self, kind: Kind) -> None:
        async with kind.open() as executor:
            for future in (
                executor.submit(fail, asyncio.CancelledError("by itself")),
                executor.submit(fail(asyncio.CancelledError("by itself"))),
            ):
                with pytest.raises(asyncio.CancelledError):
                    await future
                assert future.cancelled()

    async def test_callbacks_run_on_this_loop(self, kind: Kind) -> None:
        seen: list[tuple[threading.Thread, bool]] = []
        async with kind.open() as executor:
            future = executor.submit(double, 1)
            future.add_done_callback(
                lambda future: seen.append((threading.current_thread(), future.done()))
            )
            await future
            assert await eventually_async(lambda: seen != [])
        assert seen == [(threading.current_thread(), True)]

    async def test_exceptions_that_nobody_asks_for_are_told(self, kind: Kind) -> None:
        heard: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: heard.append(context["message"]))
        async with kind.open() as executor:
            executor.submit(fail, ValueError("nobody asks"))
        # Of the future, and not of the task inside as well.
        gc.collect()
        assert await eventually_async(lambda: heard != [])
        assert len(heard) == 1
        assert "exception was never retrieved" in heard[0]

    async def test_what_is_done_with_is_let_go(self, kind: Kind) -> None:
        class Argument:
            pass

        async def take(_argument: Argument) -> None:
            await asyncio.sleep(0)

        async with kind.open() as executor:
            argument = Argument()
            dead = weakref.ref(argument)
            future = executor.submit(take, argument)
            del argument
            await future
            assert await eventually_async(lambda: dead() is None)


class TestWithAsyncio:
    async def test_gather(self, kind: Kind) -> None:
        async with kind.open() as executor:
            futures = [executor.submit(double, number) for number in range(10)]
            assert await asyncio.gather(*futures) == [2 * number for number in range(10)]

    async def test_wait_for_the_first(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            held = executor.submit(gate.hold, 1)
            free = executor.submit(double, 1)
            done, pending = await asyncio.wait(
                [held, free], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE
            )
            assert (done, pending) == ({free}, {held})
            gate.open()
            done, pending = await asyncio.wait(pending)
            assert (done, pending) == ({held}, set())

    async def test_wait_for_the_first_exception(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            held = executor.submit(gate.hold, 1)
            failing = executor.submit(fail, ValueError())
            fine = executor.submit(double, 1)
            await fine
            futures: list[asyncio.Future[Any]] = [held, failing, fine]
            done, pending = await asyncio.wait(
                futures, return_when=asyncio.FIRST_EXCEPTION, timeout=PATIENCE
            )
            assert (done, pending) == ({failing, fine}, {held})
            assert isinstance(failing.exception(), ValueError)
            gate.open()

    async def test_wait_with_a_timeout(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            held = executor.submit(gate.hold, 1)
            done, pending = await asyncio.wait([held], timeout=0.01)
            assert not done
            assert pending == {held}
            gate.open()
            assert await held == 1

    async def test_wait_for_what_is_done_already(self, kind: Kind) -> None:
        async with kind.open() as executor:
            futures = [executor.submit(double, number) for number in range(3)]
            await asyncio.wait(futures)
            done, pending = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            assert (done, pending) == (set(futures), set())

    async def test_as_completed(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            futures = [executor.submit(gate.hold, "last"), executor.submit(identity, "first")]
            seen = []
            for coroutine in asyncio.as_completed(futures):
                seen.append(await coroutine)
                gate.open()
            assert seen == ["first", "last"]

    async def test_as_completed_in_time(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            held = executor.submit(gate.hold, 1)
            with pytest.raises(TimeoutError):
                for coroutine in asyncio.as_completed([held], timeout=0.01):
                    await coroutine
            gate.open()

    async def test_shield(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open() as executor:
            held = executor.submit(gate.hold, 1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(held), 0.01)
            assert not held.done()
            gate.open()
            assert await held == 1

    async def test_a_task_of_a_group_awaits_one(self, kind: Kind) -> None:
        async with kind.open() as executor, asyncio.TaskGroup() as group:

            async def wait() -> int:
                return await executor.submit(double, 4)

            tasks = [group.create_task(wait()) for _ in range(5)]
        assert [task.result() for task in tasks] == [8] * 5


class TestInside:
    async def test_the_job_is_a_task(self, kind: Kind) -> None:
        async def look() -> tuple[bool, str]:
            task = me()
            await asyncio.sleep(0)
            return me() is task and task in asyncio.all_tasks(), task.get_name()

        async with kind.open(prefix="mine") as executor:
            is_task, name = await executor.submit(look)
            assert is_task
            assert name.startswith("mine_")
            is_task, name = await executor.submit(look())
            assert is_task
            assert name.startswith("mine_")

    async def test_from_the_first_step_on(self, kind: Kind) -> None:
        async def look() -> bool:
            return asyncio.current_task() is not None

        mine = asyncio.current_task()
        async with kind.open() as executor:
            assert await executor.submit(look)
        assert asyncio.current_task() is mine

    async def test_timeouts(self, kind: Kind) -> None:
        async def late() -> str:
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(PATIENCE)
            except TimeoutError:
                return "late"
            return "in time"

        async def at_once() -> str:
            try:
                async with asyncio.timeout(0):
                    await asyncio.sleep(PATIENCE)
            except TimeoutError:
                return "late"
            return "in time"

        async with kind.open() as executor:
            assert await executor.submit(late) == "late"
            # In the first step the job is a task, too.
            assert await executor.submit(at_once) == "late"

    async def test_groups_and_gathers(self, kind: Kind) -> None:
        async def work() -> list[int]:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(double(1))
            return [task.result(), *await asyncio.gather(double(2), double(3))]

        async with kind.open() as executor:
            assert await executor.submit(work) == [2, 4, 6]

    async def test_an_executor_of_its_own(self, kind: Kind) -> None:
        async def work(number: int) -> list[int]:
            async with TaskPoolExecutor(2) as inner:
                return [each async for each in inner.map(double, range(number))]

        async with kind.open() as executor:
            results = [each async for each in executor.map(work, range(6))]
        assert results == [[2 * each for each in range(number)] for number in range(6)]


class TestContexts:
    async def test_the_submitters_is_seen(self, kind: Kind) -> None:
        async def look() -> str:
            before = variable.get()
            await asyncio.sleep(0)
            assert variable.get() == before
            return before

        variable.set("then")
        async with kind.open(1) as executor:
            futures = [executor.submit(look), executor.submit(look())]
            variable.set("later")
            futures.append(executor.submit(look))
            assert await asyncio.gather(*futures) == ["then", "then", "later"]

    async def test_what_a_job_sets_is_its_own(self, kind: Kind) -> None:
        async def change(to: str) -> str:
            before = variable.get()
            variable.set(to)
            await asyncio.sleep(0)
            assert variable.get() == to
            return before

        variable.set("mine")
        async with kind.open(1) as executor:
            futures = [executor.submit(change, str(number)) for number in range(5)]
            assert await asyncio.gather(*futures) == ["mine"] * 5
        assert variable.get() == "mine"

    async def test_a_plain_function_sees_it(self, kind: Kind) -> None:
        def begin() -> Awaitable[str]:
            return value(variable.get())

        variable.set("mine")
        async with kind.open() as executor:
            assert await executor.submit(begin) == "mine"


class TestJobsThatSubmitJobs:
    async def test_on_the_same_loop(self) -> None:
        async with TaskPoolExecutor(2) as executor:

            async def factorial(number: int) -> int:
                if number < 2:
                    return 1
                return number * await executor.submit(identity, number - 1)

            assert await executor.submit(factorial, 5) == 20

    async def test_without_waiting_with_one_worker(self) -> None:
        async with TaskPoolExecutor(1) as executor:
            order: list[int] = []

            async def chain(number: int) -> asyncio.Future[Any] | None:
                order.append(number)
                return executor.submit(chain, number + 1) if number < 50 else None

            future: Any = executor.submit(chain, 0)
            while future is not None:
                future = await future
            assert order == [*range(51)]

    async def test_in_the_first_step_of_the_last_job_of_a_block(self) -> None:
        ran = []
        async with TaskPoolExecutor(1) as executor:

            async def last() -> None:
                with pytest.raises(RuntimeError, match="after shutdown"):
                    executor.submit(double, 1)
                ran.append(True)

            executor.submit(last)
        assert ran == [True]

    async def test_on_another_loop_they_are_refused(self, threaded_kind: Kind) -> None:
        async with threaded_kind.open() as executor:

            async def more() -> None:
                executor.submit(double(1))

            with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                await executor.submit(more)
            assert await executor.submit(double, 1) == 2
