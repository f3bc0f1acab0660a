"""Decision 8: whatever happens while a loop is being cleaned, the group ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support import for_ever, reports, where

from thrasks import ThreadedTask, ThreadedTaskGroup

#: How often a loop is cleaned while another thread has it call something.
ROUNDS = 20


class OddError(Exception):
    """What the callback of a timer raises, when it is looked at."""


class Odd:
    """A callback that cannot be asked where it comes from."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__module__":
            raise OddError
        return super().__getattribute__(name)

    def __call__(self) -> None:
        raise AssertionError("its timer is cancelled, or the loop is closed before that")


async def numbers() -> AsyncIterator[int]:
    yield 1


async def leave_nothing() -> None:
    """What is left is looked at at once."""


async def end_a_generator() -> None:
    """What is left is looked at once more, in the next turn of the loop."""
    async for _ in numbers():
        pass


#: What is left behind on purpose, and would otherwise be collected.
stray: list[asyncio.Task[Any]] = []


async def leave_a_task() -> None:
    """What is left is ended by a task of the cleaning."""
    stray.append(asyncio.ensure_future(for_ever()))


class TestWhatGoesWrong:
    @pytest.mark.not_in("uvloop", reason="it shows nobody its timers, which fail here")
    @pytest.mark.parametrize("leave", [leave_nothing, end_a_generator, leave_a_task])
    async def test_is_reported_and_retires_the_loop(self, leave: Callable[[], Any]) -> None:
        async def task() -> str:
            await leave()
            asyncio.get_running_loop().call_later(3600, Odd())
            return await where()

        # Warm, so that nothing but the task stirs it.
        async with ThreadedTaskGroup(1) as group:
            warm = group.create_task(where())
        # Whoever is told keeps the error, and with it what its traceback refers to.
        with reports() as told:
            async with ThreadedTaskGroup(1) as group:
                worker = group.create_task(task())
        assert worker.result() == warm.result()
        failed = [each for each in told if "has failed" in each["message"]]
        assert [each["message"] for each in failed] == [
            f"cleaning {worker.result()} has failed; the loop is given up"
        ]
        assert isinstance(failed[0]["exception"], OddError)
        async with ThreadedTaskGroup(1) as group:
            later = group.create_task(where())
        assert later.result() != worker.result()
        stray.clear()


class TestAnotherThread:
    async def test_may_have_the_loop_call_something_meanwhile(self) -> None:
        async def find_loop() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        async with ThreadedTaskGroup(1) as group:
            found = group.create_task(find_loop())
        loop, over = found.result(), threading.Event()
        used: list[ThreadedTask[asyncio.AbstractEventLoop]] = []

        def ask() -> None:
            while not over.is_set():
                loop.call_soon_threadsafe(int)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            with reports() as told:
                for _ in range(ROUNDS):
                    async with ThreadedTaskGroup(1) as group:
                        used.append(group.create_task(find_loop()))
        finally:
            over.set()
            asking.join()
        assert told == []
        assert {task.result() for task in used} == {loop}
