"""What hangs is found out about: who waits for what, and where every thread is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from support import Signal

from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather

from .ledger import Ledger
from .scene import describe

HANGS = """
import asyncio

from thrasks import ThreadedTaskGroup


async def stuck():
    await asyncio.get_running_loop().create_future()


async def main():
    async with ThreadedTaskGroup(1) as group:
        group.create_task(stuck(), name="the one that is stuck")


def test_hangs(watchdog):
    with watchdog.watching("this program", 0.2):
        asyncio.run(main())
"""


class TestScene:
    async def test_tells_of_every_task_and_what_it_waits_for(self) -> None:
        begun, end = Signal(), Signal()
        ledger = Ledger()
        ledger.complaints.append({"message": "that something is odd"})

        async def inner() -> None:
            begun.set()
            await end.wait()

        async def outer() -> None:
            await inner()

        text = io.StringIO()
        async with LoopPool(1) as pool, ThreadedTaskGroup(pool=pool) as group:
            task = group.create_task(outer(), name="outermost")
            gathering = threaded_gather(outer(), pool=pool)
            await begun.wait()
            describe(text)
            end.set()
            await gathering
        await task
        told = text.getvalue()
        assert "Traceback" not in told
        assert "The loop of thrasks-loop-" in told
        assert "The loop of no worker" in told
        assert "name='outermost'" in told
        assert f"{inner.__qualname__} at {__file__}" in told
        assert "<ThreadedTaskGroup threads=1 mode=QUEUE tasks=1 entered>: {" in told
        assert "PoolStats(queued=0, running=2" in told
        assert "<ThreadedTask pending name='outermost' worker='thrasks-loop-" in told
        assert "<GatheringFuture pending" in told
        assert "a loop complained: {'message': 'that something is odd'}" in told


class TestWatchdog:
    def test_ends_a_process_that_hangs_and_tells_why(self, tmp_path: Path) -> None:
        (tmp_path / "test_hangs.py").write_text(HANGS)
        tests = str(Path(__file__).parents[1])
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "soak.conftest", "-p", "no:cacheprovider", "."],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": tests},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 70
        what, scene, threads = ended.stderr.partition("Every thread:")
        assert "this program\nhas not ended in time." in what
        assert "name='the one that is stuck'" in what
        assert "Traceback" not in what
        assert scene
        assert "_workers.py" in threads
