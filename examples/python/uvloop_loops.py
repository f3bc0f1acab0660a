"""How do I run on uvloop? Say so where the loops are made: `loop_factory=`.

Groups, gathers, pools and executors take what `asyncio.Runner` takes. The tasks stay what they are;
here they send messages back and forth over pairs of sockets, first on asyncio's loops and then on
uvloop's, and say how long that took.

    pip install uvloop
    python uvloop_loops.py [--threads N] [--messages N]
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from command_line import at_least_one, run

from thrasks import threaded_gather

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

PAIRS = 8
MESSAGE = b"x" * 1024


@asynccontextmanager
async def streams(
    sock: socket.socket,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Read and write a socket, and close it in the end, also when the task is cancelled."""
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def echo(sock: socket.socket) -> None:
    """Send back what comes."""
    async with streams(sock) as (reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def ask(sock: socket.socket, messages: int) -> None:
    """Send messages, and wait for each to come back."""
    async with streams(sock) as (reader, writer):
        for _ in range(messages):
            writer.write(MESSAGE)
            if await reader.readexactly(len(MESSAGE)) != MESSAGE:
                raise RuntimeError("another message came back")


async def talk(messages: int) -> str:
    """Send messages back and forth. Return what kind of loop this ran on."""
    here, there = socket.socketpair()
    async with asyncio.TaskGroup() as group:
        group.create_task(echo(there))
        group.create_task(ask(here, messages))
    return type(asyncio.get_running_loop()).__module__


async def main(threads: int, messages: int, factories: dict[str, LoopFactory | None]) -> None:
    print(f"{PAIRS} pairs of sockets, {messages} messages over each", flush=True)
    for name, factory in factories.items():
        start = time.perf_counter()
        loops = await threaded_gather(
            *(talk(messages) for _ in range(PAIRS)), num_threads=threads, loop_factory=factory
        )
        taken = time.perf_counter() - start
        (module,) = {loop.partition(".")[0] for loop in loops}
        rate = PAIRS * messages / taken
        print(f"{name}: {rate:,.0f} messages a second on {threads} loops of {module}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=at_least_one, default=2, help="%(default)s by default")
    parser.add_argument("--messages", type=at_least_one, default=2_000, help="%(default)s for each")
    given = parser.parse_args()
    try:
        import uvloop
    except ImportError:
        sys.exit("uvloop_loops.py: uvloop is not installed: pip install uvloop")
    factories: dict[str, LoopFactory | None] = {"asyncio": None, "uvloop": uvloop.new_event_loop}
    # The caller's own loop may be one of uvloop's, too.
    sys.exit(run(main(given.threads, given.messages, factories), uvloop.new_event_loop))
