"""Decision 8 on uvloop, which does not show what is registered with it."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shlex
import signal
import socket
import subprocess
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, Signal, eventually_async, reports, worker_threads

from thrasks import ThreadedTaskGroup, _cleaning, _workers, threaded_gather

uvloop = pytest.importorskip("uvloop")

Serve = Callable[[Path], Coroutine[Any, Any, asyncio.Server]]
Start = Callable[..., Coroutine[Any, Any, asyncio.subprocess.Process]]


async def told_of(child: Coroutine[Any, Any, Any]) -> list[str]:
    """Run a child, and return what is said about what it has left behind."""
    with reports() as seen:
        # It is the cleaning that ends it, and not the time that this may take.
        async with asyncio.timeout(PATIENCE):
            async with ThreadedTaskGroup(1, loop_factory=uvloop.new_event_loop) as group:
                task = group.create_task(child)
    task.result()
    return [report["message"].rpartition(": ")[2] for report in seen]


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cleaning, "CLEANING_TIME", 2 * PATIENCE)


class TestReadersAndWriters:
    async def test_are_removed(self) -> None:
        one, other = os.pipe()
        calls: list[str] = []

        async def child() -> None:
            loop = asyncio.get_running_loop()
            loop.add_reader(one, calls.append, "readable")
            loop.add_writer(other, calls.append, "writable")

        async def look_again() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        try:
            assert await told_of(child()) == ["1 reader, 1 writer"]
            calls.clear()
            os.write(other, b"something to read")
            # Whichever worker it was, all have turns.
            count = len(worker_threads())
            await threaded_gather(
                *[look_again() for _ in range(count)],
                num_threads=count,
                loop_factory=uvloop.new_event_loop,
            )
        finally:
            os.close(one)
            os.close(other)
        assert calls == []

    async def test_are_not_told_of_when_they_are_removed_already(self) -> None:
        one, other = os.pipe()

        async def child() -> None:
            loop = asyncio.get_running_loop()
            loop.add_reader(one, print)
            loop.add_writer(other, print)
            loop.remove_reader(one)
            loop.remove_writer(other)

        try:
            assert await told_of(child()) == []
        finally:
            os.close(one)
            os.close(other)


async def serve(_: Path) -> asyncio.Server:
    return await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)


async def serve_unix(folder: Path) -> asyncio.Server:
    return await asyncio.start_unix_server(lambda *_: None, folder / "socket")


@pytest.mark.parametrize("start", [serve, serve_unix])
class TestServers:
    async def test_are_closed(self, start: Serve, tmp_path: Path) -> None:
        servers: list[asyncio.Server] = []
        addresses: list[tuple[int, Any]] = []

        async def child() -> None:
            servers.append(await start(tmp_path))
            (listening,) = servers[0].sockets
            addresses.append((listening.family, listening.getsockname()))

        assert await told_of(child()) == ["1 server"]
        ((family, address),) = addresses
        with socket.socket(family) as client:
            client.settimeout(5)
            with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
                client.connect(address)
        assert not servers[0].is_serving()

    async def test_are_not_told_of_when_they_are_closed_already(
        self, start: Serve, tmp_path: Path
    ) -> None:
        servers: list[asyncio.Server] = []

        async def child() -> None:
            servers.append(await start(tmp_path))
            servers[0].close()

        assert await told_of(child()) == []

    async def test_are_told_of_without_those_that_are_closed_already(
        self, start: Serve, tmp_path: Path
    ) -> None:
        servers: list[asyncio.Server] = []

        async def child() -> None:
            for name in ("one", "other"):
                (tmp_path / name).mkdir()
                servers.append(await start(tmp_path / name))
            servers[0].close()

        assert await told_of(child()) == ["1 server"]


async def connect(server: socket.socket) -> asyncio.StreamWriter:
    if server.family == socket.AF_UNIX:
        _, writer = await asyncio.open_unix_connection(server.getsockname())
    else:
        _, writer = await asyncio.open_connection(*server.getsockname())
    return writer


@pytest.fixture(params=["TCP", "Unix"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """A server that accepts connections when it is asked to."""
    unix = request.param == "Unix"
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as server:
        server.bind(os.fspath(tmp_path / "socket") if unix else ("127.0.0.1", 0))
        server.listen()
        server.settimeout(PATIENCE)
        yield server


def is_at_its_end(server: socket.socket) -> bool:
    """Whether the other end of a connection has been closed, or does so soon."""
    accepted, _ = server.accept()
    with accepted:
        accepted.settimeout(PATIENCE)
        try:
            return accepted.recv(1) == b""
        except ConnectionResetError:
            return True


class TestConnections:
    async def test_are_closed(self, server: socket.socket) -> None:
        kept: list[asyncio.StreamWriter] = []

        async def child() -> None:
            kept.append(await connect(server))

        assert await told_of(child()) == ["1 connection"]
        assert kept[0].is_closing()
        assert is_at_its_end(server)

    async def test_are_not_told_of_when_they_are_closed_already(
        self, server: socket.socket
    ) -> None:
        kept: list[asyncio.StreamWriter] = []

        async def child() -> None:
            kept.append(await connect(server))
            kept[0].close()

        assert await told_of(child()) == []

    async def test_of_datagrams_too(self) -> None:
        kept: list[asyncio.DatagramTransport] = []

        async def child() -> None:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
            )
            kept.append(transport)

        assert await told_of(child()) == ["1 connection"]
        assert kept[0].is_closing()


async def start_program(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)


async def start_in_a_shell(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_shell(
        f"exec {shlex.join(command)}", stdin=subprocess.PIPE
    )


async def test_a_subprocess_that_has_ended_is_let_go_of_when_the_next_one_starts() -> None:
    class Protocol(asyncio.SubprocessProtocol):
        def __init__(self) -> None:
            self.ended = asyncio.get_running_loop().create_future()

        def connection_lost(self, exc: Exception | None) -> None:
            self.ended.set_result(exc)

    async def run_one() -> weakref.ref[Protocol]:
        # To the transport there are none.
        loop = asyncio.get_running_loop()
        _, protocol = await loop.subprocess_exec(Protocol, "true")
        await protocol.ended
        return weakref.ref(protocol)

    async def child() -> None:
        first = await run_one()
        await run_one()
        assert await eventually_async(lambda: gc.collect() >= 0 and first() is None)

    assert await told_of(child()) == []


@pytest.mark.parametrize("start", [start_program, start_in_a_shell])
class TestSubprocesses:
    async def test_are_ended(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        # One that has not ended by the next look is told of again.
        monkeypatch.setattr(_cleaning, "LOOK", 0.5)
        kept: list[asyncio.subprocess.Process] = []

        async def child() -> None:
            kept.append(await start("sleep", "60"))

        assert await told_of(child()) == ["1 subprocess"]
        # It has been waited for, too.
        assert kept[0].returncode == -signal.SIGKILL

    async def test_are_told_of_once(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        # However often they are looked at until they have ended.
        monkeypatch.setattr(_cleaning, "LOOK", 0)
        kept: list[asyncio.subprocess.Process] = []

        async def child() -> None:
            for _ in range(2):
                kept.append(await start("sleep", "60"))

        assert await told_of(child()) == ["2 subprocesses"]

    async def test_are_not_told_of_when_they_have_ended_already(self, start: Start) -> None:
        kept: list[asyncio.subprocess.Process] = []

        async def child() -> None:
            kept.append(await start("cat"))
            await kept[0].communicate(b"")

        assert await told_of(child()) == []
        assert kept[0].returncode == 0

    async def test_are_ended_on_a_loop_that_is_given_up(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_cleaning, "CLEANING_TIME", 0.05)
        # The loop is there until the task ends.
        monkeypatch.setattr(_workers, "EXIT_TIME", PATIENCE)
        started, go = Signal(), Signal()
        kept: list[Any] = []

        async def stubborn() -> None:
            started.set()
            while not go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await go.wait()

        async def child() -> None:
            kept.append(asyncio.create_task(stubborn()))
            await started.wait()
            kept.append(await start("sleep", "60"))

        try:
            (report,) = await told_of(child())
            assert "did not end" in report
            assert await eventually_async(lambda: kept[1].returncode is not None)
        finally:
            go.set()


class TestGenerators:
    @pytest.mark.parametrize("turns", range(2))
    async def test_one_that_began_right_after_an_interrupt_has_ended(self, turns: int) -> None:
        # uvloop runs what is ready before it stops. What that has it run is what it begins with
        # when it runs on, with its hooks set anew.
        ended: list[int] = []
        kept: list[AsyncIterator[int]] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                ended.append(1)

        def begin(turns: int) -> None:
            if turns:
                asyncio.get_running_loop().call_soon(begin, turns - 1)
                return
            kept.append(numbers())
            with pytest.raises(StopIteration):
                kept[0].__anext__().__await__().send(None)

        async def child() -> None:
            # In its first step it would be our callback that catches it.
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(begin, turns)
            raise KeyboardInterrupt

        with reports() as seen, pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(1, loop_factory=uvloop.new_event_loop) as group:
                group.create_task(child())
        assert ended == [1]
        assert [report["message"].rpartition(": ")[2] for report in seen] == [
            "1 asynchronous generator"
        ]
