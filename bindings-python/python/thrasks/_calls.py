"""Coroutines made of what functions return, where they are to run."""

from __future__ import annotations

__all__: list[str] = []

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def make_coroutine(
    function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> T:
    """Call a function, as part of the coroutine that this makes, and await what it returns."""
    result: Any = function(*args, **(kwargs or {}))
    # Not to be kept until the end of what may take long.
    del args, kwargs
    if not inspect.isawaitable(result):
        raise TypeError(f"{function!r} must return an awaitable, got {result!r}")
    value: T = await result
    return value


async def wait_for_awaitable(awaitable: Awaitable[T]) -> T:
    """Await something that is not a coroutine."""
    return await awaitable
