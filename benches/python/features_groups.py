"""What the programs about task groups have in common."""

from __future__ import annotations

__all__ = ["group", "meet", "program", "tonio"]

import asyncio
import importlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any

# isort: split
from features import SOON, Column, Probe

Program = Callable[[], Coroutine[Any, Any, str]]


def tonio() -> Any:
    return importlib.import_module("tonio.colored")


def group(column: Column, **options: Any) -> Any:
    """Make a task group with two workers."""
    if column is Column.ASYNCIO:
        return asyncio.TaskGroup(**options)
    return importlib.import_module("thrasks").ThreadedTaskGroup(2, **options)


def program(common: Callable[[Column], Coroutine[Any, Any, str]], its_own: Program) -> Probe:
    """Ask all by the same program, and tonio by its own."""

    def probe(column: Column) -> str:
        if column is Column.TONIO:
            found: str = tonio().run(its_own(), threads=2)
            return found
        return asyncio.run(common(column))

    return probe


def meet(barrier: threading.Barrier) -> bool:
    try:
        barrier.wait(SOON)
    except threading.BrokenBarrierError:
        return False
    return True
