"""What these tests share."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from conftest import Complaints

from .junk import EvilError


async def value(result: int = 1) -> int:
    return result


async def suspended(result: int = 1) -> int:
    await asyncio.sleep(0.001)
    return result


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def is_closed(coro: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def check_told(error: BaseException) -> None:
    """Refuse an error that says nothing, unless it is that of an evil object."""
    assert isinstance(error, (EvilError, ZeroDivisionError)) or str(error)


def run(
    main: Callable[[], Coroutine[Any, Any, object]], explained: tuple[str, ...] = ()
) -> list[str]:
    """Run something, and return what the loop's exception handler was told, if it is explained."""

    async def told() -> list[str]:
        complaints = Complaints(asyncio.get_running_loop())
        await main()
        for text in complaints.messages:
            assert any(part in text for part in explained), complaints.contexts
        return complaints.messages

    return asyncio.run(told())
