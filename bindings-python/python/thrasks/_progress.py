"""How far a map has come, told to whoever wants to know."""

from __future__ import annotations

__all__: list[str] = []

from collections.abc import Callable
from typing import Any, TypeAlias

#: What `progress=` takes.
Progress: TypeAlias = "bool | Callable[[int, int | None], object] | None"


class Teller:
    """Tells how many results there are, of how many."""

    def __init__(self, tell: Callable[[int, int | None], object], total: int | None) -> None:
        self._tell = tell
        self._total = total
        self._done = 0

    def one_more(self) -> None:
        """Tell that there is another result."""
        self._done += 1
        self._tell(self._done, self._total)

    def close(self) -> None:
        """There will be no more."""


class Bar(Teller):
    """Draws a progress bar."""

    def __init__(self, total: int | None) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise ImportError(
                "progress=True draws its bar with tqdm, which is not installed: "
                "pip install 'thrasks[progress]', or pass a function of (done, total)"
            ) from None
        bar: Any = tqdm(total=total)
        self._bar = bar
        super().__init__(lambda _done, _total: bar.update(), total)

    def close(self) -> None:
        """Draw it for the last time."""
        self._bar.close()


def check_progress(progress: object) -> None:
    """Refuse what progress cannot be told to."""
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise TypeError(f"progress must be a function of (done, total) or a bool, got {progress!r}")


def make_teller(progress: Progress, iterables: tuple[Any, ...]) -> Teller | None:
    """Return what tells the progress of a map over these iterables."""
    if progress is None or progress is False:
        return None
    total = _total(iterables)
    return Bar(total) if progress is True else Teller(progress, total)


def _total(iterables: tuple[Any, ...]) -> int | None:
    """How many results there will be, if that can be known."""
    try:
        return min((len(iterable) for iterable in iterables), default=0)
    except TypeError:
        return None
