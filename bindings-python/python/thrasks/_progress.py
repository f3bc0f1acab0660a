"""How far a map has come, told to whoever wants to know."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

#: What `progress=` takes.
Progress: TypeAlias = bool | Callable[[int, int | None], object] | None


class Teller:
    """Tells how many results there are, of how many."""

    def __init__(
        self,
        tell: Callable[[int, int | None], object],
        total: int | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._tell = tell
        self._total = total
        self._loop = loop
        self._done = 0
        self._closed = False

    def tell(self, done: int) -> None:
        """Tell that there are so many results, one by one. On the loop."""
        while self._done < done and not self._closed:
            self._done += 1
            try:
                self._tell(self._done, self._total)
            except Exception as exc:
                # As any callback of asyncio that raises.
                message = f"the progress of a map could not be told to {self._tell!r}"
                self._loop.call_exception_handler({"message": message, "exception": exc})

    def close(self) -> None:
        """There will be no more."""
        self._closed = True


class Bar(Teller):
    """Draws a progress bar."""

    def __init__(self, total: int | None, loop: asyncio.AbstractEventLoop) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise ImportError(
                "progress=True draws its bar with tqdm, which is not installed: "
                "pip install 'thrasks[progress]', or pass a function of (done, total)"
            ) from None
        bar: Any = tqdm(total=total)
        self._bar = bar
        super().__init__(lambda _done, _total: bar.update(), total, loop)

    def close(self) -> None:
        """Draw it for the last time."""
        super().close()
        self._bar.close()


def check_progress(progress: Any) -> None:
    """Refuse what progress cannot be told to."""
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise TypeError(f"progress must be a function of (done, total) or a bool, got {progress!r}")


def make_teller(
    progress: Progress, iterables: tuple[Any, ...], loop: asyncio.AbstractEventLoop
) -> Teller | None:
    """Return what tells the progress of a map over these iterables."""
    if progress is None or progress is False:
        return None
    total = _total(iterables)
    return Bar(total, loop) if progress is True else Teller(progress, total, loop)


def _total(iterables: tuple[Any, ...]) -> int | None:
    """How many results there will be, if that can be known."""
    try:
        return min((len(iterable) for iterable in iterables), default=0)
    except TypeError:
        return None
