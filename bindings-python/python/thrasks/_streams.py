"""Asynchronous iterators of what runs on a thread."""

from __future__ import annotations

__all__ = ["CallbackThreadedAsyncIterator", "ThreadedAsyncGenerator", "ThreadedAsyncIterator"]

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from concurrent.futures import Executor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ._places import (
    Place,
    check_function,
    check_place,
    check_size,
    default_size,
    name_of,
)
from ._thrasks import GeneratorBase, StreamBase

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
YieldT = TypeVar("YieldT")
SendT = TypeVar("SendT")


class _Stream(StreamBase, AsyncIterator[T]):
    """What the asynchronous iterators have in common. The native half has the items."""

    if TYPE_CHECKING:

        def __anext__(self) -> Coroutine[Any, Any, T]: ...

    async def aclose(self) -> None:
        """Stop what runs on the thread, and wait until it has ended.

        What it has yielded and nobody has taken is dropped. Returns at once if nothing was started
        or all has ended.

        Raises:
            Exception: What the generator raised while it was closed.
        """
        self.close()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until what runs on the thread has ended.

        Raises:
            Exception: What the generator raised while it was closed.
        """
        while (ended := self._when_ended()) is not None:
            await ended

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class ThreadedAsyncIterator(_Stream[T]):
    """Iterate asynchronously over what an iterator yields on a thread.

    Made by `threaded_iterable` and `iterate`. Nothing runs before the first item is asked for. From
    then on the iterator has a thread, and runs ahead of its consumer as far as the buffer goes.

    It is stopped when the loop over it is left, when it is closed, when nobody holds it any more,
    or when the event loop is closed: an iterator that waits for room in the buffer at once, another
    one before its next item. A generator is then closed, on its thread. With ``async with``, or
    `aclose`, the end is waited for.

    An exception of the iterator is raised after the items before it.

    Args:
        iterator: What is iterated over, on the thread.
        buffer_maxsize: How many items it runs ahead at most; by default as `threaded_iterable`.
        executor: Whose thread it runs on, in place of the process's pool.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: The size is negative.
    """

    def __new__(
        cls,
        iterator: Iterable[T],
        buffer_maxsize: int | None = None,
        executor: Executor | None = None,
    ) -> Self:
        _check_iterable(iterator)
        name = getattr(iterator, "__qualname__", type(iterator).__qualname__)
        return cls._of(
            partial(iter, iterator),
            check_size("buffer_maxsize", buffer_maxsize),
            check_place(executor, "an iterator"),
            name,
        )

    @classmethod
    def _of(cls, make: Callable[[], Iterable[T]], size: int, place: Place, name: str) -> Self:
        return StreamBase.__new__(cls, make, size or default_size(), place, name, False)


class CallbackThreadedAsyncIterator(_Stream[T]):
    """Iterate asynchronously over the values with which a function calls its callback, on a thread.

    Made by `iterate_callback`. The iteration ends when the function returns. The callback waits
    while the buffer is full; once the iteration is over it raises `ChannelClosed`, which ends a
    function that lets it through.

    Args:
        runner: The function. It is called with the callback, which takes one value, and which it
            may call on any thread.
        executor: Whose thread the function runs on, in place of the process's pool.

    Raises:
        TypeError: An argument is of the wrong type.
    """

    def __new__(
        cls,
        runner: Callable[[Callable[[T], None]], object],
        executor: Executor | None = None,
    ) -> Self:
        check_function(cls.__name__, runner)
        return cls._of(runner, check_place(executor, "a callback"), name_of(runner))

    @classmethod
    def _of(cls, run: Callable[[Callable[[T], None]], object], place: Place, name: str) -> Self:
        return StreamBase.__new__(cls, run, default_size(), place, name, True)


class ThreadedAsyncGenerator(GeneratorBase, AsyncGenerator[YieldT, SendT]):
    """Drive a generator that runs on a thread, as an asynchronous generator.

    Made by `generate`. Values and exceptions reach the generator on its thread, which it keeps from
    the first step to the last. Since what it yields may depend on what it is sent, it does not run
    ahead: each step is asked for.

    A step whose awaiting was cancelled goes on. Its outcome is that of the next `__anext__`; any
    other next step drops it.

    Args:
        generator: The generator.
        buffer_maxsize: Taken for the sake of `ThreadedAsyncIterator`'s signature; it must be a
            size, and changes nothing.
        executor: Whose thread it runs on, in place of the process's pool.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: The size is negative.
    """

    def __new__(
        cls,
        generator: Generator[YieldT, SendT, Any],
        buffer_maxsize: int | None = None,
        executor: Executor | None = None,
    ) -> Self:
        if not isinstance(generator, Generator):
            raise TypeError(
                f"a generator is needed, got {generator!r}: iterate() takes other iterators"
            )
        check_size("buffer_maxsize", buffer_maxsize)
        name = getattr(generator, "__qualname__", type(generator).__qualname__)
        return cls._of(lambda: generator, check_place(executor, "a generator"), name)

    #: Whether somebody waits for a step.
    _busy = False

    @classmethod
    def _of(
        cls, make: Callable[[], Generator[YieldT, SendT, Any]], place: Place, name: str
    ) -> Self:
        return GeneratorBase.__new__(cls, make, place, name)

    async def __anext__(self) -> YieldT:
        self._begin("__anext__")
        try:
            # That of a step which was given up, if there is one.
            if not self._under_way:
                self._send(None)
            return await self._outcome()
        finally:
            self._busy = False

    async def asend(self, value: SendT) -> YieldT:
        """Send a value into the generator, and return what it yields next.

        Args:
            value: What the generator's ``yield`` is to return.

        Returns:
            What it yields next.

        Raises:
            StopAsyncIteration: It has ended.
            RuntimeError: Another task waits for a step of it.
        """
        self._begin("asend")
        try:
            await self._settle()
            self._send(value)
            return await self._outcome()
        finally:
            self._busy = False

    async def athrow(self, typ: Any, val: Any = None, tb: TracebackType | None = None, /) -> YieldT:
        """Raise an exception in the generator, and return what it yields next.

        Args:
            typ: The exception, or its type.
            val: Where a type is given: the exception, or what it is made from.
            tb: A traceback for the exception.

        Returns:
            What it yields next.

        Raises:
            TypeError: It is no exception.
            StopAsyncIteration: It has ended.
            RuntimeError: Another task waits for a step of it.
        """
        self._begin("athrow")
        try:
            exc = _exception(typ, val, tb)
            await self._settle()
            self._throw(exc)
            return await self._outcome()
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """Close the generator, on its thread, and wait until it has ended.

        Raises:
            RuntimeError: It yields in spite of that, or another task waits for a step of it.
            Exception: What it raises while it is closed.
        """
        self._begin("aclose")
        try:
            self.close()
            while (ended := self._when_ended()) is not None:
                await ended
        finally:
            self._busy = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _begin(self, what: str) -> None:
        if self._busy:
            raise RuntimeError(
                f"{what}(): asynchronous generator is already running: another task awaits a step"
            )
        self._busy = True

    async def _outcome(self) -> YieldT:
        """Return what the step under way yields, or raise what it raises."""
        while (outcome := self._take()) is None:
            await self._when_stepped()
        return outcome[0]  # type: ignore[no-any-return]

    async def _settle(self) -> None:
        """Let a step that was given up end."""
        if self._under_way:
            await self._outcome()


def _check_iterable(iterator: object) -> None:
    if not isinstance(iterator, Iterable) and not hasattr(type(iterator), "__getitem__"):
        raise TypeError(f"an iterator or another iterable is needed, got {iterator!r}")


def _exception(typ: Any, val: Any, tb: TracebackType | None) -> BaseException:
    """Make an exception of the arguments of ``throw``."""
    if isinstance(typ, BaseException):
        if val is not None:
            raise TypeError("instance exception may not have a separate value")
        exc = typ
    elif isinstance(typ, type) and issubclass(typ, BaseException):
        if val is None:
            exc = typ()
        elif isinstance(val, typ):
            exc = val
        else:
            exc = typ(*val) if isinstance(val, tuple) else typ(val)
    else:
        raise TypeError(
            f"exceptions must be classes or instances deriving from BaseException, got {typ!r}"
        )
    return exc if tb is None else exc.with_traceback(tb)
