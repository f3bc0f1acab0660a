"""Tasks that will never end, which asyncio is to forget.

An asyncio future belongs to one loop. In debug mode, asyncio refuses to let another thread set its
result, as a contended `asyncio.Lock` that is released on another loop does: whoever tried is told,
but the future is done by then and the task that awaits it is never woken. Neither does a
cancellation wake it, and whoever waits for the task would do so for ever.
"""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any


def disown(loop: asyncio.AbstractEventLoop, task: Any) -> None:
    """Have asyncio forget a task whose constructor raised an exception."""
    if task.done():
        # Its first step has raised KeyboardInterrupt or SystemExit, which is passed on.
        task.exception()
        return
    # Where its context cannot be entered, a task that starts eagerly goes on passing for the
    # current one.
    _forget(task)
    if sys.version_info >= (3, 12):
        tasks: Any = asyncio.tasks
        tasks._unregister_eager_task(task)
        # 3.12 complains where there is none.
        with contextlib.suppress(KeyError):
            tasks._swap_current_task(loop, None)


def _forget(task: Any) -> None:
    task._log_destroy_pending = False
    asyncio.tasks._unregister_task(task)


def look_for_lost(task: Any, lost: Callable[[], None]) -> None:
    """Close the coroutine of a task that was cancelled and will not be woken, and call `lost`.

    On the thread of its loop, after the cancellation.
    """
    loop: asyncio.AbstractEventLoop = task.get_loop()
    awaited = task._fut_waiter
    if not loop.get_debug() or awaited is None or not awaited.done():
        return

    def look(turns: int) -> None:
        if task.done() or task._fut_waiter is not awaited:
            return
        if turns:
            # One whose future has just been done is woken in the next turn of the loop.
            loop.call_soon(look, turns - 1)
            return
        _forget(task)
        _close(task, loop)
        lost()

    look(2)


def _close(task: Any, loop: asyncio.AbstractEventLoop) -> None:
    # Who keeps what is reported here keeps the task, which never lets go of them by itself.
    for callback, *_ in list(task._callbacks or []):
        task.remove_done_callback(callback)
    try:
        task.get_coro().close()
    except Exception as exc:
        loop.call_exception_handler(
            {
                "message": f"{task!r} could not be closed: it awaited a future that another "
                "thread has set",
                "exception": exc,
                "task": task,
            }
        )
