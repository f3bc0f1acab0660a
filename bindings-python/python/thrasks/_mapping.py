"""Mapping a function over iterables, with a bound on what is under way."""

from __future__ import annotations

__all__ = ["MapIterator"]

import asyncio
import contextlib
import math
import sys
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from ._inputs import is_async, zip_any
from ._progress import Progress, check_progress, make_teller
from ._shutdown import Patience

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
        self.buffersize: int | None = None if buffersize is None else min(buffersize, sys.maxsize)
        self.ordered: bool = bool(ordered)
        self.return_exceptions: bool = bool(return_exceptions)
        self.timeout: float | None = timeout
        self.progress: Progress = progress


def check_timeout(timeout: object) -> None:
    """Refuse what is not a number of seconds."""
    if timeout is not None and not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds or None, got {timeout!r}")


class MapIterator(Generic[T]):
    """The results of a map: ``async for result in executor.map(function, inputs)``.

    It need not be awaited, and may be: ``async for result in await executor.map(...)``. Within
    ``async with executor.map(...) as results`` what is left under way when the block is left is
    cancelled and waited for; without, it is cancelled when nobody holds the iterator any more.

    It is made by `TaskPoolExecutor.map` and `threaded_map`, and not by itself.

    Args:
        mapping: The map under way.
        executor: What is to be held as long as the iterator is.
    """

    __slots__ = ("__weakref__", "_executor", "_mapping")

    def __init__(self, mapping: Mapping, executor: object = None) -> None:
        self._mapping = mapping
        #: Which takes no more jobs once nobody holds it.
        self._executor = executor

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
        #: Until there are no more inputs.
        self._runner: Runner | None = runner
        self._function: Callable[..., Awaitable[Any]] | None = function
        self._own = runner if owns_runner else None
        self._return_exceptions = options.return_exceptions
        self._teller = make_teller(options.progress, iterables, loop)
        tell = None if self._teller is None else _teller_of(weakref.ref(self))
        self._jobs = runner.map(bound, tell, ordered=options.ordered)
        #: There will be no more inputs.
        self._exhausted = False
        #: Why there are no more.
        self._failure: BaseException | None = None
        self._closed = False
        #: Who waits for a result, the feeder that waits for room, and whoever waits for the end.
        self._taker: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._enders: list[asyncio.Future[None]] = []
        self._patience = Patience()
        self._feeder: asyncio.Task[None] | None = None
        self._inputs: Iterator[tuple[Any, ...]] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        if options.timeout is not None:
            self._deadline = loop.time() + options.timeout
            reference: weakref.ref[Mapping] = weakref.ref(self)
            self._timer = loop.call_at(self._deadline, _time_out, reference)
        if any(map(is_async, iterables)):
            self._feeder = loop.create_task(self._feed(zip_any(iterables)))
        else:
            # Those that are of different lengths end with the shortest.
            self._inputs = zip(*iterables, strict=False)
            self._fill()

    # The inputs.

    def _fill(self) -> None:
        """Begin with as many inputs as there is room for."""
        while self._inputs is not None and self._jobs.reserve():
            try:
                self._begin(next(self._inputs))
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
                while await self._is_room():
                    self._begin(await anext(inputs))
        except StopAsyncIteration:
            self._exhaust()
        except Exception as exc:
            self._exhaust(exc)
        except BaseException as exc:
            self._exhaust(exc)
            raise

    def _begin(self, args: tuple[Any, ...]) -> None:
        assert self._runner is not None
        assert self._function is not None
        self._jobs.begin(self._runner, self._loop, self._function, args)

    async def _is_room(self) -> bool:
        """Wait until there is room for another input. Return False if there is no use for one."""
        while not self._closed:
            if self._jobs.reserve():
                return True
            self._room = self._loop.create_future()
            try:
                await self._room
            finally:
                self._room = None
        return False

    def _exhaust(self, failure: BaseException | None = None) -> None:
        self._exhausted = True
        self._inputs = self._runner = self._function = None
        self._jobs.exhaust()
        if not self._closed:
            self._failure = failure
        self._wake()

    # The results.

    async def next(self) -> Any:
        """Return the next result."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a map can be iterated over only on the loop that it was begun on")
        if self._taker is not None:
            raise RuntimeError("another task waits for the next result of this map")
        taken = await self._take()
        # Not after whoever gets the result has seen it.
        self._tell()
        self._fill()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        fine, result = taken
        try:
            if fine or self._return_exceptions:
                return result
            await self.close()
            raise result
        finally:
            # The exception's traceback refers to this frame.
            del taken, result

    async def _take(self) -> tuple[bool, Any]:
        """Take the next result, when it is there: whether it is one, and it, or an exception."""
        while (taken := self._jobs.take()) is None:
            if self._closed or (self._exhausted and not len(self._jobs)):
                await self._raise_end()
            if self._is_late():
                await self.close()
                raise TimeoutError("the results of a map did not come within its timeout")
            waiter = self._taker = self._loop.create_future()
            self._jobs.wait(waiter)
            try:
                # One that came before the jobs knew who waits would not wake anybody.
                if (taken := self._jobs.take()) is not None:
                    break
                await waiter
            finally:
                self._taker = None
        return taken

    def _is_late(self) -> bool:
        return self._deadline is not None and self._loop.time() >= self._deadline

    def _time_out(self) -> None:
        # A loop calls a timer a little early: up to its clock's resolution, or by a rounding error.
        # Nobody else will come and wake who waits, so by the clock, too, it is late from now on.
        self._deadline = -math.inf
        self._wake()

    async def _raise_end(self) -> NoReturn:
        failure, self._failure = self._failure, None
        await self.close()
        try:
            raise failure or StopAsyncIteration
        finally:
            # The failure's traceback refers to this frame.
            del failure

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)

    def _tell(self) -> None:
        """Tell how many results there are, one by one."""
        if self._teller is not None:
            self._teller.tell(self._jobs.completed)

    # The end.

    async def close(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        self._end()
        cancellation: asyncio.CancelledError | None = None
        try:
            while not self._patience.over:
                try:
                    if self._feeder is not None and not self._feeder.done():
                        await asyncio.wait([self._feeder])
                    elif self._jobs.under_way:
                        await self._all_ended()
                    else:
                        break
                except asyncio.CancelledError as exc:
                    # They were asked to end: whoever asked for that waits until they have.
                    cancellation = cancellation or exc
                    self._patience.cancelled(self._loop, self, self._give_up)
            self._patience.done()
            if cancellation is not None:
                raise cancellation
        finally:
            del cancellation

    async def _all_ended(self) -> None:
        ender: asyncio.Future[None] = self._loop.create_future()
        self._enders.append(ender)
        if len(self._enders) == 1:
            self._jobs.wait_ended(ender)
        try:
            await ender
        finally:
            self._enders.remove(ender)
            # Whoever waits, too.
            self._give_up()

    def _give_up(self) -> None:
        for ender in self._enders:
            if not ender.done():
                ender.set_result(None)

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

    def _end(self) -> None:
        """Cancel what is under way."""
        if self._closed:
            return
        self._closed = self._exhausted = True
        self._inputs = self._runner = self._function = self._failure = None
        if self._teller is not None:
            self._tell()
            self._teller.close()
        self._jobs.cancel()
        if self._feeder is not None:
            self._feeder.cancel()
        if self._timer is not None:
            self._timer.cancel()
        own, self._own = self._own, None
        if own is not None:
            own.close()
        self._wake()

    def describe(self) -> str:
        """What it is at, for a repr."""
        if self._closed:
            return "closed"
        return f"{len(self._jobs)} under way or to be taken"

    def __repr__(self) -> str:
        return f"<map: {self.describe()}>"


def _teller_of(reference: weakref.ref[Mapping]) -> Callable[[], None]:
    def tell() -> None:
        mapping = reference()
        if mapping is not None:
            mapping._tell()

    return tell


def _time_out(reference: weakref.ref[Mapping]) -> None:
    mapping = reference()
    if mapping is not None:
        mapping._time_out()
