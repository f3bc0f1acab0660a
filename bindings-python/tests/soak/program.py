"""What a program is: a small tree of steps, as data.

Hypothesis draws one (`drawing`), `interpreter` runs it, `model` says what may come of it. Times are
in milliseconds, and short: they choose an interleaving, nothing waits for them to be long enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


class BoomError(Exception):
    """What a program raises."""


class OddError(BaseException):
    """What a program raises that is no `Exception`."""


@dataclass(frozen=True)
class Sleep:
    """Suspend: once for 0, otherwise for so long."""

    ms: int


@dataclass(frozen=True)
class Block:
    """Keep the thread busy, in synchronous code."""

    ms: int


@dataclass(frozen=True)
class Raise:
    """Raise an exception that is this program's only one of this number."""

    number: int
    base: bool = False
    """Whether it is no `Exception`."""


@dataclass(frozen=True)
class Interrupt:
    """Raise `KeyboardInterrupt`, or `SystemExit`."""

    number: int
    exits: bool = False


@dataclass(frozen=True)
class LeaveGenerator:
    """Begin with an asynchronous generator, and leave it open."""


@dataclass(frozen=True)
class Within:
    """Do some steps within `asyncio.timeout`."""

    ms: int
    steps: Steps


@dataclass(frozen=True)
class Refuse:
    """Do some steps; if they are cancelled, go on after them as if nothing had been."""

    steps: Steps


@dataclass(frozen=True)
class Finally:
    """Do some steps, and then, whatever happens, suspend for a while."""

    steps: Steps
    ms: int


@dataclass(frozen=True)
class CancelMe:
    """Have this task cancelled after a while: by its own loop, or by a thread."""

    ms: int
    by_thread: bool


@dataclass(frozen=True)
class Spawn:
    """Create a task in the group that this task belongs to, or whose block this is."""

    steps: Steps
    by_thread: bool = False
    """Whether a plain thread creates it, while this goes on."""


@dataclass(frozen=True)
class CancelChild:
    """Cancel one of the tasks of the group whose block this is: here, or from a thread."""

    which: int
    by_thread: bool


@dataclass(frozen=True)
class AwaitChild:
    """Await a task of the group whose block this is, at most for so long if that is said."""

    which: int
    ms: int | None


@dataclass(frozen=True)
class CancelGroup:
    """Cancel the group whose block this is, or that this task belongs to."""

    by_thread: bool


@dataclass(frozen=True)
class Where:
    """What a group or a gather runs on."""

    threads: int = 1
    mode: int = 0
    """The number of a `SchedulingMode`, or one more for a scheduler of our own."""
    pool: int | None = None
    """The number of a pool of the program, in place of threads and a mode."""
    limit: int | None = None
    """`max_concurrency`."""
    own_loops: bool = False
    """Whether a `loop_factory` is given."""


@dataclass(frozen=True)
class Group:
    """Open a group with some children, and do some steps in its block."""

    where: Where
    children: tuple[Steps, ...]
    body: Steps
    strict: bool = False


@dataclass(frozen=True)
class Gather:
    """Gather some children, and await the results."""

    where: Where
    children: tuple[Steps, ...]
    return_exceptions: bool
    cancel_after: int | None = None


@dataclass(frozen=True)
class PoolRun:
    """Run something on a pool of the program, and await it."""

    pool: int
    steps: Steps
    cancel_after: int | None = None


Step: TypeAlias = (
    Sleep
    | Block
    | Raise
    | Interrupt
    | LeaveGenerator
    | Within
    | Refuse
    | Finally
    | CancelMe
    | Spawn
    | CancelChild
    | AwaitChild
    | CancelGroup
    | Group
    | Gather
    | PoolRun
)
Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True)
class Program:
    """The steps of the main task, and the pools that are open meanwhile."""

    steps: Steps
    pools: tuple[int, ...] = ()
    """How many threads each has."""


def parts(step: Step) -> tuple[Steps, ...]:
    """Return the lists of steps that a step is made of."""
    match step:
        case Within(_, steps) | Refuse(steps) | Finally(steps) | Spawn(steps) | PoolRun(_, steps):
            return (steps,)
        case Group(_, children, body):
            return (*children, body)
        case Gather(_, children):
            return children
        case _:
            return ()


def walk(steps: Steps) -> Iterator[Step]:
    """Yield every step there is in these, however deep."""
    for step in steps:
        yield step
        for part in parts(step):
            yield from walk(part)
