"""The workers of a gather take its jobs themselves, and none is lost with a worker."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from support import python

from thrasks import SchedulingMode, threaded_gather

#: One job breaks the loop that it is on, the next there keeps the worker until it has to look at
#: its loop, which then dies before it has come to the others.
PROGRAM = """
import asyncio, os, sys, time
from thrasks import SchedulingMode, threaded_gather

async def breaks():
    asyncio.get_running_loop()._selector.close()
    await asyncio.sleep(3600)

async def keeps():
    time.sleep(0.01)

async def value(number):
    return number

async def main():
    numbers = range(20)
    outcomes = await threaded_gather(
        breaks(), *[keeps() for _ in range({threads})], *map(value, numbers),
        num_threads={threads}, mode=SchedulingMode.{mode}, return_exceptions=True,
    )
    print(*sorted({{str(o) for o in outcomes if isinstance(o, Exception)}}), sep="\\n")
    print(sum(number in outcomes for number in numbers))
    sys.stdout.flush()
    os._exit(0)

asyncio.run(main())
"""


@pytest.mark.not_in("uvloop", reason="it has no selector to break")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin in a later turn of the loop")
class TestAWorkerWhoseLoopDies:
    def test_leaves_what_it_has_not_taken_to_the_others(self, mode: SchedulingMode) -> None:
        done = python(PROGRAM.format(threads=2, mode=mode.name))
        (error, count) = done.stdout.splitlines()
        assert error.endswith("has died")
        assert count == "20"

    def test_and_is_the_only_one_fails_what_it_has_not_taken(self, mode: SchedulingMode) -> None:
        done = python(PROGRAM.format(threads=1, mode=mode.name))
        *errors, count = done.stdout.splitlines()
        assert any(error.endswith("has died") for error in errors)
        assert len(errors) == 2
        # It looks at the time now and then, where jobs are short.
        assert int(count) < 20


async def test_are_what_the_mode_says() -> None:
    async def where(_: int) -> str:
        return threading.current_thread().name

    names = await threaded_gather(
        *map(where, range(10)), num_threads=3, mode=SchedulingMode.ROUND_ROBIN
    )
    assert all(name == names[number % 3] for number, name in enumerate(names))
    assert len(set(names)) == 3


async def test_are_taken_by_who_is_free() -> None:
    # All but one are of one worker: the other is kept until they are over.
    over = threading.Event()
    left = 20

    async def keep() -> str:
        over.wait()
        return threading.current_thread().name

    async def other() -> str:
        nonlocal left
        left -= 1
        if not left:
            over.set()
        return threading.current_thread().name

    kept, *others = await threaded_gather(
        keep(), *[other() for _ in range(left)], num_threads=2, mode=SchedulingMode.QUEUE
    )
    assert len(set(others)) == 1
    assert kept not in others


async def test_of_many_more_jobs_than_fit_into_a_turn_leave_the_loops_their_turns() -> None:
    turned = 0

    async def turn() -> None:
        nonlocal turned
        while True:
            await asyncio.sleep(0)
            turned += 1

    async def job(number: int) -> int:
        # Long enough for many turns of the loop, without a wait.
        return sum(range(1000)) * 0 + number

    async def with_a_task(number: int) -> int:
        task = asyncio.create_task(turn())
        await asyncio.sleep(0)
        task.add_done_callback(lambda _: None)
        tasks.append(task)
        return number

    async def end() -> int:
        for task in tasks:
            task.cancel()
        return turned

    tasks: list[asyncio.Task[None]] = []
    *numbers, seen = await threaded_gather(
        with_a_task(0), *[job(number) for number in range(1, 2000)], end(), num_threads=1
    )
    assert numbers == list(range(2000))
    assert seen > 0
