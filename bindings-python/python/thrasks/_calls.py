"""Coroutines made of what functions return, where they are to run."""

from __future__ import annotations

__all__: list[str] = []

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from types import FunctionType
from typing import Any, TypeVar

T = TypeVar("T")


def make_coroutine(
    function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> Coroutine[Any, Any, T]:
    """Return a coroutine that calls a function and awaits what it returns.

    That of a coroutine function is its own: its frames are the first ones.
    """
    if type(function) is FunctionType and function.__code__.co_flags & inspect.CO_COROUTINE:
        made: Any = function(*args, **kwargs) if kwargs else function(*args)
        coroutine: Coroutine[Any, Any, T] = made
        return coroutine
    return _call(function, args, kwargs or {})


async def _call(
    function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> T:
    result: Any = function(*args, **kwargs)
    # Not to be kept until the end of what may take long.
    del args, kwargs
    if not inspect.isawaitable(result):
        raise TypeError(f"{function!r} must return an awaitable, got {result!r}")
    value: T = await result
    return value


async def wait_for_awaitable(awaitable: Awaitable[T]) -> T:
    """Await something that is not a coroutine."""
    return await awaitable
