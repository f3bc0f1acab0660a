"""Objects that nobody should pass, and that somebody will."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Final, NoReturn

from thrasks import LoopPool, SchedulingMode


class EvilError(Exception):
    """What the methods of evil objects raise."""


class Evil:
    """Raises from every method that anybody may call without being asked to."""

    def _raise(self, *args: object, **keywords: object) -> NoReturn:
        raise EvilError

    __bool__ = __index__ = __int__ = __float__ = __str__ = __repr__ = __len__ = _raise
    __eq__ = __hash__ = __call__ = __iter__ = __await__ = __enter__ = __exit__ = _raise
    __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __getitem__ = __format__ = _raise

    def __getattr__(self, name: str) -> NoReturn:
        raise EvilError(name)


class EvilText:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise EvilError

    __str__ = __repr__


class Agrees:
    """Has every attribute, can be called, and answers with itself."""

    def __getattr__(self, name: str) -> Agrees:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: object, **keywords: object) -> Agrees:
        return self


class Text(str):
    """A text that is a little more."""

    __slots__ = ("more",)


class BadIndex:
    """Says that it is a number, and gives none."""

    def __index__(self) -> Any:
        return "x"


class FakeFuture:
    """Passes for a future with asyncio, and is none."""

    _asyncio_future_blocking = False

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def _raise(self, *args: object, **keywords: object) -> NoReturn:
        raise EvilError

    add_done_callback = cancel = result = exception = cancelled = _raise


class RaisingAwait:
    """An awaitable that cannot be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        raise EvilError


class AwaitsJunk:
    """An awaitable whose iterator yields something that asyncio does not know."""

    def __await__(self) -> Generator[Any, None, None]:
        yield "junk"


class CoroutineLike(Coroutine[Any, Any, int]):
    """A coroutine that is not the interpreter's own."""

    def __init__(self) -> None:
        self.closed = 0

    def send(self, value: object, /) -> Any:
        raise StopIteration(7)

    def throw(self, *exc: Any) -> Any:
        raise exc[0]

    def close(self) -> None:
        self.closed += 1

    def __await__(self) -> Generator[Any, None, int]:
        yield from ()
        return 7


class RefusesToClose(CoroutineLike):
    """One whose `close` fails."""

    def close(self) -> None:
        super().close()
        raise EvilError


#: Of no use as any argument, by names that can be shown.
USELESS: Final[dict[str, Any]] = {
    "a negative number": -1,
    "zero": 0,
    "a fraction": 1.5,
    "not a number": float("nan"),
    "a very large number": 10**30,
    "true": True,
    "false": False,
    "a text": "4",
    "a special text": Text("text"),
    "bytes": b"4",
    "a tuple": (),
    "a list": [],
    "a dict": {},
    "an ellipsis": ...,
    "an object": object(),
    "a class": object,
    "int": int,
    "the class of the modes": SchedulingMode,
    "the class of the pools": LoopPool,
    "a closed pool": LoopPool(),
    "an evil object": Evil(),
    "an object that cannot be shown": EvilText(),
    "an object that agrees": Agrees(),
    "an index that is none": BadIndex(),
    "a false future": FakeFuture(),
    "an awaitable that raises": RaisingAwait(),
    "an awaitable that yields junk": AwaitsJunk(),
    "not implemented": NotImplemented,
    "a builtin function": print,
    "a module": asyncio,
    "a function of nothing": lambda: None,
    "a function that raises": lambda *_: 1 / 0,
}
