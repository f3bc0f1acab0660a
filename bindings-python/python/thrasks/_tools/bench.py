"""asyncio and thrasks at the same work, on this machine."""

from __future__ import annotations

__all__ = ["run"]

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from .. import __version__
from .._gather import threaded_gather
from .._groups import ThreadedTaskGroup
from .._handles import ThreadedTask
from .errors import CommandError
from .info import cores, gil, usable_cores

#: Seconds that one piece of work is measured for, by both together.
SECONDS = 1.0

#: How often it is done by each, at least and at most.
LEAST, MOST = 3, 100

BAR = 40


async def _nothing(n: int) -> int:
    return n


async def _turn(n: int) -> int:
    await asyncio.sleep(0)
    return n


def _fibonacci(n: int) -> int:
    return n if n < 2 else _fibonacci(n - 1) + _fibonacci(n - 2)


async def _work(n: int) -> int:
    _fibonacci(18)
    return n


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work."""

    title: str
    function: Callable[[int], Coroutine[Any, Any, int]]
    tasks: int
    in_group: bool = False


ROWS = (
    Row("gather, coroutines that return at once", _nothing, 2000),
    Row("gather, coroutines with a sleep(0)", _turn, 1000),
    Row("group, create_task of coroutines that return at once", _nothing, 1000, in_group=True),
    Row("gather, coroutines that compute", _work, 32),
)


async def _with_asyncio(row: Row) -> Sequence[int]:
    if row.in_group:
        tasks: list[asyncio.Task[int]] = []
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(row.function(n)) for n in range(row.tasks)]
        return [task.result() for task in tasks]
    return await asyncio.gather(*(row.function(n) for n in range(row.tasks)))


async def _with_thrasks(row: Row, threads: int) -> Sequence[int]:
    if row.in_group:
        handles: list[ThreadedTask[int]] = []
        async with ThreadedTaskGroup(threads) as group:
            handles += [group.create_task(row.function(n)) for n in range(row.tasks)]
        return [handle.result() for handle in handles]
    return await threaded_gather(*(row.function(n) for n in range(row.tasks)), num_threads=threads)


async def _time(row: Row, do: Callable[[], Awaitable[Sequence[int]]]) -> float:
    start = time.perf_counter()
    results = await do()
    spent = time.perf_counter() - start
    if list(results) != list(range(row.tasks)):
        raise CommandError(f"{row.title}: the results are wrong, which is a fault of thrasks")
    return spent


async def _measure(row: Row, threads: int) -> tuple[float, float]:
    """Return the median times of asyncio and thrasks, measured in turns."""
    ways: tuple[Callable[[], Awaitable[Sequence[int]]], ...] = (
        lambda: _with_asyncio(row),
        lambda: _with_thrasks(row, threads),
    )
    found: tuple[list[float], ...] = ([], [])
    for way in ways:
        # What is made at the first time only.
        await _time(row, way)
    end = time.perf_counter() + SECONDS
    while len(found[0]) < LEAST or (time.perf_counter() < end and len(found[0]) < MOST):
        for way, times in zip(ways, found, strict=True):
            times.append(await _time(row, way))
    return statistics.median(found[0]), statistics.median(found[1])


def _amount(seconds: float) -> str:
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def _compared(one: float, other: float) -> str:
    """Say how fast thrasks was beside asyncio."""
    if one >= other:
        return f"{one / other:.1f} times as fast"
    return f"{other / one:.1f} times as slow"


def _bar(part: float, width: int, *, blocks: bool) -> str:
    if not blocks:
        return "#" * max(1, round(part * width))
    eighths = max(1, round(part * width * 8))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _takes_blocks(stream: Any) -> bool:
    """Whether bars can be drawn there in eighths: on a terminal that can write them."""
    if not stream.isatty():
        return False
    try:
        "█▏".encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def run(options: argparse.Namespace) -> None:
    """Measure, and show it."""
    # In one run: between two, Ctrl-C would leave a loop behind that complains.
    asyncio.run(_show(options))


async def _show(options: argparse.Namespace) -> None:
    threads = options.threads or usable_cores() or 1
    blocks = _takes_blocks(sys.stdout)
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    progress = sys.stderr.isatty()
    width = max(10, min(BAR, shutil.get_terminal_size().columns - 50))
    print(
        f"thrasks {__version__}, Python {sys.version.split()[0]}, {threads} loops; cores: {cores()}"
    )
    print(f"GIL {gil()}")
    if busy := _busy():
        print(busy)
    for number, row in enumerate(ROWS, 1):
        if progress:
            print(f"\rmeasuring {number} of {len(ROWS)} ...", end="", file=sys.stderr, flush=True)
        times = await _measure(row, threads)
        if progress:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        print(f"\n{row.title} ({row.tasks:,})")
        for name, spent, colour in (("asyncio", times[0], "2"), ("thrasks", times[1], "32")):
            bar = _bar(spent / max(times), width, blocks=blocks)
            shown = f"\x1b[{colour}m{bar}\x1b[0m" if colours else bar
            compared = f"  {_compared(*times)}" if name == "thrasks" else ""
            pad = " " * (width - len(bar))
            print(f"  {name}  {shown}{pad}  {_amount(spent / row.tasks):>8} a task{compared}")
        sys.stdout.flush()
    print("\nThe shorter the better. Medians of runs in turns, of some seconds in all.")


def _busy() -> str | None:
    """Say so if the machine has something else to do, which shows in what is measured."""
    if sys.platform == "win32":
        return None
    load = os.getloadavg()[0]
    if load < (os.cpu_count() or 1) / 2:
        return None
    return (
        f"Other programs are at work (load {load:.1f}): the figures would be better without them."
    )
