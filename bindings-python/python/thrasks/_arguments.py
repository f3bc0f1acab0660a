"""The arguments that groups, gathers and pools share."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import operator
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ._modes import Scheduler, SchedulingMode
from ._thrasks import Workers

if TYPE_CHECKING:
    from ._pools import LoopPool

#: What makes an event loop.
LoopFactory: TypeAlias = Callable[[], asyncio.AbstractEventLoop]

#: How many threads there are unless it is said.
DEFAULT_THREADS: Final = 4

#: Whether this is a free-threaded build, GIL or not.
FREE_THREADED: Final = "free-threading" in sys.version

#: More than anybody means.
MAX_THREADS: Final = 10_000


def check_count(name: str, value: object) -> int:
    """Return a number of something, of which there must be at least one."""
    # A bool is an int, and never meant.
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} must be an int, got {value!r}")
    number = operator.index(value)  # type: ignore[arg-type]
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def check_threads(num_threads: object) -> int:
    """Return a number of threads."""
    number = check_count("num_threads", num_threads)
    if number > MAX_THREADS:
        raise ValueError(f"num_threads must be at most {MAX_THREADS}, got {number}")
    return number


def check_mode(mode: object) -> None:
    """Refuse what is neither a mode nor an object that places tasks."""
    if isinstance(mode, SchedulingMode):
        return
    if isinstance(mode, type) or not callable(getattr(mode, "place", None)):
        raise TypeError(
            f"mode must be a SchedulingMode or an object with a place(loads) method, got {mode!r}"
        )


_warned_of_gil = False


def warn_of_gil() -> None:
    """Warn, once, where the GIL is on in a free-threaded build."""
    global _warned_of_gil
    if _warned_of_gil or not FREE_THREADED or not sys._is_gil_enabled():
        return
    _warned_of_gil = True
    warnings.warn(
        "the GIL is on in this free-threaded build of Python, so that threads take turns: an "
        "extension module that was imported needs it, or PYTHON_GIL=1 or -X gil=1 was given",
        RuntimeWarning,
        stacklevel=4,
    )


class Leasing:
    """Where the workers of a group or a gather come from, checked and not yet leased."""

    __slots__ = ("_loop_factory", "_mode", "_num_threads", "_pool", "max_concurrency")

    def __init__(
        self,
        num_threads: int | None,
        mode: SchedulingMode | Scheduler | None,
        loop_factory: LoopFactory | None,
        pool: LoopPool | None,
        max_concurrency: int | None,
        default_mode: SchedulingMode = SchedulingMode.ROUND_ROBIN,
    ) -> None:
        if pool is not None:
            from ._pools import LoopPool

            if not isinstance(pool, LoopPool):
                raise TypeError(f"pool must be a LoopPool, got {pool!r}")
            given: dict[str, Any] = {
                "num_threads": num_threads,
                "mode": mode,
                "loop_factory": loop_factory,
            }
            for name, value in given.items():
                if value is not None:
                    raise TypeError(f"{name} is the pool's: give it to LoopPool, not beside pool=")
        num_threads = DEFAULT_THREADS if num_threads is None else num_threads
        mode = default_mode if mode is None else mode
        check_mode(mode)
        if loop_factory is not None and not callable(loop_factory):
            raise TypeError(f"loop_factory must be callable, got {loop_factory!r}")
        self._num_threads = check_threads(num_threads)
        self._mode = mode
        self._loop_factory = loop_factory
        self._pool = pool
        self.max_concurrency = (
            None
            if max_concurrency is None
            else min(check_count("max_concurrency", max_concurrency), sys.maxsize)
        )

    @property
    def private(self) -> bool:
        """Whether the workers are to be given back by whoever leases them."""
        return self._pool is None

    @property
    def num_threads(self) -> int:
        """How many workers there will be."""
        return self._num_threads if self._pool is None else self._pool.num_threads

    @property
    def mode(self) -> SchedulingMode | Scheduler:
        """What decides which worker runs which task."""
        return self._mode if self._pool is None else self._pool.mode

    @property
    def mode_name(self) -> str:
        """The mode, as it shows in a repr."""
        mode = self.mode
        return mode.name if isinstance(mode, SchedulingMode) else repr(mode)

    @property
    def loop_factory(self) -> LoopFactory | None:
        """What makes the loops, if it is not asyncio."""
        return self._loop_factory

    def lease(self, *, shared: bool = False) -> Workers:
        """Lease the workers, or find those of the pool."""
        warn_of_gil()
        if self._pool is not None:
            return self._pool._open_workers()
        return Workers(self._num_threads, self._mode, self._loop_factory, shared)

    async def lease_ready(self, *, shared: bool = False) -> Workers:
        """Lease the workers, and wait for those whose loop a `loop_factory` is still making.

        Raises:
            BaseException: What the factory raised.
        """
        workers = self.lease(shared=shared)
        if self._loop_factory is not None:
            await ready(workers)
        return workers


async def ready(workers: Workers) -> None:
    """Wait until the loops have been made; if one could not be, give them back and raise why."""
    loop = asyncio.get_running_loop()
    try:
        made: asyncio.Future[None] = loop.create_future()
        if not workers.wait_ready(loop, made):
            await made
        error = workers.take_failure()
    except BaseException:
        workers.release(loop, loop.create_future())
        raise
    if error is not None:
        workers.release(loop, loop.create_future())
        try:
            raise error
        finally:
            # The error's traceback refers to this frame.
            del error, workers
