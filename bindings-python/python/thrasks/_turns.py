"""Turns of a worker's loop: the parts that are seldom needed."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from ._thrasks import _Turns

#: The methods by which a loop takes callbacks and calls them.
_HOW_IT_CALLS_BACK = ("call_soon", "_call_soon", "_run_once")


def hasten(loop: Any) -> Callable[[], None] | None:
    """Have a loop that calls back as asyncio's do call back at less cost, unless it is unwanted.

    Returns:
        What undoes that, before the loop is closed: only the loop's own method refuses then. None
        if the loop was left as it is.
    """
    if os.environ.get("THRASKS_CARRIERS") == "0":
        return None
    own = all(
        getattr(type(loop), name, None) is getattr(asyncio.BaseEventLoop, name, loop)
        for name in _HOW_IT_CALLS_BACK
    )
    if not own or type(getattr(loop, "_ready", None)) is not deque or "call_soon" in vars(loop):
        return None
    loop.call_soon = _Turns(loop).call_soon

    def undo() -> None:
        vars(loop).pop("call_soon", None)

    return undo


def report(
    loop: asyncio.AbstractEventLoop,
    callback: Callable[..., object],
    args: tuple[Any, ...],
    context: Context,
    error: BaseException,
) -> None:
    """Tell the loop's exception handler that a callback has failed, as asyncio's loops do."""
    handle = asyncio.Handle(callback, args, loop, context)
    loop.call_exception_handler(
        {
            "message": f"Exception in callback {_source(handle)}",
            "exception": error,
            "handle": handle,
        }
    )


def describe(
    loop: asyncio.AbstractEventLoop,
    callback: Callable[..., object] | None,
    args: tuple[Any, ...] | None,
    cancelled: bool,
) -> str:
    """Describe a handle as asyncio does its own."""
    if callback is None or args is None:
        return "<Handle cancelled>" if cancelled else "<Handle>"
    return repr(asyncio.Handle(callback, args, loop, Context()))


def _source(handle: asyncio.Handle) -> str:
    """Describe the callback of a handle."""
    return repr(handle).removeprefix("<Handle ").removesuffix(">")
