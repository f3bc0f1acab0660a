"""The Python half of a loop thread: making the loop, running it, ending it."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import atexit
import contextlib
import contextvars
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _thrasks
from ._arguments import FREE_THREADED
from ._cleaning import show, watch, watch_generators
from ._shutdown import EXIT_TIME, begin_end, begin_run
from ._turns import hasten

if TYPE_CHECKING:
    from ._thrasks import _LoopSide

#: How long, in seconds, a loop thread waits for its next lease before it ends.
IDLE_FOR = 10.0

#: How often, in seconds, an idle loop looks whether it is to let go of objects.
PULSE = 0.5


#: The loops that factories have made, which no two workers may share.
_claimed: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
_claiming = threading.Lock()


def start_thread(main: Callable[[], None], name: str, daemon: bool = True) -> threading.Thread:
    """Start a thread.

    It is a daemon, unless it is said, since one that is stuck in synchronous code must not keep the
    interpreter from exiting; the others are joined at exit.
    """
    if sys.is_finalizing():
        # Before 3.12 threading does not say so, and waits for ever for the thread to begin.
        raise RuntimeError("can't start new thread at interpreter shutdown")
    if sys.version_info >= (3, 14):
        # The free-threaded build would otherwise let it inherit the context of whoever starts it.
        thread = threading.Thread(
            target=main, name=name, daemon=daemon, context=contextvars.Context()
        )
    else:
        thread = threading.Thread(target=main, name=name, daemon=daemon)
    thread.start()
    return thread


def breathe() -> None:
    """Do nothing, in Python: what a thread does for `_let_go_of_objects` where it runs no loop."""


def run(side: _LoopSide, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    """Run a loop on this thread until it is told to end."""
    try:
        loop = _make_loop(loop_factory)
    except BaseException as exc:  # Whatever it is, those who wait for the loop get it.
        side.refuse(exc)
        # The exception's traceback refers to this frame.
        del side
        return
    asyncio.set_event_loop(loop)
    slow_down = hasten(loop)
    try:
        # Before anything else, as one of the loop's own.
        _hang_bell(loop, side)
        watch(loop)
        if slow_down is not None:
            show(loop, side)
        _retire_when_idle(loop, side)
        _let_go_of_objects(loop)
        begin_run()
        side.attach(loop)
        while not side.stopping:
            try:
                loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                # It is the outcome of the task that raised it, and goes on to its caller.
                watch_generators(loop)
    except BaseException:
        # The loop itself is broken, and cannot be run to its end.
        begin_end()
        side.leave()
        asyncio.set_event_loop(None)
        if slow_down is not None:
            slow_down()
        with contextlib.suppress(Exception):
            loop.close()
        raise
    begin_end()
    side.leave()
    if slow_down is not None:
        slow_down()
    _close(loop)


def make_bell(loop: asyncio.AbstractEventLoop) -> int | None:
    """Make a descriptor for a loop to watch, by which it is woken, where that can be done.

    This is cheaper than `call_soon_threadsafe`, on both sides; uvloop does it that way by itself.
    Where a loop has a method of its own for that, it is to be called.
    """
    asyncios_own = (
        isinstance(loop, asyncio.SelectorEventLoop)
        and type(loop).call_soon_threadsafe is asyncio.BaseEventLoop.call_soon_threadsafe
    )
    if not asyncios_own or not hasattr(os, "eventfd"):
        return None
    try:
        return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    except OSError:
        # There are too many.
        return None


def _hang_bell(loop: asyncio.AbstractEventLoop, side: _LoopSide) -> None:
    bell = make_bell(loop)
    if bell is not None:
        side.own_bell(bell)
        loop.add_reader(bell, side.answer)


def _make_loop(
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> asyncio.AbstractEventLoop:
    if loop_factory is None:
        return asyncio.new_event_loop()
    made: Any = loop_factory()
    if not isinstance(made, asyncio.AbstractEventLoop):
        text = f"loop_factory must return an event loop, got {made!r}"
        # Not to live as long as the error, whose traceback refers to this frame.
        del made
        raise TypeError(text)
    loop: asyncio.AbstractEventLoop = made
    with _claiming:
        if loop in _claimed or loop.is_running() or loop.is_closed():
            raise ValueError(
                f"loop_factory must return a new event loop each time, got {loop!r}, "
                f"which {'is closed' if loop.is_closed() else 'another thread runs'}"
            )
        _claimed.add(loop)
    return loop


def configure(
    loop: asyncio.AbstractEventLoop,
    debug: bool,
    slow_callback_duration: float | None,
    exception_handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None,
) -> None:
    """Make a worker's loop behave as the loop of its caller."""
    if loop.get_debug() != debug:
        # Setting it has the loop wake itself.
        loop.set_debug(debug)
    if slow_callback_duration is not None:
        loop.slow_callback_duration = slow_callback_duration
    loop.set_exception_handler(exception_handler)


def _retire_when_idle(loop: asyncio.AbstractEventLoop, side: _LoopSide) -> None:
    def look() -> None:
        if not side.retire(IDLE_FOR):
            loop.call_later(IDLE_FOR / 2, look)

    loop.call_later(IDLE_FOR, look)


def _let_go_of_objects(loop: asyncio.AbstractEventLoop) -> None:
    """Run something now and then, on a free-threaded build.

    There the last reference to an object may be dropped on another thread than the one that made
    it. The object then lives until its own thread next runs Python code, which a loop that waits
    for events does not.
    """
    if not FREE_THREADED:
        return

    def pulse() -> None:
        loop.call_later(PULSE, pulse)

    pulse()


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


_gave_up = False


def _at_exit() -> None:
    global _gave_up
    # Whatever was waited for in vain is not waited for again.
    patience = 0.0 if _gave_up else EXIT_TIME
    stuck = _stop_all(patience)
    if stuck and sys.version_info < (3, 14):
        _interrupt(stuck)
        stuck = _stop_all(patience)
    _gave_up = bool(stuck)


def _stop_all(patience: float) -> set[str]:
    """Stop all threads. Return the names of those that have not ended in time."""
    stuck = {*_thrasks.stop_blocking(patience), *_thrasks.stop_all_loops(patience)}
    # Those that are about to end are waited for to their very end: before 3.14, the process aborts
    # where the interpreter begins to finalise under one.
    end = time.monotonic() + patience
    for thread in threading.enumerate():
        if thread.daemon and thread.name.startswith("thrasks-separate-"):
            thread.join(max(end - time.monotonic(), 0))
    return stuck.intersection(thread.name for thread in threading.enumerate())


def _interrupt(names: set[str]) -> None:
    """Raise SystemExit in threads that run Python code.

    Before 3.14, an interpreter that exits ends daemon threads as soon as they run Python code, in a
    way that native code on their stacks does not survive: the process would abort. One that is
    stuck in native code is let be, and ends with the process.
    """
    import ctypes

    for thread in threading.enumerate():
        if thread.name in names and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
            )


# Before the interpreter begins to finalise, and before it joins the other threads: those may wait
# for what runs on these. The private hook is the one that concurrent.futures uses, for this reason.
if hasattr(threading, "_register_atexit"):
    threading._register_atexit(_at_exit)  # pyright: ignore[reportAttributeAccessIssue]
# And again for what the callbacks that were registered since have started.
atexit.register(_at_exit)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_thrasks.after_fork_in_child)
