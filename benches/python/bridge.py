"""The contenders' ways from async code to blocking code."""

from __future__ import annotations

__all__ = ["KINDS", "Bridge", "of_aiothreads", "of_asyncio", "of_athreading", "of_thrasks"]

import asyncio
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from jobs import Work, doubler, doubles, numbers
from scenarios import Kind, Scenario

#: What a bridge can be asked to do.
KINDS: Final = frozenset(
    {Kind.CALLS_IN_TURN, Kind.CALLS_AT_ONCE, Kind.ITEMS, Kind.ITEMS_SLOWLY, Kind.STEPS}
)

#: How many items an iterator may be ahead of its consumer, whoever runs it.
BOUND: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What a contender makes of a function, of a generator, and of one that is sent values."""

    doubles: Callable[[int], Awaitable[int]]
    numbers: Callable[[int], AbstractAsyncContextManager[AsyncIterator[int]]] | None = None
    doubler: Callable[[], AbstractAsyncContextManager[AsyncGenerator[int, int]]] | None = None

    def work(self, scenario: Scenario) -> Work:
        """Return what does the work of a scenario."""
        works = {
            Kind.CALLS_IN_TURN: self._in_turn,
            Kind.CALLS_AT_ONCE: self._at_once,
            Kind.ITEMS: self._items,
            Kind.ITEMS_SLOWLY: self._items_slowly,
            Kind.STEPS: self._steps,
        }
        return partial(works[scenario.kind], scenario.jobs)

    async def _in_turn(self, n: int) -> list[int]:
        return [await self.doubles(x) for x in range(n)]

    async def _at_once(self, n: int) -> list[int]:
        return await asyncio.gather(*[self.doubles(x) for x in range(n)])

    # Everybody is used with `async with`, since one needs it: the generator's end is in every time.

    async def _items(self, n: int) -> list[int]:
        assert self.numbers is not None
        async with self.numbers(n) as items:
            return [x async for x in items]

    async def _items_slowly(self, n: int) -> list[int]:
        assert self.numbers is not None
        taken = []
        async with self.numbers(n) as items:
            async for x in items:
                await asyncio.sleep(0)
                taken.append(x)
        return taken

    async def _steps(self, n: int) -> list[int]:
        assert self.doubler is not None
        async with self.doubler() as steps:
            await anext(steps)
            return [await steps.asend(x) for x in range(n)]


# What is not installed beside the type checker, or not to be in every process, is imported here.


def of_asyncio() -> Bridge:
    def double(x: int) -> Awaitable[int]:
        return asyncio.to_thread(doubles, x)

    return Bridge(doubles=double)


def of_thrasks() -> Bridge:
    import thrasks

    return Bridge(
        doubles=thrasks.threaded(doubles),
        numbers=thrasks.threaded_iterable(numbers, max_size=BOUND),
        doubler=thrasks.generate(doubler),
    )


def of_aiothreads() -> Bridge:
    aiothreads: Any = importlib.import_module("aiothreads")
    return Bridge(
        doubles=aiothreads.threaded(doubles),
        numbers=aiothreads.threaded_iterable(numbers, max_size=BOUND),
    )


def of_athreading() -> Bridge:
    athreading: Any = importlib.import_module("athreading")
    return Bridge(
        doubles=athreading.call(doubles),
        numbers=athreading.iterate(numbers, buffer_maxsize=BOUND),
        doubler=athreading.generate(doubler),
    )
