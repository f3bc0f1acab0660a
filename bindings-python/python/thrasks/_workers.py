"""The Python half of a loop thread: making the loop, running it, cleaning it, ending it."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import atexit
import contextlib
import contextvars
import os
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

from . import _thrasks
from ._shutdown import EXIT_TIME

if TYPE_CHECKING:
    from ._thrasks import _LoopSide

#: How long, in seconds, a loop thread waits for its next lease before it ends.
IDLE_FOR = 10.0

#: How long, in seconds, stray tasks may take to end when a loop is cleaned.
CLEANING_TIME = 3.0


class _Local(threading.local):
    """What a loop thread knows of its own loop."""

    def __init__(self) -> None:
        #: The asynchronous generators that began to iterate on it.
        self.generators: weakref.WeakSet[AsyncGenerator[Any, Any]] = weakref.WeakSet()


_local = _Local()


def start_thread(main: Callable[[], None], name: str) -> threading.Thread:
    """Start a loop thread.

    It is a daemon, since one that is stuck in synchronous code must not keep the interpreter from
    exiting; the others are joined at exit.
    """
    if sys.version_info >= (3, 14):
        # The free-threaded build would otherwise let it inherit the context of whoever starts it.
        thread = threading.Thread(
            target=main, name=name, daemon=True, context=contextvars.Context()
        )
    else:
        thread = threading.Thread(target=main, name=name, daemon=True)
    thread.start()
    return thread


def run(side: _LoopSide, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    """Run a loop on this thread until it is told to end."""
    try:
        loop = asyncio.new_event_loop() if loop_factory is None else loop_factory()
        if not isinstance(loop, asyncio.AbstractEventLoop):
            raise TypeError(f"loop_factory must return an event loop, got {loop!r}")
    except BaseException as exc:  # Whatever it is, those who wait for the loop get it.
        side.refuse(exc)
        return
    asyncio.set_event_loop(loop)
    try:
        # A loop sets hooks of its own as it starts to run: after that, and before the first task.
        loop.call_soon(_watch_generators)
        _retire_when_idle(loop, side)
        side.attach(loop)
        while not side.stopping:
            try:
                loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                # It is the outcome of the task that raised it, and goes on to its caller.
                loop.call_soon(_watch_generators)
    finally:
        side.leave()
        _close(loop)


def configure(
    loop: asyncio.AbstractEventLoop,
    debug: bool,
    slow_callback_duration: float | None,
    exception_handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None,
) -> None:
    """Make a worker's loop behave as the loop of its caller."""
    loop.set_debug(debug)
    if slow_callback_duration is not None:
        loop.slow_callback_duration = slow_callback_duration
    loop.set_exception_handler(exception_handler)


def clean(loop: asyncio.AbstractEventLoop, done: Callable[[bool], None]) -> None:
    """Put a loop back into the state in which it was made, and call `done` with whether it is."""
    if not asyncio.all_tasks(loop) and not _local.generators:
        done(True)
        return
    task = loop.create_task(_clean(loop), name="thrasks cleaning", context=contextvars.Context())
    task.add_done_callback(lambda task: done(not task.cancelled() and task.result()))


async def _clean(loop: asyncio.AbstractEventLoop) -> bool:
    me = asyncio.current_task()
    try:
        async with asyncio.timeout(CLEANING_TIME):
            # Ending one may start another.
            while stray := asyncio.all_tasks() - {me}:
                await _cancel(loop, stray)
            for generator in list(_local.generators):
                await _close_generator(loop, generator)
    except TimeoutError:
        stray = asyncio.all_tasks() - {me}
        loop.call_exception_handler(
            {
                "message": f"{len(stray)} task(s) left behind on {threading.current_thread().name} "
                f"did not end within {CLEANING_TIME:g} s of being cancelled; the loop is given up",
                "tasks": stray,
            }
        )
        return False
    return True


async def _cancel(loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (exc := task.exception()) is not None:
            loop.call_exception_handler(
                {
                    "message": f"Unhandled exception in a task left behind on "
                    f"{threading.current_thread().name}",
                    "exception": exc,
                    "task": task,
                }
            )


async def _close_generator(
    loop: asyncio.AbstractEventLoop, generator: AsyncGenerator[Any, Any]
) -> None:
    try:
        await generator.aclose()
    except Exception as exc:
        loop.call_exception_handler(
            {
                "message": f"an error occurred during closing of asynchronous generator "
                f"{generator!r}",
                "exception": exc,
                "asyncgen": generator,
            }
        )
    _local.generators.discard(generator)


def _watch_generators() -> None:
    """Keep track of the loop's asynchronous generators, from inside the loop.

    The loop does so itself, but its `shutdown_asyncgens` marks it for good, and this one is to run
    on.
    """
    known = _local.generators
    hooks = sys.get_asyncgen_hooks()

    def first_iteration(generator: AsyncGenerator[Any, Any]) -> None:
        known.add(generator)
        if hooks.firstiter is not None:
            hooks.firstiter(generator)

    sys.set_asyncgen_hooks(firstiter=first_iteration, finalizer=hooks.finalizer)


def _retire_when_idle(loop: asyncio.AbstractEventLoop, side: _LoopSide) -> None:
    def look() -> None:
        if not side.retire(IDLE_FOR):
            loop.call_later(IDLE_FOR / 2, look)

    loop.call_later(IDLE_FOR, look)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End a loop as `asyncio.Runner` does, but not for ever: a task may refuse."""
    try:
        tasks = asyncio.all_tasks(loop)
        if tasks:
            loop.run_until_complete(_cancel_within(tasks, EXIT_TIME))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(_shutdown_executor(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _cancel_within(tasks: set[asyncio.Task[Any]], seconds: float) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=seconds)


async def _shutdown_executor(loop: asyncio.AbstractEventLoop) -> None:
    # Its threads may be stuck, and before 3.12 it would wait for them for ever.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(loop.shutdown_default_executor(), EXIT_TIME)


def _at_exit() -> None:
    _thrasks.stop_all_loops(EXIT_TIME)


# Before the interpreter begins to finalise, and before it joins the other threads: those may wait
# for what runs on these. The private hook is the one that concurrent.futures uses, for this reason.
if hasattr(threading, "_register_atexit"):
    threading._register_atexit(_at_exit)
# And again for what the callbacks that were registered since have started.
atexit.register(_at_exit)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_thrasks.after_fork_in_child)
