"""The loop threads: leased, left clean, alike to the caller's loop."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import AsyncGenerator, Callable

import pytest
from conftest import Complaints, eventually, workers
from test_group import Pair, thread_name, value

from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather


def test_threads_are_reused() -> None:
    async def main() -> None:
        names = {await group_thread() for _ in range(20)}
        assert len(names) == 1

    async def group_thread() -> str:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(thread_name())
        return task.result()

    asyncio.run(main())


def test_two_hundred_groups_leave_no_more_threads_than_one() -> None:
    async def main() -> None:
        async def one() -> None:
            async with ThreadedTaskGroup(3) as group:
                for i in range(3):
                    group.create_task(value(i))

        await one()
        threads = threading.active_count()
        for _ in range(200):
            await one()
        assert threading.active_count() == threads

    asyncio.run(main())


def test_stray_tasks_are_cancelled_before_the_group_ends() -> None:
    pair = Pair()
    strays: list[asyncio.Task[None]] = []

    async def leave_behind() -> None:
        strays.append(asyncio.create_task(pair.sleep()))
        await asyncio.sleep(0)

    async def main() -> None:
        async with ThreadedTaskGroup(1) as group:
            group.create_task(leave_behind())
        assert strays[0].cancelled()

    asyncio.run(main())
    assert pair.ended.is_set()


def test_an_error_of_a_stray_task_is_reported() -> None:
    async def complain(started: asyncio.Event) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            raise LookupError

    async def leave_behind() -> None:
        started = asyncio.Event()
        leave_behind.task = asyncio.create_task(complain(started))  # type: ignore[attr-defined]
        await started.wait()

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        async with ThreadedTaskGroup(1) as group:
            group.create_task(leave_behind())
        error, report = complaints.contexts
        assert isinstance(error["exception"], LookupError)
        assert "left behind" in complaints.messages[0]
        assert report["tasks"] == {leave_behind.task}  # type: ignore[attr-defined]

    asyncio.run(main())


def test_asynchronous_generators_are_closed_on_their_thread() -> None:
    closed_on: list[str] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed_on.append(threading.current_thread().name)

    kept: list[AsyncGenerator[int, None]] = []

    async def begin() -> str:
        generator = numbers()
        kept.append(generator)
        await anext(generator)
        return threading.current_thread().name

    async def main() -> None:
        for _ in range(2):
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(begin())
            assert closed_on == [task.result()]
            closed_on.clear()

    asyncio.run(main())


def test_workers_start_in_an_empty_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")

    def inherited() -> asyncio.AbstractEventLoop:
        seen.append(variable.get())
        return asyncio.new_event_loop()

    seen: list[str] = []

    async def main() -> None:
        variable.set("the caller's")
        async with ThreadedTaskGroup(1, loop_factory=inherited) as group:
            group.create_task(value(1))

    asyncio.run(main())
    assert seen == ["empty"]


def test_workers_take_over_debug_mode_and_handler_but_not_the_task_factory() -> None:
    async def look() -> tuple[bool, float, object]:
        loop = asyncio.get_running_loop()
        assert loop.get_task_factory() is None
        return loop.get_debug(), loop.slow_callback_duration, loop.get_exception_handler()

    async def main(debug: bool) -> None:
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 5.5

        def handler(loop: asyncio.AbstractEventLoop, context: object) -> None:
            raise AssertionError(context)

        loop.set_exception_handler(handler)
        loop.set_task_factory(lambda loop, coro, **kwargs: asyncio.Task(coro, loop=loop, **kwargs))
        seen = await threaded_gather(look(), look())
        assert seen == [(debug, 5.5, handler)] * 2

    asyncio.run(main(True), debug=True)
    asyncio.run(main(False), debug=False)


def test_subprocesses_work_from_workers() -> None:
    async def echo() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('hello')", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return output

    async def main() -> None:
        assert await threaded_gather(echo(), echo()) == [b"hello\n"] * 2

    asyncio.run(main())


def test_a_caller_whose_loop_is_closed_ends_its_children() -> None:
    pair = Pair()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        threaded_gather(pair.sleep())
        await pair.wait_started()

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert pair.ended.is_set()


def test_a_loop_factory_makes_the_loops() -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        made.append(loop)
        return loop

    async def which() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def main() -> None:
        async with ThreadedTaskGroup(2, loop_factory=factory) as group:
            tasks = [group.create_task(which()) for _ in range(4)]
        assert {task.result() for task in tasks} == set(made)
        async with LoopPool(2, loop_factory=factory) as pool:
            assert await pool.run(which()) in made
        assert len(made) == 2, "the warm ones were not used"

    asyncio.run(main())


def uvloop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    uvloop = pytest.importorskip("uvloop")
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def test_uvloop_makes_the_loops() -> None:
    factory = uvloop_factory()

    async def module() -> str:
        await asyncio.sleep(0.001)
        return type(asyncio.get_running_loop()).__module__

    async def main() -> None:
        pair = Pair()
        with pytest.raises(LookupError):
            async with ThreadedTaskGroup(2, loop_factory=factory) as group:
                task = group.create_task(module())
                group.create_task(pair.sleep())
                await pair.wait_started()
                assert await task == "uvloop"
                raise LookupError
        assert pair.ended.is_set()
        assert await threaded_gather(module(), loop_factory=factory) == ["uvloop"]

    asyncio.run(main())
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def test_idle_threads_retire(monkeypatch: pytest.MonkeyPatch) -> None:
    from thrasks import _workers

    monkeypatch.setattr(_workers, "IDLE_FOR", 0.05)

    def factory() -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    before = set(workers())
    asyncio.run(threaded_gather(value(1), value(2), num_threads=2, loop_factory=factory))
    new = set(workers()) - before
    assert len(new) == 2
    eventually("the new workers have retired", lambda: not any(t.is_alive() for t in new))
    # The next lease makes others.
    assert asyncio.run(threaded_gather(value(3), loop_factory=factory)) == [3]


def test_the_gil_stays_off() -> None:
    if not hasattr(sys, "_is_gil_enabled") or "free-threading" not in sys.version:
        pytest.skip("this build has the GIL")
    assert not sys._is_gil_enabled()
