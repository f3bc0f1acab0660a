"""The load of `echo.py`, in a process of its own, without any event loop.

Each connection sends a message, waits for it to come back, and sends it again. The arguments are
the port, the number of connections, the seconds that count, and the size of a message; one line of
JSON on standard output says what came of it.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

#: Seconds at the beginning that do not count.
WARM_UP = 0.25
#: Seconds without a single answer after which the server is given up.
PATIENCE = 10.0


class ServerError(Exception):
    """The server was not slow but wrong, or not there."""


@dataclass(slots=True)
class Connection:
    """One connection, with what has come back of its message."""

    sock: socket.socket
    sent: int = 0
    received: bytearray = field(default_factory=bytearray)


def run(port: int, connections: int, seconds: float, size: int) -> dict[str, object]:
    message = os.urandom(size)
    selector = selectors.DefaultSelector()
    clock = time.perf_counter_ns
    everybody = []
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        everybody.append(Connection(sock))
        selector.register(sock, selectors.EVENT_READ, everybody[-1])
    for connection in everybody:
        connection.sent = clock()
        # A message fits into the socket's buffer, and there is never more than one in it.
        connection.sock.sendall(message)

    latencies: list[int] = []
    begin = clock() + int(WARM_UP * 1e9)
    end = begin + int(seconds * 1e9)
    cpu = time.process_time()
    counting = False
    now = clock()
    while now < end:
        events = selector.select(PATIENCE)
        if not events:
            raise ServerError(f"no answer in {PATIENCE:g} s")
        if not counting and now >= begin:
            counting, begin, cpu = True, now, time.process_time()
            latencies.clear()
        for key, _ in events:
            connection = key.data
            data = connection.sock.recv(65536)
            if not data:
                raise ServerError("the server has closed a connection")
            if data != message:
                # In pieces.
                connection.received += data
                if len(connection.received) < size:
                    continue
                if connection.received != message:
                    raise ServerError("the server has sent back something else")
                connection.received.clear()
            now = clock()
            latencies.append(now - connection.sent)
            connection.sent = now
            connection.sock.sendall(message)
        now = clock()
    took = (now - begin) / 1e9
    cpu = (time.process_time() - cpu) / took
    for connection in everybody:
        connection.sock.close()
    latencies.sort()
    return {
        "requests_per_second": len(latencies) / took,
        "p50_us": latencies[len(latencies) // 2] / 1000,
        "p99_us": latencies[len(latencies) * 99 // 100] / 1000,
        "seconds": took,
        "load_cores": cpu,
    }


def main() -> None:
    # Ctrl-C reaches every process of the terminal; the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    port, connections, seconds, size = sys.argv[1:]
    try:
        print(json.dumps(run(int(port), int(connections), float(seconds), int(size))))
    except (ServerError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
