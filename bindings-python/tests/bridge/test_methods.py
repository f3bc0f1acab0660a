"""Wrappers in classes, and what a wrapper tells of its function."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from thrasks import (
    BoundThreaded,
    BoundThreadedIterable,
    Threaded,
    ThreadedAsyncIterator,
    ThreadedBase,
    ThreadedIterable,
    ThreadedIterableBase,
    ThreadedIterableSeparate,
    ThreadedSeparate,
    call,
    generate,
    iterate,
    threaded,
    threaded_iterable,
    threaded_iterable_separate,
    threaded_separate,
)


class _Counter:
    """With methods of all kinds."""

    start = 10

    def __init__(self, start: int = 100) -> None:
        self.start = start

    @threaded
    def method(self, more: int = 0) -> int:
        """Add."""
        return self.start + more

    @threaded
    @classmethod
    def class_method(cls, more: int = 0) -> int:
        return cls.start + more

    @threaded
    @staticmethod
    def static_method(more: int = 0) -> int:
        return more

    @classmethod
    @threaded
    def outside_class_method(cls, more: int = 0) -> int:
        return cls.start + more

    @staticmethod
    @threaded
    def outside_static_method(more: int = 0) -> int:
        return more

    @threaded_separate
    def separate(self, more: int = 0) -> str:
        return threading.current_thread().name

    @threaded
    def generator(self, stop: int) -> Iterator[int]:
        """Count."""
        yield from range(self.start, self.start + stop)

    @threaded
    @classmethod
    def class_generator(cls, stop: int) -> Iterator[int]:
        yield from range(cls.start, cls.start + stop)

    @threaded
    @staticmethod
    def static_generator(stop: int) -> Iterator[int]:
        yield from range(stop)

    @threaded_iterable(max_size=2)
    def iterable(self, stop: int) -> Iterator[int]:
        yield from range(self.start, self.start + stop)

    @threaded_iterable_separate
    def separate_iterable(self) -> Iterator[str]:
        yield threading.current_thread().name

    @threaded_separate
    def separate_generator(self) -> Iterator[str]:
        yield threading.current_thread().name


class _Derived(_Counter):
    start = 20

    @threaded
    def method(self, more: int = 0) -> int:
        return 1000 + super().method.sync_call(more)


# Which of the arguments `cls` is, type checkers do not see in a decorated class method; nor that a
# function which returns an iterator is a generator function.
Counter: Any = _Counter
Derived: Any = _Derived


async def items(stream: Any) -> list[Any]:
    return [item async for item in stream]


class TestInAClass:
    async def test_a_method_is_given_its_instance(self) -> None:
        assert await Counter(5).method(1) == 6
        assert await Counter(5).method.async_call(more=2) == 7
        assert Counter(5).method.sync_call(3) == 8
        assert await Counter.method(Counter(5), 4) == 9

    async def test_a_class_method_its_class(self) -> None:
        assert await Counter.class_method(1) == 11
        assert await Counter(5).class_method(1) == 11
        assert await Derived.class_method(1) == 21
        assert await Derived(5).class_method(1) == 21
        assert Derived.class_method.sync_call(2) == 22

    async def test_a_static_method_nothing(self) -> None:
        assert await Counter.static_method(1) == 1
        assert await Counter(5).static_method(1) == 1
        assert Counter.static_method.sync_call(2) == 2

    async def test_the_decorators_may_be_in_the_other_order(self) -> None:
        assert await Counter(5).outside_class_method(1) == 11
        assert await Derived.outside_class_method(1) == 21
        assert await Counter(5).outside_static_method(1) == 1

    async def test_a_method_may_be_overridden(self) -> None:
        assert await Derived(5).method(1) == 1006

    async def test_generators_are_methods_likewise(self) -> None:
        assert await items(Counter(5).generator(3)) == [5, 6, 7]
        assert await items(Counter.generator(Counter(5), 3)) == [5, 6, 7]
        assert await items(Derived.class_generator(3)) == [20, 21, 22]
        assert await items(Derived(1).class_generator(3)) == [20, 21, 22]
        assert await items(Counter.static_generator(3)) == [0, 1, 2]
        assert await items(Counter(1).static_generator(3)) == [0, 1, 2]
        assert await items(Counter(5).iterable(2)) == [5, 6]
        assert list(Counter(5).iterable.sync_call(2)) == [5, 6]

    async def test_separate_ones_have_their_own_threads(self) -> None:
        names = [
            await Counter().separate(),
            *await items(Counter().separate_iterable()),
            *await items(Counter().separate_generator()),
        ]
        assert [name.rpartition("-")[0] for name in names] == ["thrasks-separate"] * 3
        assert len(set(names)) == 3

    def test_an_instance_has_one_of_each(self) -> None:
        counter = Counter()
        assert counter.method is counter.method
        assert counter.generator is counter.generator
        assert counter.class_method is Counter.class_method
        assert counter.static_method is Counter.static_method is Counter.__dict__["static_method"]
        assert Counter.method is Counter.__dict__["method"]
        assert counter.method is not Counter().method
        assert Derived.class_method is not Counter.class_method

    def test_bound_to_equal_instances_it_is_not_the_same(self) -> None:
        class Equal:
            def __eq__(self, other: object) -> bool:
                return True

            __hash__ = None  # type: ignore[assignment]

            @threaded
            def me(self) -> Equal:
                return self

        one, other = Equal(), Equal()
        assert one.me.sync_call() is one
        assert other.me.sync_call() is other

    def test_one_that_was_let_go_is_not_found_again(self) -> None:
        for start in range(200):
            # Of the same address as that before it, as like as not.
            assert Counter(start).method.sync_call() == start

    def test_from_many_threads_at_once(self) -> None:
        counter = Counter()
        found: list[Any] = []
        barrier = threading.Barrier(4)

        def look() -> None:
            barrier.wait()
            found.append(counter.method)

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(each) for each in found}) == 1

    def test_slots_and_frozen_instances_do(self) -> None:
        class Slotted:
            __slots__ = ()

            @threaded
            def method(self) -> int:
                return 3

        assert Slotted().method.sync_call() == 3


class TestTheWrapper:
    def test_is_of_the_type_that_says_what_it_does(self) -> None:
        def function() -> int:
            return 1

        def generator() -> Generator[int, None, None]:
            yield 1

        assert type(threaded(function)) is Threaded
        assert type(threaded_separate(function)) is ThreadedSeparate
        assert type(threaded(generator)) is ThreadedIterable
        assert type(threaded_separate(generator)) is ThreadedIterableSeparate
        assert type(threaded_iterable(generator)) is ThreadedIterable
        assert type(threaded_iterable_separate(generator)) is ThreadedIterableSeparate
        assert type(Counter().method) is BoundThreaded
        assert type(Counter().generator) is BoundThreadedIterable
        for each in (threaded(function), Counter().method, threaded_separate(function)):
            assert isinstance(each, ThreadedBase)
        for one in (threaded(generator), Counter().iterable):
            assert isinstance(one, ThreadedIterableBase)
        assert threaded_separate(function).detach is True
        assert threaded_separate(function, detach=False).detach is False
        assert threaded_iterable(generator, max_size=7).max_size == 7

    @pytest.mark.parametrize("decorate", [threaded, threaded_separate, call])
    def test_looks_like_the_function(self, decorate: Any) -> None:
        def function(left: int, *, right: int = 2) -> int:
            """Add two numbers."""
            return left + right

        wrapper = decorate(function)
        assert wrapper.__name__ == "function"
        assert wrapper.__qualname__ == function.__qualname__
        assert wrapper.__doc__ == "Add two numbers."
        assert wrapper.__module__ == __name__
        assert wrapper.__wrapped__ is function
        assert inspect.signature(wrapper) == inspect.signature(function)

    @pytest.mark.parametrize(
        "decorate", [threaded, threaded_iterable, threaded_iterable_separate, iterate, generate]
    )
    def test_of_a_generator_likewise(self, decorate: Any) -> None:
        def function(stop: int) -> Iterator[int]:
            """Count."""
            yield from range(stop)

        wrapper = decorate(function)
        assert wrapper.__name__ == "function"
        assert wrapper.__doc__ == "Count."
        assert inspect.signature(wrapper) == inspect.signature(function)

    def test_of_a_method_has_the_signature_without_self(self) -> None:
        for bound, name in ((Counter().method, "method"), (Counter().generator, "generator")):
            assert "self" not in inspect.signature(bound).parameters
            assert bound.__name__ == name
            assert bound.__qualname__ == f"_Counter.{name}"
            assert bound.__doc__ in {"Add.", "Count."}
            with pytest.raises(AttributeError, match="nonsense"):
                _ = bound.nonsense

    def test_tells_what_it_wraps(self) -> None:
        assert repr(Counter.method) == "<Threaded _Counter.method>"
        assert repr(Counter().method) == "<BoundThreaded _Counter.method>"
        assert repr(Counter.iterable) == "<ThreadedIterable _Counter.iterable>"
        assert repr(Counter().iterable) == "<BoundThreadedIterable _Counter.iterable>"
        assert repr(threaded_separate(len)) == "<ThreadedSeparate len>"

    async def test_takes_callables_that_are_no_functions(self) -> None:
        class Callable:
            def __call__(self, number: int) -> int:
                return number + 1

        assert await threaded(Callable())(1) == 2
        assert await threaded(functools.partial(Callable(), 2))() == 3
        assert await threaded(len)("four") == 4
        assert await threaded(int)("5") == 5
        assert await threaded("six".upper)() == "SIX"

    async def test_takes_functions_that_return_iterables(self) -> None:
        def numbers(stop: int) -> Iterator[int]:
            return iter(range(stop))

        assert await items(threaded_iterable(numbers)(3)) == [0, 1, 2]
        assert await items(iterate(numbers)(3)) == [0, 1, 2]

    async def test_calls_all_the_same_way(self) -> None:
        @threaded_iterable
        def count(stop: int) -> Iterator[int]:
            yield from range(stop)

        for stream in (count(2), count.async_call(2), count.create_wrapper(2)):
            assert isinstance(stream, ThreadedAsyncIterator)
            assert await items(stream) == [0, 1]

    async def test_a_call_on_this_thread_needs_no_loop(self) -> None:
        assert threaded(threading.current_thread).sync_call() is threading.current_thread()
        with pytest.raises(ZeroDivisionError):
            threaded(lambda: 1 // 0).sync_call()
        assert [*await asyncio.gather(threaded(int)(), threaded(int)())] == [0, 0]
