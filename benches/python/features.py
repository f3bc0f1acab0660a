"""What the programs behind the cells of the comparison have in common."""

from __future__ import annotations

__all__ = [
    "LONG",
    "NO",
    "SOON",
    "YES",
    "Column",
    "Probe",
    "Table",
    "answer",
    "comes",
    "here",
    "tell",
    "told_at_once",
    "typed",
]

import asyncio
import importlib.util
import os
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NoReturn

YES: Final = "yes"
NO: Final = "no"

#: In seconds: what is to happen has happened by then, and what has not, does not.
SOON: Final = 1.0

#: What ends only if it is made to.
LONG: Final = 3600.0


class Column(StrEnum):
    """The libraries, by the names that they have in the tables."""

    THRASKS = "thrasks"
    ASYNCIO = "asyncio"
    OLD = "thrasks 0.1"
    TONIO = "tonio"
    AIOTHREADS = "aiothreads"
    ATHREADING = "athreading"
    CF_TASKPOOL = "cf-taskpool"


#: A program: it finds out what stands in a cell.
Probe = Callable[[Column], str]


@dataclass(frozen=True, slots=True)
class Table:
    """One of the tables: its columns, and a program for each row."""

    name: str
    columns: tuple[Column, ...]
    rows: dict[str, Probe]


def answer(fact: bool) -> str:
    return YES if fact else NO


def tell(what: str) -> NoReturn:
    """Give the answer, and let nothing that is left keep the process."""
    print(what, flush=True)
    os._exit(0)


def told_at_once(program: Coroutine[Any, Any, str]) -> str:
    """Run a program to its answer, and no further."""

    async def run() -> NoReturn:
        tell(await program)

    return asyncio.run(run())


async def comes(
    fact: Callable[[], bool], sleep: Callable[[float], Coroutine[Any, Any, Any]]
) -> bool:
    """Look, from a coroutine, whether it becomes true."""
    end = time.monotonic() + SOON
    while not fact() and time.monotonic() < end:
        await sleep(0.01)
    return fact()


def typed(package: str) -> str:
    """Tell whether type checkers read a package's annotations: a module alone cannot ask for it."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin)
    return answer(path.name == "__init__.py" and (path.parent / "py.typed").exists())


def here() -> int:
    return threading.get_ident()
