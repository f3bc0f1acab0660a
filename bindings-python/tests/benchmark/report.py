"""What a benchmark says."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterable, Iterator

from support import FREE_THREADED

from .measuring import Comparison, Scenario

logger = logging.getLogger("benchmark")

WIDTH = 100

WITH_GIL = (
    "Note: this Python has its GIL: no two threads run Python code at once. Here only what waits "
    "is in parallel."
)

#: The columns of the summary, and whether they are numbers.
COLUMNS = {
    "scenario": False,
    "tasks": True,
    "contender": False,
    "time": True,
    "per task": True,
    "speed": True,
}


def span(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds >= 1:
        return f"{seconds:.3f} s"
    if seconds >= 0.001:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds * 1e6:.2f} us"


def setting() -> str:
    """Say what the figures depend on: those of a busy machine are not to be trusted."""
    threads = "free-threaded" if FREE_THREADED else "with the GIL"
    text = f"CPython {platform.python_version()}, {threads}, {os.cpu_count()} processors"
    if hasattr(os, "getloadavg"):
        text += f", load {os.getloadavg()[0]:.1f}"
    return text


def log(scenario: Scenario, comparison: Comparison) -> None:
    """Say what was measured."""
    for line in _lines(scenario, comparison):
        logger.info("%s", line)


def _lines(scenario: Scenario, comparison: Comparison) -> Iterator[str]:
    yield "=" * WIDTH
    yield f"{scenario.name}: {scenario.tasks} tasks, each {scenario.work}"
    yield f"({scenario.threads}; {setting()}; best of {scenario.runs} runs, in turn)"
    yield "=" * WIDTH
    for name, seconds in comparison.times.items():
        per_task = f"{span(seconds / scenario.tasks)} a task"
        speed = "baseline" if name == comparison.baseline else f"{comparison.speed(name):.2f}x"
        if scenario.beside and name not in (comparison.baseline, scenario.beside):
            beside = comparison.speed(name, scenario.beside)
            speed += f"; against {scenario.beside}: {beside:.2f}x"
        yield f"{name:<22}{span(seconds):>12}{per_task:>20}   ({speed})"
    for note in scenario.notes:
        yield f"Note: {note}"
    if not FREE_THREADED:
        yield WITH_GIL
    yield "=" * WIDTH


def log_summary(comparisons: Iterable[Comparison]) -> None:
    """Show all of it as a table."""
    rows = [row for comparison in comparisons for row in _rows(comparison)]
    logger.info("=" * WIDTH)
    logger.info("Summary: %s", setting())
    logger.info("=" * WIDTH)
    for line in _table(rows).splitlines():
        logger.info("%s", line)
    logger.info("Speed: asyncio's time divided by the contender's.")
    if not FREE_THREADED:
        logger.info(WITH_GIL)
    logger.info("=" * WIDTH)


def _rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """Return the rows of a scenario, which is named in the first of them."""
    heading = (comparison.name, str(comparison.tasks))
    for name, seconds in comparison.times.items():
        speed = f"{comparison.speed(name):.2f}x"
        yield (*heading, name, span(seconds), span(seconds / comparison.tasks), speed)
        heading = ("", "")


def _table(rows: list[tuple[str, ...]]) -> str:
    try:
        return _with_rich(rows)
    except ImportError:
        return _in_plain_text(rows)


def _with_rich(rows: list[tuple[str, ...]]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.HORIZONTALS, padding=(0, 1, 0, 0))
    for name, number in COLUMNS.items():
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for i, row in enumerate(rows):
        last = i + 1 == len(rows) or rows[i + 1][0] != ""
        table.add_row(*row, end_section=last)
    console = Console(width=WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(table, markup=False, highlight=False)
    return "\n".join(map(str.rstrip, captured.get().splitlines()))


def _in_plain_text(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]

    def line(row: Iterable[str]) -> str:
        cells = zip(row, widths, COLUMNS.values(), strict=True)
        return "  ".join(
            cell.rjust(width) if number else cell.ljust(width) for cell, width, number in cells
        )

    return "\n".join(map(line, [COLUMNS, *rows]))
