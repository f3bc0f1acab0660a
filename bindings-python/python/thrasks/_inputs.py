"""What a map is called with."""

from __future__ import annotations

__all__: list[str] = []

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

#: What a map takes an input from at a time.
AnyIterable: TypeAlias = "Iterable[T] | AsyncIterable[T]"


def check_iterables(iterables: tuple[Any, ...]) -> None:
    """Refuse what cannot be iterated over, in either way."""
    for iterable in iterables:
        if not is_async(iterable):
            iter(iterable)


def is_async(iterable: object) -> bool:
    """Whether it is to be iterated over with ``async for``."""
    return hasattr(type(iterable), "__aiter__")


async def zip_any(iterables: tuple[Any, ...]) -> AsyncGenerator[tuple[Any, ...], None]:
    """Yield the next of each, as `zip`, of iterables of both kinds."""
    iterators = [
        aiter(iterable) if is_async(iterable) else iter(iterable) for iterable in iterables
    ]
    while True:
        values = []
        for iterator in iterators:
            try:
                values.append(await anext(iterator) if is_async(iterator) else next(iterator))
            except (StopIteration, StopAsyncIteration):
                return
        yield tuple(values)
