"""Decision 8: workers are given back clean."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator

import pytest
from support import (
    Signal,
    eventually_async,
    fail_when_cancelled,
    for_ever,
    reports,
    where,
    worker_threads,
)

from thrasks import ThreadedTaskGroup, threaded_gather


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

    async def test_an_error_of_a_stray_task_is_reported(self) -> None:
        started = Signal()
        strays: list[asyncio.Task[None]] = []

        async def child() -> None:
            stray = fail_when_cancelled(LookupError("of the stray"), started)
            strays.append(asyncio.create_task(stray))
            await started.wait()

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        error, report = seen
        assert isinstance(error["exception"], LookupError)
        assert "left behind" in error["message"]
        assert report["tasks"] == set(strays)

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
        calls: list[str] = []

        async def child() -> None:
            loop = asyncio.get_running_loop()
            loop.add_reader(one, calls.append, "readable")
            loop.add_writer(other, calls.append, "writable")

        async def look_again() -> None:
            # A loop asks for what is ready in each of its turns.
            for _ in range(5):
                await asyncio.sleep(0)

        try:
            with reports() as seen:
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(child())
            (report,) = seen
            assert report["message"].endswith(": 1 reader, 1 writer")
            calls.clear()
            os.write(other, b"something to read")
            # Whichever worker it was, all have turns.
            count = len(worker_threads())
            await threaded_gather(*[look_again() for _ in range(count)], num_threads=count)
        finally:
            os.close(one)
            os.close(other)
        assert calls == []

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
