"""An executor with the interface of `concurrent.futures`, for coroutines."""

from __future__ import annotations

__all__ = ["TaskPoolExecutor"]

import asyncio
import inspect
import itertools
import os
import sys
from collections.abc import Awaitable, Callable
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from ._arguments import Leasing, LoopFactory, check_count
from ._inputs import AnyIterable, check_iterables, is_async
from ._mapping import MapIterator, Mapping, Options
from ._modes import Scheduler, SchedulingMode
from ._on_loop import OnLoop
from ._on_workers import OnWorkers
from ._progress import Progress
from ._runners import Runner

if TYPE_CHECKING:
    from typing import Self

    from ._pools import LoopPool

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

_numbers = itertools.count()

#: How far ahead of its results a map reads an asynchronous iterable, for each worker.
_READ_AHEAD = 2


class TaskPoolExecutor:
    """Runs coroutines, at most so many at once: `concurrent.futures.Executor` for asyncio.

    ::

        async with TaskPoolExecutor(max_workers=10) as executor:
            future = executor.submit(fetch, url)
            async for page in executor.map(fetch, urls, buffersize=100):
                ...

    The jobs are tasks of the caller's loop; with `num_threads` or `pool`, of the loops of other
    threads. Each runs in a copy of the context of whoever submitted it.

    Leaving the block waits for all jobs, as leaving that of a `ThreadPoolExecutor` does; but when
    the block is cancelled, they are cancelled. An executor that nobody holds any more finishes what
    it has begun. So does one whose loop ends while it is in use: `asyncio.run` cancels the jobs
    that run on the loop, as all its tasks, and returns when the queued ones have been done.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        task_name_prefix: str = "",
        *,
        num_threads: int | None = None,
        mode: SchedulingMode | Scheduler | None = None,
        pool: LoopPool | None = None,
        loop_factory: LoopFactory | None = None,
    ) -> None:
        """Describe an executor. It belongs to the loop on which it is first used.

        Args:
            max_workers: How many jobs may run at once; by default as many as there are processors,
                or threads if those are more.
            task_name_prefix: What the names of the tasks begin with: ``prefix_0`` and so on.
                ``TaskPoolExecutor-N`` by default, but for tasks on other threads asyncio's names.
            num_threads: Run the jobs on so many threads, 10,000 at most, each with its own event
                loop.
            mode: Which of them runs which job: a `SchedulingMode`, `QUEUE` by default, or an object
                with a ``place(loads)`` method.
            pool: Run the jobs on the threads of this pool, in its mode.
            loop_factory: What makes the event loops of the threads, such as
                ``uvloop.new_event_loop``.

        Raises:
            TypeError: An argument is of the wrong type, or is about threads and there are none.
            ValueError: `max_workers` or `num_threads` is less than 1, or there are too many
                threads.
        """
        if max_workers is not None:
            max_workers = _check_workers(max_workers)
        if not isinstance(task_name_prefix, str):
            raise TypeError(f"task_name_prefix must be a str, got {task_name_prefix!r}")
        self._leasing: Leasing | None = None
        if num_threads is not None or pool is not None:
            self._leasing = Leasing(
                num_threads, mode, loop_factory, pool, None, default_mode=SchedulingMode.QUEUE
            )
        else:
            for name, value in (("mode", mode), ("loop_factory", loop_factory)):
                if value is not None:
                    raise TypeError(f"{name} is about threads: give num_threads or pool, too")
        threads = self._leasing.num_threads if self._leasing is not None else 1
        self._max_workers = max_workers or max(os.cpu_count() or 1, threads)
        self._prefix = task_name_prefix
        self._number = next(_numbers)
        self._shut_down = False
        self._runner: Runner | None = None

    @overload
    def submit(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]: ...
    @overload
    def submit(self, fn: Awaitable[T], /) -> asyncio.Future[T]: ...
    def submit(
        self, fn: Callable[..., Awaitable[Any]] | Awaitable[Any], /, *args: Any, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Have ``await fn(*args, **kwargs)`` run when a worker is free.

        Args:
            fn: A coroutine function, or another that returns an awaitable: it is called where the
                job runs. Or a coroutine or another awaitable; one that is not a coroutine belongs
                to this loop, and is awaited on it.
            *args: What it is called with.
            **kwargs: Likewise.

        Returns:
            A future of this loop. Cancelling it takes the job out of the queue; or asks it to end,
            and then the future is done when the job has ended.

        Raises:
            RuntimeError: The executor was shut down, is in use on another loop, or no loop runs
                here.
            TypeError: `fn` is neither, or an awaitable that comes with arguments.
        """
        runner = self._runner
        if runner is None or self._shut_down or asyncio._get_running_loop() is not runner.loop:
            try:
                runner = self._open()
            except BaseException:
                _close(fn)
                raise
        if type(fn) is FunctionType or not inspect.isawaitable(fn):
            if not callable(fn):
                raise TypeError(f"a callable or an awaitable was expected, got {fn!r}")
            return runner.call(fn, args, kwargs)
        if args or kwargs:
            _close(fn)
            raise TypeError("Cannot pass args/kwargs when submitting an awaitable")
        return runner.run(fn)

    @overload
    def map(
        self,
        fn: Callable[[A], Awaitable[T]],
        iterable: AnyIterable[A],
        /,
        *,
        buffersize: int | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        timeout: float | None = None,
        progress: Progress = None,
    ) -> MapIterator[T]: ...
    @overload
    def map(
        self,
        fn: Callable[[A, B], Awaitable[T]],
        iterable: AnyIterable[A],
        iterable2: AnyIterable[B],
        /,
        *,
        buffersize: int | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        timeout: float | None = None,
        progress: Progress = None,
    ) -> MapIterator[T]: ...
    @overload
    def map(
        self,
        fn: Callable[..., Awaitable[T]],
        iterable: AnyIterable[Any],
        iterable2: AnyIterable[Any],
        iterable3: AnyIterable[Any],
        /,
        *iterables: AnyIterable[Any],
        buffersize: int | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        timeout: float | None = None,
        progress: Progress = None,
    ) -> MapIterator[T]: ...
    def map(
        self,
        fn: Callable[..., Awaitable[Any]],
        /,
        *iterables: AnyIterable[Any],
        buffersize: int | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        timeout: float | None = None,
        progress: Progress = None,
    ) -> MapIterator[Any]:
        """Await ``fn`` of each of the inputs.

        The first jobs are submitted by this call, before any result is asked for.

        Args:
            fn: A coroutine function, or another that returns an awaitable.
            *iterables: What it is called with: one of each at a time, until the shortest ends.
                Asynchronous ones, too.
            buffersize: How many inputs may be under way or have results that were not taken yet.
                By default the inputs are all read at once, as `concurrent.futures` does; but if one
                of the iterables is asynchronous, two for each worker.
            ordered: Whether the results come in the order of the inputs; or each as soon as it is
                there.
            return_exceptions: Whether exceptions are results like any other. Otherwise the first is
                raised in its turn, and what is under way is cancelled.
            timeout: How many seconds after this call a result may still be waited for.
            progress: A function that is called with the number of results there are and of those
                there will be, None if that is not known, for each; or True for a progress bar.

        Returns:
            An asynchronous iterator over the results.

        Raises:
            RuntimeError: The executor was shut down, is in use on another loop, or no loop runs
                here.
            TypeError: An argument is of the wrong type.
            ValueError: `buffersize` is less than 1.
            ImportError: A bar is asked for, and tqdm is not installed.
        """
        if not callable(fn):
            raise TypeError(f"map() needs a callable, got {fn!r}")
        check_iterables(iterables)
        options = Options(buffersize, ordered, return_exceptions, timeout, progress)
        bound = options.buffersize
        if bound is None and any(is_async(iterable) for iterable in iterables):
            bound = _READ_AHEAD * self._max_workers
        return MapIterator(Mapping(self._open(), fn, iterables, options, bound=bound), self)

    async def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs.

        Args:
            wait: Whether to wait until all jobs have ended. Cancelling this ends the wait; the jobs
                go on.
            cancel_futures: Whether to cancel the jobs that have not started.

        Raises:
            RuntimeError: The caller is one of the jobs, and would wait for itself; or another loop
                runs here than that of the executor, which has jobs left.
        """
        runner = self._runner
        self._shut_down = True
        if runner is None or runner.loop.is_closed():
            self._runner = None
            return
        if asyncio.get_running_loop() is not runner.loop:
            if not runner.unfinished:
                runner.close()
                return
            raise RuntimeError(f"{self!r} is bound to a different event loop")
        runner.close()
        if cancel_futures:
            runner.cancel_queued()
        if not wait:
            return
        if runner.unfinished:
            # What runs its first step right now is known for a job after that.
            await asyncio.sleep(0)
            if runner.is_job(asyncio.current_task()):
                raise RuntimeError(
                    "shutdown() was called by a job of this executor, and would wait for it: pass "
                    "wait=False"
                )
        await runner.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        et: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        del tb
        cancellation: asyncio.CancelledError | None = None
        cancelled = et is not None and issubclass(et, asyncio.CancelledError)
        if cancelled:
            self._cancel()
        try:
            while True:
                try:
                    await self.shutdown()
                    break
                except asyncio.CancelledError as error:
                    # As a group: its tasks are asked to end, and waited for.
                    cancellation = error
                    self._cancel()
            if cancellation is not None and not cancelled:
                raise cancellation
        finally:
            del exc, cancellation

    def _cancel(self) -> None:
        self._shut_down = True
        if self._runner is not None:
            self._runner.close()
            self._runner.cancel_all()

    def _open(self) -> Runner:
        """Return what runs the jobs, on the loop that runs here."""
        if self._shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        loop = asyncio.get_running_loop()
        runner = self._runner
        if runner is not None and runner.loop is not loop:
            if not runner.loop.is_closed():
                raise RuntimeError(f"{self!r} is bound to a different event loop")
            runner = None
        if runner is None:
            runner = self._runner = self._make_runner(loop)
        return runner

    def _make_runner(self, loop: asyncio.AbstractEventLoop) -> Runner:
        if self._leasing is not None:
            return OnWorkers(loop, self._leasing, self._max_workers, self._prefix or None)
        prefix = self._prefix or f"{type(self).__name__}-{self._number}"
        return OnLoop(loop, self._max_workers, prefix)

    def __del__(self) -> None:
        # The jobs go on. What runs them ends with the last of them.
        runner = getattr(self, "_runner", None)
        if runner is not None:
            runner.close()

    def __repr__(self) -> str:
        info = [f"{type(self).__name__} max_workers={self._max_workers}"]
        if self._leasing is not None:
            info.append(f"threads={self._leasing.num_threads} mode={self._leasing.mode_name}")
        if self._runner is not None:
            info += self._runner.describe()
        if self._shut_down:
            info.append("shut down")
        return f"<{' '.join(info)}>"


def _check_workers(number: Any) -> int:
    if isinstance(number, int) and number < 1:
        # The words of `concurrent.futures`.
        raise ValueError("max_workers must be greater than 0")
    return min(check_count("max_workers", number), sys.maxsize)


def _close(fn: object) -> None:
    """Close a coroutine that will not run."""
    if asyncio.iscoroutine(fn) and not asyncio.isfuture(fn):
        fn.close()
