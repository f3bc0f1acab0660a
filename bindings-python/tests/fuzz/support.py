"""What these tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from support import for_ever as for_ever
from support import is_closed as is_closed

from .junk import EvilError


class Complaints:
    """What a loop's exception handler was told."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.contexts: list[dict[str, object]] = []
        loop.set_exception_handler(lambda _, context: self.contexts.append(context))

    @property
    def messages(self) -> list[str]:
        """Return the texts."""
        return [str(context["message"]) for context in self.contexts]


async def value(result: int = 1) -> int:
    return result


async def suspended(result: int = 1) -> int:
    await asyncio.sleep(0.001)
    return result


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
