"""How tasks end, in a trace."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support import Everybody, Signal

import thrasks
from thrasks import TaskPoolExecutor, ThreadedTaskGroup, threaded, threaded_gather

from .reading import found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.json"


async def waits_for_ever(begun: Signal) -> None:
    begun.set()
    await asyncio.Event().wait()


async def fails() -> None:
    await asyncio.sleep(0)
    raise ValueError("on purpose")


async def fails_at_once() -> None:
    raise ValueError("on purpose")


async def test_a_task_that_is_cancelled_while_it_waits(file: Path) -> None:
    begun = Signal()
    with thrasks.trace(file) as trace:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(waits_for_ever(begun))
            await begun.wait()
            task.cancel()
    assert task.cancelled()

    told = found(trace).one("waits_for_ever")
    assert (told.outcome, told.cancel_requests) == ("cancelled", 1)
    assert told.suspended > 0
    # A step in which the cancellation is raised.
    assert len(told.steps) >= 2


async def test_one_that_is_cancelled_in_the_queue_was_never_on_a_loop(file: Path) -> None:
    begun, go = Signal(), Signal()

    async def first() -> None:
        begun.set()
        go.block()

    with thrasks.trace(file) as trace:
        async with ThreadedTaskGroup(1) as group:
            group.create_task(first(), name="first")
            await begun.wait()
            unnamed = group.create_task(fails())
            named = group.create_task(fails(), name="named")
            unnamed.cancel()
            named.cancel()
            go.set()
    assert unnamed.cancelled()
    assert named.cancelled()

    read = found(trace)
    for name in ("fails", "named"):
        told = read.one(name)
        assert (told.outcome, told.thread, told.steps) == ("cancelled", None, ())
        assert told.cancel_requests == 1
        assert told.queued > 0
    assert read.one("first").outcome == "returned"


async def test_a_gather_that_is_cancelled(file: Path) -> None:
    meeting = Everybody(5)

    async def child() -> None:
        await meeting.meet()
        await asyncio.Event().wait()

    with thrasks.trace(file) as trace:
        gathered = threaded_gather(*(child() for _ in range(4)), num_threads=2)
        await meeting.meet()
        gathered.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathered

    read = found(trace)
    assert read.outcomes() == {"cancelled": 4}
    assert {task.cancel_requests for task in read.tasks} == {1}


async def test_a_gather_that_is_cancelled_before_its_workers_have_begun(file: Path) -> None:
    with thrasks.trace(file) as trace:
        gathered = threaded_gather(*(fails() for _ in range(200)), num_threads=1)
        gathered.cancel()
        with pytest.raises((asyncio.CancelledError, ValueError)):
            await gathered

    read = found(trace)
    assert len(read.named("fails")) == 200
    assert read.outcomes()["unfinished"] == 0


@pytest.mark.parametrize("function", [fails, fails_at_once])
async def test_failures(file: Path, function: object) -> None:
    assert callable(function)
    with thrasks.trace(file) as trace:
        results = await threaded_gather(
            *(function() for _ in range(5)), num_threads=2, return_exceptions=True
        )
        with pytest.raises(ValueError, match="on purpose"):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(function(), name="of a group")
    assert all(isinstance(result, ValueError) for result in results)

    read = found(trace)
    assert read.outcomes() == {"failed": 6}
    assert read.one("of a group").outcome == "failed"


async def test_the_siblings_of_a_failure_are_cancelled(file: Path) -> None:
    begun = Signal()
    with thrasks.trace(file) as trace, pytest.raises(ValueError, match="on purpose"):
        async with ThreadedTaskGroup(2) as group:
            group.create_task(waits_for_ever(begun))
            await begun.wait()
            group.create_task(fails())

    read = found(trace)
    assert read.outcomes() == {"cancelled": 1, "failed": 1}
    assert read.one("waits_for_ever").cancel_requests == 1


async def test_jobs_of_an_executor_on_the_callers_loop(file: Path) -> None:
    begun = Signal()
    with thrasks.trace(file) as trace:
        async with TaskPoolExecutor(max_workers=1) as executor:
            running = executor.submit(waits_for_ever, begun)
            queued = executor.submit(fails)
            await begun.wait()
            queued.cancel()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            with pytest.raises(ValueError, match="on purpose"):
                await executor.submit(fails_at_once)

    read = found(trace)
    assert read.one("fails").outcome == "cancelled"
    assert read.one("fails").thread is None
    assert read.one("waits_for_ever").outcome == "cancelled"
    assert read.one("waits_for_ever").cancel_requests == 1
    assert read.one("fails_at_once").outcome == "failed"


async def test_calls_on_threads(file: Path) -> None:
    begun, go = Signal(), Signal()

    @threaded
    def fails_too() -> None:
        begun.set()
        go.block()
        raise ValueError("on purpose")

    with thrasks.trace(file) as trace:
        call = fails_too()
        await begun.wait()
        go.set()
        with pytest.raises(ValueError, match="on purpose"):
            await call

    assert found(trace).outcomes() == {"failed": 1}


async def test_a_task_that_refuses_to_be_cancelled_has_returned(file: Path) -> None:
    begun = Signal()

    async def refuses() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "no"
        raise AssertionError("it was woken by nobody")

    with thrasks.trace(file) as trace:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(refuses(), name="refuses")
            await begun.wait()
            task.cancel()
    assert task.result() == "no"

    told = found(trace).one("refuses")
    assert (told.outcome, told.cancel_requests) == ("returned", 1)
