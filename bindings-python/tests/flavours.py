"""Flavours: the whole suite again, with other defaults.

`pytest --flavour debug,queue` runs every test with these. A test that makes no choice of its own is
run with the flavour's; one that does keeps it. The programs that tests run in interpreters of their
own get the same.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from thrasks import SchedulingMode
from thrasks._arguments import Leasing, LoopFactory

#: What is set by `apply`.
chosen: tuple[str, ...] = ()


def _debug() -> None:
    """Every loop is in asyncio's debug mode, which workers take over from their callers."""
    # Read by each loop as it is made, and by the interpreters that are started from here.
    os.environ["PYTHONASYNCIODEBUG"] = "1"
    # That a callback took long is said as a warning. On a busy machine many do.
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def _eager() -> None:
    """Tasks on the callers' loops start eagerly. Workers do not take that over."""
    if sys.version_info >= (3, 12):
        make = asyncio.new_event_loop

        def new_event_loop() -> asyncio.AbstractEventLoop:
            loop = make()
            if not threading.current_thread().name.startswith("thrasks-loop-"):
                loop.set_task_factory(asyncio.eager_task_factory)
            return loop

        # The first is what people call, the second what `asyncio.Runner` does.
        asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop
    else:
        raise ValueError("eager tasks are new in CPython 3.12")


def _uvloop() -> None:
    """The workers' loops are uvloop's."""
    import uvloop

    _replace_defaults(loop_factory=uvloop.new_event_loop)


def _queue() -> None:
    """Groups and gathers are in the mode QUEUE."""
    _replace_defaults(mode=SchedulingMode.QUEUE)


def _least_loaded() -> None:
    """Groups and gathers are in the mode LEAST_LOADED."""
    _replace_defaults(mode=SchedulingMode.LEAST_LOADED)


def _tasks() -> None:
    """Each job has a task of its own from the start, as on Pythons without carriers."""
    # Read when the first gather is made, and by the interpreters that are started from here.
    os.environ["THRASKS_CARRIERS"] = "0"


def _replace_defaults(
    *, mode: SchedulingMode | None = None, loop_factory: LoopFactory | None = None
) -> None:
    check = Leasing.__init__
    new_mode, new_factory = mode, loop_factory

    def init(
        self: Leasing,
        num_threads: int | None,
        mode: object,
        loop_factory: LoopFactory | None,
        pool: object,
        max_concurrency: int | None,
        default_mode: SchedulingMode = SchedulingMode.ROUND_ROBIN,
    ) -> None:
        if pool is None and loop_factory is None:
            loop_factory = new_factory
        # That of a pool is another.
        if new_mode is not None and default_mode is SchedulingMode.ROUND_ROBIN:
            default_mode = new_mode
        check(self, num_threads, mode, loop_factory, pool, max_concurrency, default_mode)  # type: ignore[arg-type]

    Leasing.__init__ = init  # type: ignore[method-assign]


FLAVOURS: dict[str, Callable[[], None]] = {
    "debug": _debug,
    "eager": _eager,
    "uvloop": _uvloop,
    "queue": _queue,
    "least-loaded": _least_loaded,
    "tasks": _tasks,
}


def apply(names: Iterable[str]) -> None:
    """Set the defaults of these flavours in this process, once.

    Raises:
        ValueError: There is no such flavour, or not here.
    """
    global chosen
    names = tuple(names)
    for name in names:
        if name not in FLAVOURS:
            raise ValueError(f"there is no flavour {name!r}; there are {', '.join(FLAVOURS)}")
    if {"uvloop", "debug"} <= set(names):
        # It looks at the stack in debug mode, which crashes when a loop is woken by a destructor.
        raise ValueError("uvloop's debug mode crashes (uvloop issue 730)")
    for name in names:
        FLAVOURS[name]()
    chosen = names


def loop_factory() -> LoopFactory | None:
    """Return what makes the callers' loops in tests of what there is on every loop, not on workers.

    In the flavour `uvloop` only the workers' loops are uvloop's otherwise.
    """
    if "uvloop" in chosen:
        import uvloop

        return uvloop.new_event_loop
    return None


def prelude() -> str:
    """Return what sets them in another interpreter: a line of Python."""
    if not chosen:
        return ""
    here = str(Path(__file__).parent)
    return f"import sys; sys.path.append({here!r}); import flavours; flavours.apply({chosen!r})\n"
