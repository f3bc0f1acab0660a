"""Generators on threads, driven step by step: what is sent and thrown reaches them there."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Generator
from typing import Any

import pytest
from support import PATIENCE, Blocking, Signal, eventually_async, no_gc, reports

from thrasks import ThreadedAsyncGenerator, generate, threaded

from .support import CAP, Source, nothing_runs

Numbers = Generator[int, int, None]


class Log:
    """What a generator was given, and on which threads it ran."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.threads: set[threading.Thread] = set()
        self.ended = Signal()

    def __call__(self) -> Generator[Any, Any, str]:
        reply: Any = "first"
        value: Any = None
        try:
            while True:
                self.threads.add(threading.current_thread())
                try:
                    value = yield reply
                    self.got.append(value)
                    reply = ("sent", value)
                except ValueError as error:
                    self.got.append(error)
                    reply = ("thrown", str(error))
                if value == "stop":
                    return "result"
        finally:
            self.threads.add(threading.current_thread())
            self.ended.set()


class TestSteps:
    async def test_values_are_sent(self) -> None:
        log = Log()
        async with generate(log)() as gen:
            assert await anext(gen) == "first"
            assert await gen.asend(1) == ("sent", 1)
            assert await anext(gen) == ("sent", None)
            assert await gen.asend("x") == ("sent", "x")
        assert log.got == [1, None, "x"]

    async def test_exceptions_are_thrown(self) -> None:
        log = Log()
        async with generate(log)() as gen:
            await anext(gen)
            await gen.asend(1)
            assert await gen.athrow(ValueError("one")) == ("thrown", "one")
            assert await gen.athrow(ValueError) == ("thrown", "")
            assert await gen.athrow(ValueError, "three") == ("thrown", "three")
            with pytest.raises(KeyError, match="not caught"):
                await gen.athrow(KeyError("not caught"))
            # By that it has ended.
            with pytest.raises(StopAsyncIteration):
                await anext(gen)
            assert log.ended.is_set()

    async def test_it_has_one_thread_from_its_first_step_to_its_last(self) -> None:
        log = Log()
        gen = generate(log)()
        await anext(gen)
        for i in range(50):
            await gen.asend(i)
            await threaded(int)()
        await gen.aclose()
        [thread] = log.threads
        assert thread is not threading.current_thread()

    async def test_it_ends(self) -> None:
        log = Log()
        gen = generate(log)()
        await anext(gen)
        with pytest.raises(StopAsyncIteration):
            await gen.asend("stop")
        for step in (gen.__anext__, lambda: gen.asend(1), lambda: gen.athrow(ValueError())):
            with pytest.raises(StopAsyncIteration):
                await step()
        await gen.aclose()
        assert "ended" in repr(gen)
        assert gen.closed

    async def test_it_is_iterated_over(self) -> None:
        assert [i async for i in generate(Source(stop=100).generator)()] == [*range(100)]

    async def test_it_does_not_run_ahead(self) -> None:
        source = Source()
        gen: Any = generate(source)()
        for i in range(5):
            assert await anext(gen) == i
            for _ in range(3):
                await threaded(int)()
            assert source.made == i + 1
        await gen.aclose()
        await source.has_ended_where_it_began()

    async def test_nothing_runs_before_the_first_step(self) -> None:
        source = Source()
        gen: Any = generate(source)()
        assert "not started" in repr(gen)
        await gen.aclose()
        assert not source.began.is_set()
        with pytest.raises(StopAsyncIteration):
            await anext(gen)

    async def test_a_generator_object_is_taken_too(self) -> None:
        gen = generate(Log()())
        assert isinstance(gen, ThreadedAsyncGenerator)
        assert await anext(gen) == "first"
        assert await gen.asend(2) == ("sent", 2)
        await gen.aclose()

    async def test_a_value_for_one_that_has_not_begun_is_refused_as_by_itself(self) -> None:
        log = Log()
        gen = generate(log)()
        with pytest.raises(TypeError, match="can't send non-None value to a just-started"):
            await gen.asend(1)
        # That has not ended it.
        assert await anext(gen) == "first"
        await gen.aclose()

    async def test_an_exception_for_one_that_has_not_begun_ends_it(self) -> None:
        log = Log()
        gen = generate(log)()
        with pytest.raises(ValueError, match="at once"):
            await gen.athrow(ValueError("at once"))
        with pytest.raises(StopAsyncIteration):
            await anext(gen)
        assert not log.ended.is_set()

    async def test_what_it_raises_is_raised(self) -> None:
        error = ZeroDivisionError("of the generator")

        def numbers() -> Numbers:
            yield 1
            raise error

        gen = generate(numbers)()
        assert await anext(gen) == 1
        with pytest.raises(ZeroDivisionError) as caught:
            await anext(gen)
        assert caught.value is error
        with pytest.raises(StopAsyncIteration):
            await anext(gen)

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    async def test_what_would_end_it_is_wrapped(self, kind: type[Exception]) -> None:
        def numbers() -> Numbers:
            yield 1
            raise kind

        gen = generate(numbers)()
        assert await anext(gen) == 1
        with pytest.raises(RuntimeError, match=f"raised {kind.__name__}"):
            await anext(gen)
        with pytest.raises(StopAsyncIteration):
            await anext(gen)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((1,), "exceptions must be classes or instances deriving from BaseException, got 1"),
            ((int,), "exceptions must be classes or instances"),
            ((ValueError(), 1), "instance exception may not have a separate value"),
        ],
    )
    async def test_what_is_no_exception_is_not_thrown(
        self, arguments: tuple[Any, ...], message: str
    ) -> None:
        async with generate(Log())() as gen:
            await anext(gen)
            with pytest.raises(TypeError, match=message):
                await gen.athrow(*arguments)
            assert await gen.asend(1) == ("sent", 1)

    async def test_many_at_once_need_no_threads_while_they_are_suspended(self) -> None:
        gens = [generate(Log())() for _ in range(4 * CAP)]
        for gen in gens:
            assert await anext(gen) == "first"
        assert await asyncio.gather(*(gen.asend(i) for i, gen in enumerate(gens))) == [
            ("sent", i) for i in range(4 * CAP)
        ]
        await asyncio.gather(*(gen.aclose() for gen in gens))


class TestClosing:
    async def test_runs_its_finally_on_its_thread(self) -> None:
        before = Blocking.now()
        log = Log()
        gen = generate(log)()
        await anext(gen)
        await gen.aclose()
        assert log.ended.is_set()
        assert len(log.threads) == 1
        await gen.aclose()
        with pytest.raises(StopAsyncIteration):
            await gen.asend(1)
        await nothing_runs(before)

    async def test_of_one_that_yields_in_spite_of_it_is_an_error(self) -> None:
        def stubborn() -> Numbers:
            while True:
                try:
                    yield 1
                except GeneratorExit:
                    yield 2
                    return

        gen = generate(stubborn)()
        await anext(gen)
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            await gen.aclose()

    async def test_raises_what_its_finally_raises(self) -> None:
        def failing() -> Numbers:
            try:
                yield 1
            finally:
                raise ValueError("of the finally")

        gen = generate(failing)()
        await anext(gen)
        with pytest.raises(ValueError, match="of the finally"):
            await gen.aclose()
        with reports() as reported:
            gen = generate(failing)()
            await anext(gen)
            del gen
            assert await eventually_async(lambda: bool(reported))
        assert "failing was being closed" in reported[0]["message"]

    async def test_by_dropping_it(self) -> None:
        log = Log()
        with no_gc():
            gen = generate(log)()
            await anext(gen)
            dead = weakref.ref(gen)
            del gen
            assert dead() is None
            await asyncio.wait_for(log.ended.wait(), PATIENCE)
        assert len(log.threads) == 1

    async def test_while_a_step_is_under_way_waits_for_that(self) -> None:
        gate, inside = Signal(), Signal()
        ended = Signal()

        def slow() -> Numbers:
            try:
                inside.set()
                gate.block()
                yield 1
            finally:
                ended.set()

        gen = generate(slow)()
        step = asyncio.ensure_future(anext(gen))
        await asyncio.wait_for(inside.wait(), PATIENCE)
        with pytest.raises(RuntimeError, match=r"aclose.*already running"):
            await gen.aclose()
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        closing = asyncio.create_task(gen.aclose())
        await threaded(int)()
        assert not closing.done()
        gate.set()
        await closing
        assert ended.is_set()

    async def test_on_another_thread_ends_a_step_that_is_awaited(self) -> None:
        gate, inside = Signal(), Signal()

        def slow() -> Numbers:
            inside.set()
            gate.block()
            yield 1

        gen = generate(slow)()
        step = asyncio.ensure_future(anext(gen, "end"))
        await asyncio.wait_for(inside.wait(), PATIENCE)
        await threaded(gen.close)()
        assert await asyncio.wait_for(step, PATIENCE) == "end"
        gate.set()
        await gen.aclose()

    async def test_at_any_moment_on_another_thread_leaves_nobody_waiting(self) -> None:
        for turn in range(300):
            gen = generate(Source().generator)()
            started = threading.Event()

            def close(gen: Any = gen, started: threading.Event = started, turn: int = turn) -> None:
                started.wait(PATIENCE)
                for _ in range(turn):
                    pass
                gen.close()

            closer = threading.Thread(target=close)
            closer.start()
            started.set()
            async with asyncio.timeout(PATIENCE):
                async for _ in gen:
                    pass
                await gen.aclose()
            closer.join()
            assert gen.closed


class TestGivenUpSteps:
    async def test_the_next_anext_has_the_outcome(self) -> None:
        gates = [Signal() for _ in range(5)]

        def slow() -> Numbers:
            for number, gate in enumerate(gates):
                gate.block()
                yield number

        gen = generate(slow)()
        for number, gate in enumerate(gates):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(gen), 0.005)
            gate.set()
            assert await anext(gen) == number
        assert await anext(gen, "end") == "end"

    async def test_a_send_drops_it(self) -> None:
        gate, inside = Signal(), Signal()

        def echo() -> Generator[Any, Any, None]:
            inside.set()
            gate.block()
            value = yield "first"
            while True:
                value = yield value

        gen = generate(echo)()
        step = asyncio.ensure_future(anext(gen))
        await asyncio.wait_for(inside.wait(), PATIENCE)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        gate.set()
        assert await gen.asend("sent") == "sent"
        await gen.aclose()

    async def test_two_tasks_at_once_are_refused(self) -> None:
        gate, inside = Signal(), Signal()

        def slow() -> Numbers:
            inside.set()
            gate.block()
            yield 1

        gen = generate(slow)()
        first = asyncio.ensure_future(anext(gen))
        await asyncio.wait_for(inside.wait(), PATIENCE)
        steps: list[tuple[Callable[[], Any], str]] = [
            (lambda: gen.__anext__(), "__anext__"),
            (lambda: gen.asend(1), "asend"),
            (lambda: gen.athrow(ValueError()), "athrow"),
        ]
        for step, name in steps:
            with pytest.raises(RuntimeError, match=rf"{name}.*already running: another task"):
                await step()
        gate.set()
        assert await first == 1
        await gen.aclose()


async def test_a_step_stuck_in_the_system_delays_only_itself() -> None:
    gate = Signal()

    def slow() -> Numbers:
        gate.block()
        yield 1

    gen = generate(slow)()
    step = asyncio.ensure_future(anext(gen))
    other = generate(Source(stop=5).generator)()
    assert [i async for i in other] == [*range(5)]
    gate.set()
    assert await step == 1
    await gen.aclose()


async def test_it_is_an_asynchronous_generator_to_who_asks() -> None:
    from collections.abc import AsyncGenerator
    from contextlib import aclosing

    log = Log()
    gen = generate(log)()
    assert isinstance(gen, AsyncGenerator)
    async with aclosing(gen) as same:
        async for item in same:
            assert item == "first"
            break
    assert log.ended.is_set()
