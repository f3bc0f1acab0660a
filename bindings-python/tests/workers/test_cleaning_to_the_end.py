"""Decision 8: what one look at a loop does not show, and what takes its time."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support import Signal, eventually_async, for_ever, reports

from thrasks import ThreadedTaskGroup, _cleaning, threaded_gather


async def leave(stray: Any) -> asyncio.Task[None]:
    task: asyncio.Task[None] = asyncio.get_running_loop().create_task(stray)
    await asyncio.sleep(0)
    return task


class TestOneAfterAnother:
    @pytest.mark.parametrize("turns", range(4))
    async def test_what_the_end_of_a_stray_task_starts_some_turns_later_is_ended_too(
        self, turns: int
    ) -> None:
        strays: list[asyncio.Task[None]] = []

        def start(left: int) -> None:
            loop = asyncio.get_running_loop()
            if left:
                loop.call_soon(start, left - 1)
            else:
                strays.append(loop.create_task(for_ever()))

        async def child() -> None:
            stray = await leave(for_ever())
            stray.add_done_callback(lambda _: start(turns))

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert [stray.cancelled() for stray in strays] == [True]
        assert [report["message"].rpartition(": ")[2] for report in seen] == ["2 tasks"]

    @pytest.mark.parametrize("turns", range(4))
    @pytest.mark.parametrize("of_a_gather", [False, True], ids=["group", "gather"])
    @pytest.mark.not_in("uvloop", reason="it shows nobody what it is to call back")
    async def test_what_a_callback_starts_some_turns_later_is_ended_too(
        self, of_a_gather: bool, turns: int
    ) -> None:
        strays: list[asyncio.Task[None]] = []
        over = Signal()

        def start(loop: asyncio.AbstractEventLoop, left: int) -> None:
            if left:
                loop.call_soon(start, loop, left - 1)
            else:
                strays.append(loop.create_task(for_ever()))
                strays[0].add_done_callback(lambda _: over.set())

        async def child() -> None:
            loop = asyncio.get_running_loop()
            loop.call_soon(start, loop, turns)

        with reports() as seen:
            if of_a_gather:
                await threaded_gather(child(), num_threads=1)
                await over.wait()
                assert await eventually_async(lambda: bool(seen))
            else:
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(child())
        assert [stray.cancelled() for stray in strays] == [True]
        assert [report["message"].rpartition(": ")[2] for report in seen] == ["1 task"]


class TestWhatIsTold:
    async def test_not_what_a_gather_that_was_left_keeps_to_itself(self) -> None:
        started = Signal()
        left: list[asyncio.Future[Any]] = []

        async def child() -> None:
            left.append(threaded_gather(for_ever(started), num_threads=1))
            await started.wait()

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert left[0].done()
        assert seen == []

    @pytest.mark.skipif(
        sys.version_info < (3, 12), reason="older loops wait for a subprocess on another thread"
    )
    async def test_that_it_was_a_subprocess(self) -> None:
        async def child() -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "import sys; sys.stdin.read()",
                stdin=asyncio.subprocess.PIPE,
            )

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(child())
        assert task.result().returncode is not None
        assert [report["message"].rpartition(": ")[2] for report in seen] == ["1 subprocess"]


class TestItsOwnWay:
    @pytest.mark.not_in("uvloop", reason="it shows nothing of what it still has to send")
    async def test_what_does_not_close_in_time_is_dropped(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_cleaning, "CLEANING_TIME", 0.05)
        size = 20_000_000

        async def child(port: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            # More than the sockets take, and nobody reads.
            writer.write(bytes(size))
            writer.close()

        def received(connection: socket.socket) -> int:
            total = 0
            with contextlib.suppress(ConnectionResetError):
                while got := len(connection.recv(1 << 16)):
                    total += got
            return total

        with socket.create_server(("127.0.0.1", 0)) as server:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child(server.getsockname()[1]))
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                assert await asyncio.to_thread(received, connection) < size

    async def test_a_task_factory_that_the_loop_was_made_with_has_no_say(self) -> None:
        made: list[str] = []

        def make(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
            made.append(coro.__qualname__)
            return asyncio.Task(coro, loop=loop, **options)

        def new_loop() -> asyncio.AbstractEventLoop:
            loop = asyncio.new_event_loop()
            loop.set_task_factory(make)
            return loop

        async def child() -> None:
            await leave(for_ever())

        with reports() as seen:
            async with ThreadedTaskGroup(1, loop_factory=new_loop) as group:
                group.create_task(child())
        assert made == ["for_ever"]
        assert len(seen) == 1

    async def test_it_has_nothing_of_the_callers_context(self) -> None:
        var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="empty")
        found: list[str] = []
        kept: list[Any] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                found.append(var.get())

        async def child() -> None:
            kept.append(numbers())
            await anext(kept[0])

        var.set("the parent's")
        with reports():
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert found == ["empty"]
