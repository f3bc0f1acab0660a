"""Awaitables among the arguments, and what is done with those that are awaited."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Coroutine
from typing import Any


def check_awaitables(aws: tuple[Any, ...], loop: asyncio.AbstractEventLoop | None) -> None:
    """Find what is wrong with the arguments before any is started."""
    for arg in aws:
        hash(arg)
        if asyncio.isfuture(arg):
            if loop is not None and arg.get_loop() is not loop:
                raise ValueError(
                    "The future belongs to a different loop than the one specified as the loop "
                    "argument"
                )
        elif not asyncio.iscoroutine(arg) and not inspect.isawaitable(arg):
            raise TypeError(
                f"An asyncio.Future, a coroutine or an awaitable is required, got {arg!r}"
            )


def close_coroutines(aws: tuple[Any, ...]) -> None:
    for arg in aws:
        if asyncio.iscoroutine(arg) and not asyncio.isfuture(arg):
            # It may have been started, by whoever made it, or be of any class.
            with contextlib.suppress(Exception):
                arg.close()


def set_awaited_by(
    future: asyncio.Future[Any], task: asyncio.Task[Any] | None, *, awaited: bool
) -> None:
    """Draw an edge of the call graph, or take it away, where asyncio has call graphs."""
    if sys.version_info >= (3, 14) and task is not None:
        if awaited:
            asyncio.future_add_to_awaited_by(future, task)
        else:
            asyncio.future_discard_from_awaited_by(future, task)


def step(awaitable: Coroutine[Any, Any, Any]) -> None:
    """Run what is known not to suspend."""
    try:  # noqa: SIM105 - half the time of contextlib.suppress
        awaitable.send(None)
    except (StopIteration, StopAsyncIteration):
        pass
