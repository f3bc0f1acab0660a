"""What the benchmark programs have in common: how they begin, show where they are, and end."""

from __future__ import annotations

__all__ = ["failed", "headline", "meter", "run_program", "write_figures"]

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

#: Above this, times say more about the other processes.
LOAD = 0.5


def headline(console: Console, where: Mapping[str, object], date: str) -> None:
    build = "free-threaded" if where["free_threaded"] else "not free-threaded"
    gil = "the GIL is on" if where["gil_enabled"] else "the GIL is off"
    console.print(date)
    console.print(
        f"{where['cpu']}, {where['cores']} cores, {where['system']}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{where['python']}, {build}, {gil}, {where['compiler']}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    load = where["load"]
    if isinstance(load, float) and load > LOAD:
        console.print(
            f"[yellow]Something else is working on this machine (load {load:.1f}):"
            " take the times as too high and the ratios as rough.[/]",
            soft_wrap=True,
        )
    if where["gil_enabled"]:
        console.print(
            "[yellow]Nothing runs in parallel with the GIL, and the goals are not meant for it.[/]",
            soft_wrap=True,
        )
    console.print()


@contextlib.contextmanager
def meter(progress: Console, budget: float) -> Iterator[Callable[[int, str], None]]:
    """Show how far we are, at every new scenario; nothing is drawn while a contender works."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), TimeElapsedColumn())
    begin = time.monotonic()
    if progress.is_terminal:
        with Progress(*columns, console=progress, auto_refresh=False, transient=True) as bars:
            bar = bars.add_task("starting", total=budget)

            def tick(number: int, name: str) -> None:
                elapsed = min(time.monotonic() - begin, budget)
                bars.update(bar, completed=elapsed, description=f"round {number}: {name}")
                bars.refresh()

            yield tick
    else:
        shown = 0

        def line(number: int, name: str) -> None:
            nonlocal shown
            if number > shown:
                shown = number
                progress.print(f"round {number}, after {time.monotonic() - begin:.0f} s")

        yield line


def write_figures(program: str, path: Path | None, figures: Mapping[str, Any]) -> bool:
    """Write them where they are wanted. Return False, and say why, where that cannot be done."""
    if path is None:
        return True
    try:
        path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    except OSError as error:
        print(f"{program}: error: cannot write {path}: {error.strerror}", file=sys.stderr)
        return False
    return True


def failed(console: Console, names: Iterable[str]) -> int:
    """Say who could not be measured. Return the exit code."""
    broken = ", ".join(sorted(set(names)))
    if broken:
        console.print(f"[red]Not everything could be measured: {escape(broken)}.[/]")
    return 1 if broken else 0


def on_terminate(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    sys.exit(128 + number)


def run_program(
    bench: Callable[[argparse.Namespace, Console, Console], int], options: argparse.Namespace
) -> int:
    """Run a program: with a console for the figures, and one for what shows meanwhile."""
    # With the children, that is.
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        return bench(options, Console(highlight=False), Console(stderr=True, highlight=False))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
