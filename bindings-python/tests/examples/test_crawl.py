"""`crawl.py`, on a site that is really served."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from .program import needs_signals, running, to_end

pytestmark = pytest.mark.process

#: The pages that are there, and where they lead: in circles, to each other, to nowhere, away.
LINKS = {
    "/": ["/a", "b", "/missing", "/image", "/slow", "/broken"],
    "/a": ["/b", "/", "#here", "/a?page=2", "mailto:somebody@example.org"],
    "/b": ["a", "./a", "/moved", "http://[::1"],
    "/a?page=2": ["/a", "/gone"],
    "/c": ["http://127.0.0.1:1/elsewhere", "ftp://127.0.0.1/"],
}


class Site:
    """Serves pages, and counts."""

    def __init__(self) -> None:
        self.visits = Counter[str]()
        self.arrived = asyncio.Event()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path_qs
        self.visits[path] += 1
        match path:
            case "/slow":
                self.arrived.set()
                await asyncio.Event().wait()
            case "/moved":
                raise web.HTTPFound("/c")
            case "/broken":
                raise web.HTTPInternalServerError
            case "/image":
                return web.Response(text='<a href="/no-link">', content_type="image/svg+xml")
        if path not in LINKS:
            raise web.HTTPNotFound
        links = "".join(f'<a class="x" href="{link}">{link}</a><a>' for link in LINKS[path])
        return web.Response(text=f"<html>{links}</html>", content_type="text/html")


@asynccontextmanager
async def served(site: Site, *handlers: web.RouteDef) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes([*handlers, web.get("/{path:.*}", site.answer)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_visits_each_page_once_and_reports_what_is_wrong() -> None:
    site = Site()
    async with served(site) as base:
        ended = await to_end("crawl.py", base, "--timeout", "0.7", "--threads", "3")
    assert (ended.code, ended.errors) == (0, "")
    found = {*LINKS, "/missing", "/image", "/slow", "/broken", "/moved", "/gone"}
    assert site.visits == dict.fromkeys(found, 1)
    report = ended.output.replace(base, "").splitlines()
    assert re.fullmatch(r"11 pages in \d+\.\d s:", report[0])
    assert report[1:6] == ["  200: 6", "  302: 1", "  404: 2", "  500: 1", "  timed out: 1"]
    assert report[6:10] == [
        "  500: /broken, linked from /",
        "  404: /gone, linked from /a?page=2",
        "  404: /missing, linked from /",
        "  timed out: /slow, linked from /",
    ]
    assert any(line.startswith("slowest: /slow, ") for line in report)
    counts = re.findall(r"^thrasks-loop-\d+: (\d+) pages$", ended.output, re.MULTILINE)
    assert sum(map(int, counts)) == 11
    assert len(counts) == 3


async def test_no_more_pages_are_under_way_than_it_is_told() -> None:
    alive, most, all_there = 0, 0, asyncio.Event()

    async def page(request: web.Request) -> web.Response:
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        if alive == 5:
            all_there.set()
        # So many do come at once.
        await all_there.wait()
        # Whoever is one too many would be here by the time the five have been answered.
        await asyncio.sleep(0)
        alive -= 1
        return web.Response(text="a page", content_type="text/html")

    async def index(request: web.Request) -> web.Response:
        links = "".join(f'<a href="/page/{number}">' for number in range(100))
        return web.Response(text=links, content_type="text/html")

    routes = (web.get("/page/{number}", page), web.get("/", index))
    async with served(Site(), *routes) as base:
        ended = await to_end("crawl.py", f"{base}/", "--at-once", "5")
    assert (ended.code, ended.errors) == (0, "")
    assert "  200: 101\n" in ended.output
    assert most == 5


async def test_stops_at_its_limit() -> None:
    site = Site()
    async with served(site) as base:
        ended = await to_end("crawl.py", base, "--limit", "3", "--timeout", "1")
    assert ended.output.startswith("3 pages in ")
    assert len(site.visits) == site.visits.total() == 3


async def test_a_site_that_is_not_there_is_a_failure() -> None:
    # Nobody listens there.
    ended = await to_end("crawl.py", "http://127.0.0.1:1")
    assert (ended.code, ended.errors) == (1, "")
    assert "  ClientConnectorError: http://127.0.0.1:1/, linked from nowhere\n" in ended.output


async def test_says_what_a_url_is() -> None:
    urls = ("", "127.0.0.1", "ftp://127.0.0.1/", "http://", "http://[::1")
    for url, ended in zip(
        urls, await asyncio.gather(*(to_end("crawl.py", url) for url in urls)), strict=True
    ):
        assert (ended.code, ended.output) == (2, "")
        expected = f"argument URL: must be like http://127.0.0.1:8000/, got {url!r}\n"
        assert ended.errors.endswith(expected)


@needs_signals
async def test_ctrl_c_ends_it_in_order() -> None:
    site = Site()
    async with served(site) as base, running("crawl.py", base) as program:
        await asyncio.wait_for(site.arrived.wait(), 30)
        ended = await program.interrupted()
    assert (ended.output, ended.errors) == ("", "Interrupted.\n")
