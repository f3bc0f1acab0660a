"""What the programs here have in common: numbers on the command line, and Ctrl-C."""

from __future__ import annotations

__all__ = ["at_least_one", "port", "run", "seconds"]

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any


def at_least_one(text: str) -> int:
    """Read how many of something there are to be."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return int(text)


def port(text: str) -> int:
    """Read a port to listen on; 0 is for any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port from 0 (any) to 65535, got {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Read a time."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1_000_000:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text!r}")
    return number


def run(
    main: Coroutine[Any, Any, int | None],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Run the main coroutine, and return the exit code: its own, or 130 after Ctrl-C.

    Ctrl-C cancels the coroutine, so that every block in it is left in order: groups cancel their
    tasks and wait for them, streams stop their threads.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(main) or 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
