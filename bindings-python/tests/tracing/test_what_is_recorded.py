"""What a trace holds of each way to have something run."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import Everybody, Signal, python

import thrasks
import thrasks._thrasks as native
from thrasks import (
    LoopPool,
    SchedulingMode,
    TaskPoolExecutor,
    ThreadedTaskGroup,
    threaded,
    threaded_gather,
)

from .reading import Found, found


async def at_once(n: int) -> int:
    return n


async def in_two_steps(n: int) -> int:
    await asyncio.sleep(0)
    return n


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.json"


async def test_a_gather_whose_tasks_return_at_once(file: Path, mode: SchedulingMode) -> None:
    with thrasks.trace(file) as trace:
        results = await threaded_gather(*map(at_once, range(100)), num_threads=2, mode=mode)
    assert results == list(range(100))

    read = found(trace)
    tasks = read.named("at_once")
    assert len(tasks) == len(read.tasks) == 100
    assert read.outcomes() == {"returned": 100}
    assert all(task.suspended == 0 or len(task.steps) > 1 for task in tasks)
    assert {task.thread for task in tasks} == read.on_loops()
    assert all(name.startswith("thrasks-loop-") for name in read.on_loops())


async def test_a_task_that_suspends_has_its_steps_and_the_time_between(file: Path) -> None:
    with thrasks.trace(file) as trace:
        await threaded_gather(*map(in_two_steps, range(50)), num_threads=2)

    read = found(trace)
    assert read.outcomes() == {"returned": 50}
    # Where tasks are not eager the first step is that in which they are made.
    assert {len(task.steps) for task in read.tasks} <= {2, 3}
    assert all(task.suspended > 0 for task in read.tasks)


async def test_a_group_with_names_of_its_own(file: Path) -> None:
    with thrasks.trace(file) as trace:
        async with ThreadedTaskGroup(2) as group:
            group.create_task(at_once(1))
            group.create_task(in_two_steps(2), name="called this")
            group.create_task(at_once(3), name="and this")

    read = found(trace)
    assert sorted(task.name for task in read.tasks) == ["and this", "at_once", "called this"]
    assert read.outcomes() == {"returned": 3}


async def test_what_waits_for_its_turn_is_queued(file: Path) -> None:
    begun, go = Signal(), Signal()

    async def first() -> None:
        begun.set()
        # Its loop does nothing else meanwhile.
        go.block()

    with thrasks.trace(file) as trace:
        async with ThreadedTaskGroup(1) as group:
            group.create_task(first())
            await begun.wait()
            group.create_task(at_once(1))
            go.set()

    read = found(trace)
    one, other = (
        read.one(f"{test_what_waits_for_its_turn_is_queued.__name__}.<locals>.first"),
        read.one("at_once"),
    )
    # It was submitted while the first one ran, and began after that.
    assert one.steps[0][1] < other.begin < one.end
    assert other.begin + other.queued >= one.end - 0.01


async def test_a_limit_queues_as_well(file: Path) -> None:
    with thrasks.trace(file) as trace:
        await threaded_gather(*map(in_two_steps, range(20)), num_threads=2, max_concurrency=1)
    read = found(trace)
    assert read.outcomes() == {"returned": 20}
    lives = sorted((task.begin + task.queued, task.end) for task in read.tasks)
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(lives))


async def test_a_pool_is_shared_by_all_who_use_it(file: Path) -> None:
    with thrasks.trace(file) as trace:
        async with LoopPool(2) as pool:
            assert await pool.run(at_once(1), name="run by the pool") == 1
            await threaded_gather(*map(in_two_steps, range(10)), pool=pool)
            async with ThreadedTaskGroup(pool=pool) as group:
                group.create_task(at_once(2), name="of a group")

    read = found(trace)
    assert len(read.named("in_two_steps")) == 10
    assert read.one("run by the pool").outcome == read.one("of a group").outcome == "returned"
    assert len(read.on_loops()) <= 2


async def test_an_executor_on_the_callers_loop_runs_on_the_callers_thread(file: Path) -> None:
    with thrasks.trace(file) as trace:
        async with TaskPoolExecutor(max_workers=2) as executor:
            futures = [executor.submit(in_two_steps, n) for n in range(5)]
            futures += [executor.submit(at_once(5))]
            assert [await future for future in futures] == list(range(6))
            assert [n async for n in executor.map(at_once, range(5, 10))] == list(range(5, 10))

    read = found(trace)
    assert read.outcomes() == {"returned": 11}
    assert read.on_loops() == {threading.current_thread().name}
    assert len(read.named("in_two_steps")) == 5
    assert {len(task.steps) for task in read.named("in_two_steps")} <= {2, 3}
    # Its loop is as it was.
    assert "call_soon" not in vars(asyncio.get_running_loop())


async def test_an_executor_with_threads_and_a_map(file: Path) -> None:
    with thrasks.trace(file) as trace:
        async with TaskPoolExecutor(max_workers=3, num_threads=2) as executor:
            assert await executor.submit(in_two_steps, 7) == 7
            assert [n async for n in executor.map(at_once, range(8))] == list(range(8))

    read = found(trace)
    assert (len(read.named("in_two_steps")), len(read.named("at_once"))) == (1, 8)
    assert read.outcomes() == {"returned": 9}
    assert all(name.startswith("thrasks-loop-") for name in read.on_loops())


async def test_a_group_within_a_task_is_submitted_by_its_loop(file: Path) -> None:
    async def outer() -> int:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(in_two_steps(3), name="inner")
        return task.result()

    with thrasks.trace(file) as trace:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(outer(), name="outer")
    assert task.result() == 3

    read = found(trace)
    outer_task, inner_task = read.one("outer"), read.one("inner")
    assert outer_task.thread != inner_task.thread
    assert outer_task.begin < inner_task.begin < inner_task.end < outer_task.end
    (start,) = [event for event in read.of("s") if event["id"] == inner_task.number]
    assert read.threads[start["tid"]] == outer_task.thread


async def test_calls_on_threads(file: Path) -> None:
    @threaded
    def blocking(n: int) -> int:
        return n

    with thrasks.trace(file) as trace:
        assert await asyncio.gather(*map(blocking, range(3))) == [0, 1, 2]

    read = found(trace)
    calls = [task for task in read.tasks if task.name.endswith("<locals>.blocking")]
    assert len(calls) == len(read.tasks) == 3
    assert read.outcomes() == {"returned": 3}
    assert all(str(task.thread).startswith("thrasks-blocking-") for task in calls)
    assert read.on_loops() == set()
    assert len(read.pieces("call")) == 3


def test_several_callers_each_with_a_loop_of_its_own(file: Path) -> None:
    meeting = Everybody(3)

    async def caller(number: int) -> list[int]:
        await meeting.meet()
        return await threaded_gather(*(in_two_steps(number * 100 + n) for n in range(20)))

    results: dict[str, list[int]] = {}

    def run(number: int) -> None:
        results[threading.current_thread().name] = asyncio.run(caller(number))

    threads = [threading.Thread(target=run, args=(n,), name=f"caller {n}") for n in range(3)]
    with thrasks.trace(file) as trace:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(results) == 3
    read = found(trace)
    assert read.outcomes() == {"returned": 60}
    submitters = {read.threads[event["tid"]] for event in read.pieces("submit")}
    assert submitters == set(results)


class OddLoop(asyncio.SelectorEventLoop):
    """A loop that calls back in a way of its own."""

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        return super().call_soon(callback, *args, context=context)


async def test_loops_of_another_make(file: Path) -> None:
    with thrasks.trace(file) as trace:
        await threaded_gather(*map(in_two_steps, range(10)), num_threads=2, loop_factory=OddLoop)
        # Those that are there already are as good as those that are made.
        await threaded_gather(*map(in_two_steps, range(10)), num_threads=2, loop_factory=OddLoop)
    read = found(trace)
    assert read.outcomes() == {"returned": 20}
    assert {len(task.steps) for task in read.tasks} <= {2, 3}
    loops = [loop for _, loop in native.worker_loops() if isinstance(loop, OddLoop)]
    assert len(loops) >= 2
    assert [loop for loop in loops if "call_soon" in vars(loop)] == []


async def test_a_loop_that_was_there_before_the_trace(file: Path) -> None:
    await threaded_gather(*map(in_two_steps, range(10)), num_threads=2, loop_factory=OddLoop)
    with thrasks.trace(file) as trace:
        await threaded_gather(*map(in_two_steps, range(10)), num_threads=2, loop_factory=OddLoop)
    assert {len(task.steps) for task in found(trace).tasks} <= {2, 3}


@pytest.mark.process
def test_uvloop(file: Path) -> None:
    pytest.importorskip("uvloop")
    program = f"""
    import asyncio
    import thrasks
    import uvloop

    async def child():
        await asyncio.sleep(0.001)

    async def main():
        with thrasks.trace({str(file)!r}):
            await thrasks.threaded_gather(
                *(child() for _ in range(10)), num_threads=2, loop_factory=uvloop.new_event_loop
            )

    asyncio.run(main())
    """
    ran = python(program)
    assert (ran.returncode, ran.stderr) == (0, "")
    read = Found(file)
    assert read.outcomes() == {"returned": 10}
    assert {len(task.steps) for task in read.tasks} <= {2, 3}


async def test_what_was_submitted_before_is_not_in_it(file: Path) -> None:
    begun, go = Signal(), Signal()

    async def waits() -> None:
        begun.set()
        await go.wait()

    async with ThreadedTaskGroup(2) as group:
        group.create_task(waits(), name="before")
        await begun.wait()
        with thrasks.trace(file) as trace:
            await threaded_gather(at_once(1))
            go.set()
        group.create_task(at_once(2), name="after")

    assert [task.name for task in found(trace).tasks] == ["at_once"]


async def test_a_task_that_goes_on_is_unfinished_and_not_in_the_next_trace(
    file: Path, tmp_path: Path
) -> None:
    begun, go = Signal(), Signal()

    async def waits() -> None:
        begun.set()
        await go.wait()

    async with ThreadedTaskGroup(1) as group:
        with thrasks.trace(file) as trace:
            group.create_task(waits(), name="waits")
            await begun.wait()
        with thrasks.trace(tmp_path / "next.json") as following:
            go.set()
            await threaded_gather(at_once(1))

    assert found(trace).one("waits").outcome == "unfinished"
    assert [task.name for task in found(following).tasks] == ["at_once"]
