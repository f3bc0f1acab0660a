"""What there is to run on."""

from __future__ import annotations

__all__ = ["cores", "gil", "run", "usable_cores"]

import argparse
import asyncio
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable

from .. import __version__
from .._arguments import FREE_THREADED
from .._gather import threaded_gather
from .._thrasks import has_carriers
from .._workers import make_bell

#: Where the values begin.
INDENT = 14


def run(options: argparse.Namespace) -> None:
    """Print it."""
    del options
    loop, wake_up = asyncio.run(_on_a_worker())
    rows = {
        "thrasks": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()},"
        f" {'free-threaded' if FREE_THREADED else 'with the GIL'}), {sys.executable}",
        "GIL": gil(),
        "cores": cores(),
        "loops": loop,
        "wake-ups": wake_up,
        "carriers": carriers(),
        "uvloop": uvloop(),
        "platform": platform.platform(),
    }
    for name, value in rows.items():
        print(f"{name:<{INDENT}}{value}")


async def _on_a_worker() -> tuple[str, str]:
    """Say what loop a worker has, and how it is woken: two of them run for that."""

    async def look() -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
        selector = getattr(loop, "_selector", None)
        bell = make_bell(loop)
        if bell is None:
            return _with(kind, selector), "call_soon_threadsafe (a socket)"
        os.close(bell)
        return _with(kind, selector), "eventfd"

    found, _ = await threaded_gather(look(), look(), num_threads=2)
    return found


def _with(kind: str, selector: object) -> str:
    return kind if selector is None else f"{kind}, {type(selector).__qualname__}"


def gil() -> str:
    """Say whether threads run at the same time."""
    if not FREE_THREADED:
        return "on: loops take turns. A free-threaded build, python3.14t, runs them in parallel"
    if sys._is_gil_enabled():
        return "on, in a free-threaded build: an extension module needs it, or PYTHON_GIL=1 is set"
    return "off: loops run in parallel"


def cores() -> str:
    """Say how many cores there are."""
    return f"{usable_cores() or '?'} for this process, of {os.cpu_count() or '?'}"


def usable_cores() -> int | None:
    """Return how many this process may use, if that is known."""
    # New in 3.13.
    count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    return count()


def carriers() -> str:
    """Say whether tasks that return at once share one asyncio task."""
    if has_carriers():
        return "on: tasks that return at once share one asyncio.Task"
    if os.environ.get("THRASKS_CARRIERS") == "0":
        return "off: THRASKS_CARRIERS=0 is set"
    return "off: they need free-threaded CPython 3.14"


def uvloop() -> str:
    """Say whether it could be used."""
    if importlib.util.find_spec("uvloop") is None:
        return "not installed"
    return f"{importlib.metadata.version('uvloop')}, for loop_factory=uvloop.new_event_loop"
