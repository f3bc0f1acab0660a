import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, Self, TypeVar, final

from typing_extensions import disjoint_base

from ._generators import Generators
from ._handles import ThreadedTask
from ._modes import Scheduler, SchedulingMode
from ._threaded import ThreadedCall

_T = TypeVar("_T")

__all__ = [
    "ChannelBase",
    "GeneratorBase",
    "GroupBase",
    "LocalJobsBase",
    "Separate",
    "StreamBase",
    "Workers",
    "_Call",
    "_Carrier",
    "_Gather",
    "_Job",
    "_Life",
    "_LocalCarrier",
    "_LocalJob",
    "_LoopSide",
    "_MapJobs",
    "_PooledJobs",
    "_Trace",
    "_Turns",
    "after_fork_in_child",
    "are_distinct_coroutines",
    "blocking_counts",
    "has_carriers",
    "idle_loops",
    "start_call",
    "start_once",
    "stop_all_loops",
    "stop_blocking",
    "wait_on_loop",
    "worker_loops",
]

@disjoint_base
class GroupBase:
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def create_task(
        self,
        coro: Coroutine[Any, Any, _T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **kwargs: Any,
    ) -> ThreadedTask[_T]:
        """Run a coroutine on one of the group's workers.

        May be called from the body, from a task of the group, or from any other thread, until the
        group's last task has ended.

        Args:
            coro: The coroutine.
            name: The name of the task.
            context: The context that the task runs in; a copy of the caller's by default. Tasks
                that are given the same context run on the same worker.
            **kwargs: Further arguments of `asyncio.Task`, such as `eager_start`.

        Returns:
            A handle, which is a future of the loop that entered the group. It is done when the task
            is; cancelling it asks the task to end.

        Raises:
            RuntimeError: The group has not been entered, is finished, or is shutting down. The
                coroutine is closed.
            TypeError: `coro` is not a coroutine.
        """
    def _open(
        self,
        event_loop: asyncio.AbstractEventLoop,
        parent: asyncio.Task[Any],
        workers: Workers,
        max_concurrency: int | None,
        private: bool,
    ) -> None: ...
    def _abort(self) -> None: ...
    def _begin_exit(self) -> bool: ...
    def _release(self, future: asyncio.Future[None]) -> bool: ...
    def _abandon(self) -> bool: ...
    @property
    def _aborting(self) -> bool: ...
    @property
    def _unfinished(self) -> int: ...

@final
class Workers:
    def __new__(
        cls,
        num_threads: int,
        mode: SchedulingMode | Scheduler,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
        shared: bool,
    ) -> Self: ...
    def __len__(self) -> int: ...
    def run(
        self,
        coro: Coroutine[Any, Any, _T],
        name: str | None,
        context: Context | None,
        event_loop: asyncio.AbstractEventLoop,
    ) -> ThreadedTask[_T]: ...
    def abort(self) -> None: ...
    def abandon(self) -> bool: ...
    def wait_ready(
        self, event_loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]
    ) -> bool: ...
    def take_failure(self) -> BaseException | None: ...
    def wait_drained(
        self, event_loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]
    ) -> bool: ...
    def release(
        self, event_loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]
    ) -> bool: ...
    @property
    def mode(self) -> str: ...
    def stats(self) -> tuple[int, int, int, list[tuple[str, int, int, int]]]: ...

@final
class _LocalCarrier:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class _LocalJob:
    def cancel(self, message: Any | None) -> bool | None: ...

@disjoint_base
class LocalJobsBase:
    def __new__(
        cls, _event_loop: asyncio.AbstractEventLoop, max_workers: int, prefix: str
    ) -> Self: ...
    def call(
        self,
        function: Callable[..., Awaitable[_T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> asyncio.Future[_T]: ...
    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Future[_T]: ...
    def _map(
        self, bound: int | None, ordered: bool, tell: Callable[[], object] | None
    ) -> _MapJobs: ...
    def _close(self, cancel_queued: bool) -> None: ...
    def _cancel_running(self) -> None: ...
    def _is_job(self, task: asyncio.Task[Any]) -> bool: ...
    def _wait(self, future: asyncio.Future[None]) -> None: ...
    def _counts(self) -> tuple[int, int]: ...

@final
class _MapJobs:
    def reserve(self) -> bool: ...
    def begin(
        self,
        owner: object,
        event_loop: asyncio.AbstractEventLoop,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
    ) -> None: ...
    def exhaust(self) -> None: ...
    def take(self) -> tuple[bool, Any] | None: ...
    def wait(self, future: asyncio.Future[None]) -> None: ...
    def cancel(self) -> None: ...
    def wait_ended(self, future: asyncio.Future[None]) -> None: ...
    @property
    def under_way(self) -> int: ...
    @property
    def completed(self) -> int: ...
    def __len__(self) -> int: ...

@final
class _PooledJobs:
    def __new__(cls, workers: Workers, max_workers: int, private: bool) -> Self: ...
    def call(
        self,
        owner: object,
        event_loop: asyncio.AbstractEventLoop,
        function: Callable[..., Awaitable[_T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        name: str | None,
    ) -> ThreadedTask[_T]: ...
    def run(
        self,
        owner: object,
        event_loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, _T],
        name: str | None,
    ) -> ThreadedTask[_T]: ...
    def map(
        self, bound: int | None, ordered: bool, tell: Callable[[], object] | None
    ) -> _MapJobs: ...
    def close(self) -> None: ...
    def cancel_queued(self) -> None: ...
    def cancel_all(self) -> None: ...
    def __len__(self) -> int: ...
    def wait(self, future: asyncio.Future[None]) -> None: ...

@final
class _Carrier:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

def are_distinct_coroutines(aws: tuple[Any, ...]) -> bool: ...

@final
class _Gather:
    def __new__(
        cls,
        coroutines: tuple[Coroutine[Any, Any, Any], ...],
        event_loop: asyncio.AbstractEventLoop,
        workers: Workers,
        caller: Any,
        return_exceptions: bool,
        max_concurrency: int | None,
        private: bool,
    ) -> Self: ...
    def cancel(self, msg: Any | None = None) -> bool: ...

@final
class _Job:
    def cancel(self, msg: Any | None = None) -> bool: ...
    def cancelling(self) -> int: ...
    def uncancel(self) -> int: ...
    def task(self) -> asyncio.Task[Any] | None: ...
    def coroutine(self) -> Coroutine[Any, Any, Any] | None: ...
    def context(self) -> Context | None: ...
    def name(self) -> str | None: ...
    def rename(self, name: str) -> None: ...
    def is_current(self) -> bool: ...
    def worker(self) -> str | None: ...
    def add_awaiter(self, task: asyncio.Task[Any]) -> None: ...
    def remove_awaiter(self, task: asyncio.Task[Any]) -> None: ...

@final
class _Life:
    def __new__(cls, gone: Callable[[], object]) -> Self: ...

@final
class _Turns:
    def __new__(cls, event_loop: asyncio.AbstractEventLoop) -> Self: ...
    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle: ...

@final
class _LoopSide:
    def __call__(self, /, *args: Any, **kwargs: Any) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def stopping(self) -> bool: ...
    def answer(self) -> None: ...
    def own_bell(self, descriptor: int) -> None: ...
    def show(
        self,
        event_loop: asyncio.AbstractEventLoop,
        descriptors: dict[int, Any],
        generators: Generators,
    ) -> None: ...
    def attach(self, event_loop: asyncio.AbstractEventLoop) -> None: ...
    def leave(self) -> None: ...
    def refuse(self, error: BaseException) -> None: ...
    def retire(self, idle_for: float) -> bool: ...

@final
class _Trace:
    def __new__(cls, path: str, max_events: int, process_name: str) -> Self: ...
    def finish(self, path: str) -> tuple[int, int, bool] | None: ...

def stop_all_loops(patience: float) -> list[str]: ...
def stop_blocking(patience: float) -> list[str]: ...
def after_fork_in_child() -> None: ...
def has_carriers() -> bool: ...
def idle_loops() -> int: ...
def worker_loops() -> list[tuple[str, asyncio.AbstractEventLoop]]: ...

@final
class Separate:
    def __new__(cls, detach: bool) -> Self: ...

@final
class _Call:
    def cancel(self) -> bool: ...

@disjoint_base
class StreamBase:
    def __new__(
        cls,
        make: Callable[..., Any],
        size: int,
        place: Separate | Executor | None,
        name: str,
        calls_back: bool,
    ) -> Self: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Any: ...
    def close(self) -> None:
        """Stop what runs on the thread, and do not wait for it. May be called on any thread."""
    @property
    def closed(self) -> bool:
        """Whether nothing of it runs on a thread any more, and nothing will."""
    def _when_ended(self) -> asyncio.Future[None] | None: ...

@disjoint_base
class GeneratorBase:
    def __new__(
        cls,
        make: Callable[[], Generator[Any, Any, Any]],
        place: Separate | Executor | None,
        name: str,
    ) -> Self: ...
    def _send(self, value: Any) -> None: ...
    def _throw(self, error: BaseException) -> None: ...
    def _take(self) -> tuple[Any] | None: ...
    def _when_stepped(self) -> asyncio.Future[None]: ...
    @property
    def _under_way(self) -> bool: ...
    def close(self) -> None:
        """Close the generator when its step has ended, on its thread, and do not wait for it.

        May be called on any thread.
        """
    @property
    def closed(self) -> bool:
        """Whether nothing of it runs on a thread any more, and nothing will."""
    def _when_ended(self) -> asyncio.Future[None] | None: ...

@disjoint_base
class ChannelBase:
    def __new__(cls, maxsize: int) -> Self: ...
    def put(self, item: Any) -> None:
        """Put an item in; where the channel is full, wait until there is room.

        For threads: the event loop that takes from the channel would wait for itself.

        Args:
            item: Anything.

        Raises:
            ChannelClosed: The channel is closed, and the item is not in it.
            RuntimeError: The channel is full, and this is the thread of that event loop.
        """
    def close(self) -> None:
        """Close the channel: nothing can be put in any more. What is inside can still be taken."""
    @property
    def is_closed(self) -> bool:
        """Whether the channel has been closed."""
    def qsize(self) -> int:
        """Return how many items are in the channel."""
    def _take(self) -> tuple[Any] | None: ...
    def _when_item(self) -> asyncio.Future[None]: ...

def blocking_counts() -> tuple[int, int, int, int, int, int]: ...
def start_call(
    place: Separate | Executor | None,
    function: Callable[..., _T],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> ThreadedCall[_T]: ...
def start_once(
    place: Separate | Executor | None,
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> asyncio.Future[Any]: ...
def wait_on_loop(
    event_loop: asyncio.AbstractEventLoop | None, call: Callable[[], Awaitable[_T]]
) -> _T: ...
