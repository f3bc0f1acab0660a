"""What outlives what: nothing that has ended keeps anything alive."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from support import (
    Signal,
    eventually_async,
    eventually_freed,
    for_ever,
    idle_workers,
    no_gc,
    reports,
    value,
    where,
    worker_threads,
)

from thrasks import LoopPool, ThreadedTask, ThreadedTaskGroup, _workers, threaded_gather


class Loop(asyncio.SelectorEventLoop):
    """A loop that can have attributes."""

    kept: Any = None


def run_and_forget(main: Callable[[Loop], Any]) -> weakref.ref[Loop]:
    """Run a coroutine function on a loop that it is given, and let go of that loop."""
    loop = Loop()
    try:
        loop.run_until_complete(main(loop))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    return weakref.ref(loop)


class TestTheCallersLoop:
    @pytest.mark.parametrize("failing", [False, True], ids=["a result", "an error"])
    def test_is_freed_though_it_refers_to_handles_and_groups(self, failing: bool) -> None:
        async def child() -> int:
            return 1 // (not failing)

        async def main(loop: Loop) -> None:
            group = ThreadedTaskGroup(2)
            tasks: list[Any] = []
            with contextlib.suppress(ZeroDivisionError):
                async with group:
                    tasks.append(group.create_task(child()))
            async with LoopPool(1) as pool:
                ran = pool.run(value(1))
                await ran
            loop.kept = [group, tasks, pool, ran]

        dead = run_and_forget(main)
        assert eventually_freed(dead)

    def test_is_freed_though_it_refers_to_a_gather(self) -> None:
        async def main(loop: Loop) -> None:
            loop.kept = threaded_gather(value(1), value(2))
            await loop.kept

        dead = run_and_forget(main)
        assert eventually_freed(dead)

    def test_is_freed_though_its_exception_handler_was_a_workers(self) -> None:
        async def main(loop: Loop) -> None:
            loop.set_exception_handler(lambda *_: print(loop))
            await threaded_gather(value(1))

        dead = run_and_forget(main)
        assert eventually_freed(dead)


class TestWorkers:
    async def test_have_the_callers_exception_handler_only_while_they_are_leased(self) -> None:
        async def handler() -> Any:
            return asyncio.get_running_loop().get_exception_handler()

        with reports():
            (leased,) = await threaded_gather(handler())
        (later,) = await threaded_gather(handler())
        assert leased is not None
        assert later is None

    async def test_a_handler_that_is_set_later_is_that_of_later_tasks(self) -> None:
        async def complain() -> None:
            asyncio.get_running_loop().call_exception_handler({"message": "of a task"})

        async with LoopPool(1) as pool:
            await pool.run(value(1))
            with reports() as seen:
                await pool.run(complain())
            assert [report["message"] for report in seen] == ["of a task"]

    async def test_a_handler_that_is_set_while_a_group_is_open_is_that_of_later_tasks(
        self,
    ) -> None:
        async def complain() -> None:
            asyncio.get_running_loop().call_exception_handler({"message": "of a task"})

        async with LoopPool(1) as pool, ThreadedTaskGroup(1):
            await pool.run(value(1))
            with reports() as seen:
                await pool.run(complain())
            assert [report["message"] for report in seen] == ["of a task"]

    async def test_close_connections_that_were_left_open(self) -> None:
        kept: list[asyncio.StreamWriter] = []

        async def child(port: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            kept.append(writer)

        with socket.create_server(("127.0.0.1", 0)) as server:
            with reports() as seen:
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(child(server.getsockname()[1]))
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(5)
                # The other end is gone: at its end, or reset.
                with contextlib.suppress(ConnectionResetError):
                    assert accepted.recv(1) == b""
        assert [report["message"].rpartition(": ")[2] for report in seen] == ["1 connection"]
        assert kept[0].is_closing()

    async def test_let_what_is_being_sent_be_sent(self) -> None:
        size = 20_000_000
        received = Signal()
        counts: list[int] = []

        async def child(port: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bytes(size))
            writer.close()

        def receive(server: socket.socket) -> None:
            connection, _ = server.accept()
            with connection:
                total = 0
                while got := len(connection.recv(1 << 16)):
                    total += got
            counts.append(total)
            received.set()

        with socket.create_server(("127.0.0.1", 0)) as server, reports() as seen:
            thread = threading.Thread(target=receive, args=(server,))
            thread.start()
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child(server.getsockname()[1]))
            await received.wait()
            thread.join()
        assert counts == [size]
        assert seen == []

    @pytest.mark.skipif(
        sys.version_info < (3, 12), reason="older loops wait for a subprocess on another thread"
    )
    async def test_end_subprocesses_that_were_left_running(self) -> None:
        kept: list[asyncio.subprocess.Process] = []

        async def child() -> None:
            command = "import sys; sys.stdin.read()"
            kept.append(
                await asyncio.create_subprocess_exec(
                    sys.executable, "-c", command, stdin=asyncio.subprocess.PIPE
                )
            )

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert kept[0].returncode is not None
        assert len(seen) == 1

    @pytest.mark.not_in("uvloop", reason="it does not show its timers")
    async def test_cancel_timers_that_were_left_behind(self) -> None:
        fired: list[float] = []

        async def child() -> str:
            loop = asyncio.get_running_loop()
            loop.call_later(0.05, fired.append, loop.time())
            return threading.current_thread().name

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
        # Whichever worker it was, it has time for it now.
        count = len(worker_threads())
        async with ThreadedTaskGroup(count) as group:
            names = [group.create_task(where()) for _ in range(count)]
            for _ in range(count):
                group.create_task(asyncio.sleep(0.1))
        assert task.result() in {name.result() for name in names}
        assert fired == []

    async def test_restore_their_task_factory(self) -> None:
        async def child() -> None:
            loop = asyncio.get_running_loop()
            loop.set_task_factory(lambda *args, **kwargs: 1 / 0)  # type: ignore[arg-type]

        async def factory() -> Any:
            return asyncio.get_running_loop().get_task_factory()

        async with ThreadedTaskGroup(1) as group:
            group.create_task(child())
        count = len(worker_threads())
        found = await threaded_gather(*[factory() for _ in range(count)], num_threads=count)
        assert found == [None] * count

    async def test_a_cleaning_that_fails_gives_the_loop_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from thrasks import _cleaning

        async def fail_to_clean(loop: asyncio.AbstractEventLoop) -> bool:
            raise LookupError(loop)

        async def leave_behind() -> str:
            asyncio.get_running_loop().create_task(for_ever())
            return threading.current_thread().name

        with reports() as seen:
            with monkeypatch.context() as patched:
                patched.setattr(_cleaning, "_clean", fail_to_clean)
                async with ThreadedTaskGroup(1) as group:
                    task = group.create_task(leave_behind())
            assert any(isinstance(report.get("exception"), LookupError) for report in seen)
        spoilt = task.result()
        assert await eventually_async(lambda: spoilt not in {t.name for t in worker_threads()})


class TestForgotten:
    async def test_a_pool_cancels_what_runs_on_it(self) -> None:
        started = Signal()
        tasks: list[ThreadedTask[None]] = []

        async def enter_and_forget() -> None:
            pool = await LoopPool(1).__aenter__()
            tasks.append(pool.run(for_ever(started)))
            await started.wait()

        with pytest.warns(ResourceWarning, match="was entered and never left"):
            await asyncio.create_task(enter_and_forget())
        await asyncio.wait(tasks)
        assert tasks[0].cancelled()
        assert await eventually_async(lambda: idle_workers() == len(worker_threads()))

    @pytest.mark.parametrize("kind", [ThreadedTaskGroup, LoopPool])
    async def test_one_on_which_nothing_runs_gives_its_threads_back(self, kind: Any) -> None:
        with pytest.warns(ResourceWarning, match="was entered and never left"):
            await kind(2).__aenter__()
        assert await eventually_async(lambda: idle_workers() == len(worker_threads()))

    @pytest.mark.parametrize("kind", [ThreadedTaskGroup, LoopPool])
    @pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
    async def test_its_threads_serve_others(
        self, kind: Any, busy: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Of those that others have used, none retires from now on.
        monkeypatch.setattr(_workers, "IDLE_FOR", 60.0)
        started = Signal()

        async def enter_and_forget() -> None:
            it = await kind(2).__aenter__()
            if busy:
                (it.create_task if kind is ThreadedTaskGroup else it.run)(for_ever(started))
                await started.wait()

        # Two at least.
        await threaded_gather(*[value(1)] * 2, num_threads=2)
        assert await eventually_async(lambda: idle_workers() == len(worker_threads()))
        threads = worker_threads()
        with pytest.warns(ResourceWarning, match="was entered and never left"):
            await asyncio.create_task(enter_and_forget())
        assert await eventually_async(lambda: idle_workers() == len(threads))
        assert worker_threads() == threads

    async def test_an_error_of_its_tasks_is_told(self) -> None:
        started, go = Signal(), Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                await go.wait()
                raise LookupError("of nobody's task")

        async def enter_and_forget() -> None:
            group = await ThreadedTaskGroup(1).__aenter__()
            group.create_task(child())
            await started.wait()

        with reports() as seen:
            with pytest.warns(ResourceWarning, match="was entered and never left"):
                await asyncio.create_task(enter_and_forget())
            go.set()
            assert await eventually_async(lambda: bool(seen))
        (report,) = seen
        assert isinstance(report["exception"], LookupError)
        assert "never retrieved" in report["message"]


class TestObjectsOfOtherThreads:
    async def test_what_a_task_got_dies_where_it_was_made(self) -> None:
        class Thing:
            pass

        async def child(thing: Thing) -> weakref.ref[Thing]:
            # The other way round: made on the caller's thread, let go of on a worker's.
            return weakref.ref(thing)

        with no_gc():
            coro = child(Thing())
            (dead,) = await threaded_gather(coro)
            del coro
            assert await eventually_async(lambda: dead() is None, 1.0)
