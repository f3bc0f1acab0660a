"""The programs in `examples/python`, run as their users run them."""

from __future__ import annotations

__all__ = ["FOLDER", "LIMIT", "Program", "needs_signals", "running", "to_end"]

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from support import eventually_async

FOLDER = Path(__file__).parents[3] / "examples" / "python"

#: Seconds; more than any of them needs.
LIMIT = 50

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


class Ended(NamedTuple):
    """What is left of a program."""

    code: int
    output: str
    errors: str


class Program:
    """A program that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._streams = {"output": process.stdout, "errors": process.stderr}
        self._heard = {"output": "", "errors": ""}

    async def wait_for(self, pattern: str, where: str = "output") -> re.Match[str]:
        """Wait until it has printed something that matches."""
        async with asyncio.timeout(LIMIT):
            while not (match := re.search(pattern, self._heard[where], re.MULTILINE)):
                heard = await self._streams[where].read(4096)
                assert heard, f"no {pattern!r}: {await self.end()}"
                self._heard[where] += heard.decode()
        return match

    def send(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send it a signal: Ctrl-C, unless it is told."""
        self._process.send_signal(number)

    async def at_work(self) -> None:
        """Wait until it has used some more of a core than now."""
        stat = Path(f"/proc/{self._process.pid}/stat")

        def used() -> int:
            return int(stat.read_text().rpartition(")")[2].split()[11])

        # In hundredths of a second.
        enough = used() + 20
        assert await eventually_async(lambda: used() >= enough, LIMIT)

    async def end(self) -> Ended:
        """Wait until it has ended."""
        async with asyncio.timeout(LIMIT):
            rest = await asyncio.gather(*(stream.read() for stream in self._streams.values()))
            code = await self._process.wait()
        output, errors = (
            before + after.decode()
            for before, after in zip(self._heard.values(), rest, strict=True)
        )
        self._heard = {"output": output, "errors": errors}
        return Ended(code, output, errors)

    async def interrupted(self) -> Ended:
        """Send it Ctrl-C, and wait until it has ended in order."""
        self.send()
        ended = await self.end()
        assert (ended.code, ended.errors.endswith("Interrupted.\n")) == (130, True), ended
        assert "Traceback" not in ended.errors, ended
        return ended


def changed(name: str, change: str) -> list[str]:
    """Return what Python is to be given to run a program after some other statement."""
    path = str(FOLDER / name)
    run = "runpy.run_path(sys.argv[0], run_name='__main__')"
    start = f"sys.path.insert(0, {str(FOLDER)!r}); sys.argv[0] = {path!r}"
    return ["-c", f"import runpy, sys; {change}; {start}; {run}"]


@asynccontextmanager
async def running(name: str, *arguments: str | Path, change: str = "") -> AsyncIterator[Program]:
    """Start a program, after some other statement; it has ended when this is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(changed(name, change) if change else [FOLDER / name]),
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A warning in an example is a fault in it, or in us. What it prints is to be heard at once;
        # debug mode (of a flavour) would print how long things take.
        env={
            **os.environ,
            "PYTHONWARNINGS": "error",
            "PYTHONUNBUFFERED": "1",
            "PYTHONASYNCIODEBUG": "",
        },
    )
    program = Program(process)
    try:
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await program.end()


async def to_end(name: str, *arguments: str | Path, change: str = "") -> Ended:
    """Run a program to its end."""
    async with running(name, *arguments, change=change) as program:
        return await program.end()
