"""Draws programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from .interpreter import MODES
from .program import (
    AwaitChild,
    Block,
    CancelChild,
    CancelGroup,
    CancelMe,
    Finally,
    Gather,
    Group,
    Interrupt,
    LeaveGenerator,
    PoolRun,
    Program,
    Raise,
    Refuse,
    Sleep,
    Spawn,
    Step,
    Steps,
    Where,
    Within,
)

T = TypeVar("T")

#: How deep groups and gathers are nested, at most.
DEPTH = 3
#: How many steps follow each other.
LENGTH = 3
#: How many children there are.
CHILDREN = 4


class _Drawing:
    """A program while it is being drawn."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], disturbing: str) -> None:
        self._draw = draw
        self._disturbing = disturbing
        self._numbers = 0
        self._pools = 0

    def program(self) -> Program:
        pools = tuple(self._draw(st.lists(st.integers(1, 2), max_size=2)))
        self._pools = len(pools)
        return Program(self._steps(DEPTH, None, outermost=True), pools)

    def _steps(self, depth: int, group: str | None, outermost: bool = False) -> Steps:
        """Draw a list of steps; `group`: whether it is the block of a group, or a child of one."""
        least = 1 if outermost else 0
        length = self._draw(st.integers(least, LENGTH))
        return tuple(self._step(depth, group, outermost) for _ in range(length))

    def _step(self, depth: int, group: str | None, outermost: bool) -> Step:
        kinds = ["sleep", "generator"] if not outermost else []
        if depth > 0:
            kinds += ["group", "group", "gather"]
            kinds += ["pool run"] if self._pools else []
        elif not kinds:
            kinds = ["sleep"]
        if not outermost:
            kinds += ["block"]
            if depth > 0:
                kinds += ["finally"]
                kinds += ["spawn"] if group else []
            if "fail" in self._disturbing:
                kinds += ["raise"]
            if "interrupt" in self._disturbing:
                kinds += ["interrupt"]
        if "cancel" in self._disturbing:
            kinds += ["cancel me"]
            if depth > 0:
                kinds += ["within", "refuse"]
            if group:
                kinds += ["cancel group", "cancel child", "await child"]
        return self._make(self._draw(st.sampled_from(kinds)), depth, group)

    def _make(self, kind: str, depth: int, group: str | None) -> Step:
        draw = self._draw
        match kind:
            case "sleep":
                return Sleep(draw(st.sampled_from([0, 0, 1, 3, 10])))
            case "block":
                return Block(draw(st.sampled_from([0, 1, 2])))
            case "raise":
                self._numbers += 1
                return Raise(self._numbers, draw(st.booleans()))
            case "interrupt":
                self._numbers += 1
                return Interrupt(self._numbers, draw(st.booleans()))
            case "generator":
                return LeaveGenerator()
            case "within":
                return Within(draw(st.sampled_from([0, 1, 4])), self._steps(depth - 1, group))
            case "refuse":
                return Refuse(self._steps(depth - 1, group))
            case "finally":
                return Finally(self._steps(depth - 1, group), draw(st.sampled_from([0, 1, 4])))
            case "cancel me":
                return CancelMe(draw(st.sampled_from([0, 1, 4])), draw(st.booleans()))
            case "spawn":
                return Spawn(self._steps(depth - 1, "child"), self._by_thread())
            case "cancel child":
                return CancelChild(draw(st.integers(0, CHILDREN)), draw(st.booleans()))
            case "await child":
                return AwaitChild(
                    draw(st.integers(0, CHILDREN)), draw(st.sampled_from([None, 0, 1, 4]))
                )
            case "cancel group":
                return CancelGroup(draw(st.booleans()))
            case "group":
                children = self._children(depth - 1, "child")
                return Group(
                    self._where(), children, self._steps(depth - 1, "block"), draw(st.booleans())
                )
            case "gather":
                children = self._children(depth - 1, None)
                return Gather(self._where(), children, draw(st.booleans()), self._after())
            case "pool run":
                pool = draw(st.integers(0, self._pools - 1))
                return PoolRun(pool, self._steps(depth - 1, None), self._after())
            case _:
                raise AssertionError(kind)

    def _children(self, depth: int, group: str | None) -> tuple[Steps, ...]:
        count = self._draw(st.integers(0, CHILDREN))
        return tuple(self._steps(depth, group) for _ in range(count))

    def _by_thread(self) -> bool:
        # What a thread creates may come too late, which leaves nothing for certain.
        drawn: bool = bool(self._disturbing) and self._draw(st.booleans())
        return drawn

    def _after(self) -> int | None:
        if "cancel" not in self._disturbing:
            return None
        drawn: int | None = self._draw(st.sampled_from([None, None, 0, 1, 4]))
        return drawn

    def _where(self) -> Where:
        draw = self._draw
        limit = draw(st.sampled_from([None, None, 1, 2]))
        if self._pools and draw(st.booleans()):
            return Where(pool=draw(st.integers(0, self._pools - 1)), limit=limit)
        return Where(
            threads=draw(st.integers(1, 3)),
            mode=draw(st.integers(0, len(MODES))),
            limit=limit,
            own_loops=draw(st.sampled_from([False, False, False, True])),
        )


@st.composite
def programs(
    draw: Callable[[st.SearchStrategy[Any]], Any], disturbing: str = "fail cancel"
) -> Program:
    """Draw a program.

    Args:
        draw: Hypothesis's.
        disturbing: What may happen in it: "fail", "cancel", "interrupt", in any combination.
    """
    return _Drawing(draw, disturbing).program()
