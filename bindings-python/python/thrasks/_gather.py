"""Gathering results over several threads."""

from __future__ import annotations

__all__ = ["GatheringFuture", "threaded_gather"]

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ._arguments import Leasing, LoopFactory
from ._awaitables import check_awaitables, close_coroutines, set_awaited_by, step
from ._handles import cancelled_error
from ._shutdown import Patience
from ._thrasks import _Carrier, _Gather, are_distinct_coroutines

if TYPE_CHECKING:
    from ._modes import Scheduler, SchedulingMode
    from ._pools import LoopPool
    from ._thrasks import Workers

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")


class GatheringFuture(asyncio.Future[T]):
    """What `threaded_gather` returns: a future, and a coroutine as well.

    As a coroutine it is taken by `asyncio.create_task` and `asyncio.TaskGroup.create_task`, which
    take no other futures.

    It is made by `threaded_gather`, and not by itself.

    Args:
        loop: The loop that it belongs to.
        return_exceptions: Whether exceptions are results.
    """

    __slots__ = (
        "_caller",
        "_cancel_requested",
        "_ended_all",
        "_failure",
        "_iterator",
        "_keeper",
        "_keeping",
        "_left",
        "_local",
        "_order",
        "_outcomes",
        "_patience",
        "_remote",
        "_remote_places",
        "_return_exceptions",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, return_exceptions: bool) -> None:
        super().__init__(loop=loop)
        self._return_exceptions = return_exceptions
        self._cancel_requested = False
        #: The task that gathers.
        self._caller = asyncio.current_task(loop)
        #: The futures among the arguments, which belong to this loop.
        self._local: list[asyncio.Future[Any]] = []
        #: The coroutines among the arguments, on their workers.
        self._remote: _Gather | None = None
        #: Which outcomes are those of the coroutines, in their order.
        self._remote_places: list[int] = []
        #: The outcome of each distinct argument, once it is there.
        self._outcomes: list[Any] = []
        #: For each argument, which outcome is its; empty where that is the one at its own place,
        #: and all of them are of coroutines.
        self._order: list[int] = []
        #: How much has not ended: each future, and the coroutines together.
        self._left = 0
        self._keeper: AsyncGenerator[None, None] | None = None
        self._keeping = False
        self._failure: BaseException | None = None
        self._ended_all: asyncio.Future[None] | None = None
        self._iterator: Generator[Any, None, T] | None = None
        self._patience = Patience()

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask every child to end, as the future of `asyncio.gather` does.

        Args:
            msg: The message of the `asyncio.CancelledError`.

        Returns:
            Whether any child could be asked. Then this is done when all of them have ended.
        """
        if self.done():
            return False
        asked = self._cancel_children(msg)
        if asked:
            # The outcome is a cancellation, whatever the children make of theirs.
            self._cancel_requested = True
            self._lose_patience()
        return asked

    def __await__(self) -> Generator[Any, None, T]:
        if not self.done() and asyncio._get_running_loop() is not self.get_loop():
            # Found out here, not by asyncio: that would have disturbed who awaits it rightly.
            raise RuntimeError(f"{self!r} belongs to another loop, and can be awaited only there")
        return super().__await__()

    def __iter__(self) -> Generator[Any, None, T]:
        return self.__await__()

    # A coroutine that awaits this future.

    def send(self, value: Any, /) -> Any:
        """Go on with a coroutine that awaits this future, as `coroutine.send`.

        Args:
            value: What is sent: None.

        Returns:
            What asyncio waits for.

        Raises:
            StopIteration: The future is done, and this is its result.
        """
        if self._iterator is None:
            self._iterator = iter(self)
        return self._iterator.send(value)

    def throw(self, *exc: Any) -> Any:
        """Raise in a coroutine that awaits this future, as `coroutine.throw`.

        Args:
            *exc: The exception; or its type, its value and its traceback.

        Returns:
            What asyncio waits for.
        """
        if self._iterator is None:
            self._iterator = iter(self)
        return self._iterator.throw(*exc)

    def close(self) -> None:
        """End a coroutine that awaits this future, as `coroutine.close`. The children go on."""
        if self._iterator is not None:
            self._iterator.close()

    # What `threaded_gather` and the workers call.

    def _start(self, aws: tuple[Any, ...], leasing: Leasing, distinct_coroutines: bool) -> None:
        """Send the coroutines off, and watch the futures. Where it fails, nothing has begun."""
        if distinct_coroutines:
            try:
                workers = leasing.lease()
            except BaseException:
                close_coroutines(aws)
                raise
            self._left = 1
            self._send_off(aws, leasing, workers)
            self._keep_till_the_end()
            return
        loop = self.get_loop()
        coroutines: list[Coroutine[Any, Any, Any]] = []
        distinct: dict[Any, int] = {}
        for arg in aws:
            place = distinct.get(arg)
            if place is None:
                place = distinct[arg] = len(self._outcomes)
                self._outcomes.append(None)
                if asyncio.iscoroutine(arg) and not asyncio.isfuture(arg):
                    coroutines.append(arg)
                    self._remote_places.append(place)
            self._order.append(place)
        if not distinct:
            self._conclude()
            return
        self._left = len(distinct) - len(coroutines)
        watched: list[tuple[asyncio.Future[Any], partial[None]]] = []
        ours = True
        try:
            for arg, place in distinct.items():
                if asyncio.isfuture(arg) or not asyncio.iscoroutine(arg):
                    future: asyncio.Future[Any] = asyncio.ensure_future(arg, loop=loop)
                    self._local.append(future)
                    watch = partial(self._child_done, place)
                    future.add_done_callback(watch)
                    set_awaited_by(future, self._caller, awaited=True)
                    watched.append((future, watch))
            if coroutines:
                workers = leasing.lease()
                self._left += 1
                # From here on they may run, and are no longer ours to close.
                ours = False
                self._send_off(tuple(coroutines), leasing, workers)
        except BaseException:
            if ours:
                close_coroutines(aws)
            for future, watch in watched:
                future.remove_done_callback(watch)
            for future in self._local:
                if future not in distinct:
                    # Made here, of an awaitable.
                    future.cancel()
            raise
        if self._left:
            self._keep_till_the_end()

    def _send_off(
        self, coroutines: tuple[Coroutine[Any, Any, Any], ...], leasing: Leasing, workers: Workers
    ) -> None:
        self._remote = _Gather(
            coroutines,
            self.get_loop(),
            workers,
            self,
            self._return_exceptions,
            leasing.max_concurrency,
            leasing.private,
        )

    def _keep_till_the_end(self) -> None:
        self._keeper = self._keep()
        step(self._keeper.__anext__())

    def _cancel_children(self, msg: Any | None = None) -> bool:
        asked = self._remote is not None and self._remote.cancel(msg)
        for child in self._local:
            asked |= child.cancel(msg)
        return asked

    def _lose_patience(self, *, shutting_down: bool = False) -> None:
        # What runs on this loop is not stuck elsewhere.
        if self._remote is not None:
            self._patience.cancelled(
                self.get_loop(), self, self._give_up, shutting_down=shutting_down
            )

    def _give_up(self) -> None:
        if not self.done():
            self.set_exception(asyncio.CancelledError())
        if self._ended_all is not None and not self._ended_all.done():
            self._ended_all.set_result(None)

    def _failed(self, error: BaseException) -> None:
        """A child has failed."""
        if not self.done() and not self._return_exceptions:
            if not self._cancel_requested:
                self.set_exception(error)
            elif self._failure is None and not isinstance(error, asyncio.CancelledError):
                # Once it was asked to end, it ends when all the children have.
                self._failure = error
        del error

    def _ended(self, outcomes: list[Any]) -> None:
        """Every coroutine has ended."""
        if self._order:
            for place, outcome in zip(self._remote_places, outcomes, strict=True):
                self._outcomes[place] = outcome
        else:
            self._outcomes = outcomes
        self._remote = None
        self._count_down()

    def _child_done(self, place: int, future: asyncio.Future[Any]) -> None:
        """A future has ended."""
        set_awaited_by(future, self._caller, awaited=False)
        if future.cancelled():
            error: BaseException | None = cancelled_error(future)
        else:
            error = future.exception()  # And it counts as retrieved.
        if error is None:
            self._outcomes[place] = future.result()
        else:
            self._outcomes[place] = error
            self._failed(error)
        self._count_down()
        del future, error

    def _count_down(self) -> None:
        self._left -= 1
        if self._left:
            return
        self._patience.done()
        self._conclude()
        if self._ended_all is not None and not self._ended_all.done():
            self._ended_all.set_result(None)
        keeper, self._keeper = self._keeper, None
        if keeper is not None and not self._keeping:
            step(keeper.aclose())

    def _conclude(self) -> None:
        outcomes, self._outcomes, self._local = self._outcomes, [], []
        self._caller = None
        if self.done():
            return
        if self._cancel_requested:
            # What went wrong in a child meanwhile comes before the cancellation.
            cancellations = (o for o in outcomes if isinstance(o, asyncio.CancelledError))
            failure, self._failure = self._failure, None
            self.set_exception(failure or next(cancellations, asyncio.CancelledError()))
        else:
            if self._order:
                outcomes = [outcomes[place] for place in self._order]
            self.set_result(outcomes)  # type: ignore[arg-type]

    async def _keep(self) -> AsyncGenerator[None, None]:
        """End what is left when the loop shuts down.

        A loop that shuts down (`asyncio.run` does that) closes its asynchronous generators and
        waits for them. This one is suspended until then, or until every child has ended.
        """
        try:
            yield
        finally:
            if self._left and not self._patience.over:
                loop = self.get_loop()
                self._keeping = True
                self._ended_all = loop.create_future()
                self._cancel_children()
                self._lose_patience(shutting_down=True)
                await self._ended_all
                if self.done() and not self.cancelled():
                    # Nobody waits for it any more: no complaint that nobody took its exception.
                    self.exception()


Coroutine.register(GatheringFuture)  # pyright: ignore[reportAttributeAccessIssue]
# Only as such does `asyncio.Task` take one.
Coroutine.register(_Carrier)  # pyright: ignore[reportAttributeAccessIssue]


@overload
def threaded_gather(  # type: ignore[overload-overlap]
    aw1: Awaitable[T1],
    /,
    *,
    return_exceptions: Literal[False] = False,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1]]: ...
@overload
def threaded_gather(  # pyright: ignore[reportOverlappingOverload]
    aw1: Awaitable[T1],
    /,
    *,
    return_exceptions: bool,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1 | BaseException]]: ...
@overload
def threaded_gather(  # type: ignore[overload-overlap]
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    /,
    *,
    return_exceptions: Literal[False] = False,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1, T2]]: ...
@overload
def threaded_gather(
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    /,
    *,
    return_exceptions: bool,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1 | BaseException, T2 | BaseException]]: ...
@overload
def threaded_gather(  # type: ignore[overload-overlap]
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    aw3: Awaitable[T3],
    /,
    *,
    return_exceptions: Literal[False] = False,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1, T2, T3]]: ...
@overload
def threaded_gather(
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    aw3: Awaitable[T3],
    /,
    *,
    return_exceptions: bool,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1 | BaseException, T2 | BaseException, T3 | BaseException]]: ...
@overload
def threaded_gather(  # type: ignore[overload-overlap]
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    aw3: Awaitable[T3],
    aw4: Awaitable[T4],
    /,
    *,
    return_exceptions: Literal[False] = False,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1, T2, T3, T4]]: ...
@overload
def threaded_gather(
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    aw3: Awaitable[T3],
    aw4: Awaitable[T4],
    /,
    *,
    return_exceptions: bool,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[
    tuple[T1 | BaseException, T2 | BaseException, T3 | BaseException, T4 | BaseException]
]: ...
@overload
def threaded_gather(  # type: ignore[overload-overlap]
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    aw3: Awaitable[T3],
    aw4: Awaitable[T4],
    aw5: Awaitable[T5],
    /,
    *,
    return_exceptions: Literal[False] = False,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[tuple[T1, T2, T3, T4, T5]]: ...
@overload
def threaded_gather(
    aw1: Awaitable[T1],
    aw2: Awaitable[T2],
    aw3: Awaitable[T3],
    aw4: Awaitable[T4],
    aw5: Awaitable[T5],
    /,
    *,
    return_exceptions: bool,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[
    tuple[
        T1 | BaseException,
        T2 | BaseException,
        T3 | BaseException,
        T4 | BaseException,
        T5 | BaseException,
    ]
]: ...
@overload
def threaded_gather(
    *aws: Awaitable[T],
    return_exceptions: Literal[False] = False,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[list[T]]: ...
@overload
def threaded_gather(
    *aws: Awaitable[T],
    return_exceptions: bool,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[list[T | BaseException]]: ...
def threaded_gather(
    *aws: Awaitable[Any],
    return_exceptions: bool = False,
    num_threads: int | None = None,
    mode: SchedulingMode | Scheduler | None = None,
    max_concurrency: int | None = None,
    pool: LoopPool | None = None,
    loop_factory: LoopFactory | None = None,
) -> GatheringFuture[Any]:
    """Run awaitables concurrently over several threads, as `asyncio.gather` does on one.

    Coroutines run on worker threads, each as an ordinary task of the event loop there. Futures and
    tasks stay on the loop that they belong to. An argument that is given twice runs once.

    Args:
        *aws: Coroutines, futures and other awaitables.
        return_exceptions: Whether exceptions are results like any other. Otherwise the first one is
            raised at once, and the others go on.
        num_threads: How many threads the coroutines are spread over; 4 by default, and
            10,000 at most.
        mode: Which of them runs which coroutine: a `SchedulingMode`, `ROUND_ROBIN` by default, or
            an object with a ``place(loads)`` method.
        max_concurrency: How many coroutines may run at once; the others wait. No bound by default.
        pool: Run on the threads of this pool, in its mode.
        loop_factory: What makes the event loops, such as ``uvloop.new_event_loop``.

    Returns:
        A future of the list of the results, in the order of the arguments. Everything has been
        scheduled when the call returns. Where no loop is running, a coroutine, which does all this
        when it is awaited: ``asyncio.run(threaded_gather(...))``. Cancelling the future cancels
        what it gathers, and it is done when all of that has ended.

    Raises:
        TypeError: An argument is not awaitable or not hashable, or an option is of the wrong type.
            No coroutine has been started, and those among the arguments are closed.
        ValueError: A future belongs to another loop, or an option is out of range. Likewise.
        RuntimeError: The pool is not open. Likewise.
    """
    loop = asyncio._get_running_loop()
    try:
        return_exceptions = bool(return_exceptions)
        leasing = Leasing(num_threads, mode, loop_factory, pool, max_concurrency)
        distinct_coroutines = are_distinct_coroutines(aws)
        if not distinct_coroutines:
            check_awaitables(aws, loop)
    except BaseException:
        close_coroutines(aws)
        raise
    if loop is None:
        return _when_awaited(aws, leasing, return_exceptions, distinct_coroutines)  # type: ignore[return-value]
    outer: GatheringFuture[Any] = GatheringFuture(loop, return_exceptions)
    outer._start(aws, leasing, distinct_coroutines)
    return outer


async def _when_awaited(
    aws: tuple[Awaitable[Any], ...],
    leasing: Leasing,
    return_exceptions: bool,
    distinct_coroutines: bool,
) -> list[Any]:
    outer: GatheringFuture[list[Any]] = GatheringFuture(
        asyncio.get_running_loop(), return_exceptions
    )
    outer._start(aws, leasing, distinct_coroutines)
    return await outer
