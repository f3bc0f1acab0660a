"""The command line of `python -m thrasks`."""

from __future__ import annotations

__all__ = ["main"]

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import bench, info
from .drawing import MIN_WIDTH, draw
from .errors import CommandError
from .tracefile import read

#: What a program ends with that Ctrl-C was pressed in, by convention.
INTERRUPTED = 130


def draw_trace(options: argparse.Namespace) -> None:
    """Draw the timeline of a trace."""
    source: Path = options.file
    target: Path = options.out or source.with_suffix(".svg")
    if target == source:
        raise CommandError(
            f"the picture would replace the trace: give --out another name than {str(target)!r}"
        )
    trace = read(source)
    try:
        target.write_text(draw(trace, options.width), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {str(target)!r}: {error.strerror}") from None
    print(f"{target}: {trace.describe()}")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog="python -m thrasks",
        description="Draw what ran where, compare asyncio and thrasks on this machine, and tell"
        " what there is to run on.",
        epilog="python -m thrasks COMMAND --help tells more.",
        allow_abbrev=False,
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, run: Callable[[argparse.Namespace], None], what: str, more: str
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=what, description=more, allow_abbrev=False)
        one.set_defaults(run=run)
        return one

    trace = add(
        "trace",
        draw_trace,
        "draw the timeline of a trace",
        "Draw the timeline of a trace that thrasks.trace has written, as an SVG picture: a lane for"
        " each loop, with its tasks as bars. Any browser shows it.",
    )
    trace.add_argument(
        "file", type=Path, metavar="FILE", help="what thrasks.trace(FILE) has written"
    )
    trace.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="SVG",
        help="the picture; FILE with .svg in place of its suffix by default",
    )
    trace.add_argument(
        "--width",
        type=_width,
        default=1200,
        metavar="PIXELS",
        help=f"its width, {MIN_WIDTH} at least (default: %(default)s)",
    )
    compare = add(
        "bench",
        bench.run,
        "compare asyncio and thrasks on this machine, in some seconds",
        "Give asyncio and thrasks the same work, in turns, and show what each needs for it. Close"
        " other programs for that: what else the machine does shows.",
    )
    compare.add_argument(
        "--threads",
        type=_threads,
        metavar="N",
        help="how many loops thrasks has; as many as there are cores by default",
    )
    add(
        "info",
        info.run,
        "tell what there is to run on: interpreter, GIL, cores, loops",
        "Tell the versions of thrasks and Python, whether the GIL is on, how many cores there are,"
        " and how loops are run and woken. It starts two loops for that.",
    )
    return top


def _number(text: str, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number was expected, got {text!r}") from None
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"must be from {least} to {most}, got {number}")
    return number


def _width(text: str) -> int:
    return _number(text, MIN_WIDTH, 100_000)


def _threads(text: str) -> int:
    return _number(text, 1, 1000)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code: 0, or 1 where something went wrong that has been told, or 130 after Ctrl-C.
        What is wrong with the arguments ends with 2, as everywhere.
    """
    options = parser().parse_args(argv)
    try:
        options.run(options)
        sys.stdout.flush()
    except CommandError as error:
        print(f"python -m thrasks: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # Where the progress was.
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read it has enough. Python would complain once more as it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
