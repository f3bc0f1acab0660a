"""A channel from threads into async code."""

from __future__ import annotations

__all__ = ["ChannelClosed", "ChannelTimeout", "FromThreadChannel"]

import asyncio
import math
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._places import check_size
from ._thrasks import ChannelBase

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")


class ChannelClosed(RuntimeError):  # noqa: N818 - It says what is, as in the API it is taken from.
    """A channel is closed: nothing can be put into it, or nothing is left to be taken."""


class ChannelTimeout(TimeoutError):  # noqa: N818 - Likewise.
    """Nothing came through a channel in time."""


class FromThreadChannel(ChannelBase, Generic[T]):
    """A queue that threads put items into, and that async code takes them out of.

    ::

        channel = FromThreadChannel(maxsize=10)


        @threaded
        def read_sensor() -> None:
            with channel:
                while reading := sensor.read():
                    channel.put(reading)


        read_sensor()
        with contextlib.suppress(ChannelClosed):
            while True:
                print(await channel.get())

    Any number of threads may put. Any number of tasks may get, on the event loop of the first one;
    who came first gets first. ``await channel`` is ``await channel.get()``.

    Args:
        maxsize: How many items it holds at most; then `put` waits. 0 for no bound.
        timeout: How many seconds `get` waits at most, unless it is told. 0 for no limit.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is negative.
    """

    def __new__(cls, maxsize: int = 0, timeout: float = 0) -> Self:
        timeout = _check_timeout(timeout)
        self = ChannelBase.__new__(cls, check_size("maxsize", maxsize, zero="for no bound"))
        self._timeout = timeout
        self._turn = asyncio.Lock()
        return self

    _timeout: float
    #: Held by the task that waits for the next item.
    _turn: asyncio.Lock

    if TYPE_CHECKING:

        def put(self, item: T) -> None: ...

    async def get(self, timeout: float | None = None) -> T:
        """Take the oldest item, or wait for one.

        A task that is cancelled while it waits has taken nothing.

        Args:
            timeout: How many seconds to wait at most; 0 for no limit. By default what the channel
                was made with.

        Returns:
            The item.

        Raises:
            TypeError: The timeout is no number.
            ValueError: The timeout is negative.
            ChannelClosed: The channel is closed, and nothing is left in it.
            ChannelTimeout: Nothing came in time.
            RuntimeError: Tasks of another event loop take from it.
        """
        seconds = self._timeout if timeout is None else _check_timeout(timeout)
        if not self._turn.locked():
            item = self._take()
            if item is not None:
                return item[0]  # type: ignore[no-any-return]
        if not seconds:
            return await self._next()
        try:
            async with asyncio.timeout(seconds):
                return await self._next()
        except TimeoutError:
            raise ChannelTimeout(f"nothing came through the channel in {seconds:g} s") from None

    async def _next(self) -> T:
        async with self._turn:
            while (item := self._take()) is None:
                await self._when_item()
            return item[0]  # type: ignore[no-any-return]

    def __await__(self) -> Generator[Any, None, T]:
        return self.get().__await__()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _check_timeout(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be a number of seconds, got {timeout!r}")
    if math.isnan(timeout) or timeout < 0:
        raise ValueError(f"timeout must be at least 0, got {timeout!r}")
    return timeout
