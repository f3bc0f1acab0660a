"""How do I fetch and parse thousands of pages, a few at a time? With an executor on all cores.

It runs on several threads: `max_workers` bounds how many pages are under way, over all of
them, and `buffersize` how far the inputs are read ahead. A client session belongs to one event
loop, so each thread's loop has its own. The pages come from an aiohttp server in another process.

    python fetch_pages.py [--pages N] [--threads N]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser

import aiohttp
from aiohttp import web
from command_line import at_least_one, run

from thrasks import LoopPool, TaskPoolExecutor

PAGES = 2_000


# --- the client ----------------------------------------------------------------------------------


class Links(HTMLParser):
    """Finds the links and the title of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.title = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link."""
        self._in_title = tag == "title"
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]

    def handle_data(self, data: str) -> None:
        """Take note of the title."""
        if self._in_title:
            self.title += data
            self._in_title = False


class Fetcher:
    """Fetches pages on whichever loop it is asked to."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    async def fetch(self, number: int) -> tuple[str, list[str], str]:
        """Fetch a page and parse it. Return its title, its links, and the thread that did it."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            session = self._sessions[loop] = aiohttp.ClientSession()
        async with session.get(f"{self._base}/page/{number}") as answer:
            answer.raise_for_status()
            text = await answer.text()
        parser = Links()
        parser.feed(text)
        return parser.title, parser.links, threading.current_thread().name

    async def close(self) -> None:
        """Close every session, on its own loop."""
        closing = [
            asyncio.wrap_future(asyncio.run_coroutine_threadsafe(session.close(), loop))
            for loop, session in self._sessions.items()
        ]
        await asyncio.gather(*closing)


async def main(pages: int, threads: int) -> None:
    """Fetch all pages."""
    titles: set[str] = set()
    linked: Counter[str] = Counter()
    workers: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    async with server() as base, LoopPool(threads) as pool:
        fetcher = Fetcher(base)
        start = loop.time()
        try:
            async with (
                TaskPoolExecutor(max_workers=32, pool=pool) as executor,
                executor.map(
                    fetcher.fetch, range(pages), buffersize=100, ordered=False, progress=True
                ) as found,
            ):
                async for title, links, worker in found:
                    titles.add(title)
                    linked.update(links)
                    workers[worker] += 1
        finally:
            await fetcher.close()
        seconds = loop.time() - start
    print(f"{len(titles)} pages, {linked.total()} links, {pages / seconds:.0f} pages a second")
    print("the most linked page:", linked.most_common(1)[0][0])
    print("pages of each thread:", ", ".join(str(count) for _, count in sorted(workers.items())))


# --- the server, in a process of its own ---------------------------------------------------------


async def page(request: web.Request) -> web.Response:
    """Answer with a page that always looks the same."""
    number = int(request.match_info["number"])
    chance = random.Random(number)
    links = "".join(
        f'<li><a href="/page/{to}">page {to}</a> {"and some words " * 5}</li>'
        for to in (int(chance.paretovariate(1)) for _ in range(60))
    )
    text = f"<html><head><title>Page {number}</title></head><body><ul>{links}</ul></body></html>"
    return web.Response(text=text, content_type="text/html")


async def serve() -> None:
    """Serve pages until standard input ends. The first line of the output is the port."""
    app = web.Application()
    app.router.add_get("/page/{number}", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """Start the server, and stop it in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--serve",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--pages", type=at_least_one, default=PAGES, help="%(default)s")
    arguments.add_argument("--threads", type=at_least_one, default=2, help="%(default)s")
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        # Ctrl-C reaches every process of the terminal; this one ends with its standard input.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(run(serve() if given.serve else main(given.pages, given.threads)))
