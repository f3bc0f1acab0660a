"""What goes where in a picture of a timeline."""

from __future__ import annotations

__all__ = ["Small", "heights", "nice", "outermost", "rows", "short"]

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .tracefile import Life, Step


@dataclass(slots=True)
class Small:
    """Steps that are less than a pixel wide, on one pixel."""

    spent: float = 0.0
    names: Counter[str] = field(default_factory=Counter)


def heights(times: Iterable[tuple[float, float]], scale: float, size: int) -> list[int]:
    """Count how many of these times there are at each of so many pixels, at most."""
    changes = sorted(
        change for begin, end in times if begin < end for change in ((end, -1), (begin, 1))
    )
    most = [0] * size
    now = at = 0
    for moment, change in changes:
        pixel = min(size - 1, int(moment * scale))
        for index in range(at + 1, pixel + 1):
            most[index] = now
        at = max(at, pixel)
        now += change
        most[at] = max(most[at], now)
    return most


def rows(lives: list[Life], gap: float, most: int) -> list[list[Life]] | None:
    """Share tasks out among rows in which none lies over another; None if that takes more."""
    shared: list[list[Life]] = []
    ends: list[float] = []
    for life in sorted(lives, key=lambda life: life.begin):
        index = next((index for index, end in enumerate(ends) if end <= life.begin), len(shared))
        if index == len(shared):
            if len(shared) == most:
                return None
            shared.append([])
            ends.append(0.0)
        shared[index].append(life)
        # One that is cancelled has its mark at the end.
        ends[index] = max(life.end, life.begin + gap) + gap * (
            1 + 2 * (life.outcome == "cancelled")
        )
    return shared


def outermost(steps: list[Step]) -> list[Step]:
    """Leave out the steps that lie within others."""
    found: list[Step] = []
    for step in steps:
        if not found or step.begin >= found[-1].end:
            found.append(step)
    return found


def nice(step: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step * 0.999)


def short(text: str, most: int) -> str:
    """Shorten a name: what tells it from others is mostly at its end."""
    return text if len(text) <= most else "…" + text[len(text) - max(most, 2) + 1 :]
