"""Functions that spread work over threads and deliver the results as they come."""

from __future__ import annotations

__all__ = ["CompletionIterator", "as_completed", "threaded_map"]

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ._arguments import Leasing, LoopFactory
from ._awaitables import check_awaitables, close_coroutines
from ._inputs import AnyIterable, check_iterables
from ._mapping import MapIterator, Mapping, Options, check_timeout
from ._modes import Scheduler, SchedulingMode
from ._on_workers import OnWorkers
from ._progress import Progress

if TYPE_CHECKING:
    from typing import Self

    from ._pools import LoopPool

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

#: How many inputs of a map may be under way unless it is said, for each thread.
_BUFFERED = 64


@overload
def threaded_map(
    fn: Callable[[A], Awaitable[T]],
    iterable: AnyIterable[A],
    /,
    *,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
    buffersize: int | None = None,
    ordered: bool = True,
    return_exceptions: bool = False,
    timeout: float | None = None,
    progress: Progress = None,
) -> MapIterator[T]: ...
@overload
def threaded_map(
    fn: Callable[[A, B], Awaitable[T]],
    iterable: AnyIterable[A],
    iterable2: AnyIterable[B],
    /,
    *,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
    buffersize: int | None = None,
    ordered: bool = True,
    return_exceptions: bool = False,
    timeout: float | None = None,
    progress: Progress = None,
) -> MapIterator[T]: ...
@overload
def threaded_map(
    fn: Callable[..., Awaitable[T]],
    iterable: AnyIterable[Any],
    iterable2: AnyIterable[Any],
    iterable3: AnyIterable[Any],
    /,
    *iterables: AnyIterable[Any],
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
    buffersize: int | None = None,
    ordered: bool = True,
    return_exceptions: bool = False,
    timeout: float | None = None,
    progress: Progress = None,
) -> MapIterator[T]: ...
def threaded_map(
    fn: Callable[..., Awaitable[Any]],
    /,
    *iterables: AnyIterable[Any],
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
    buffersize: int | None = None,
    ordered: bool = True,
    return_exceptions: bool = False,
    timeout: float | None = None,
    progress: Progress = None,
) -> MapIterator[Any]:
    """Await ``fn`` of each of the inputs, over several threads, as `TaskPoolExecutor.map` does.

    ::

        async for page in threaded_map(fetch, urls, num_threads=4):
            ...

    `fn` is called on the threads: the coroutines are born where they run. What is left when the
    iterator is dropped, or when the loop ends, is cancelled.

    Args:
        fn: A coroutine function, or another that returns an awaitable.
        *iterables: What it is called with: one of each at a time, until the shortest ends.
            Asynchronous ones, too. They may be of any length, and without end.
        num_threads: How many threads there are; 4 by default, and 10,000 at most.
        mode: Which of them runs which call: a `SchedulingMode`, `QUEUE` by default, or an object
            with a ``place(loads)`` method.
        max_concurrency: How many may run at once; as many as `buffersize` by default.
        pool: Run on the threads of this pool, in its mode.
        loop_factory: What makes the event loops, such as ``uvloop.new_event_loop``.
        buffersize: How many inputs may be under way or have results that were not taken yet; 64 for
            each thread by default.
        ordered: Whether the results come in the order of the inputs; or each as soon as it is
            there.
        return_exceptions: Whether exceptions are results like any other. Otherwise the first is
            raised in its turn, and what is under way is cancelled.
        timeout: How many seconds after this call a result may still be waited for.
        progress: A function that is called with the number of results there are and of those there
            will be, None if that is not known, for each; or True for a progress bar.

    Returns:
        An asynchronous iterator over the results.

    Raises:
        RuntimeError: No loop runs here, or the pool is not open.
        TypeError: An argument is of the wrong type.
        ValueError: An option is out of range.
        ImportError: A bar is asked for, and tqdm is not installed.
    """
    if not callable(fn):
        raise TypeError(f"threaded_map() needs a callable, got {fn!r}")
    options = Options(buffersize, ordered, return_exceptions, timeout, progress)
    leasing = Leasing(
        num_threads, mode, loop_factory, pool, max_concurrency, default_mode=SchedulingMode.QUEUE
    )
    check_iterables(iterables)
    bound = options.buffersize or _BUFFERED * leasing.num_threads
    runner = OnWorkers(
        asyncio.get_running_loop(), leasing, leasing.max_concurrency or bound, cancel_at_end=True
    )
    try:
        mapping = Mapping(runner, fn, iterables, options, bound=bound, owns_runner=True)
    except BaseException:
        runner.close()
        runner.cancel_all()
        raise
    return MapIterator(mapping)


class CompletionIterator(Generic[T]):
    """Awaitables as they complete: what `as_completed` returns.

    ``async for`` yields the futures, each of which is done; ``for`` yields as many coroutines, each
    of which returns the next result.

    Args:
        futures: What is to complete.
        timeout: How many seconds from now a result may be waited for; None for no limit.
    """

    def __init__(self, futures: set[asyncio.Future[T]], timeout: float | None) -> None:
        self._pending = futures
        self._left = len(futures)
        #: Those that are done, and None for each that was not in time.
        self._done: asyncio.Queue[asyncio.Future[T] | None] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        for future in futures:
            future.add_done_callback(self._came)
        if futures and timeout is not None:
            self._timer = asyncio.get_running_loop().call_later(timeout, self._time_out)

    def __aiter__(self) -> Self:
        return self

    def __iter__(self) -> Self:
        return self

    async def __anext__(self) -> asyncio.Future[T]:
        """Return the next future that is done.

        Raises:
            TimeoutError: The time is up.
        """
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        try:
            return await self._next()
        except asyncio.CancelledError:
            # The next one is still to come.
            self._left += 1
            raise

    def __next__(self) -> Coroutine[Any, Any, T]:
        """Return a coroutine that waits for the next result, and raises TimeoutError if need be."""
        if not self._left:
            raise StopIteration
        self._left -= 1
        return self._result()

    async def _next(self) -> asyncio.Future[T]:
        future = await self._done.get()
        if future is None:
            raise TimeoutError("not all awaitables completed within the timeout")
        return future

    async def _result(self) -> T:
        return (await self._next()).result()

    def _came(self, future: asyncio.Future[T]) -> None:
        if future not in self._pending:
            # Too late.
            return
        self._pending.remove(future)
        self._done.put_nowait(future)
        if not self._pending and self._timer is not None:
            self._timer.cancel()

    def _time_out(self) -> None:
        for _ in self._pending:
            self._done.put_nowait(None)
        self._pending.clear()


def as_completed(
    aws: Iterable[Awaitable[T]],
    *,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
    timeout: float | None = None,
) -> CompletionIterator[T]:
    """Run awaitables over several threads and deliver them as they complete.

    It is `asyncio.as_completed` on several threads::

        async for future in as_completed(coroutines, num_threads=4):
            print(await future)

    Coroutines run on worker threads; futures and tasks stay on the loop that they belong to. When
    the iteration is left early they go on, and are cancelled when the loop ends.

    Args:
        aws: Coroutines, futures and other awaitables. One that is given twice runs once.
        num_threads: How many threads there are; 4 by default, and 10,000 at most.
        mode: Which of them runs which coroutine: a `SchedulingMode`, `QUEUE` by default, or an
            object with a ``place(loads)`` method.
        max_concurrency: How many coroutines may run at once; no bound by default.
        pool: Run on the threads of this pool, in its mode.
        loop_factory: What makes the event loops, such as ``uvloop.new_event_loop``.
        timeout: How many seconds after this call a result may still be waited for.

    Returns:
        An iterator over the futures for ``async for``, and over coroutines for ``for``.

    Raises:
        TypeError: An argument is not awaitable or not hashable, or an option is of the wrong type.
            No coroutine has been started, and those among the arguments are closed.
        ValueError: A future belongs to another loop, or an option is out of range. Likewise.
        RuntimeError: No loop runs here, or the pool is not open. Likewise.
    """
    # Before 3.12 asyncio takes generators for coroutines.
    if asyncio.isfuture(aws) or isinstance(aws, Coroutine):
        close_coroutines((aws,))
        raise TypeError(f"an iterable of awaitables was expected, got {aws!r}")
    given: list[Awaitable[T]] = []
    try:
        # One by one: what there is when this fails is to be closed.
        for awaitable in aws:
            given.append(awaitable)
        distinct = tuple(dict.fromkeys(given))
        check_timeout(timeout)
        leasing = Leasing(
            num_threads,
            mode,
            loop_factory,
            pool,
            max_concurrency,
            default_mode=SchedulingMode.QUEUE,
        )
        loop = asyncio.get_running_loop()
        check_awaitables(distinct, loop)
        runner = OnWorkers(
            loop, leasing, leasing.max_concurrency or sys.maxsize, cancel_at_end=True
        )
    except BaseException:
        close_coroutines(tuple(given))
        raise
    futures: set[asyncio.Future[T]] = set()
    try:
        for awaitable in distinct:
            futures.add(awaitable if asyncio.isfuture(awaitable) else runner.run(awaitable))
    except BaseException:
        # Those that came before are on their way.
        runner.cancel_all()
        close_coroutines(distinct[len(futures) :])
        raise
    finally:
        runner.close()
    return CompletionIterator(futures, timeout)
