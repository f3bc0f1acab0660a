"""`tcp_server.py`, with real clients."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from .program import LIMIT, Program, needs_signals, running, to_end

pytestmark = [pytest.mark.process, needs_signals]


class Client:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, line: bytes) -> str:
        """Send a line, check the answer, and return who made it."""
        self.writer.write(line + b"\n")
        async with asyncio.timeout(LIMIT):
            answer = await self.reader.readline()
        digest, thread = answer.decode().split()
        assert digest == hashlib.sha256(line).hexdigest()
        return thread


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def server(*options: str, change: str = "") -> AsyncIterator[tuple[Program, int]]:
    async with running("tcp_server.py", "--port", "0", *options, change=change) as program:
        line = r"^MainThread: (\d+) loops listen on 127\.0\.0\.1:(\d+)$"
        loops, port = (await program.wait_for(line)).groups()
        await program.wait_for("(: accepts connections$(.|\n)*)" + f"{{{loops}}}")
        yield program, int(port)


async def until_closed(program: Program, loops: int) -> None:
    """Wait until no loop accepts any more."""
    await program.wait_for("(: no more connections, (.|\n)*)" + f"{{{loops}}}")


#: As a platform where several sockets cannot listen on one port.
NO_REUSE = "import socket; del socket.SO_REUSEPORT"


@pytest.mark.parametrize("change", ["", NO_REUSE], ids=["a socket each", "one socket"])
async def test_every_loop_serves_and_a_connection_stays_where_it_is(change: str) -> None:
    async with server("--loops", "3", change=change) as (program, port):

        async def talk(number: int) -> str:
            async with connected(port) as client:
                threads = {await client.ask(b"line %d of %d" % (i, number)) for i in range(5)}
            (thread,) = threads
            return thread

        threads = await asyncio.gather(*(talk(number) for number in range(90)))
        if not change:
            # Otherwise, whoever is free accepts.
            assert len(set(threads)) == 3
        ended = await program.interrupted()
    served = re.findall(r"(\d+) served, 0 cut off$", ended.output, re.MULTILINE)
    assert (len(served), sum(map(int, served))) == (3, 90)


async def test_a_client_that_misbehaves_is_its_own_affair() -> None:
    options = ("--loops", "1", "--grace", "0.1")
    async with server(*options) as (program, port), connected(port) as other:
        async with connected(port) as client:
            client.writer.write(b"x" * 200_000)
            assert await client.reader.readline() == b"error: a line of more than 65536 bytes\n"
        async with connected(port) as client:
            # Its end is a reset: there is something that it has not read.
            client.writer.write(b"a\nb\n")
            await client.reader.readexactly(1)
            client.writer.transport.abort()
        async with connected(port) as client:
            client.writer.write(b"not a whole line")
            client.writer.write_eof()
            digest = hashlib.sha256(b"not a whole line").hexdigest()
            assert (await client.reader.readline()).decode().startswith(digest)
            assert await client.reader.read() == b""
        await other.ask(b"still there")
        await program.interrupted()


async def test_open_connections_have_time_to_end() -> None:
    async with server("--loops", "2", "--grace", "40") as (program, port):
        async with connected(port) as client:
            await client.ask(b"before")
            program.send()
            await until_closed(program, 2)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await client.ask(b"after")
        ended = await program.end()
    assert ended.code == 130
    assert ended.output.count(" served, 0 cut off\n") == 2
    assert ended.errors == "Interrupted.\n"


async def test_but_not_for_ever() -> None:
    options = ("--loops", "2", "--grace", "0.1")
    async with server(*options) as (program, port), connected(port) as client:
        thread = await client.ask(b"before")
        ended = await program.interrupted()
        assert await client.reader.read() == b""
    assert f"{thread}: 1 served, 1 cut off\n" in ended.output
    assert ended.errors == "Interrupted.\n"


async def test_nor_for_a_client_that_does_not_read_its_answers() -> None:
    options = ("--loops", "1", "--grace", "0.1")
    async with server(*options) as (program, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"before\n")
            assert client.recv(1)
            client.setblocking(False)
            # As many questions as there is room for; the answers are longer.
            with suppress(BlockingIOError):
                while True:
                    client.send(b"\n" * 65536)
            ended = await program.interrupted()
    assert ended.output.endswith(": 1 served, 1 cut off\n")
    assert ended.errors == "Interrupted.\n"


async def test_ctrl_c_twice_does_not_wait_for_them() -> None:
    options = ("--loops", "2", "--grace", "1000")
    async with server(*options) as (program, port), connected(port) as client:
        await client.ask(b"before")
        program.send()
        await until_closed(program, 2)
        program.send()
        ended = await program.end()
    # It may have interrupted anything: what else Python has to say of that is its own.
    assert ended.code == 130
    assert "Interrupted.\n" in ended.errors


async def test_says_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await to_end("tcp_server.py", "--port", str(port))
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors.startswith(f"cannot listen on port {port}: ")
