"""Tasks that ask a web service for something, and compute with what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from thrasks import LoopPool, SchedulingMode

from .computing import fibonacci, fibonacci_by_doubling, through_json
from .conftest import Measure
from .measuring import ASYNCIO_GATHER, THREADS, Scenario, gather_on
from .server import ITEMS, record, serving

pytestmark = pytest.mark.benchmark

NAME = "Real world"
REQUESTS = 200

TIMES = 20
N = 10_000

#: How many connections the client has, over all of its loops.
CONNECTIONS = 32


class Client:
    """Asks on whichever loop a task runs: each loop has a session of its own, which is kept."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._main = asyncio.get_running_loop()

    async def ask(self, i: int) -> tuple[int, Any, int]:
        """Fetch a record, write and read it some times, and compute."""
        async with self._session().get(f"{self._url}/records/{i}") as answer:
            answer.raise_for_status()
            found = await answer.json()
        squares = sum(item["squared"] for item in found["items"])
        return squares, through_json(found, TIMES)[1], fibonacci(N + i)

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            limit = CONNECTIONS if loop is self._main else CONNECTIONS // THREADS
            connector = aiohttp.TCPConnector(limit=limit)
            session = self._sessions[loop] = aiohttp.ClientSession(connector=connector)
        return session

    async def close(self) -> None:
        """Close every session, on its own loop."""
        for loop, session in self._sessions.items():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(session.close(), loop))


@asynccontextmanager
async def real_world() -> AsyncIterator[Scenario]:
    """Have the service, the client and threads to keep its sessions on."""
    with serving() as url:
        async with (
            LoopPool(THREADS, mode=SchedulingMode.ROUND_ROBIN) as in_turn,
            LoopPool(THREADS, mode=SchedulingMode.QUEUE) as queued,
        ):
            client = Client(url)
            try:
                yield Scenario(
                    NAME,
                    "gets a record by HTTP, then JSON and Fibonacci",
                    client.ask,
                    [
                        (
                            sum(n * n for n in range(i, i + ITEMS)),
                            record(i),
                            fibonacci_by_doubling(N + i),
                        )
                        for i in range(REQUESTS)
                    ],
                    (
                        ASYNCIO_GATHER,
                        gather_on(in_turn, "thrasks ROUND_ROBIN"),
                        gather_on(queued, "thrasks QUEUE"),
                    ),
                    notes=("aiohttp on both ends. The service is another process beside these.",),
                )
            finally:
                await client.close()


async def test_real_world(measure: Measure) -> None:
    async with real_world() as scenario:
        await measure(scenario)
