"""Async code, called from threads that block."""

from __future__ import annotations

__all__ = ["sync_await", "sync_wait_coroutine", "wait_coroutine"]

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ._thrasks import wait_on_loop

P = ParamSpec("P")
T = TypeVar("T")

#: The event loop that code on a thread works for.
caller_loop: ContextVar[asyncio.AbstractEventLoop] = ContextVar("thrasks_caller_loop")


async def awaited(call: Callable[[], Awaitable[T]]) -> T:
    """Call an async function, on the loop that this runs on."""
    return await call()


def sync_await(func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call an async function on the event loop that this thread works for, and wait for its result.

    ::

        @threaded
        def download(url: str) -> bytes:
            return sync_await(fetch, url)

    The loop is that of whoever made the call which this thread runs: a `threaded` one, an iterable,
    a generator. On a worker's thread it is that of the caller of the group or the gather. The
    function runs in a copy of this thread's context.

    Args:
        func: What to call, on the loop. It returns a coroutine or another awaitable.
        *args: Its arguments.
        **kwargs: Its keyword arguments.

    Returns:
        What the awaitable returns.

    Raises:
        TypeError: `func` is not callable, or returns no awaitable.
        RuntimeError: This thread works for no event loop; or it runs the loop that it would wait
            for, or one that waits for this one: it would wait for ever. Or that loop is closed.
        asyncio.CancelledError: The task was cancelled, as all are when the loop ends.
        BaseException: What the awaitable raises.
    """
    return sync_wait_coroutine(None, func, *args, **kwargs)


def wait_coroutine(
    coro: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None
) -> T:
    """Run a coroutine on an event loop, from a thread, and wait for its result.

    Args:
        coro: The coroutine. It is closed where it cannot be run.
        loop: The event loop; by default the one that this thread works for, as for `sync_await`.

    Returns:
        What the coroutine returns.

    Raises:
        TypeError: It is no coroutine, or the loop is none.
        RuntimeError: As for `sync_await`.
        asyncio.CancelledError: As for `sync_await`.
        BaseException: What the coroutine raises.
    """
    _check_coroutine(coro)
    begun = False

    def begin() -> Coroutine[Any, Any, T]:
        nonlocal begun
        begun = True
        return coro

    try:
        _check_loop(loop)
        return wait_on_loop(loop, begin)
    finally:
        # Once the wait has ended, it has been begun or never will be.
        if not begun:
            coro.close()


def sync_wait_coroutine(
    loop: asyncio.AbstractEventLoop | None,
    coro_func: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call an async function on an event loop, from a thread, and wait for its result.

    Args:
        loop: The event loop; None for the one that this thread works for, as for `sync_await`.
        coro_func: What to call, on the loop. It returns a coroutine or another awaitable.
        *args: Its arguments.
        **kwargs: Its keyword arguments.

    Returns:
        What the awaitable returns.

    Raises:
        TypeError: `coro_func` is not callable, or returns no awaitable; or the loop is none.
        RuntimeError: As for `sync_await`.
        asyncio.CancelledError: As for `sync_await`.
        BaseException: What the awaitable raises.
    """
    _check_function(coro_func)
    _check_loop(loop)
    return wait_on_loop(loop, partial(coro_func, *args, **kwargs))


def _check_coroutine(coro: object) -> None:
    if not asyncio.iscoroutine(coro):
        advice = ": pass the function to sync_await" if inspect.iscoroutinefunction(coro) else ""
        raise TypeError(f"a coroutine was expected, got {coro!r}{advice}")


def _check_function(function: Any) -> None:
    if callable(function):
        return
    advice = ""
    if asyncio.iscoroutine(function):
        advice = ": pass it to wait_coroutine, or the function without calling it"
        function.close()
    raise TypeError(f"an async function was expected, got {function!r}{advice}")


def _check_loop(loop: object) -> None:
    if loop is not None and not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(f"loop must be an event loop or None, got {loop!r}")
