"""How do I crawl a site on all cores? With a group whose tasks create more tasks.

Each page is a task of a `ThreadedTaskGroup`, which fetches it, parses it, and creates a task for
each link that nobody has followed yet, from whichever thread it is on. The group ends when the last
page has. `max_concurrency` bounds how many pages are under way, over all threads. What is wrong
with a page (an error, a timeout) is part of the report and stops nothing.

    python crawl.py URL [--at-once N] [--threads N] [--timeout SECONDS] [--limit N]

    python -m http.server --bind 127.0.0.1 --directory some/folder 8000 &
    python crawl.py http://127.0.0.1:8000/
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import aiohttp
from command_line import at_least_one, run, seconds

from thrasks import LoopPool, ThreadedTaskGroup


def normal(url: str) -> str:
    """Return the one way to write a page's address: no fragment, and always a path."""
    parts = urlsplit(url)
    return parts._replace(fragment="", path=parts.path or "/").geturl()


class Links(HTMLParser):
    """Collects where the links of a page lead."""

    def __init__(self, page: str, text: str) -> None:
        super().__init__()
        self._page = page
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link."""
        href = dict(attrs).get("href")
        if tag == "a" and href is not None:
            with contextlib.suppress(ValueError):  # Not even a link.
                self.found.add(normal(urljoin(self._page, href)))


@dataclass(frozen=True)
class Page:
    """What became of one page."""

    url: str
    linked_from: str
    outcome: str
    seconds: float
    thread: str


class Crawler:
    """Visits each page of a site once."""

    def __init__(self, group: ThreadedTaskGroup, timeout: float, limit: int) -> None:
        self._group = group
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._limit = limit
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        #: A session belongs to the loop that made it: each loop has its own.
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self.pages: list[Page] = []

    def follow(self, link: str, linked_from: str = "") -> None:
        """Visit a page, unless somebody does. It may be called on any thread."""
        with self._lock:
            if link in self._seen or len(self._seen) >= self._limit:
                return
            self._seen.add(link)
        self._group.create_task(self._visit(link, linked_from), name=link)

    async def _visit(self, url: str, linked_from: str) -> None:
        start, links = time.perf_counter(), set[str]()
        try:
            outcome, links = await self._fetch(url)
        except TimeoutError:
            outcome = "timed out"
        except Exception as error:  # A page may be anything.
            outcome = type(error).__name__
        taken, thread = time.perf_counter() - start, threading.current_thread().name
        self.pages.append(Page(url, linked_from, outcome, taken, thread))
        for link in sorted(links):
            if urlsplit(link)[:2] == urlsplit(url)[:2]:  # Of the same site.
                self.follow(link, url)

    async def _fetch(self, url: str) -> tuple[str, set[str]]:
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            self._sessions[loop] = aiohttp.ClientSession(timeout=self._timeout)
        # Where a redirect leads is a page of its own, which may have been visited.
        async with self._sessions[loop].get(url, allow_redirects=False) as answer:
            links = {normal(urljoin(url, to)) for to in answer.headers.getall("Location", ())}
            if answer.ok and answer.content_type == "text/html":
                links |= Links(url, await answer.text()).found
            return str(answer.status), links

    async def close(self) -> None:
        """Close every session, on its own loop."""
        for loop, session in self._sessions.items():
            closing = asyncio.run_coroutine_threadsafe(session.close(), loop)
            await asyncio.wrap_future(closing)


def report(pages: list[Page], taken: float) -> None:
    print(f"{len(pages)} pages in {taken:.1f} s:")
    for outcome, count in sorted(Counter(page.outcome for page in pages).items()):
        print(f"  {outcome}: {count}")
    for page in sorted(pages, key=lambda page: page.url):
        if page.outcome not in ("200", "301", "302"):
            print(f"  {page.outcome}: {page.url}, linked from {page.linked_from or 'nowhere'}")
    slowest = max(pages, key=lambda page: page.seconds)
    print(f"slowest: {slowest.url}, {slowest.seconds * 1000:.0f} ms")
    for thread, count in sorted(Counter(page.thread for page in pages).items()):
        print(f"{thread}: {count} pages")


async def main(url: str, at_once: int, threads: int, timeout: float, limit: int) -> int:
    start = time.perf_counter()
    async with LoopPool(threads) as pool:
        group = ThreadedTaskGroup(pool=pool, max_concurrency=at_once)
        crawler = Crawler(group, timeout, limit)
        try:
            async with group:
                crawler.follow(url)
        finally:
            # While the loops that they belong to still run.
            await crawler.close()
    report(crawler.pages, time.perf_counter() - start)
    return 0 if crawler.pages[0].outcome.isdecimal() else 1


def site(text: str) -> str:
    with contextlib.suppress(ValueError):
        if urlsplit(text).scheme in ("http", "https") and urlsplit(text).hostname:
            return normal(text)
    raise argparse.ArgumentTypeError(f"must be like http://127.0.0.1:8000/, got {text!r}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", type=site, metavar="URL", help="where to begin")
    parser.add_argument("--at-once", type=at_least_one, default=16, help="pages (%(default)s)")
    parser.add_argument("--threads", type=at_least_one, default=4, help="%(default)s by default")
    parser.add_argument("--timeout", type=seconds, default=10.0, help="of a page (%(default)s)")
    parser.add_argument("--limit", type=at_least_one, default=10_000, help="pages (%(default)s)")
    given = parser.parse_args()
    sys.exit(run(main(given.url, given.at_once, given.threads, given.timeout, given.limit)))
