"""Putting a worker's loop back into the state in which it was made."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import contextvars
import threading
import types
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, Final

from ._gather import GatheringFuture
from ._generators import Generators
from ._registered import Selected, registered_with
from ._shutdown import is_ending

if TYPE_CHECKING:
    from ._registered import Recorded
    from ._thrasks import _LoopSide

#: How long, in seconds, what was left behind on a loop may take to end.
CLEANING_TIME = 3.0

#: How often, in seconds, to look whether something is over that does not tell.
LOOK: Final = 0.005


#: How many turns of the loop what waits to be called back has before the loop is cleaned: it may
#: have others called back in its turn, which may leave something behind.
TURNS: Final = 8

#: The generator of a gather that ends what is left of it: the loop's end is what it is for.
_KEEPER = GatheringFuture._keep.__code__


class _Local(threading.local):
    """What a loop thread knows of its own loop."""

    def __init__(self) -> None:
        #: The asynchronous generators that began to iterate on it.
        self.generators = Generators()
        #: The task factory with which it was made.
        self.task_factory: Any = None
        #: What is registered with it.
        self.registered: Selected | Recorded | None = None


_local = _Local()


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Begin to take note of what is left behind on the loop of this thread."""
    _local.task_factory = loop.get_task_factory()
    _local.registered = registered_with(loop)
    watch_generators(loop)


def show(loop: asyncio.AbstractEventLoop, side: _LoopSide) -> None:
    """Show the native half where a loop of asyncio's keeps what it has, if it has a selector."""
    registered = _local.registered
    if isinstance(registered, Selected) and type(registered.descriptors) is dict:
        side.show(loop, registered.descriptors, _local.generators)


def watch_generators(loop: asyncio.AbstractEventLoop) -> None:
    """Keep track of the asynchronous generators of this thread's loop, before each of its runs."""
    _local.generators.watch(loop)


def clean(
    loop: asyncio.AbstractEventLoop, done: Callable[[bool], None], turns: int = TURNS
) -> None:
    """Put a loop back into the state in which it was made, and call `done` with whether it is."""
    try:
        _begin(loop, done, turns)
    except BaseException as exc:
        _give_up(loop, exc, done)
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise


def _begin(loop: asyncio.AbstractEventLoop, done: Callable[[bool], None], turns: int) -> None:
    if is_ending():
        # That does all of this, by tasks that are not to be taken for somebody's.
        done(False)
        return
    if turns and not all(_is_ours(handle._callback) for handle in _ready(loop)):
        loop.call_soon(clean, loop, done, turns - 1)
        return
    if loop.get_task_factory() is not _local.task_factory:
        loop.set_task_factory(_local.task_factory)
    _local.generators.watch_on(loop)
    # In this order: one that vanishes meanwhile is found either here or there.
    generators, vanishing = _generators()
    if _local.generators.stirred:
        # One that was collected is closed by a task that a callback makes, which goes first.
        _local.generators.stirred = False
        loop.call_soon(clean, loop, done)
        return
    if not (asyncio.all_tasks(loop) or generators or vanishing or _registered()):
        _cancel_timers(loop)
        done(True)
        return
    # Not by the loop, which may have been given a task factory.
    task = asyncio.Task(
        _clean(loop), loop=loop, name="thrasks cleaning", context=contextvars.Context()
    )

    def cleaned(task: asyncio.Task[bool]) -> None:
        try:
            _cancel_timers(loop)
            is_clean = not task.cancelled() and task.result()
        except BaseException as exc:
            _give_up(loop, exc, done)
        else:
            done(is_clean)

    task.add_done_callback(cleaned)


def _give_up(
    loop: asyncio.AbstractEventLoop, error: BaseException, done: Callable[[bool], None]
) -> None:
    """Say that cleaning a loop has failed, and why.

    Whoever hears of the error may keep it, and with it all that its traceback refers to: `done` is
    called, as it would not be freed.
    """
    where = threading.current_thread().name
    try:
        loop.call_exception_handler(
            {
                "message": f"cleaning {where} has failed; the loop is given up",
                "exception": error,
            }
        )
    finally:
        done(False)


async def _clean(loop: asyncio.AbstractEventLoop) -> bool:
    me = asyncio.current_task()
    found: Counter[str] = Counter()
    tasks: set[asyncio.Task[Any]] = set()
    clean = True
    try:
        async with asyncio.timeout(CLEANING_TIME):
            # Ending one may start another, and what a callback does in this turn of the loop may
            # show in the next: until two rounds have found nothing.
            quiet = 0
            while quiet < 2:
                quiet += 1
                if stray := asyncio.all_tasks() - {me}:
                    quiet = 0
                    if closing := {task for task in stray if _closes_generator(task)}:
                        await asyncio.wait(closing)
                        continue
                    tasks |= stray
                    found["task"] = len(tasks)
                    await _cancel(loop, stray)
                generators, vanishing = _generators()
                if vanishing:
                    quiet = 0
                    await asyncio.sleep(LOOK)
                for generator in generators:
                    quiet = 0
                    if getattr(generator, "ag_code", None) is not _KEEPER:
                        found["asynchronous generator"] += 1
                    await _close_generator(loop, generator)
                if _registered():
                    quiet = 0
                    found += _close_registered()
                    await asyncio.sleep(LOOK)
                await asyncio.sleep(0)
    except TimeoutError:
        tasks = asyncio.all_tasks() - {me}
        clean = not tasks
        _local.generators.forget_vanishing()
        _drop_registered()
    if found or not clean:
        _report(loop, found, tasks, clean)
    return clean


def _report(
    loop: asyncio.AbstractEventLoop, found: Counter[str], tasks: set[asyncio.Task[Any]], clean: bool
) -> None:
    """Tell the caller's loop, by its exception handler, what was left behind."""
    where = threading.current_thread().name
    context: dict[str, Any] = {"tasks": tasks} if tasks else {}
    if clean:
        what = ", ".join(
            f"{count} {name}" if count == 1 else f"{count} {name}{'es' if name[-1] == 's' else 's'}"
            for name, count in found.items()
        )
        context["message"] = f"left behind on {where}, and ended with what left it there: {what}"
    else:
        context["message"] = (
            f"{len(tasks)} task(s) left behind on {where} did not end within {CLEANING_TIME:g} s "
            "of being cancelled; the loop is given up"
        )
    loop.call_exception_handler(context)


def _closes_generator(task: asyncio.Task[Any]) -> bool:
    """Whether this closes an asynchronous generator that was collected: the loop's own doing."""
    return not isinstance(task.get_coro(), (types.CoroutineType, types.GeneratorType))


def _cancel_timers(loop: Any) -> None:
    """Cancel the timers of those who had the loop, as its end would, where it shows them."""
    # One that is due has been moved to what the loop runs next.
    due = [each for each in _ready(loop) if isinstance(each, asyncio.TimerHandle)]
    for handle in [*getattr(loop, "_scheduled", ()), *due]:
        callback = handle._callback
        if callback is not None and not _is_ours(callback):
            handle.cancel()


def _ready(loop: Any) -> list[Any]:
    """Return what the loop runs next, where it shows that."""
    # Any thread may append to it while this looks, which an iterator does not bear; only this one
    # takes from it.
    ready = getattr(loop, "_ready", ())
    return [ready[index] for index in range(len(ready))]


def _is_ours(callback: Any) -> bool:
    where = getattr(callback, "__module__", None) or type(callback).__module__
    return str(where).partition(".")[0] == __package__


def _generators() -> tuple[list[Any], bool]:
    """Return the asynchronous generators on a loop that have not ended, and whether any vanish."""
    known, vanishing = _local.generators.look()
    left = [generator for generator in known if getattr(generator, "ag_frame", None) is not None]
    return left, vanishing


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


def _registered() -> int:
    return 0 if _local.registered is None else _local.registered.count()


def _close_registered() -> Counter[str]:
    return Counter() if _local.registered is None else _local.registered.close()


def _drop_registered() -> None:
    if _local.registered is not None:
        _local.registered.drop()
