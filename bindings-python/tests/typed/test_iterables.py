"""What type checkers see of iterators, generators and callbacks on threads: see `test_calls`."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, assert_type

from thrasks import (
    CallbackThreadedAsyncIterator,
    ThreadedAsyncGenerator,
    ThreadedAsyncIterator,
    generate,
    iterate,
    iterate_callback,
    single_callback,
    threaded,
    threaded_iterable,
    threaded_iterable_separate,
    threaded_separate,
)


@threaded_iterable
def letters(word: str, times: int = 1) -> Iterator[str]:
    yield from word * times


@threaded_iterable(max_size=2)
def bounded(word: str, *, times: int = 1) -> Generator[str, None, None]:
    yield from word * times


@threaded_iterable_separate
def separate(count: int) -> Iterator[int]:
    yield from range(count)


@threaded_iterable_separate(max_size=2)
def separate_bounded(count: int) -> Iterator[int]:
    yield from range(count)


@threaded
def by_threaded(count: int) -> Generator[int, None, None]:
    # As an Iterator it would be taken for a function that returns one.
    yield from range(count)


@threaded_separate
def by_threaded_separate(count: int) -> Generator[int, None, None]:
    yield from range(count)


class Book:
    def __init__(self, pages: int) -> None:
        self.pages = pages

    @threaded_iterable
    def read(self, start: int = 0) -> Iterator[int]:
        yield from range(start, self.pages)

    @threaded
    def read_too(self, start: int = 0) -> Generator[int, None, None]:
        yield from range(start, self.pages)

    @threaded_iterable(max_size=1)
    @classmethod
    def shelf(cls, count: int) -> Iterator[Book]:
        yield from (cls(i) for i in range(count))

    @threaded_iterable
    @staticmethod
    def numerals(base: int) -> Iterator[str]:
        yield from map(str, range(base))


def numbers(count: int, *, start: int = 0) -> Iterator[int]:
    yield from range(start, count)


def lengths(first: int) -> Generator[int, str, bytes]:
    text = yield first
    while text:
        text = yield len(text)
    return b""


def reporting(callback: Callable[[str], None], count: int, *, text: str = "a") -> int:
    for _ in range(count):
        callback(text)
    return count


async def test_threaded_iterable() -> None:
    assert_type(letters("ab"), ThreadedAsyncIterator[str])
    assert_type(letters.async_call("ab", times=2), ThreadedAsyncIterator[str])
    assert_type(letters.sync_call("ab", 2), Iterator[str])
    assert_type([letter async for letter in letters("ab")], list[str])
    assert_type([letter async for letter in bounded("ab", times=2)], list[str])
    assert_type(await anext(separate(3)), int)
    assert_type(await anext(separate_bounded(count=3)), int)
    async with letters("ab") as iterator:
        assert_type(iterator, ThreadedAsyncIterator[str])
        async for letter in iterator:
            assert_type(letter, str)
    assert list(letters.sync_call("ab", 2)) == [each async for each in letters("ab", 2)]
    if TYPE_CHECKING:
        letters()  # type: ignore[call-arg]
        letters(3)  # type: ignore[arg-type]
        letters.async_call("ab", "2")  # type: ignore[arg-type]
        letters.sync_call("ab", often=2)  # type: ignore[call-arg]
        bounded("ab", 2)  # type: ignore[call-arg]
        separate("3")  # type: ignore[arg-type]
        separate_bounded()  # type: ignore[call-arg]
        threaded_iterable(max_size="2")  # type: ignore[call-overload]
        threaded_iterable(lambda: 1)  # type: ignore[arg-type, return-value]
        for _ in letters("ab"):  # type: ignore[attr-defined]
            pass


async def test_generator_functions_by_threaded() -> None:
    assert_type([number async for number in by_threaded(2)], list[int])
    assert_type([number async for number in by_threaded_separate(count=2)], list[int])
    assert_type(by_threaded.sync_call(2), Iterator[int])
    assert [number async for number in by_threaded(2)] == [0, 1]
    if TYPE_CHECKING:
        by_threaded("2")  # type: ignore[arg-type]
        by_threaded_separate()  # type: ignore[call-arg]


async def test_methods() -> None:
    book = Book(3)
    assert_type([page async for page in book.read(1)], list[int])
    assert_type([page async for page in Book.read(book, start=1)], list[int])
    assert_type([page async for page in book.read_too()], list[int])
    assert_type(book.read.sync_call(1), Iterator[int])
    assert_type([each async for each in Book.shelf(2)], list[Book])
    assert_type([each async for each in book.shelf(count=2)], list[Book])
    assert_type([numeral async for numeral in Book.numerals(2)], list[str])
    assert_type([numeral async for numeral in book.numerals(base=2)], list[str])
    assert [page async for page in book.read(1)] == [1, 2]
    assert [numeral async for numeral in book.numerals(2)] == ["0", "1"]
    assert [each.pages async for each in book.shelf(2)] == [0, 1]
    if TYPE_CHECKING:
        book.read("1")  # type: ignore[arg-type]
        book.read_too(book)  # type: ignore[arg-type]
        Book.read(1)  # type: ignore[arg-type]
        Book.shelf(Book, 2)  # type: ignore[call-arg, arg-type]
        book.numerals("2")  # type: ignore[arg-type]
        book.numerals()  # type: ignore[call-arg]


async def test_iterate() -> None:
    assert_type(iterate(numbers(3)), ThreadedAsyncIterator[int])
    assert_type(iterate(["a"], buffer_maxsize=3), ThreadedAsyncIterator[str])
    assert_type(ThreadedAsyncIterator(["a"]), ThreadedAsyncIterator[str])
    assert_type(iterate(numbers)(3, start=1), ThreadedAsyncIterator[int])

    with ThreadPoolExecutor(1) as executor:

        @iterate
        def plain(count: int) -> Iterator[int]:
            yield from range(count)

        @iterate(executor=executor, buffer_maxsize=1)
        def with_options(word: str, times: int = 1) -> Iterator[str]:
            yield from word * times

        assert_type(plain(3), ThreadedAsyncIterator[int])
        assert_type(with_options("a", times=2), ThreadedAsyncIterator[str])
        assert_type(iterate(numbers(3), executor), ThreadedAsyncIterator[int])
        assert [each async for each in with_options("a", times=2)] == ["a", "a"]
    abstract: AsyncIterator[int] = iterate(numbers(3))
    assert [number async for number in abstract] == [0, 1, 2]
    if TYPE_CHECKING:
        plain("3")  # type: ignore[arg-type]
        with_options(times=2)  # type: ignore[call-arg]
        iterate(numbers)(3, 1)  # type: ignore[call-arg]
        iterate(3)  # type: ignore[call-overload]
        iterate(numbers, buffer_maxsize="1")  # type: ignore[call-overload]
        _strings: ThreadedAsyncIterator[str] = iterate(numbers(3))  # type: ignore[arg-type]


async def test_generate() -> None:
    assert_type(generate(lengths(1)), ThreadedAsyncGenerator[int, str])
    assert_type(ThreadedAsyncGenerator(lengths(1)), ThreadedAsyncGenerator[int, str])
    assert_type(generate(lengths)(first=1), ThreadedAsyncGenerator[int, str])

    with ThreadPoolExecutor(1) as executor:

        @generate(executor=executor, buffer_maxsize=1)
        def echo(first: str) -> Generator[str, bytes, None]:
            received = yield first
            while True:
                received = yield received.decode()

        async with echo("a") as echoes:
            assert_type(echoes, ThreadedAsyncGenerator[str, bytes])
            assert_type(await anext(echoes), str)
            assert_type(await echoes.asend(b"b"), str)
            assert await echoes.asend(b"c") == "c"
    abstract: AsyncGenerator[int, str] = generate(lengths(7))
    assert_type(await anext(abstract), int)
    assert await abstract.asend("four") == 4
    assert_type([length async for length in generate(lengths)(1)], list[int])
    await abstract.aclose()
    if TYPE_CHECKING:
        await echoes.asend("b")  # type: ignore[arg-type]
        await generate(lengths(1)).asend(1)  # type: ignore[arg-type]
        generate(lengths)("1")  # type: ignore[arg-type]
        echo()  # type: ignore[call-arg]
        generate(numbers)  # type: ignore[arg-type]
        generate([1])  # type: ignore[call-overload]


async def test_callbacks() -> None:
    assert_type(iterate_callback(reporting)(2), CallbackThreadedAsyncIterator[str])
    assert_type([text async for text in iterate_callback(reporting)(2, text="b")], list[str])
    assert_type(await single_callback(reporting)(2), str)

    with ThreadPoolExecutor(1) as executor:

        @iterate_callback(executor=executor)
        def count_down(callback: Callable[[int], None], start: int) -> None:
            for number in reversed(range(start)):
                callback(number)

        @single_callback(executor=executor)
        def once(callback: Callable[[bytes], None], text: str) -> None:
            callback(text.encode())

        assert_type(count_down(3), CallbackThreadedAsyncIterator[int])
        assert_type(await once(text="a"), bytes)
        assert [number async for number in count_down(3)] == [2, 1, 0]
    if TYPE_CHECKING:
        count_down("3")  # type: ignore[arg-type]
        count_down()  # type: ignore[call-arg]
        _ = once(b"a")  # type: ignore[arg-type]
        _ = single_callback(reporting)()  # type: ignore[call-arg]
        iterate_callback(reporting)(2, "b")  # type: ignore[call-arg]
        iterate_callback(3)  # type: ignore[call-overload]
