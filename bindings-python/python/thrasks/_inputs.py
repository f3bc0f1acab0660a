"""What a map is called with."""

from __future__ import annotations

__all__: list[str] = []

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

#: What a map takes an input from at a time.
AnyIterable: TypeAlias = Iterable[T] | AsyncIterable[T]


def check_iterables(iterables: tuple[Any, ...]) -> None:
    """Refuse what cannot be iterated over, in either way."""
    for iterable in iterables:
        # There are iterables that can be iterated over once: this does not.
        if not (
            is_async(iterable)
            or isinstance(iterable, Iterable)
            or hasattr(type(iterable), "__getitem__")
        ):
            raise TypeError(f"{type(iterable).__name__!r} object is not iterable")


def is_async(iterable: object) -> bool:
    """Whether it is to be iterated over with ``async for``."""
    return hasattr(type(iterable), "__aiter__")


async def zip_any(iterables: tuple[Any, ...]) -> AsyncGenerator[tuple[Any, ...], None]:
    """Yield the next of each, as `zip`, of iterables of both kinds."""
    # An asynchronous iterator need not be an iterable, too.
    iterators: list[tuple[bool, Any]] = [
        (True, aiter(iterable)) if is_async(iterable) else (False, iter(iterable))
        for iterable in iterables
    ]
    while True:
        values = []
        for asynchronous, iterator in iterators:
            try:
                values.append(await anext(iterator) if asynchronous else next(iterator))
            except (StopIteration, StopAsyncIteration):
                return
        yield tuple(values)
