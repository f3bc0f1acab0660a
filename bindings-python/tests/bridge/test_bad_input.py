"""What cannot be done is refused at the call, with an error that says what to write."""

# What a type checker would refuse is what this is about.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

import thrasks
from thrasks import (
    FromThreadChannel,
    Threaded,
    ThreadedSeparate,
    call,
    generate,
    iterate,
    iterate_callback,
    single_callback,
    sync_await,
    sync_wait_coroutine,
    threaded,
    threaded_iterable,
    threaded_iterable_separate,
    threaded_separate,
    wait_coroutine,
)

DECORATORS: dict[str, Any] = {
    decorate.__name__: decorate
    for decorate in (
        threaded,
        threaded_separate,
        threaded_iterable,
        threaded_iterable_separate,
        call,
        iterate,
        generate,
        iterate_callback,
        single_callback,
    )
}
CLASSES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Threaded,
        ThreadedSeparate,
        thrasks.ThreadedIterable,
        thrasks.ThreadedIterableSeparate,
        thrasks.CallbackThreadedAsyncIterator,
    )
}


async def coroutine_function() -> None:
    pass


async def generator_function() -> AsyncIterator[int]:
    yield 1


class WithAsyncCall:
    async def __call__(self) -> None:
        pass


class WithMethods:
    async def method(self) -> None:
        pass

    @staticmethod
    async def static() -> None:
        pass


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("what", [*DECORATORS, *CLASSES])
class TestFunctions:
    @pytest.mark.parametrize(
        "function",
        [
            coroutine_function,
            generator_function,
            WithAsyncCall(),
            WithMethods().method,
            WithMethods.__dict__["static"],
            partial(coroutine_function),
        ],
        ids=lambda function: getattr(function, "__name__", type(function).__name__),
    )
    def test_asynchronous_ones_are_refused(self, what: str, function: Any) -> None:
        with pytest.raises(TypeError, match="is for functions that block, got the asynchronous"):
            {**DECORATORS, **CLASSES}[what](function)

    @pytest.mark.parametrize("function", [42, "name", pytest.param(object(), id="object")])
    def test_what_is_none_is_refused(self, what: str, function: Any) -> None:
        if what == "iterate" and function == "name":
            pytest.skip("it is an iterable")
        with pytest.raises(TypeError, match=r"needs a .*, got"):
            {**DECORATORS, **CLASSES}[what](function)

    def test_a_coroutine_is_closed(self, what: str) -> None:
        coro = coroutine_function()
        with pytest.raises(TypeError, match="await it, it needs no thread"):
            {**DECORATORS, **CLASSES}[what](coro)
        assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


class TestSizes:
    @pytest.mark.parametrize("size", [-1, -1024])
    def test_negative_ones_are_refused(self, size: int) -> None:
        for make in self.makers("max_size"):
            with pytest.raises(
                ValueError, match=f"max_size must be at least 1, or 0 .*, got {size}"
            ):
                make(size)
        for make in self.makers("buffer_maxsize"):
            with pytest.raises(ValueError, match=f"buffer_maxsize must be .*, got {size}"):
                make(size)
        with pytest.raises(ValueError, match=f"maxsize must be at least 1, or 0 .*, got {size}"):
            FromThreadChannel(size)

    @pytest.mark.parametrize("size", [1.5, "3", True, [1]], ids=repr)
    def test_what_is_no_int_is_refused(self, size: Any) -> None:
        for make in (*self.makers("max_size"), *self.makers("buffer_maxsize"), FromThreadChannel):
            with pytest.raises(TypeError, match="must be an int, got"):
                make(size)

    def makers(self, name: str) -> list[Callable[[Any], Any]]:
        if name == "max_size":
            return [
                lambda size: threaded_iterable(max_size=size),
                lambda size: threaded_iterable(numbers, max_size=size),
                lambda size: threaded_iterable_separate(max_size=size),
                lambda size: threaded_iterable_separate(numbers, max_size=size),
                lambda size: thrasks.ThreadedIterable(numbers, size),
            ]
        return [
            lambda size: iterate(buffer_maxsize=size),
            lambda size: iterate(numbers, buffer_maxsize=size),
            lambda size: iterate(numbers(), buffer_maxsize=size),
            lambda size: generate(buffer_maxsize=size),
            lambda size: generate(numbers, buffer_maxsize=size),
            lambda size: generate(numbers(), buffer_maxsize=size),
            lambda size: thrasks.ThreadedAsyncIterator(numbers(), size),
            lambda size: thrasks.ThreadedAsyncGenerator(numbers(), size),
        ]

    async def test_large_ones_cost_nothing(self) -> None:
        stream = threaded_iterable(numbers, max_size=2**40)()
        assert [item async for item in stream] == [1]
        channel = FromThreadChannel[int](maxsize=2**40)
        channel.put(1)
        assert await channel == 1


class TestExecutors:
    @pytest.mark.parametrize(
        "what", ["call", "iterate", "generate", "iterate_callback", "single_callback"]
    )
    @pytest.mark.parametrize("executor", [42, "pool", ThreadPoolExecutor], ids=repr)
    def test_what_is_none_is_refused(self, what: str, executor: Any) -> None:
        for arguments in ((numbers, executor), (None, executor)):
            with pytest.raises(
                TypeError, match=r"executor must be a concurrent\.futures\.Executor"
            ):
                DECORATORS[what](*arguments)


class TestIterables:
    @pytest.mark.parametrize("what", [42, None, pytest.param(object(), id="object")])
    def test_what_is_none_is_refused(self, what: Any) -> None:
        with pytest.raises(TypeError, match="an iterator or another iterable is needed, got"):
            thrasks.ThreadedAsyncIterator(what)
        with pytest.raises(
            TypeError, match=r"a generator is needed, got .*iterate\(\) takes other"
        ):
            thrasks.ThreadedAsyncGenerator(what)

    def test_an_iterator_is_no_generator(self) -> None:
        with pytest.raises(TypeError, match="generate needs a generator function or a generator"):
            generate(iter([1]))
        with pytest.raises(TypeError, match=r"iterate\(\) takes other iterators"):
            thrasks.ThreadedAsyncGenerator(iter([1]))

    async def test_lists_and_their_like_are_iterated_over(self) -> None:
        for iterable in ([1, 2], (1, 2), range(1, 3), {1: 0, 2: 0}, iter([1, 2]), map(int, "12")):
            assert [item async for item in iterate(iterable)] == [1, 2]

    async def test_an_asynchronous_iterable_is_refused(self) -> None:
        with pytest.raises(TypeError):
            iterate(generator_function())

    async def test_a_function_that_returns_no_generator_is_an_error_at_the_first_step(self) -> None:
        gen = generate(lambda: 42)()
        with pytest.raises((TypeError, AttributeError), match=r"generator|send"):
            await anext(gen)


class TestOutsideOfALoop:
    def test_calls_are_refused_at_once(self) -> None:
        for make in (threaded, threaded_separate):
            with pytest.raises(RuntimeError, match=r"no running event loop.*asyncio\.run"):
                make(int)()
            with pytest.raises(RuntimeError, match="no running event loop"):
                make(int).async_call()

    def test_coroutine_functions_when_they_are_awaited(self) -> None:
        # As any coroutine function they may be called anywhere.
        for make in (call, single_callback):
            coro = make(int)()
            with pytest.raises(RuntimeError, match="no running event loop"):
                coro.send(None)

    def test_streams_when_an_item_is_asked_for(self) -> None:
        for make in (threaded_iterable, iterate, generate, threaded):
            stream = make(numbers)()
            asked = stream.__anext__().__await__()
            with pytest.raises(RuntimeError, match="no running event loop"):
                next(asked)

    async def test_what_was_refused_there_goes_here(self) -> None:
        stream = iterate(numbers)()
        assert [item async for item in stream] == [1]


class TestArguments:
    async def test_wrong_ones_are_the_functions_error(self) -> None:
        def two(left: int, right: int) -> int:
            return left + right

        with pytest.raises(TypeError, match="missing 1 required positional argument: 'right'"):
            await threaded(two)(1)
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'right'"):
            await call(two)(1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
            await threaded(two)(1, 2, wrong=3)

    @pytest.mark.parametrize("timeout", ["1", None, True], ids=repr)
    async def test_timeouts_are_numbers(self, timeout: Any) -> None:
        with pytest.raises(TypeError, match="timeout must be a number of seconds, got"):
            FromThreadChannel(timeout=timeout)
        if timeout is not None:
            with pytest.raises(TypeError, match="timeout must be a number of seconds, got"):
                await FromThreadChannel[int]().get(timeout)

    @pytest.mark.parametrize("timeout", [-1, -0.5, float("nan")])
    async def test_of_at_least_zero(self, timeout: float) -> None:
        with pytest.raises(ValueError, match="timeout must be at least 0, got"):
            FromThreadChannel(timeout=timeout)
        with pytest.raises(ValueError, match="timeout must be at least 0, got"):
            await FromThreadChannel[int]().get(timeout)


class TestWaiting:
    async def test_for_what_is_no_coroutine(self) -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TypeError, match="a coroutine was expected, got 42"):
            wait_coroutine(42, loop)
        with pytest.raises(TypeError, match="pass the function to sync_await"):
            wait_coroutine(coroutine_function, loop)

    async def test_for_what_is_no_function(self) -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TypeError, match="an async function was expected, got 42"):
            sync_wait_coroutine(loop, 42)
        coro: Any = coroutine_function()
        with pytest.raises(TypeError, match="pass it to wait_coroutine, or the function without"):
            sync_await(coro)
        assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED

    async def test_for_what_returns_no_awaitable(self) -> None:
        with pytest.raises(TypeError, match=r"await|async"):
            await threaded(lambda: sync_await(int))()

    async def test_on_what_is_no_loop(self) -> None:
        def wait() -> None:
            sync_wait_coroutine(42, coroutine_function)

        with pytest.raises((TypeError, AttributeError)):
            await threaded(wait)()
