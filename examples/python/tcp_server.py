"""How do I serve TCP connections with several event loops? Let each accept its own.

Every loop has a listening socket on the same port, and the kernel gives each connection to one of
them (SO_REUSEPORT). Where it cannot, the loops share one socket, and whoever is free accepts. A
connection stays on its loop for life: its handler is plain asyncio.

Ctrl-C takes no more connections. Those that are open have some seconds left to end by themselves.

    python tcp_server.py [--port N] [--loops N] [--grace SECONDS]

Each line is answered with its SHA-256, and who made it; try `nc 127.0.0.1 8888`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import logging
import socket
import sys
import threading

from command_line import at_least_one, port, run, seconds

from thrasks import ThreadedTaskGroup

LONGEST_LINE = 64 * 1024

#: Lines from many threads stay whole.
log = logging.getLogger("tcp_server")


async def talk(connection: socket.socket) -> None:
    """Answer the lines of one client until it has no more."""
    name = threading.current_thread().name
    reader, writer = await asyncio.open_connection(sock=connection, limit=LONGEST_LINE)
    try:
        while line := await reader.readline():
            digest = hashlib.sha256(line.rstrip(b"\r\n")).hexdigest()
            writer.write(f"{digest} {name}\n".encode())
            # The answers to a client that does not read them do not pile up.
            await writer.drain()
    except ValueError:
        writer.write(f"error: a line of more than {LONGEST_LINE} bytes\n".encode())
    except ConnectionError:
        pass  # The client has gone.
    except asyncio.CancelledError:
        # It may not read its answers: what it has not got, it will not get.
        writer.transport.abort()
        raise
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def accept(listener: socket.socket) -> socket.socket:
    """Wait for the next connection. No await lies between its arrival and its handler.

    (`loop.sock_accept` loses a connection that arrives at the moment of its cancellation.)
    """
    loop = asyncio.get_running_loop()
    while True:
        readable = loop.create_future()
        loop.add_reader(listener, set_done, readable)
        try:
            await readable
        finally:
            loop.remove_reader(listener)
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue  # Another loop was faster.
        except OSError as error:
            # Too many open files, for one. The connections that there are go on.
            log.error("cannot accept: %s", error.strerror)
            await asyncio.sleep(1)
        else:
            return connection


async def serve(listener: socket.socket, grace: float) -> None:
    """Accept connections on the loop that runs this, until it is cancelled."""
    log.info("accepts connections")
    clients: set[asyncio.Task[None]] = set()
    count = 0
    # One group for each loop: its connections are tasks of the same loop.
    async with asyncio.TaskGroup() as connections:
        try:
            while True:
                task = connections.create_task(talk(await accept(listener)))
                count += 1
                clients.add(task)
                task.add_done_callback(clients.discard)
        except asyncio.CancelledError:
            listener.close()
            log.info("no more connections, %d are open", len(clients))
            if clients:
                await asyncio.wait(clients, timeout=grace)
            log.info("%d served, %d cut off", count, len(clients))
            # What is still open is cancelled by the group, which is left by an exception.
            raise


def listen(number: int, loops: int) -> list[socket.socket]:
    """Open a socket for each loop, all of them on one port."""
    shared = not hasattr(socket, "SO_REUSEPORT")
    first = socket.create_server(("127.0.0.1", number), backlog=1024, reuse_port=not shared)
    address = first.getsockname()
    others = (
        first.dup() if shared else socket.create_server(address, backlog=1024, reuse_port=True)
        for _ in range(1, loops)
    )
    return [first, *others]


async def main(number: int, loops: int, grace: float) -> int:
    try:
        listeners = listen(number, loops)
    except OSError as error:
        print(f"cannot listen on port {number}: {error.strerror}", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            # A task that is cancelled before it has begun never gets to close it.
            stack.enter_context(listener).setblocking(False)
        log.info("%d loops listen on %s:%d", loops, *listeners[0].getsockname())
        # In ROUND_ROBIN, which is the default, as many tasks as threads are one on each.
        # (Windows' usual loop has no `add_reader`.)
        async with ThreadedTaskGroup(loops, loop_factory=asyncio.SelectorEventLoop) as group:
            for listener in listeners:
                group.create_task(serve(listener, grace))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=port, default=8888, help="0 for any (%(default)s)")
    parser.add_argument("--loops", type=at_least_one, default=4, help="%(default)s by default")
    parser.add_argument("--grace", type=seconds, default=5.0, help="at the end (%(default)s)")
    given = parser.parse_args()
    logging.basicConfig(format="%(threadName)s: %(message)s", level="INFO", stream=sys.stdout)
    sys.exit(run(main(given.port, given.loops, given.grace)))
