"""`http_service.py`, with real clients."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from .program import Program, needs_signals, running, to_end

pytestmark = [pytest.mark.process, needs_signals]

#: More than any test waits for.
ENDLESS = "/hash?rounds=100000"


@asynccontextmanager
async def service(*options: str) -> AsyncIterator[tuple[Program, aiohttp.ClientSession]]:
    """Start the service; leave a session that knows where it is."""
    async with running("http_service.py", "--port", "0", *options) as program:
        base = (await program.wait_for(r"Running on (http://\S+)"))[1]
        async with aiohttp.ClientSession(base) as session:
            yield program, session


async def until_running(session: aiohttp.ClientSession, count: int) -> None:
    """Ask how many handlers compute until there are so many."""
    async with asyncio.timeout(20):
        while True:
            async with session.get("/health") as answer:
                if (await answer.json())["running"] == count:
                    return


async def check(answer: aiohttp.ClientResponse, password: bytes, rounds: int) -> str:
    """Check an answer, and return the thread that made it."""
    assert answer.status == 200
    content = await answer.json()
    for _ in range(rounds):
        password = hashlib.pbkdf2_hmac("sha256", password, bytes.fromhex(content["salt"]), 20_000)
    assert content["hash"] == password.hex()
    thread: str = content["thread"]
    return thread


async def test_hashes_on_the_pool() -> None:
    async with service("--threads", "2") as (program, session):

        async def ask(number: int) -> str:
            password = f"password {number}".encode()
            async with session.post("/hash?rounds=3", data=password) as answer:
                return await check(answer, password, 3)

        threads = set(await asyncio.gather(*(ask(number) for number in range(12))))
        assert len(threads) == 2
        assert all(thread.startswith("thrasks-loop-") for thread in threads)
        async with session.get("/health") as answer:
            assert await answer.json() == {"queued": 0, "running": 0, "done": 12}
        program.send()
        ended = await program.end()
    assert (ended.code, ended.errors) == (0, "")


async def test_answers_at_once_while_all_threads_compute_and_forgets_clients_that_go() -> None:
    async with service("--threads", "2", "--timeout", "100") as (program, session):
        clients = [asyncio.create_task(session.post(ENDLESS, data=b"x")) for _ in range(2)]
        await until_running(session, 2)
        for client in clients:
            client.cancel()
        await asyncio.wait(clients)
        # A line of each: `\1` is the thread of the other one.
        line = r"^(thrasks-loop-\d+): cancelled after \d+ of 100000 rounds$"
        other = r"^(?!\1)thrasks-loop-\d+: cancelled after \d+ of 100000 rounds$"
        await program.wait_for(rf"{line}\n{other}")
        await until_running(session, 0)


async def test_what_takes_too_long_is_cancelled() -> None:
    async with service("--timeout", "0.2") as (program, session):
        async with session.post(ENDLESS, data=b"x") as answer:
            assert answer.status == 503
            assert await answer.text() == "not done within 0.2 s: ask for fewer rounds\n"
        # Before the answer.
        await program.wait_for("cancelled after")
        async with session.get("/health") as answer:
            assert await answer.json() == {"queued": 0, "running": 0, "done": 1}


async def test_refuses_what_is_no_number_of_rounds() -> None:
    async with service() as (_, session):
        for rounds in ("0", "-1", "100001", "many", ""):
            async with session.post(f"/hash?rounds={rounds}") as answer:
                assert answer.status == 400
                expected = f"rounds must be a whole number from 1 to 100000, got {rounds!r}\n"
                assert await answer.text() == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_finishes_what_is_under_way_when_it_is_to_end(number: signal.Signals) -> None:
    async with service("--timeout", "30", "--grace", "30") as (program, session):
        client = asyncio.create_task(session.post("/hash?rounds=40", data=b"x"))
        await until_running(session, 1)
        program.send(number)
        async with await client as answer:
            await check(answer, b"x", 40)
        ended = await program.end()
    assert (ended.code, ended.errors) == (0, "")
    assert ended.output.endswith("ended\n")


async def test_does_not_wait_for_it_for_ever() -> None:
    async with service("--timeout", "100", "--grace", "0.2") as (program, session):
        client = asyncio.create_task(session.post(ENDLESS, data=b"x"))
        await until_running(session, 1)
        program.send()
        with pytest.raises(aiohttp.ClientError):
            await client
        ended = await program.end()
    assert (ended.code, ended.errors) == (0, "")
    assert "cancelled after" in ended.output


async def test_says_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await to_end("http_service.py", "--port", str(port))
    assert (ended.code, ended.output) == (1, "")
    assert str(port) in ended.errors
    assert "Traceback" not in ended.errors
