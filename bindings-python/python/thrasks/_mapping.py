"""Mapping a function over iterables, with a bound on what is under way."""

from __future__ import annotations

__all__ = ["MapIterator"]

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._handles import cancelled_error
from ._inputs import is_async, zip_any
from ._progress import Progress, check_progress, make_teller
from ._thrasks import _Window

if TYPE_CHECKING:
    from typing import Self

    from ._runners import Runner

T = TypeVar("T")


class Options:
    """How to map, checked."""

    __slots__ = ("buffersize", "ordered", "progress", "return_exceptions", "timeout")

    def __init__(
        self,
        buffersize: Any,
        ordered: bool,
        return_exceptions: bool,
        timeout: float | None,
        progress: Progress,
    ) -> None:
        if buffersize is not None:
            # The words of `concurrent.futures`.
            if not isinstance(buffersize, int) or isinstance(buffersize, bool):
                raise TypeError(f"buffersize must be an integer or None, got {buffersize!r}")
            if buffersize < 1:
                raise ValueError(f"buffersize must be None or > 0, got {buffersize}")
        check_timeout(timeout)
        check_progress(progress)
        self.buffersize: int | None = buffersize
        self.ordered = bool(ordered)
        self.return_exceptions = bool(return_exceptions)
        self.timeout = timeout
        self.progress = progress


def check_timeout(timeout: object) -> None:
    """Refuse what is not a number of seconds."""
    if timeout is not None and not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds or None, got {timeout!r}")


class MapIterator(Generic[T]):
    """The results of a map: ``async for result in executor.map(function, inputs)``.

    It need not be awaited, and may be: ``async for result in await executor.map(...)``. Within
    ``async with executor.map(...) as results`` what is left under way when the block is left is
    cancelled and waited for; without, it is cancelled when nobody holds the iterator any more.

    It is made by `TaskPoolExecutor.map` and `threaded_map`.
    """

    __slots__ = ("__weakref__", "_mapping")

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    def __await__(self) -> Generator[Any, None, Self]:
        return _already(self).__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """Return the next result.

        Cancelling this leaves the iterator as it was: no result is lost.

        Raises:
            Exception: What the function or an iterable raised. What is under way was cancelled and
                has ended, and there are no more results.
            TimeoutError: The time is up. Likewise.
            RuntimeError: Another task waits for the next result, or another loop runs here.
        """
        result: T = await self._mapping.next()
        return result

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended. There are no more results."""
        await self._mapping.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        et: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        mapping = getattr(self, "_mapping", None)
        if mapping is not None:
            mapping.abandon()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._mapping.describe()}>"


async def _already(value: T) -> T:
    return value


class Mapping:
    """A map under way. It does not refer to the iterator over its results."""

    def __init__(
        self,
        runner: Runner,
        function: Callable[..., Awaitable[Any]],
        iterables: tuple[Any, ...],
        options: Options,
        *,
        bound: int | None,
        owns_runner: bool = False,
    ) -> None:
        """Begin to map.

        `bound`: how many inputs may be under way, or have results that wait to be taken.
        `owns_runner`: nobody else uses the runner.
        """
        loop = self._loop = runner.loop
        self._runner: Runner | None = runner
        self._owns_runner = owns_runner
        self._function: Callable[..., Awaitable[Any]] | None = function
        self._return_exceptions = options.return_exceptions
        self._ordered = options.ordered
        self._window: _Window[asyncio.Future[Any]] = _Window(bound, options.ordered)
        #: The next in order, taken from the window and not yet done.
        self._head: asyncio.Future[Any] | None = None
        #: What is under way and not in an ordered window.
        self._under_way: dict[asyncio.Future[Any], None] = {}
        #: There will be no more inputs.
        self._exhausted = False
        #: Why there are no more.
        self._failure: BaseException | None = None
        self._closed = False
        self._teller = make_teller(options.progress, iterables)
        #: Who waits for a result, and the feeder that waits for room.
        self._taker: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._inputs: Iterator[tuple[Any, ...]] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        if options.timeout is not None:
            self._deadline = loop.time() + options.timeout
            self._timer = loop.call_at(self._deadline, _wake_taker, weakref.ref(self))
        if any(map(is_async, iterables)):
            self._feeder = loop.create_task(self._feed(zip_any(iterables)))
        else:
            # Those that are of different lengths end with the shortest.
            self._inputs = zip(*iterables, strict=False)
            self._fill()

    # The inputs.

    def _fill(self) -> None:
        """Begin with as many inputs as there is room for."""
        while self._inputs is not None and (place := self._window.reserve()) is not None:
            try:
                try:
                    self._begin(place, next(self._inputs))
                except BaseException:
                    self._window.vacate(place)
                    raise
            except StopIteration:
                self._exhaust()
            except Exception as exc:
                # The results that come before it are delivered first.
                self._exhaust(exc)
            except BaseException as exc:
                self._exhaust(exc)
                raise

    async def _feed(self, inputs: AsyncGenerator[tuple[Any, ...], None]) -> None:
        """Begin with the inputs as they come."""
        try:
            async with contextlib.aclosing(inputs):
                while (place := await self._reserve()) is not None:
                    try:
                        self._begin(place, await anext(inputs))
                    except BaseException:
                        self._window.vacate(place)
                        raise
        except StopAsyncIteration:
            self._exhaust()
        except Exception as exc:
            self._exhaust(exc)
        except BaseException as exc:
            self._exhaust(exc)
            raise

    async def _reserve(self) -> int | None:
        """Return a place, when there is one; None if there is no use for it any more."""
        while not self._closed:
            place = self._window.reserve()
            if place is not None:
                return place
            self._room = self._loop.create_future()
            try:
                await self._room
            finally:
                self._room = None
        return None

    def _begin(self, place: int, args: tuple[Any, ...]) -> None:
        assert self._runner is not None
        assert self._function is not None
        future = self._runner.call(self._function, args, {})
        if self._ordered:
            self._window.fill(place, future)
            if self._teller is not None:
                future.add_done_callback(self._tell)
            # An ordered one waits for its turn; whoever takes waits for it then.
            self._wake()
        else:
            self._under_way[future] = None
            future.add_done_callback(lambda future: self._came(place, future))

    def _exhaust(self, failure: BaseException | None = None) -> None:
        self._exhausted = True
        self._inputs = self._function = None
        self._failure = failure
        self._wake()

    def _came(self, place: int, future: asyncio.Future[Any]) -> None:
        """A result has come, of a map that keeps no order."""
        del self._under_way[future]
        if not self._closed:
            self._window.fill(place, future)
            self._wake()
            self._tell(future)

    def _tell(self, future: asyncio.Future[Any]) -> None:
        if self._teller is not None and not future.cancelled():
            self._teller.one_more()

    # The results.

    async def next(self) -> Any:
        """Return the next result."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a map can be iterated over only on the loop that it was begun on")
        if self._taker is not None:
            raise RuntimeError("another task waits for the next result of this map")
        while (future := self._take()) is None:
            if self._is_over():
                failure, self._failure = self._failure, None
                await self.close()
                try:
                    raise failure or StopAsyncIteration
                finally:
                    # The failure's traceback refers to this frame.
                    del failure
            if self._deadline is not None and self._loop.time() >= self._deadline:
                await self.close()
                raise TimeoutError("the results of a map did not come within its timeout")
            self._taker = self._loop.create_future()
            try:
                await self._taker
            finally:
                self._taker = None
        self._fill()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        try:
            return await self._result(future)
        finally:
            # An exception's traceback refers to this frame, and the future to the exception.
            del future

    def _take(self) -> asyncio.Future[Any] | None:
        """Take the next future that is done, if it is."""
        if self._head is None:
            taken = self._window.take()
            if taken is None:
                return None
            self._head = taken[0]
            if not self._head.done():
                self._head.add_done_callback(self._wake)
        if not self._head.done():
            return None
        head, self._head = self._head, None
        return head

    def _is_over(self) -> bool:
        return self._closed or (self._exhausted and self._head is None and not len(self._window))

    async def _result(self, future: asyncio.Future[Any]) -> Any:
        error = cancelled_error(future) if future.cancelled() else future.exception()
        if error is None:
            return future.result()
        try:
            if self._return_exceptions:
                return error
            await self.close()
            raise error
        finally:
            del error, future

    def _wake(self, _: object = None) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)

    # The end.

    async def close(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        cancellation: asyncio.CancelledError | None = None
        left = self._end()
        try:
            while left := [future for future in left if not future.done()]:
                try:
                    await asyncio.wait(left)
                except asyncio.CancelledError as exc:
                    # They were asked to end: whoever asked for that waits until they have.
                    cancellation = cancellation or exc
            if cancellation is not None:
                raise cancellation
        finally:
            del cancellation

    def abandon(self) -> None:
        """Nobody wants more results: cancel what is under way. On any thread."""
        if self._closed:
            return
        if asyncio._get_running_loop() is self._loop:
            self._end()
        else:
            with contextlib.suppress(RuntimeError):
                # A loop that is closed runs nothing.
                self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> list[asyncio.Future[Any]]:
        """Cancel what is under way. Return it."""
        if self._closed:
            return []
        self._closed = self._exhausted = True
        self._inputs = self._function = self._failure = None
        left: list[asyncio.Future[Any]] = [] if self._head is None else [self._head]
        left += self._window.close()
        left += self._under_way
        self._head = None
        for future in reversed(left):
            if not future.cancel():
                _retrieve(future)
            else:
                future.add_done_callback(_retrieve)
        if self._feeder is not None and not self._feeder.done():
            self._feeder.cancel()
            left.append(self._feeder)
        if self._timer is not None:
            self._timer.cancel()
        if self._teller is not None:
            # When those that have ended are told.
            self._loop.call_soon(self._teller.close)
        runner, self._runner = self._runner, None
        if self._owns_runner and runner is not None:
            runner.close()
        self._wake()
        return left

    def describe(self) -> str:
        """What it is at, for a repr."""
        if self._closed:
            return "closed"
        return f"{len(self._window) + (self._head is not None)} under way or to be taken"


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Have a future not complain that nobody took its exception."""
    if not future.cancelled():
        future.exception()


def _wake_taker(reference: weakref.ref[Mapping]) -> None:
    mapping = reference()
    if mapping is not None:
        mapping._wake()
