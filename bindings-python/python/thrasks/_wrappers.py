"""Blocking functions, iterators, generators and callbacks, turned into their asynchronous kin."""

from __future__ import annotations

__all__ = ["call", "generate", "iterate", "iterate_callback", "single_callback"]

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, overload

from ._places import (
    check_executor,
    check_function,
    check_place,
    check_size,
    is_elsewhere,
    name_of,
)
from ._streams import (
    CallbackThreadedAsyncIterator,
    ThreadedAsyncGenerator,
    ThreadedAsyncIterator,
)
from ._thrasks import start_call, start_once

P = ParamSpec("P")
T = TypeVar("T")
SendT = TypeVar("SendT")


@overload
def call(
    fn: Callable[P, T], executor: Executor | None = None
) -> Callable[P, Coroutine[Any, Any, T]]: ...
@overload
def call(
    fn: None = None, executor: Executor | None = None
) -> Callable[[Callable[P, T]], Callable[P, Coroutine[Any, Any, T]]]: ...
def call(fn: Any = None, executor: Executor | None = None) -> Any:
    """Turn a function that blocks into a coroutine function, which calls it on a thread.

    ::

        aread = call(path.read_text)
        text = await aread(encoding="utf-8")


        @call(executor=my_executor)
        def read(path: str) -> str: ...

    Args:
        fn: The function. Without it, a decorator is returned.
        executor: Where it is called, in place of a thread of the process's pool. In an executor of
            other processes or interpreters it does not see the caller's context.

    Raises:
        TypeError: An argument is of the wrong type.
    """
    check_executor(executor)
    if fn is None:
        return partial(call, executor=executor)
    check_function("call", fn)
    if executor is not None and is_elsewhere(executor):

        @wraps(fn)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(executor, partial(fn, *args, **kwargs))
    else:

        @wraps(fn)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            return await start_call(executor, fn, args, kwargs)

    return acall


@overload
def iterate(
    fn: Callable[P, Iterator[T]],
    executor: Executor | None = None,
    *,
    buffer_maxsize: int | None = None,
) -> Callable[P, ThreadedAsyncIterator[T]]: ...
@overload
def iterate(
    fn: Iterable[T],
    executor: Executor | None = None,
    *,
    buffer_maxsize: int | None = None,
) -> ThreadedAsyncIterator[T]: ...
@overload
def iterate(
    fn: None = None,
    executor: Executor | None = None,
    *,
    buffer_maxsize: int | None = None,
) -> Callable[[Callable[P, Iterator[T]]], Callable[P, ThreadedAsyncIterator[T]]]: ...
def iterate(
    fn: Any = None, executor: Executor | None = None, *, buffer_maxsize: int | None = None
) -> Any:
    """Turn an iterator that blocks into an asynchronous one, which runs it on a thread.

    ::

        @iterate
        def lines(path: str) -> Iterator[str]:
            with open(path) as file:
                yield from file


        async for line in lines("log.txt"):
            ...

        async with iterate(cursor) as rows:
            async for row in rows:
                ...

    See `ThreadedAsyncIterator` for what happens when the loop is left early.

    Args:
        fn: A function that returns an iterator, or an iterator. Without it, a decorator is
            returned.
        executor: Whose thread it runs on, in place of the process's pool.
        buffer_maxsize: How many items it runs ahead of its consumer at most; by default as
            `threaded_iterable`.

    Returns:
        For a function, one that returns a `ThreadedAsyncIterator`; for an iterator, that itself.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: The size is negative.
    """
    if fn is None:
        check_place(executor, "an iterator")
        check_size("buffer_maxsize", buffer_maxsize)
        return partial(iterate, executor=executor, buffer_maxsize=buffer_maxsize)
    if isinstance(fn, Iterator) or (not callable(fn) and isinstance(fn, Iterable)):
        return ThreadedAsyncIterator(fn, buffer_maxsize, executor)
    check_function("iterate", fn, "a function or an iterable")
    place = check_place(executor, "an iterator")
    size = check_size("buffer_maxsize", buffer_maxsize)
    name = name_of(fn)

    function = cast("Callable[..., Iterable[Any]]", fn)

    @wraps(function)
    def aiterate(*args: Any, **kwargs: Any) -> ThreadedAsyncIterator[Any]:
        return ThreadedAsyncIterator._of(partial(function, *args, **kwargs), size, place, name)

    return aiterate


@overload
def generate(
    fn: Callable[P, Generator[T, SendT, Any]],
    executor: Executor | None = None,
    *,
    buffer_maxsize: int | None = None,
) -> Callable[P, ThreadedAsyncGenerator[T, SendT]]: ...
@overload
def generate(
    fn: Generator[T, SendT, Any],
    executor: Executor | None = None,
    *,
    buffer_maxsize: int | None = None,
) -> ThreadedAsyncGenerator[T, SendT]: ...
@overload
def generate(
    fn: None = None,
    executor: Executor | None = None,
    *,
    buffer_maxsize: int | None = None,
) -> Callable[
    [Callable[P, Generator[T, SendT, Any]]], Callable[P, ThreadedAsyncGenerator[T, SendT]]
]: ...
def generate(
    fn: Any = None, executor: Executor | None = None, *, buffer_maxsize: int | None = None
) -> Any:
    """Turn a generator that blocks into an asynchronous one, which drives it on a thread.

    ::

        @generate
        def average() -> Generator[float, float, None]:
            total, count = 0.0, 0
            value = yield 0.0
            while True:
                total, count = total + value, count + 1
                value = yield total / count


        async with average() as averages:
            await anext(averages)
            print(await averages.asend(10.0))

    Args:
        fn: A generator function, or a generator. Without it, a decorator is returned.
        executor: Whose thread it runs on, in place of the process's pool.
        buffer_maxsize: A size, for the sake of `iterate`'s signature. A generator that may be sent
            values does not run ahead.

    Returns:
        For a function, one that returns a `ThreadedAsyncGenerator`; for a generator, that itself.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: The size is negative.
    """
    if fn is None:
        check_place(executor, "a generator")
        check_size("buffer_maxsize", buffer_maxsize)
        return partial(generate, executor=executor, buffer_maxsize=buffer_maxsize)
    if isinstance(fn, Generator):
        return ThreadedAsyncGenerator(fn, buffer_maxsize, executor)
    check_function("generate", fn, "a generator function or a generator")
    place = check_place(executor, "a generator")
    check_size("buffer_maxsize", buffer_maxsize)
    name = name_of(fn)

    @wraps(fn)
    def agenerate(*args: Any, **kwargs: Any) -> ThreadedAsyncGenerator[Any, Any]:
        return ThreadedAsyncGenerator._of(partial(fn, *args, **kwargs), place, name)

    return agenerate


@overload
def iterate_callback(
    fn: Callable[Concatenate[Callable[[T], None], P], object],
    executor: Executor | None = None,
) -> Callable[P, CallbackThreadedAsyncIterator[T]]: ...
@overload
def iterate_callback(
    fn: None = None, executor: Executor | None = None
) -> Callable[
    [Callable[Concatenate[Callable[[T], None], P], object]],
    Callable[P, CallbackThreadedAsyncIterator[T]],
]: ...
def iterate_callback(fn: Any = None, executor: Executor | None = None) -> Any:
    """Turn a function that blocks and reports by a callback into an asynchronous iterator.

    ::

        @iterate_callback
        def watch(callback: Callable[[Event], None], path: str) -> None:
            observer.run(path, on_event=callback)


        async for event in watch("/tmp"):
            ...

    See `CallbackThreadedAsyncIterator` for what happens when the loop is left early.

    Args:
        fn: The function. Its first argument is the callback, which takes one value. Without it, a
            decorator is returned.
        executor: Whose thread the function runs on, in place of the process's pool.

    Raises:
        TypeError: An argument is of the wrong type.
    """
    place = check_place(executor, "a callback")
    if fn is None:
        return partial(iterate_callback, executor=executor)
    check_function("iterate_callback", fn)
    name = name_of(fn)

    @wraps(fn)
    def aiterate(*args: Any, **kwargs: Any) -> CallbackThreadedAsyncIterator[Any]:
        def run(callback: Callable[[Any], None]) -> object:
            return fn(callback, *args, **kwargs)

        return CallbackThreadedAsyncIterator._of(run, place, name)

    return aiterate


@overload
def single_callback(
    fn: Callable[Concatenate[Callable[[T], None], P], object],
    executor: Executor | None = None,
) -> Callable[P, Coroutine[Any, Any, T]]: ...
@overload
def single_callback(
    fn: None = None, executor: Executor | None = None
) -> Callable[
    [Callable[Concatenate[Callable[[T], None], P], object]],
    Callable[P, Coroutine[Any, Any, T]],
]: ...
def single_callback(fn: Any = None, executor: Executor | None = None) -> Any:
    """Turn a function that blocks and reports once, by a callback, into a coroutine function.

    The coroutine returns the first value that the callback is called with, at once: the function
    may go on. The callback may be kept, and be called later, on any thread. Later values are
    ignored.

    Args:
        fn: The function. Its first argument is the callback, which takes one value. Without it, a
            decorator is returned.
        executor: Whose thread the function runs on, in place of the process's pool.

    Raises:
        TypeError: An argument is of the wrong type.
        RuntimeError: From the coroutine: the function has returned, and nobody holds the callback,
            which was not called.
    """
    place = check_place(executor, "a callback")
    if fn is None:
        return partial(single_callback, executor=executor)
    check_function("single_callback", fn)

    @wraps(fn)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        return await start_once(place, fn, args, kwargs)

    return acall
