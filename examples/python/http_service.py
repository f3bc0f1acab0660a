"""How do I write an HTTP service whose handlers compute? Run what they compute on a pool of loops.

aiohttp's own loop reads requests and writes answers, and nothing else: `/health` answers at once,
however much there is to compute. That runs on a `LoopPool`, on all cores. A handler that takes too
long is cancelled, and so is one whose client has gone: the work itself ends, wherever it runs.
Ctrl-C, or SIGTERM, takes no more connections, finishes what is under way, and ends.

    python http_service.py [--port N] [--threads N] [--timeout SECONDS] [--grace SECONDS]

    curl -d 'correct horse' 'http://127.0.0.1:8080/hash?rounds=20'
    curl http://127.0.0.1:8080/health
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator

from aiohttp import web
from command_line import at_least_one, port, seconds

from thrasks import LoopPool

POOL = web.AppKey("POOL", LoopPool)
TIMEOUT = web.AppKey("TIMEOUT", float)

MOST_ROUNDS = 100_000

#: Lines from many threads stay whole.
log = logging.getLogger("http_service")


async def hash_password(password: bytes, rounds: int) -> dict[str, object]:
    """Hash a password, round by round: some ten milliseconds of a core for each."""
    salt, done = os.urandom(16), 0
    try:
        while done < rounds:
            password = hashlib.pbkdf2_hmac("sha256", password, salt, 20_000)
            done += 1
            # Others have a turn, and a cancellation arrives.
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        log.info("cancelled after %d of %d rounds", done, rounds)
        raise
    log.info("%d rounds", rounds)
    thread = threading.current_thread().name
    return {"hash": password.hex(), "salt": salt.hex(), "thread": thread}


async def hashing(request: web.Request) -> web.Response:
    """Answer with the hash of the request's body."""
    wanted = request.query.get("rounds", "10")
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_ROUNDS:
        text = f"rounds must be a whole number from 1 to {MOST_ROUNDS}, got {wanted!r}\n"
        raise web.HTTPBadRequest(text=text)
    work = hash_password(await request.read(), int(wanted))
    try:
        # Whatever cancels the handler here cancels the work on its thread, and waits until it has
        # ended: the timeout, and a client that goes away.
        async with asyncio.timeout(request.app[TIMEOUT]):
            return web.json_response(await request.app[POOL].run(work), dumps=line)
    except TimeoutError:
        text = f"not done within {request.app[TIMEOUT]:g} s: ask for fewer rounds\n"
        raise web.HTTPServiceUnavailable(text=text) from None


async def health(request: web.Request) -> web.Response:
    """Say what the pool is at. The pool is not needed for that."""
    stats = request.app[POOL].stats()
    numbers = {"queued": stats.queued, "running": stats.running, "done": stats.done}
    return web.json_response(numbers, dumps=line)


def line(content: object) -> str:
    return json.dumps(content) + "\n"


def application(threads: int, timeout: float) -> web.Application:
    async def pool(app: web.Application) -> AsyncIterator[None]:
        # Open for as long as the service is up.
        async with LoopPool(threads) as app[POOL]:
            yield

    app = web.Application()
    app[TIMEOUT] = timeout
    app.cleanup_ctx.append(pool)
    app.add_routes([web.post("/hash", hashing), web.get("/health", health)])
    return app


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=port, default=8080, help="0 for any (%(default)s)")
    parser.add_argument("--threads", type=at_least_one, default=4, help="%(default)s by default")
    parser.add_argument("--timeout", type=seconds, default=5.0, help="of a request (%(default)s)")
    parser.add_argument("--grace", type=seconds, default=10.0, help="at the end (%(default)s)")
    given = parser.parse_args()
    logging.basicConfig(format="%(threadName)s: %(message)s", level="INFO", stream=sys.stdout)
    try:
        web.run_app(
            application(given.threads, given.timeout),
            host="127.0.0.1",
            port=given.port,
            # Off unless it is asked for: then a handler whose client goes away is cancelled.
            handler_cancellation=True,
            # Handlers under way have so long to finish.
            shutdown_timeout=given.grace,
            access_log=None,
        )
    except OSError as error:
        print(error.strerror, file=sys.stderr)
        return 1
    print("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
