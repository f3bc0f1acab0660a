"""The `with` block of a trace: its errors, its end, and what it has no room for."""

from __future__ import annotations

import asyncio
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
from support import python

import thrasks
from thrasks import ThreadedTaskGroup, threaded_gather

from .reading import Found, found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.json"


async def at_once(n: int) -> int:
    return n


async def in_steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_trace_of_nothing(file: Path) -> None:
    with thrasks.trace(file) as trace:
        assert repr(trace) == f"<Trace {str(file)!r} recording>"
    assert found(trace).tasks == []
    assert (trace.path, trace.tasks, trace.left_out) == (str(file), 0, 0)
    assert repr(trace) == f"<Trace {str(file)!r} tasks=0>"


@pytest.mark.parametrize("make", [str, os.fspath, Path, lambda path: path.parent / path.name])
def test_it_takes_any_path(file: Path, make: Any) -> None:
    with thrasks.trace(make(file)) as trace:
        pass
    assert found(trace).tasks == []


def test_a_file_that_cannot_be_made_is_told_on_entry(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "run.json"
    entered = False
    with pytest.raises(FileNotFoundError, match="No such file") as caught:  # noqa: SIM117
        with thrasks.trace(path):
            entered = True
    assert not entered
    assert caught.value.filename == str(path)
    # The recorder is free.
    with thrasks.trace(tmp_path / "run.json"):
        pass


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), thrasks.trace(tmp_path):
        pass


def test_there_is_one_trace_at_a_time(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    with thrasks.trace(file) as trace:
        with pytest.raises(RuntimeError, match="a trace is being recorded already"):  # noqa: SIM117
            with thrasks.trace(other):
                pass
        # Not even its own file: that is not emptied.
        with pytest.raises(RuntimeError, match="already"), thrasks.trace(file):
            pass
        asyncio.run(_gather(3))
    assert not other.exists()
    assert len(found(trace).tasks) == 3
    with pytest.raises(RuntimeError, match="has already been entered"), trace:
        pass


async def _gather(count: int) -> None:
    await threaded_gather(*map(at_once, range(count)))


async def test_the_file_is_written_when_the_block_raises(file: Path) -> None:
    trace = thrasks.trace(file)
    with pytest.raises(ZeroDivisionError), trace:
        await threaded_gather(at_once(1), at_once(2))
        raise ZeroDivisionError
    assert found(trace).outcomes() == {"returned": 2}


async def test_the_file_is_written_when_the_block_is_cancelled(file: Path) -> None:
    trace = thrasks.trace(file)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            with trace:
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(asyncio.Event().wait(), name="waits")
    assert found(trace).one("waits").outcome == "cancelled"


@pytest.mark.parametrize("wrong", ["many", 1.5, True, None])
def test_max_events_is_an_int(wrong: Any) -> None:
    with pytest.raises(TypeError, match="max_events must be an int"):
        thrasks.trace("run.json", max_events=wrong)


def test_max_events_is_positive() -> None:
    with pytest.raises(ValueError, match="max_events must be at least 1, got 0"):
        thrasks.trace("run.json", max_events=0)


def test_a_path_is_a_path() -> None:
    with pytest.raises(TypeError):
        thrasks.trace(3)  # type: ignore[arg-type]


async def test_tasks_that_there_is_no_room_for_are_counted(file: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with thrasks.trace(file, max_events=1000) as trace:
            await threaded_gather(*map(at_once, range(600)), num_threads=2)
            await threaded_gather(*map(at_once, range(600)), num_threads=2)
    read = found(trace)
    assert 400 <= trace.tasks <= 500
    assert trace.tasks + trace.left_out == 1200
    assert read.about["tasks_left_out"] == trace.left_out
    # What is in it is whole.
    assert read.outcomes() == {"returned": trace.tasks}
    (warning,) = [one for one in caught if one.category is RuntimeWarning]
    assert "had no room for" in str(warning.message)
    assert warning.filename == __file__


async def test_steps_that_there_is_no_room_for_are_left_out(file: Path) -> None:
    with pytest.warns(RuntimeWarning, match="later steps"):  # noqa: SIM117
        with thrasks.trace(file, max_events=2000) as trace:
            await threaded_gather(in_steps(3000), num_threads=1)
    read = Found(file)
    assert read.about["steps_left_out"] is True
    (task,) = read.tasks
    assert task.outcome == "returned"
    assert len(task.steps) <= 1001
    assert trace.left_out == 0


async def test_the_traces_of_one_program_are_apart(tmp_path: Path) -> None:
    for number in range(1, 4):
        with thrasks.trace(tmp_path / f"{number}.json") as trace:
            await threaded_gather(*(in_steps(2) for _ in range(number)), num_threads=2)
        assert found(trace).outcomes() == {"returned": number}


async def test_names_of_any_characters(file: Path) -> None:
    names = ['"quoted"', "\\", "új \N{SNOWMAN}", "line\nbreak", "\x00\x1b"]
    with thrasks.trace(file) as trace:
        async with ThreadedTaskGroup(1) as group:
            for name in names:
                group.create_task(at_once(1), name=name)
    assert sorted(task.name for task in found(trace).tasks) == sorted(names)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.process
def test_a_forked_child_leaves_the_trace_to_its_parent(file: Path) -> None:
    program = f"""
    import asyncio
    import os
    import warnings
    import thrasks

    async def child():
        await asyncio.sleep(0)

    async def main(count):
        await thrasks.threaded_gather(*(child() for _ in range(count)))

    warnings.simplefilter("ignore", DeprecationWarning)
    try:
        with thrasks.trace({str(file)!r}):
            asyncio.run(main(3))
            pid = os.fork()
            if pid == 0:
                asyncio.run(main(5))
                with thrasks.trace({str(file)!r} + ".child"):
                    asyncio.run(main(2))
            else:
                _, status = os.waitpid(pid, 0)
                assert status == 0, status
    finally:
        if pid == 0:
            os._exit(0)
    """
    ran = python(program)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(Found(file).tasks) == 3
    assert len(Found(file.with_name("run.json.child")).tasks) == 2
