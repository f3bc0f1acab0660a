"""Every program that the README of aiothreads 1.0 shows, in our own words, with what it says.

`aiothreads` is `thrasks` here, its `IteratorWrapper` is `ThreadedAsyncIterator`, and `requests` is
a client of `http.client`. The web is a server on this machine. Sleeps that stand for work are
meetings of those that are said to run at once. In the README's order:

==========================================  =======================================================
Heading                                     Test
==========================================  =======================================================
Why aiothreads?: asyncio                    TestOverview.test_what_asyncio_offers
Why aiothreads?: aiothreads                 TestOverview.test_what_there_is_more
                                            TestOverview.test_what_there_is_more_as_a_whole_program
Installation                                (a command of the shell)
Basic Usage                                 TestQuickStart.test_basic_usage
Choosing the Right Decorator                TestThreads.test_the_right_decorator
                                            TestThreads.test_the_pool_limits_how_many_calls_run
The @threaded Decorator                     TestThreads.test_the_threaded_decorator
Decorated Function Interface                TestThreads.test_decorated_function_interface
Type Safety                                 TestThreads.test_type_safety; tests/typed
Separate Thread Execution                   TestThreads.test_separate_thread_execution
Important Notice about Separate Functions   TestThreads.test_notice_about_separate_functions
Class Method Support                        TestThreads.test_class_method_support
Object Interface for All Decorators         TestThreads.test_object_interface
Sync and Async Calling                      TestThreads.test_sync_and_async_calling
Type Preservation                           TestThreads.test_type_preservation; tests/typed
The @threaded_iterable Decorator            TestIterableDecorator
Backpressure Control: environment variable  TestBackpressure.test_default_queue_size
Backpressure Control                        TestBackpressure.test_slow_consumer
Context Manager Support                     TestContextManager
Separate Thread Generators                  TestSeparateGenerators.test_of_one
Resource Control Warning                    TestSeparateGenerators.test_warning
                                            TestSeparateGenerators.test_warning_heeded
Basic Async Calls                           TestAsyncFromThreads.test_basic_async_calls
Event Loop Context                          TestAsyncFromThreads.test_event_loop_context
Using with asyncio.to_thread                TestAsyncFromThreads.test_with_to_thread
Coroutine Waiting                           TestAsyncFromThreads.test_coroutine_waiting
Context Variables                           TestAsyncFromThreads.test_context_variables
Error Handling                              TestAdvanced.test_error_handling
Performance Considerations                  TestAdvanced.test_performance_considerations
==========================================  =======================================================

Where an example cannot work, with whatever library, a test beside it shows how it fails:
``..._as_it_is_written``.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import os
import sys
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, assert_type

import aiohttp
import pytest
from support import Everybody, Signal, eventually, eventually_async, python

from bridge_readmes.web import Request, Session, Site, get, serving
from thrasks import (
    Threaded,
    ThreadedAsyncIterator,
    ThreadedIterable,
    sync_await,
    sync_wait_coroutine,
    threaded,
    threaded_iterable,
    threaded_iterable_separate,
    threaded_separate,
    wait_coroutine,
)

HERE = threading.main_thread().name

#: How many threads the pool has at most.
POOL = min(32, (os.cpu_count() or 1) + 4)


def thread() -> str:
    return threading.current_thread().name


class TestOverview:
    async def test_what_asyncio_offers(self) -> None:
        def multiply(one: int, other: int) -> tuple[int, str]:
            return one * other, thread()

        product, name = await asyncio.to_thread(multiply, 6, 7)
        assert product == 42
        assert name != HERE

        # The limitation: of a generator nothing has run when that returns.
        def generator() -> Iterator[str]:
            yield thread()

        assert list(await asyncio.to_thread(generator)) == [HERE]

    async def test_what_there_is_more(self, capsys: pytest.CaptureFixture[str]) -> None:
        slept_on: list[str] = []
        stopped = Signal()

        async def sleep(delay: float) -> None:
            slept_on.append(thread())
            await asyncio.sleep(delay)

        @threaded
        def blocks_and_awaits() -> str:
            name = thread()
            sync_await(sleep, 0)
            sync_await(asyncio.sleep, 0)
            return name

        @threaded_iterable(max_size=100)
        def numbers() -> Iterator[int]:
            try:
                yield from itertools.count()
            finally:
                stopped.set()

        assert await blocks_and_awaits() != HERE
        assert slept_on == [HERE]
        count = 0
        async for number in numbers():
            count += 1
            if count > 10:
                break
            print(number)
        assert capsys.readouterr().out.split() == [str(i) for i in range(10)]
        # It would go on for ever.
        await stopped.wait()

    def test_what_there_is_more_as_a_whole_program(self) -> None:
        # It ends, though nothing ends the generator but the loop over it being left.
        done = python(
            """
            import asyncio
            import itertools
            from thrasks import sync_await, threaded, threaded_iterable

            @threaded
            def blocks_and_awaits():
                sync_await(asyncio.sleep, 0)
                return "done"

            @threaded_iterable(max_size=100)
            def numbers():
                yield from itertools.count()

            async def main():
                print(await blocks_and_awaits())
                async for number in numbers():
                    if number == 3:
                        break
                    print(number)

            asyncio.run(main())
            """
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == ["done", "0", "1", "2"]


class TestQuickStart:
    def test_basic_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        together = Everybody(5)

        @threaded
        def square(number: int) -> int:
            # Nobody would get past this, were one to end before the next begins.
            together.meet_blocking()
            return number * number

        async def main() -> None:
            calls = [square(number) for number in range(5)]
            print(await asyncio.gather(*calls))

        asyncio.run(main())
        assert capsys.readouterr().out == "[0, 1, 4, 9, 16]\n"


class TestThreads:
    async def test_the_right_decorator(self) -> None:
        # What the table and the lists below it say of places in the pool.
        release, pooled = Signal(), Everybody(POOL + 1)

        @threaded
        def in_the_pool() -> str:
            pooled.meet_blocking()
            return thread()

        @threaded_separate
        def hangs() -> str:
            release.block()
            return thread()

        @threaded_iterable_separate
        def long_lived() -> Iterator[str]:
            while not release.is_set():
                yield thread()

        hanging = [hangs() for _ in range(POOL + 1)]
        streams = [long_lived() for _ in range(POOL + 1)]
        names = [await anext(stream) for stream in streams]
        # The pool has all its places still: so many calls run at once.
        calls = [in_the_pool() for _ in range(POOL)]
        await pooled.meet()
        in_pool = set(await asyncio.gather(*calls))
        release.set()
        names += await asyncio.gather(*hanging)
        for stream in streams:
            await stream.aclose()
        assert len(in_pool) == POOL
        assert len(set(names)) == 2 * (POOL + 1)
        assert in_pool.isdisjoint(names)

    async def test_the_pool_limits_how_many_calls_run(self) -> None:
        lock = threading.Lock()
        running = most = 0
        together = Everybody(POOL)

        @threaded
        def call(first: bool) -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            if first:
                together.meet_blocking()
            with lock:
                running -= 1

        await asyncio.gather(*[call(i < POOL) for i in range(10 * POOL)])
        assert most == POOL

    async def test_the_threaded_decorator(self) -> None:
        together = Everybody(2)

        def answer(request: Request) -> Any:
            # Each is answered once both were asked for.
            together.meet_blocking()
            return {"/": "<h1>Example</h1>", "/json": {"slides": 3}}[request.path]

        @threaded
        def fetch(url: str) -> str:
            return get(url).text

        with serving(answer) as site:
            texts = await asyncio.gather(*[fetch(site.url + path) for path in ("/", "/json")])
        assert texts == ["<h1>Example</h1>", '{"slides": 3}']

    async def test_decorated_function_interface(self) -> None:
        @threaded
        def add(x: int, y: int) -> tuple[int, str]:
            return x + y, thread()

        assert isinstance(add, Threaded)
        # As it is called, and the same by its name.
        for call in (add, add.async_call):
            result, name = await call(1, 2)
            assert result == 3
            assert name != HERE
        # And here.
        assert add.sync_call(1, 2) == (3, HERE)

    async def test_type_safety(self) -> None:
        @threaded
        def scale(numbers: list[int], factor: float = 1.0) -> list[float]:
            return [number * factor for number in numbers]

        scaled = await scale([1, 2, 3], 2.5)
        assert_type(scaled, list[float])
        assert scaled == [2.5, 5.0, 7.5]
        assert await scale([1, 2, 3]) == [1.0, 2.0, 3.0]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in its folders")
    async def test_separate_thread_execution(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        opening = Signal()

        @threaded_separate
        def lines(path: Path) -> Generator[str, None, None]:
            opening.set()
            # This blocks until somebody opens it for writing.
            with open(path) as file:
                while line := file.readline():
                    yield line.strip()

        async def write() -> None:
            await opening.wait()
            await asyncio.to_thread(pipe.write_text, "one\ntwo\n  three\n")

        writer = asyncio.create_task(write())
        async for line in lines(pipe):
            print(f"got {line!r}")
        await writer
        assert capsys.readouterr().out == "got 'one'\ngot 'two'\ngot 'three'\n"

    async def test_notice_about_separate_functions(self) -> None:
        # More than the pool ever has, each on a thread of its own, which ends with its call.
        count = 40
        together = Everybody(count)

        @threaded_separate
        def call() -> threading.Thread:
            together.meet_blocking()
            return threading.current_thread()

        threads = set(await asyncio.gather(*[call() for _ in range(count)]))
        assert len(threads) == count
        assert eventually(lambda: not any(each.is_alive() for each in threads))

    async def test_class_method_support(self) -> None:
        class Processor:
            default_timeout: ClassVar[int] = 30

            def __init__(self, default_timeout: int = default_timeout) -> None:
                self.timeout = default_timeout

            @threaded
            def process(self, data: str) -> dict[str, Any]:
                return {data: self.timeout, "thread": thread()}

            @threaded
            @staticmethod
            def double(value: int) -> int:
                return value * 2

            @threaded
            @classmethod
            def from_config(cls, config: dict[str, int]) -> Processor:
                return cls(**config)

        processor = Processor()
        found = await processor.process("data")
        assert found["data"] == 30
        assert found["thread"] != HERE
        assert await processor.double(10) == 20
        other = await Processor.from_config({"default_timeout": 60})
        assert isinstance(other, Processor)
        assert other.timeout == 60

    async def test_class_method_support_as_it_is_written(self) -> None:
        # The class there has no __init__, which could take what `from_config` hands on.
        class Processor:
            @threaded
            @classmethod
            def from_config(cls, config: dict[str, int]) -> Processor:
                return cls(**config)

        with pytest.raises(TypeError, match=r"Processor\(\) takes no arguments"):
            await Processor.from_config({"default_timeout": 60})

    def test_object_interface(self, capsys: pytest.CaptureFixture[str]) -> None:
        @threaded
        def text_of(number: int) -> str:
            return str(number)

        @threaded_iterable
        def numbers(count: int) -> Generator[int, None, None]:
            yield from range(count)

        async def main() -> None:
            print(type(text_of).__name__)
            print(type(numbers).__name__)
            assert text_of.sync_call(42) == "42"
            assert await text_of.async_call(42) == "42"
            assert await text_of(42) == "42"
            assert inspect.isgenerator(numbers.sync_call(5))
            assert list(numbers.sync_call(5)) == [0, 1, 2, 3, 4]
            for make in (numbers, numbers.async_call):
                iterator = make(5)
                assert isinstance(iterator, ThreadedAsyncIterator)
                assert isinstance(iterator, AsyncIterator)
                assert [number async for number in iterator] == [0, 1, 2, 3, 4]
            # One that nobody iterates over does nothing, and complains of nothing.
            numbers(5)

        asyncio.run(main())
        assert capsys.readouterr().out.split() == [Threaded.__name__, ThreadedIterable.__name__]

    async def test_sync_and_async_calling(self) -> None:
        @threaded
        def both(x: int, y: int) -> dict[str, Any]:
            return {"sum": x + y, "product": x * y}

        expected = {"sum": 3, "product": 2}
        assert await both(1, 2) == expected
        assert await both.async_call(1, 2) == expected
        assert both.sync_call(1, 2) == expected

    async def test_type_preservation(self) -> None:
        # What type checkers make of it is in tests/typed.
        def plain(
            required: str, optional: int | None = None, *args: str, **kwargs: str | int
        ) -> dict[str, Any]:
            return {"required": required, "optional": optional, "args": args, "kwargs": kwargs}

        wrapped = threaded(plain)
        assert inspect.signature(wrapped) == inspect.signature(plain)
        expected = {"required": "r", "optional": 1, "args": ("a", "b"), "kwargs": {"key": 2}}
        assert await wrapped("r", 1, "a", "b", key=2) == expected
        assert await wrapped.async_call("r", 1, "a", "b", key=2) == expected
        assert wrapped.sync_call("r", 1, "a", "b", key=2) == expected


class TestIterableDecorator:
    """ "The @threaded_iterable Decorator": a crawler of pages."""

    #: With two items each.
    PAGES = 50

    def answer(self, request: Request) -> Any:
        page = int(request.query["page"])
        items = [{"number": 2 * page - 1}, {"number": 2 * page}]
        return {"items": items, "total_pages": self.PAGES} if page <= self.PAGES else None

    @staticmethod
    def crawler(ended: Signal) -> ThreadedIterable[[str, int], dict[str, int]]:
        @threaded_iterable(max_size=1)
        def crawl(url: str, page: int = 1) -> Iterator[dict[str, int]]:
            try:
                while True:
                    response = get(f"{url}/data?page={page}")
                    if response.status != 200:
                        break
                    data = response.json()
                    if not data["items"]:
                        break
                    yield from data["items"]
                    page += 1
                    if page > data["total_pages"]:
                        break
            finally:
                ended.set()

        return crawl

    async def test_to_the_last_page(self) -> None:
        ended = Signal()
        with serving(self.answer) as site:
            found = [item["number"] async for item in self.crawler(ended)(site.url, 1)]
            assert found == list(range(1, 2 * self.PAGES + 1))
            assert site.pages() == list(range(1, self.PAGES + 1))
        assert ended.is_set()

    async def test_from_where_there_is_none(self) -> None:
        with serving(self.answer) as site:
            crawl = self.crawler(Signal())
            assert [item async for item in crawl(site.url, self.PAGES + 1)] == []

    async def test_until_it_is_found(self, capsys: pytest.CaptureFixture[str]) -> None:
        ended = Signal()
        count = 0
        with serving(self.answer) as site:
            async for item in self.crawler(ended)(site.url, 1):
                await asyncio.sleep(0)
                count += 1
                if item["number"] == 6:
                    print(f"the target is item {count}")
                    break
            # No more requests are made, as the generator has ended; that of the next page may have
            # been.
            await ended.wait()
            assert site.pages() in ([1, 2, 3], [1, 2, 3, 4])
        assert capsys.readouterr().out == "the target is item 6\n"

    async def test_until_it_is_enough(self, capsys: pytest.CaptureFixture[str]) -> None:
        ended = Signal()
        count = 0
        with serving(self.answer) as site:
            async for _ in self.crawler(ended)(site.url, 1):
                count += 1
                if count >= 10:
                    print("that is enough")
                    break
            await ended.wait()
            assert max(site.pages()) <= 6
        assert capsys.readouterr().out == "that is enough\n"


class TestBackpressure:
    @pytest.mark.parametrize(
        ("variable", "arguments", "size"),
        [
            pytest.param(None, "", 1024, id="not set"),
            pytest.param("512", "", 512, id="set"),
            pytest.param("512", "max_size=20", 20, id="set, and overridden"),
        ],
    )
    def test_default_queue_size(
        self, monkeypatch: pytest.MonkeyPatch, variable: str | None, arguments: str, size: int
    ) -> None:
        name = "THREADED_ITERABLE_DEFAULT_MAX_SIZE"
        monkeypatch.delenv(name, raising=False)
        if variable is not None:
            monkeypatch.setenv(name, variable)
        decorator = f"threaded_iterable({arguments})" if arguments else "threaded"
        done = python(
            f"""
            import asyncio
            import itertools
            from thrasks import threaded, threaded_iterable

            made = 0

            @{decorator}
            def numbers():
                global made
                for number in itertools.count():
                    made += 1
                    yield number

            async def main():
                async with numbers() as iterator:
                    for taken in range(1, 4):
                        await anext(iterator)
                        while made < taken + {size}:
                            await asyncio.sleep(0)
                        # Time to go further, if it did not wait now.
                        await asyncio.sleep(0.05)
                        print(made - taken)

            asyncio.run(main())
            """
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == [str(size)] * 3

    async def test_slow_consumer(self, capsys: pytest.CaptureFixture[str]) -> None:
        per_page, size = 10, 50

        def answer(request: Request) -> Any:
            assert request.query["q"] == "threads"
            page = int(request.query["page"])
            numbers = range(per_page * (page - 1), per_page * page)
            return {"items": [{"title": f"result {i}", "url": f"/{i}"} for i in numbers]}

        @threaded_iterable(max_size=size)
        def search(
            site: Site, query: str, max_pages: int | None = None
        ) -> Iterator[dict[str, Any]]:
            with closing(Session(site.url)) as session:
                for page in itertools.count(1):
                    if max_pages is not None and page > max_pages:
                        break
                    response = session.get(f"/v1/search?q={query}&page={page}")
                    if response.status != 200:
                        break
                    for item in response.json()["items"]:
                        yield {"title": item["title"], "url": item["url"], "page": page}

        # So many pages have the item that is taken, and those in the queue.
        filled = (1 + size + per_page - 1) // per_page
        saved: list[str] = []
        with serving(answer) as site:
            async for result in search(site, "threads", max_pages=100):
                if not saved:
                    # Far slower than the generator: it fills its queue, and waits.
                    assert await eventually_async(lambda: len(site.requests) == filled)
                await asyncio.sleep(0)
                saved.append(result["title"])
                # Never more than what is in the queue, and the page it is at.
                assert len(site.requests) <= (len(saved) + size) // per_page + 1
                if len(saved) >= 120:
                    print(f"enough, on page {result['page']}")
                    break
            # The generator has stopped, and closed its session.
            assert await eventually_async(lambda: site.connections == 0)
            assert len(site.requests) <= (120 + size) // per_page + 1
        assert saved == [f"result {i}" for i in range(120)]
        assert capsys.readouterr().out == "enough, on page 12\n"

    async def test_slow_consumer_to_the_last_page(self) -> None:
        @threaded_iterable(max_size=2)
        def pages(site: Site) -> Iterator[int]:
            with closing(Session(site.url)) as session:
                page = 1
                while session.get(f"/?page={page}").status == 200:
                    yield page
                    page += 1

        def answer(request: Request) -> Any:
            return {} if int(request.query["page"]) <= 5 else None

        with serving(answer) as site:
            assert [page async for page in pages(site)] == [1, 2, 3, 4, 5]
            assert site.pages() == [1, 2, 3, 4, 5, 6]
            assert await eventually_async(lambda: site.connections == 0)


class TestContextManager:
    @staticmethod
    def answer(request: Request) -> Any:
        assert request.headers["Authorization"] == "Bearer token"
        page = int(request.query["page"])
        records = [{"number": 3 * page + i} for i in range(3)]
        return {"records": records, "has_next": page < 40}

    @staticmethod
    def records(closed: Signal) -> ThreadedIterable[[str], dict[str, int]]:
        @threaded_iterable
        def fetch(url: str) -> Iterator[dict[str, int]]:
            session = Session(url)
            session.headers["Authorization"] = "Bearer token"
            try:
                for page in itertools.count(1):
                    response = session.get(f"/users?page={page}")
                    if response.status != 200:
                        break
                    data = response.json()
                    yield from data["records"]
                    if not data["has_next"]:
                        break
            finally:
                session.close()
                closed.set()

        return fetch

    async def test_with_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        closed = Signal()
        count = 0
        with serving(self.answer) as site:
            async with self.records(closed)(site.url) as users:
                async for user in users:
                    count += 1
                    if user["number"] == 7:
                        break
            # By now, and not some time.
            assert closed.is_set()
            assert await eventually_async(lambda: site.connections == 0)
        print(f"{count} users, and the session is closed")
        assert capsys.readouterr().out == "5 users, and the session is closed\n"

    async def test_without_one(self) -> None:
        closed = Signal()
        seen: list[int] = []
        with serving(self.answer) as site:
            async for record in self.records(closed)(site.url):
                if record["number"] == 7:
                    break
                seen.append(record["number"])
            await closed.wait()
            assert await eventually_async(lambda: site.connections == 0)
        assert seen == [3, 4, 5, 6]


class TestSeparateGenerators:
    async def test_of_one(self) -> None:
        @threaded
        def in_the_pool() -> str:
            return thread()

        @threaded_iterable_separate(max_size=50)
        def sums() -> Iterator[tuple[int, str]]:
            for i in range(1_000):
                yield sum(range(i)), thread()

        found = [each async for each in sums()]
        assert [total for total, _ in found] == [i * (i - 1) // 2 for i in range(1_000)]
        names = {name for _, name in found}
        assert len(names) == 1
        assert names.isdisjoint({HERE, await in_the_pool()})

    async def test_warning(self) -> None:
        @threaded_iterable_separate
        def separate() -> Iterator[threading.Thread]:
            for _ in range(1_000_000):
                yield threading.current_thread()

        # It creates a hundred threads, once each has been asked for something.
        iterators = [separate() for _ in range(100)]
        threads = {await anext(iterator) for iterator in iterators}
        assert len(threads) == 100
        assert all(each.is_alive() for each in threads)
        for iterator in iterators:
            await iterator.aclose()
        assert eventually(lambda: not any(each.is_alive() for each in threads))

    async def test_warning_heeded(self) -> None:
        # Of thrasks's own pool those threads do not count that wait for room in their queue: the
        # bound is on how many run. Of an executor all count.
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(4, thread_name_prefix="four")
        )

        @threaded_iterable(max_size=100)
        def pooled() -> Iterator[str]:
            for _ in range(1_000):
                yield thread()

        async def consume() -> set[str]:
            return {name async for name in pooled()}

        names = await asyncio.gather(*[consume() for _ in range(100)])
        assert all(len(each) == 1 for each in names)
        assert set().union(*names) <= {f"four_{i}" for i in range(4)}


class TestAsyncFromThreads:
    async def test_basic_async_calls(self) -> None:
        loop = asyncio.get_running_loop()

        async def post(url: str, data: list[int]) -> Any:
            assert asyncio.get_running_loop() is loop
            async with (
                aiohttp.ClientSession(url) as session,
                session.post("/api", json=data) as response,
            ):
                return await response.json()

        @threaded
        def work(url: str) -> tuple[str, bool]:
            measured = [1, 2, 3]
            answer = sync_await(post, url, measured)
            return f"the sum is {answer['sum']}", thread() == HERE

        with serving(lambda request: {"sum": sum(request.posted)}) as site:
            assert await work(site.url) == ("the sum is 6", False)
            assert [request.path for request in site.requests] == ["/api"]

    async def test_event_loop_context(self, capsys: pytest.CaptureFixture[str]) -> None:
        async def one(word: str) -> str:
            await asyncio.sleep(0)
            return f"one {word} on {thread()}, "

        async def other(word: str) -> str:
            await asyncio.sleep(0)
            return f"other {word} on {thread()}"

        @threaded
        def calls() -> str:
            return sync_await(one, "word") + wait_coroutine(other("word"))

        print(await calls())
        assert capsys.readouterr().out == f"one word on {HERE}, other word on {HERE}\n"

    async def test_with_to_thread(self) -> None:
        loop = asyncio.get_running_loop()

        async def async_function() -> str:
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0)
            return "from async code"

        def on_a_thread() -> tuple[str, str]:
            return sync_wait_coroutine(loop, async_function), thread()

        result, name = await asyncio.to_thread(on_a_thread)
        assert result == "from async code"
        assert name != HERE

    async def test_coroutine_waiting(self) -> None:
        @threaded
        def worker() -> str:
            async def fetch() -> str:
                await asyncio.sleep(0)
                return "data"

            return wait_coroutine(fetch())

        def worker_told(loop: asyncio.AbstractEventLoop) -> str:
            async def fetch() -> str:
                return "data from the loop it was told"

            return sync_wait_coroutine(loop, fetch)

        assert await worker() == "data"
        told = await asyncio.to_thread(worker_told, asyncio.get_running_loop())
        assert told == "data from the loop it was told"

    async def test_coroutine_waiting_as_it_is_written(self) -> None:
        # The thread there asks for its running loop, and has none.
        def worker() -> str:
            loop = asyncio.get_running_loop()

            async def fetch() -> str:
                return "never"

            return sync_wait_coroutine(loop, fetch)

        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.to_thread(worker)

    async def test_context_variables(self) -> None:
        user: contextvars.ContextVar[str] = contextvars.ContextVar("user")

        @threaded
        def process(data: str) -> str:
            return f"{data} of {user.get()}"

        async def request(who: str, data: str) -> str:
            user.set(who)
            return await process(data)

        found = await asyncio.gather(*[request(f"user {i}", f"request {i}") for i in range(9)])
        assert found == [f"request {i} of user {i}" for i in range(9)]


class TestAdvanced:
    @pytest.mark.parametrize("lucky", [True, False])
    async def test_error_handling(self, lucky: bool, capsys: pytest.CaptureFixture[str]) -> None:
        @threaded
        def risky() -> str:
            if not lucky:
                raise ValueError("it went wrong")
            return "luck"

        try:
            print("result:", await risky())
        except ValueError as error:
            print("error:", error)
        expected = "result: luck\n" if lucky else "error: it went wrong\n"
        assert capsys.readouterr().out == expected

    async def test_performance_considerations(self) -> None:
        together = Everybody(10)
        # On a loop of asyncio's: others do not tell which executor they were given.
        loop = asyncio.get_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(10, thread_name_prefix="ten"))

        @threaded_separate
        def cpu_bound(count: int) -> tuple[int, str]:
            return sum(range(count)), thread()

        @threaded
        def io_bound(url: str) -> tuple[str, str]:
            together.meet_blocking()
            return get(url).text, thread()

        with serving(lambda request: f"at {request.path}") as site:
            found = await asyncio.gather(*[io_bound(f"{site.url}/{i}") for i in range(10)])
        assert [text for text, _ in found] == [f"at /{i}" for i in range(10)]
        assert {name for _, name in found} == {f"ten_{i}" for i in range(10)}
        total, name = await cpu_bound(1_000)
        assert total == 499_500
        assert not name.startswith("ten")

    async def test_the_size_of_the_pool_is_that_of_the_executor(self) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

        @threaded
        def call() -> str:
            return thread()

        assert len(set(await asyncio.gather(*[call() for _ in range(20)]))) == 1

    @pytest.mark.skipif(sys.version_info < (3, 14), reason="older ones make a loop")
    def test_performance_considerations_as_it_is_written(self) -> None:
        # The loop there is asked for where none is running.
        with pytest.raises(RuntimeError, match="There is no current event loop"):
            asyncio.get_event_loop()
