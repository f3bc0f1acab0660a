"""Ctrl-C while the main thread wakes a worker: it is heard, and so is the worker."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest
from support import PATIENCE, Signal, eventually

from thrasks import ThreadedTaskGroup

#: How many of the next wake-ups are interrupted.
interrupts: list[int] = []


class Interrupted(asyncio.SelectorEventLoop):
    """A loop that has Ctrl-C pressed in the midst of being woken by the main thread."""

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> asyncio.Handle:  # type: ignore[override]
        if interrupts and threading.current_thread() is threading.main_thread():
            interrupts.pop()
            signal.raise_signal(signal.SIGINT)
        return super().call_soon_threadsafe(*args, **kwargs)


@pytest.mark.parametrize("times", [1, 3])
def test_an_interrupt_is_raised_and_no_wakeup_is_lost(times: int) -> None:
    groups: list[ThreadedTaskGroup] = []
    opened, over = threading.Event(), Signal()
    done = threading.Event()

    async def task() -> None:
        done.set()

    async def main() -> None:
        async with ThreadedTaskGroup(1, loop_factory=Interrupted) as group:
            groups.append(group)
            opened.set()
            await over.wait()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=lambda: asyncio.run(main()))
    other.start()
    try:
        assert opened.wait(PATIENCE)
        interrupts.extend(range(times))
        with pytest.raises(KeyboardInterrupt):
            # Until one finds the worker's loop asleep, so that it has to be woken.
            while interrupts:
                groups[0].create_task(task())
                eventually(lambda: not interrupts, 0.02)
            # At the latest: between two instructions.
            eventually(lambda: False, 0.1)
        assert interrupts == []
        assert done.wait(PATIENCE)
    finally:
        signal.signal(signal.SIGINT, before)
        interrupts.clear()
        over.set()
        other.join()
