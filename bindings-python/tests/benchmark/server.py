"""A web service, in a process of its own: records as JSON."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

#: How many items a record has.
ITEMS = 100


def record(number: int) -> dict[str, Any]:
    """Return what is served for a number."""
    return {
        "id": number,
        "payload": "x" * 1000,
        "items": [{"value": i, "squared": i * i} for i in range(number, number + ITEMS)],
    }


@contextmanager
def serving() -> Iterator[str]:
    """Start the service, and stop it in the end."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port, "the service has ended already"
            yield f"http://127.0.0.1:{port}"
        finally:
            # This tells it to end, and leaving the block waits for that.
            process.stdin.close()


async def _answer(request: web.Request) -> web.Response:
    return web.json_response(record(int(request.match_info["number"])))


async def _serve() -> None:
    """Serve until standard input ends. The only line of the output is the port."""
    app = web.Application()
    app.router.add_get("/records/{number}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
