"""Workers are leased from a warm cache and given back clean; and hazards of crossing threads."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather

from .support import (
    Signal,
    block_until,
    eventually,
    eventually_async,
    fail,
    for_ever,
    idle_workers,
    is_closed,
    reports,
    value,
    where,
    worker_threads,
)


class TestTheCache:  # decision 3
    async def test_serves_one_group_after_another_with_the_same_threads(self) -> None:
        async def use() -> set[str]:
            async with ThreadedTaskGroup(2) as group:
                tasks = [group.create_task(where()) for _ in range(2)]
            return {task.result() for task in tasks}

        await use()
        threads = worker_threads()
        for _ in range(20):
            await use()
        assert worker_threads() <= threads

    async def test_leases_are_exclusive(self) -> None:
        release, first_busy, second_busy = Signal(), Signal(), Signal()

        async def hold(busy: Signal) -> str:
            await block_until(release, busy)
            return threading.current_thread().name

        async with ThreadedTaskGroup(1) as one, ThreadedTaskGroup(1) as other:
            a = one.create_task(hold(first_busy))
            b = other.create_task(hold(second_busy))
            # Both at once, though each blocks its thread.
            await first_busy.wait()
            await second_busy.wait()
            release.set()
        assert a.result() != b.result()

    async def test_a_lease_never_waits_for_another_group(self, mode: SchedulingMode) -> None:
        async def level(depth: int) -> int:
            if depth == 0:
                return 0
            async with ThreadedTaskGroup(2, mode=mode) as group:
                tasks = [group.create_task(level(depth - 1)) for _ in range(2)]
            return 1 + max(task.result() for task in tasks)

        assert await level(4) == 4

    async def test_a_gathers_lease_lasts_until_its_last_child(self) -> None:
        started, go = Signal(), Signal()

        async def sibling() -> None:
            started.set()
            await go.wait()

        async def fails() -> None:
            await started.wait()
            raise ValueError("the first")

        with pytest.raises(ValueError, match="the first"):
            await threaded_gather(sibling(), fails(), num_threads=2)
        # The sibling still runs, on a worker that is still leased.
        assert idle_workers() < len(worker_threads())
        go.set()
        assert await eventually_async(lambda: idle_workers() == len(worker_threads()))

    async def test_two_hundred_groups_leave_nothing(self) -> None:
        async def use(i: int) -> None:
            try:
                async with ThreadedTaskGroup(1 + i % 3) as group:
                    group.create_task(value(i))
                    if i % 5 == 0:
                        group.create_task(fail(ValueError()))
                        group.create_task(for_ever())
            except ValueError:
                pass

        def resources() -> tuple[int, int]:
            fds = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
            return fds, threading.active_count()

        for i in range(6):
            await use(i)
        before = resources()
        for i in range(200):
            await use(i)
        gc.collect()
        after = resources()
        assert after[0] <= before[0]
        assert after[1] <= before[1]

    def test_groups_in_many_loops_at_once(self) -> None:
        failures: list[BaseException] = []

        def run() -> None:
            async def main() -> None:
                for _ in range(5):
                    async with ThreadedTaskGroup(2) as group:
                        tasks = [group.create_task(value(i)) for i in range(20)]
                    assert [task.result() for task in tasks] == list(range(20))
                    assert await threaded_gather(*[value(1), value(2)]) == [1, 2]

            try:
                asyncio.run(main())
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


class TestGivenBackClean:  # decision 8
    async def test_stray_tasks_are_cancelled_and_awaited(self) -> None:
        started = Signal()
        ended: list[str] = []
        strays: list[asyncio.Task[None]] = []

        async def stray() -> None:
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended.append(threading.current_thread().name)

        async def child() -> str:
            strays.append(asyncio.create_task(stray()))
            await started.wait()
            return threading.current_thread().name

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
        (report,) = seen
        assert report["message"] == (
            f"left behind on {task.result()}, and ended with what left it there: 1 task"
        )
        assert report["tasks"] == set(strays)
        # When the group has ended, nothing of it runs anywhere.
        assert ended == [task.result()]
        assert strays[0].cancelled()

    async def test_asynchronous_generators_are_finalised_on_their_thread(self) -> None:
        closed_on: list[str] = []
        kept: list[AsyncIterator[int]] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                closed_on.append(threading.current_thread().name)

        async def child() -> str:
            generator = numbers()
            kept.append(generator)
            assert await anext(generator) == 1
            return threading.current_thread().name

        for _ in range(2):
            # Twice on the same loop: the first time must not mark it for good.
            with reports() as seen:
                async with ThreadedTaskGroup(1) as group:
                    task = group.create_task(child())
            assert closed_on == [task.result()]
            closed_on.clear()
            assert [report["message"].rpartition(": ")[2] for report in seen] == [
                "1 asynchronous generator"
            ]

    async def test_readers_and_writers_are_removed(self) -> None:
        one, other = os.pipe()

        async def child() -> None:
            loop = asyncio.get_running_loop()
            loop.add_reader(one, lambda: None)
            loop.add_writer(other, lambda: None)

        async def remove() -> tuple[bool, bool]:
            loop = asyncio.get_running_loop()
            return loop.remove_reader(one), loop.remove_writer(other)

        try:
            with reports() as seen:
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(child())
            (report,) = seen
            assert report["message"].endswith(": 1 reader, 1 writer")
            # Whichever worker it was, all are asked.
            count = len(worker_threads())
            found = await threaded_gather(*[remove() for _ in range(count)], num_threads=count)
        finally:
            os.close(one)
            os.close(other)
        assert found == [(False, False)] * count

    async def test_servers_are_closed(self) -> None:
        servers: list[asyncio.Server] = []

        async def child() -> int:
            server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
            servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
        (report,) = seen
        assert report["message"].endswith(": 1 server")
        port = task.result()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5).close()
        assert not servers[0].is_serving()

    async def test_what_refuses_retires_the_loop_and_is_reported(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from thrasks import _cleaning

        monkeypatch.setattr(_cleaning, "CLEANING_TIME", 0.05)
        started, give_up = Signal(), Signal()

        async def stubborn() -> None:
            started.set()
            while not give_up.is_set():
                try:
                    await asyncio.sleep(0.005)
                except asyncio.CancelledError:
                    continue

        kept: list[asyncio.Task[None]] = []

        async def child() -> str:
            kept.append(asyncio.create_task(stubborn()))
            await started.wait()
            return threading.current_thread().name

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
        (report,) = seen
        assert kept[0] in report.get("tasks", ())
        spoilt = task.result()
        # Its thread serves nobody any more.
        count = len(worker_threads()) + 2
        async with ThreadedTaskGroup(count) as group:
            names = [group.create_task(where()) for _ in range(count)]
        assert spoilt not in {each.result() for each in names}
        give_up.set()
        assert await eventually_async(lambda: spoilt not in {t.name for t in worker_threads()})

    async def test_the_default_executor_is_kept(self) -> None:
        async def child() -> str:
            return await asyncio.to_thread(lambda: threading.current_thread().name)

        async with ThreadedTaskGroup(1) as group:
            first = group.create_task(child())
        async with ThreadedTaskGroup(1) as group:
            second = group.create_task(child())
        assert first.result() == second.result()


class TestWorkersAreLikeTheParent:  # decision 9
    @pytest.mark.parametrize("debug", [False, True])
    def test_in_debug_flag_and_slow_callback_duration(self, debug: bool) -> None:
        async def look() -> tuple[bool, float]:
            loop = asyncio.get_running_loop()
            return loop.get_debug(), loop.slow_callback_duration

        async def main() -> None:
            asyncio.get_running_loop().slow_callback_duration = 7.5
            assert await threaded_gather(*[look(), look()]) == [(debug, 7.5)] * 2

        asyncio.run(main(), debug=debug)

    async def test_in_the_exception_handler(self) -> None:
        error = ValueError("of a callback")

        async def child() -> None:
            def callback() -> None:
                raise error

            asyncio.get_running_loop().call_soon(callback)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert [report["exception"] for report in seen] == [error]

    async def test_but_not_in_the_task_factory(self) -> None:
        loop = asyncio.get_running_loop()

        def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
            return asyncio.Task(coro, loop=loop, **kwargs)

        async def look() -> object:
            return asyncio.get_running_loop().get_task_factory()

        loop.set_task_factory(factory)
        try:
            assert await threaded_gather(*[look()]) == [None]
        finally:
            loop.set_task_factory(None)

    async def test_nor_in_the_context(self) -> None:
        var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="empty")
        seen: list[str] = []

        def factory() -> asyncio.AbstractEventLoop:
            # On the worker's thread, outside of any task.
            seen.append(var.get())
            return asyncio.new_event_loop()

        var.set("the parent's")
        async with ThreadedTaskGroup(1, loop_factory=factory) as group:
            group.create_task(value(1))
        assert seen == ["empty"]


class TestHazards:
    async def test_callbacks_that_raise_go_to_the_parents_handler(self) -> None:
        error = ValueError("of a done callback")

        def callback(_: object) -> None:
            raise error

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(value(1))
                task.add_done_callback(callback)
            await asyncio.sleep(0)
        assert [report["exception"] for report in seen] == [error]
        assert task.result() == 1

    async def test_timeouts_work_inside_a_child_and_around_a_group(self) -> None:
        async def child() -> str:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await for_ever()
            return "timed out"

        async with ThreadedTaskGroup(1) as group:
            inside = group.create_task(child())
        assert inside.result() == "timed out"

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                async with ThreadedTaskGroup(1) as group:
                    around = group.create_task(for_ever())
        assert around.cancelled()

    async def test_subprocesses_work_from_workers(self) -> None:
        async def child(text: str) -> bytes:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", f"print({text!r}, end='')", stdout=subprocess.PIPE
            )
            output, _ = await process.communicate()
            return output

        assert await threaded_gather(*[child("a"), child("b")], num_threads=2) == [b"a", b"b"]

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
    async def test_workers_install_no_signal_handlers(self) -> None:
        before = [signal.getsignal(number) for number in signal.valid_signals()]
        await threaded_gather(*[value(i) for i in range(8)])
        assert [signal.getsignal(number) for number in signal.valid_signals()] == before

    async def test_a_loop_that_dies_is_an_error_in_the_group_not_a_hang(self) -> None:
        async def child() -> None:
            # What no child should do.
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        # The worker goes on: stopping its loop is not ending it.
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
        assert task.done()
        async with ThreadedTaskGroup(1) as group:
            again = group.create_task(value(1))
        assert again.result() == 1

    def test_a_closed_callers_loop_ends_its_children_quietly(self) -> None:
        started = Signal()
        ended = Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                ended.set()

        loop = asyncio.new_event_loop()

        async def main() -> None:
            threaded_gather(child())
            await started.wait()

        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        assert eventually(ended.is_set)

    async def test_a_half_used_group_that_is_collected_cleans_up(self) -> None:
        started, ended = Signal(), Signal()

        release = Signal()

        async def child() -> None:
            try:
                started.set()
                await release.wait()
            except asyncio.CancelledError:
                ended.set()
                raise

        async def enter_and_forget() -> None:
            group = ThreadedTaskGroup(1)
            await group.__aenter__()
            group.create_task(child())
            await started.wait()

        with pytest.warns(ResourceWarning, match="was entered and never left"):
            await asyncio.create_task(enter_and_forget())
        cleaned_up = await eventually_async(ended.is_set, 3.0)
        release.set()
        assert cleaned_up

    def test_the_gil_stays_off(self) -> None:
        if "free-threading" not in sys.version:
            pytest.skip("not a free-threaded build")
        program = """
            import sys
            import thrasks
            assert not sys._is_gil_enabled()
        """
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


class TestLoopPool:
    async def test_runs_coroutines_and_counts_them(self, mode: SchedulingMode) -> None:
        # Its threads may have worked for others before: that does not count.
        await threaded_gather(*[value(i) for i in range(10)])
        async with LoopPool(2, mode=mode) as pool:
            names = {await pool.run(where()) for _ in range(6)}
            stats = pool.stats()
            assert (stats.queued, stats.running, stats.done) == (0, 0, 6)
            assert sum(loop.done for loop in stats.loops) == 6
            assert names <= {loop.name for loop in stats.loops}

    async def test_passes_name_and_context_on(self) -> None:
        var: contextvars.ContextVar[int] = contextvars.ContextVar("var")
        context = contextvars.copy_context()

        async def child() -> str:
            var.set(5)
            task = asyncio.current_task()
            assert task is not None
            return task.get_name()

        async with LoopPool(1) as pool:
            assert await pool.run(child(), name="called this", context=context) == "called this"
        assert context[var] == 5

    async def test_a_failure_is_the_handles_alone(self) -> None:
        async with LoopPool(1) as pool:
            with pytest.raises(ValueError, match="alone"):
                await pool.run(fail(ValueError("alone")))
            assert await pool.run(value(1)) == 1

    async def test_leaving_it_waits_for_what_runs(self) -> None:
        started, go = Signal(), Signal()

        async def child() -> str:
            started.set()
            await go.wait()
            return "ran to its end"

        async def main() -> str:
            async with LoopPool(1) as pool:
                task = pool.run(child())
            return task.result()

        leaving = asyncio.create_task(main())
        await started.wait()
        assert not leaving.done()
        go.set()
        assert await leaving == "ran to its end"

    async def test_leaving_it_by_an_error_cancels_what_runs(self) -> None:
        started, busy = Signal(), Signal()
        with pytest.raises(ValueError, match="stop"):
            async with LoopPool(1) as pool:
                running = pool.run(for_ever(started))
                await started.wait()
                raise ValueError("stop")
        assert running.cancelled()
        del busy

    async def test_is_shared_by_groups_and_gathers(self) -> None:
        async with LoopPool(2) as pool:
            mine = {loop.name for loop in pool.stats().loops}
            async with ThreadedTaskGroup(pool=pool) as one, ThreadedTaskGroup(pool=pool) as other:
                tasks = [group.create_task(where()) for group in (one, other) for _ in range(10)]
                names = set(await threaded_gather(*[where() for _ in range(10)], pool=pool))
            names |= {task.result() for task in tasks}
            assert names <= mine

    async def test_a_group_that_fails_on_it_leaves_it_and_its_other_tasks_alone(self) -> None:
        started, go = Signal(), Signal()

        async def unrelated() -> str:
            started.set()
            await go.wait()
            return "unrelated"

        async with LoopPool(1) as pool:
            task = pool.run(unrelated())
            await started.wait()
            with pytest.raises(ValueError, match="of the group"):
                async with ThreadedTaskGroup(pool=pool) as group:
                    group.create_task(for_ever())
                    group.create_task(fail(ValueError("of the group")))
            assert not task.done()
            go.set()
            assert await task == "unrelated"

    async def test_handles_can_be_cancelled(self) -> None:
        started = Signal()
        async with LoopPool(1) as pool:
            task = pool.run(for_ever(started))
            await started.wait()
            assert task.cancel("enough")
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await task

    async def test_closes_what_it_never_started(self) -> None:
        release, busy = Signal(), Signal()
        coro = value(1)
        with pytest.raises(ValueError, match="stop"):
            async with LoopPool(1) as pool:
                pool.run(block_until(release, busy))
                waiting = pool.run(coro)
                await busy.wait()
                release_soon = asyncio.get_running_loop().call_soon(release.set)
                raise ValueError("stop")
        assert not release_soon.cancelled()
        assert waiting.done()
        if waiting.cancelled():
            assert is_closed(coro)
