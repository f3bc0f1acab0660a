"""Where blocking code runs: the executor that is named, the loop's own, or the pool."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import flavours
import pytest
from support import BLOCKING_PREFIX, PATIENCE, Signal, eventually_async, python

from thrasks import (
    CallbackThreadedAsyncIterator,
    ThreadedAsyncGenerator,
    ThreadedAsyncIterator,
    call,
    generate,
    iterate,
    iterate_callback,
    single_callback,
    threaded,
    threaded_iterable,
    threaded_separate,
)

from .support import Source


def thread_name() -> str:
    return threading.current_thread().name


def names() -> Generator[str, Any, None]:
    yield thread_name()
    yield thread_name()


def call_with_name(callback: Callable[[str], None]) -> None:
    callback(thread_name())


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as executor:
        yield executor


class Inline(Executor):
    """Runs jobs where it is given them."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class TestNamed:
    async def test_everything_honours_it(self, pool: ThreadPoolExecutor) -> None:
        used = [
            await call(thread_name, pool)(),
            await call(thread_name, executor=pool)(),
            await call(executor=pool)(thread_name)(),
            *[name async for name in iterate(names, pool)()],
            *[name async for name in iterate(names(), pool)],
            *[name async for name in iterate(executor=pool)(names)()],
            *[name async for name in generate(names, pool)()],
            *[name async for name in generate(names(), pool)],
            *[name async for name in iterate_callback(call_with_name, pool)()],
            await single_callback(call_with_name, pool)(),
            *[name async for name in ThreadedAsyncIterator(names(), None, pool)],
            *[name async for name in ThreadedAsyncGenerator(names(), executor=pool)],
            *[name async for name in CallbackThreadedAsyncIterator[str](call_with_name, pool)],
        ]
        assert {name.partition("_")[0] for name in used} == {"mine"}
        assert len(used) == 20

    async def test_it_bounds_how_many_run(self, pool: ThreadPoolExecutor) -> None:
        gate, entered = Signal(), []

        def hold(number: int) -> None:
            entered.append(number)
            gate.block()

        calls = [asyncio.ensure_future(call(hold, pool)(i)) for i in range(5)]
        assert await eventually_async(lambda: len(entered) == 2)
        # The process's pool is not concerned.
        assert await threaded(int)() == 0
        assert len(entered) == 2
        gate.set()
        await asyncio.gather(*calls)
        assert sorted(entered) == [*range(5)]

    async def test_a_queued_call_that_is_cancelled_never_runs(
        self, pool: ThreadPoolExecutor
    ) -> None:
        gate, entered = Signal(), []
        ran: list[int] = []

        def hold() -> None:
            entered.append(1)
            gate.block()

        calls = [asyncio.ensure_future(call(hold, pool)()) for _ in range(2)]
        assert await eventually_async(lambda: len(entered) == 2)
        waiting = asyncio.ensure_future(call(ran.append, pool)(1))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
        await asyncio.gather(*calls)
        await call(int, pool)()
        await call(int, pool)()
        assert ran == []

    async def test_a_stream_is_left_early_there_too(self, pool: ThreadPoolExecutor) -> None:
        for _ in range(5):
            source = Source()
            async with iterate(source.generator, pool, buffer_maxsize=2)() as stream:
                assert await anext(stream) == 0
            await source.has_ended_where_it_began()

    async def test_one_that_is_shut_down_refuses(self) -> None:
        executor = ThreadPoolExecutor(1)
        executor.shutdown()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await call(thread_name, executor)()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await anext(iterate(names, executor)())
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await anext(generate(names, executor)())
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await single_callback(call_with_name, executor)()

    async def test_one_that_drops_what_is_queued_cancels_it(self) -> None:
        executor = ThreadPoolExecutor(1)
        gate, inside = Signal(), Signal()

        def hold() -> None:
            inside.set()
            gate.block()

        holding = asyncio.ensure_future(call(hold, executor)())
        await asyncio.wait_for(inside.wait(), PATIENCE)
        waiting = asyncio.ensure_future(call(int, executor)())
        stream = iterate(names, executor)()
        item = asyncio.ensure_future(anext(stream))
        gen = generate(names, executor)()
        step = asyncio.ensure_future(anext(gen))
        await asyncio.sleep(0)
        executor.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(waiting), PATIENCE)
        for future in (item, step):
            with pytest.raises(RuntimeError, match="did not begin: its threads were shut down"):
                await asyncio.wait_for(future, PATIENCE)
        gate.set()
        await holding
        await stream.aclose()
        await gen.aclose()

    async def test_one_that_runs_things_at_once_serves_calls(self) -> None:
        assert await call(thread_name, Inline())() == thread_name()
        assert await single_callback(call_with_name, Inline())() == thread_name()

    async def test_and_is_refused_for_what_would_wait_for_its_own_loop(self) -> None:
        with pytest.raises(RuntimeError, match="needs an executor with threads of its own"):
            await anext(iterate(names, Inline(), buffer_maxsize=1)())
        with pytest.raises(RuntimeError, match="needs an executor with threads of its own"):
            await anext(generate(names, Inline())())

    async def test_one_that_raises_after_all_has_its_error_told(self) -> None:
        class Failing(Executor):
            def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
                raise KeyError("of the executor")

        with pytest.raises(KeyError, match="of the executor"):
            await call(int, Failing())()
        with pytest.raises(KeyError, match="of the executor"):
            await anext(iterate(names, Failing())())
        with pytest.raises(KeyError, match="of the executor"):
            await anext(generate(names, Failing())())


class TestElsewhere:
    @pytest.mark.process
    def test_calls_go_to_other_processes(self) -> None:
        # Which leave descriptors behind in this one.
        done = python(
            """
            import asyncio, os
            from concurrent.futures import ProcessPoolExecutor
            import multiprocessing
            from thrasks import call

            async def main():
                context = multiprocessing.get_context("spawn")
                with ProcessPoolExecutor(1, context) as executor:
                    assert await call(os.getpid, executor)() != os.getpid()
                    try:
                        await call(divmod, executor)(1, 0)
                    except ZeroDivisionError:
                        print("raised")

            if __name__ == "__main__":
                asyncio.run(main())
            """
        )
        assert (done.stdout, done.stderr) == ("raised\n", "")

    @pytest.mark.process
    def test_what_needs_threads_is_refused(self) -> None:
        done = python(
            """
            from concurrent.futures import ProcessPoolExecutor
            from thrasks import generate, iterate, iterate_callback, single_callback
            executor = ProcessPoolExecutor(1)
            for make in (iterate, generate, iterate_callback, single_callback):
                try:
                    make(print, executor)
                except TypeError as error:
                    assert "workers are threads of this interpreter" in str(error)
                    print("refused")
            executor.shutdown()
            """
        )
        assert (done.stdout, done.stderr) == ("refused\n" * 4, "")

    @pytest.mark.skipif(sys.version_info < (3, 14), reason="new in 3.14")
    async def test_other_interpreters_likewise(self) -> None:
        from concurrent.futures import InterpreterPoolExecutor  # type: ignore[attr-defined,unused-ignore]

        executor = InterpreterPoolExecutor(1)
        try:
            with pytest.raises(TypeError, match="workers are threads of this interpreter"):
                iterate(names, executor)
        finally:
            executor.shutdown()


class TestTheLoops:
    @pytest.mark.not_in("uvloop", reason="it does not tell what its executor is")
    async def test_that_a_loop_was_given_is_used(self) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="given") as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            used = [
                await threaded(thread_name)(),
                await call(thread_name)(),
                await single_callback(call_with_name)(),
                *[name async for name in threaded_iterable(names)()],
                *[name async for name in iterate(names)()],
                *[name async for name in generate(names)()],
            ]
            assert {name.partition("_")[0] for name in used} == {"given"}
            # These ask for a thread of their own.
            assert (await threaded_separate(thread_name)()).startswith("thrasks-separate-")

    async def test_that_it_makes_itself_is_not(self) -> None:
        assert not (await asyncio.to_thread(thread_name)).startswith(BLOCKING_PREFIX)
        assert (await threaded(thread_name)()).startswith(BLOCKING_PREFIX)

    async def test_after_it_was_shut_down_calls_still_run(self) -> None:
        await asyncio.to_thread(int)
        await asyncio.get_running_loop().shutdown_default_executor()
        assert (await threaded(thread_name)()).startswith(BLOCKING_PREFIX)


class TestContexts:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def test_a_call_sees_its_callers(self) -> None:
        self.variable.set("of the caller")
        for function in (
            threaded(self.variable.get),
            threaded_separate(self.variable.get),
            call(self.variable.get),
        ):
            assert await function() == "of the caller"

    async def test_in_an_executor_too(self, pool: ThreadPoolExecutor) -> None:
        self.variable.set("of the caller")
        assert await call(self.variable.get, pool)() == "of the caller"

    async def test_at_the_time_of_the_call(self) -> None:
        self.variable.set("then")
        future = threaded(self.variable.get)()
        self.variable.set("later")
        assert await future == "then"

    async def test_what_it_sets_is_not_seen_outside(self) -> None:
        self.variable.set("before")
        await threaded(self.variable.set)("inside")
        assert self.variable.get() == "before"
        # Nor by the next call on the same thread.
        assert await threaded(self.variable.get)() == "before"

    async def test_two_tasks_have_two(self) -> None:
        async def one(name: str) -> str:
            self.variable.set(name)
            await asyncio.sleep(0)
            return await threaded(self.variable.get)()

        assert await asyncio.gather(*map(one, "abc")) == ["a", "b", "c"]

    async def test_a_streams_is_that_of_where_it_was_made(self) -> None:
        def numbers() -> Generator[str, Any, None]:
            yield self.variable.get()
            self.variable.set("of the generator")
            yield self.variable.get()

        def back(callback: Callable[[str], None]) -> None:
            callback(self.variable.get())
            self.variable.set("of the function")
            callback(self.variable.get())

        self.variable.set("made")
        streams: list[Any] = [
            threaded_iterable(numbers)(),
            threaded_separate(numbers)(),
            iterate(numbers)(),
            iterate(numbers()),
            generate(numbers)(),
        ]
        backs = iterate_callback(back)()
        self.variable.set("iterated over")
        for stream in streams:
            assert [item async for item in stream] == ["made", "of the generator"]
        assert [item async for item in backs] == ["made", "of the function"]
        assert self.variable.get() == "iterated over"

    async def test_a_generator_keeps_it_over_all_steps(self) -> None:
        def numbers() -> Generator[str, str, None]:
            while True:
                value = yield self.variable.get()
                self.variable.set(value)

        async with generate(numbers)() as gen:
            assert await anext(gen) == "unset"
            self.variable.set("of the caller")
            assert await gen.asend("one") == "one"
            assert await anext(gen) is None


def test_the_flavour_is_what_it_is_said_to_be() -> None:
    # A suite that runs on another loop than it thinks it does shows nothing.
    from .support import new_loop

    loop = new_loop()
    try:
        assert type(loop).__module__.startswith("uvloop") is ("uvloop" in flavours.chosen)
    finally:
        loop.close()
