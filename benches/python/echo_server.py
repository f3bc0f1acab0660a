"""One contender of `echo.py`: an echo server, in a process of its own.

The argument is the contender's name. The first line on standard output says which port does which
work. Each line on standard input asks how much it has done so far; its end ends the server.
"""

from __future__ import annotations

__all__ = ["LOOPS", "SIZE", "Who", "Work"]

import asyncio
import contextlib
import enum
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TextIO

# isort: split
import jobs
import machine

#: Of a message, in bytes.
SIZE: Final = 1024

#: How many loops thrasks has for the connections.
LOOPS: Final = 2

#: What is read and written for each message where it is to cost something, about 100 us of a core.
DOCUMENT: Final = json.dumps(json.loads(jobs.DOCUMENT)[:50])


class Who(enum.Enum):
    """Who serves."""

    ASYNCIO = "asyncio, 1 loop"
    UVLOOP = "uvloop, 1 loop"
    THRASKS = f"thrasks, {LOOPS} loops"
    ON_UVLOOP = f"thrasks, {LOOPS} uvloops"


class Work(enum.Enum):
    """What is done with a message before it is sent back."""

    PROTOCOL = "protocol"
    STREAMS = "streams"
    JSON = "json"


class Echo(asyncio.Protocol):
    """Send back what comes."""

    def __init__(self, closed: asyncio.Future[None]) -> None:
        self._closed = closed
        # uvloop's are not asyncio's.
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the task that waits for it. A client that has gone is no failure."""
        if not self._closed.done():
            self._closed.set_result(None)


class EchoJson(Echo):
    """Send back what comes, after some work for each whole message."""

    _pending = b""

    def data_received(self, data: bytes) -> None:
        """Do the work and send them back."""
        self._pending += data
        while len(self._pending) >= SIZE:
            assert json.dumps(json.loads(DOCUMENT)) == DOCUMENT
            super().data_received(self._pending[:SIZE])
            self._pending = self._pending[SIZE:]


async def by_protocol(protocol: type[Echo], sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    closed = loop.create_future()
    transport, _ = await loop.connect_accepted_socket(partial(protocol, closed), sock)
    try:
        await closed
    finally:
        transport.close()


async def by_streams(sock: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


HANDLERS: Final[dict[Work, Callable[[socket.socket], Coroutine[Any, Any, None]]]] = {
    Work.PROTOCOL: partial(by_protocol, Echo),
    Work.STREAMS: by_streams,
    Work.JSON: partial(by_protocol, EchoJson),
}


class Server:
    """Accepts on the caller's loop, and gives each connection to a task of a group."""

    def __init__(self, group: Any) -> None:
        self._group = group
        #: How many connections each thread has had.
        self.spread: Counter[str] = Counter()

    async def accept(self, listener: socket.socket, work: Work) -> None:
        """Accept connections until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            self._group.create_task(self._handle(sock, work))

    async def _handle(self, sock: socket.socket, work: Work) -> None:
        # Each thread counts under a key of its own.
        self.spread[threading.current_thread().name] += 1
        await HANDLERS[work](sock)


async def serve(make_group: Callable[[], Any], answer: Callable[..., None]) -> None:
    """Serve until standard input ends."""
    listeners = {}
    with contextlib.ExitStack() as stack:
        for work in Work:
            listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            listener.setblocking(False)
            listeners[work] = stack.enter_context(listener)
        async with make_group() as group:
            server = Server(group)
            acceptors = [
                asyncio.create_task(server.accept(listener, work))
                for work, listener in listeners.items()
            ]
            ports = {work.value: listener.getsockname()[1] for work, listener in listeners.items()}
            answer(ports=ports)
            while await asyncio.to_thread(sys.stdin.readline):
                answer(cpu=time.process_time(), spread=dict(server.spread))
            for acceptor in acceptors:
                acceptor.cancel()
            await asyncio.wait(acceptors)


def contend(who: Who, answers: TextIO) -> None:
    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    version = None
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        if who in (Who.UVLOOP, Who.ON_UVLOOP):
            import uvloop

            factory = uvloop.new_event_loop
        make_group: Callable[[], Any] = asyncio.TaskGroup
        if who in (Who.THRASKS, Who.ON_UVLOOP):
            # Not at the top: asyncio is to be measured without it.
            import thrasks

            version = thrasks.__version__
            make_group = partial(thrasks.ThreadedTaskGroup, LOOPS, loop_factory=factory)
        # The first answer says who it is, too.
        hello = {"gil": machine.gil_enabled(), "version": version}
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(serve(make_group, partial(answer, **hello)))
    except Exception as error:
        traceback.print_exc()
        answer(error=f"{type(error).__name__}: {error}")
        sys.exit(1)


def main() -> None:
    # Ctrl-C reaches every process of the terminal; the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What anybody prints goes to standard error, and not between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        contend(Who[sys.argv[1]], answers)


if __name__ == "__main__":
    main()
