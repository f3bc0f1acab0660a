"""A web on this machine: a server of HTTP, and a client that blocks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from support import PATIENCE


class Request(NamedTuple):
    """What a site was asked."""

    path: str
    #: The last of the values of each name.
    query: dict[str, str]
    headers: dict[str, str]
    #: What was posted, if anything was.
    posted: Any


class Response(NamedTuple):
    """What a site answered."""

    status: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Site:
    """What is served by `serving`, and what has been asked of it.

    A str is sent as it is, another value as JSON, and None is "404 Not Found".
    """

    def __init__(self, answer: Callable[[Request], Any], port: int) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._connections = 0
        self.url = f"http://127.0.0.1:{port}"

    @property
    def requests(self) -> list[Request]:
        """What was asked so far, in order."""
        with self._lock:
            return self._requests.copy()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        with self._lock:
            return self._connections

    def pages(self) -> list[int]:
        """Return which pages were asked for, in order."""
        return [int(request.query["page"]) for request in self.requests]

    def connected(self, difference: int) -> None:
        with self._lock:
            self._connections += difference

    def answer(self, request: Request) -> tuple[int, bytes]:
        with self._lock:
            self._requests.append(request)
        answer = self._answer(request)
        if answer is None:
            return 404, b""
        return 200, (answer if isinstance(answer, str) else json.dumps(answer)).encode()


@contextmanager
def serving(answer: Callable[[Request], Any]) -> Iterator[Site]:
    """Serve what a function answers, until all clients have gone."""
    site: Site

    class Handler(BaseHTTPRequestHandler):
        # Connections are kept until the client closes them.
        protocol_version = "HTTP/1.1"
        timeout = PATIENCE
        # The head and the body of an answer are two writes: the second need not wait for the ACK of
        # the first.
        disable_nagle_algorithm = True

        def setup(self) -> None:
            site.connected(+1)
            super().setup()

        def finish(self) -> None:
            super().finish()
            site.connected(-1)

        def do_GET(self) -> None:
            self._respond(None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._respond(json.loads(body))

        def _respond(self, posted: Any) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            request = Request(parts.path, query, dict(self.headers.items()), posted)
            status, body = site.answer(request)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - Its name there.
            pass

    class Server(ThreadingHTTPServer):
        # Closing it waits for the threads of the connections.
        daemon_threads = False

    with Server(("127.0.0.1", 0), Handler) as server:
        site = Site(answer, server.server_port)
        # How often it looks whether to stop, in seconds.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="http-server")
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


class Session:
    """A client whose requests, which block, share a connection until it is closed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
        self.headers: dict[str, str] = {}

    def get(self, path: str) -> Response:
        self._connection.request("GET", path, headers=self.headers)
        response = self._connection.getresponse()
        return Response(response.status, response.read().decode())

    def close(self) -> None:
        self._connection.close()


def get(url: str) -> Response:
    """Make one request."""
    parts = urlsplit(url)
    with closing(Session(url)) as session:
        return session.get(f"{parts.path}?{parts.query}")
