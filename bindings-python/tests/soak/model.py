"""What may come of a program.

Two models. `fate` is what a program says by itself, before it runs. Much of what happens in most
programs is up to the threads, and then it says that it does not know.

`judge_group` and `judge_gather` know what came of the children and of the block, which the
interpreter takes down as it happens. What must come of the whole is then known, to the exception
object: they return what is wrong with what did come of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .program import (
    AwaitChild,
    CancelChild,
    CancelGroup,
    CancelMe,
    Gather,
    Interrupt,
    PoolRun,
    Raise,
    Spawn,
    Steps,
    Within,
    parts,
    walk,
)


@dataclass(frozen=True)
class Returns:
    """It ends without an exception."""


@dataclass(frozen=True)
class Raises:
    """It ends with the exception of this number, by itself or in groups of one."""

    number: int


@dataclass(frozen=True)
class Unknown:
    """It depends on which comes first."""


Fate: TypeAlias = Returns | Raises | Unknown

#: Steps whose effect depends on when they come, or on when something else ends.
_UP_TO_THE_THREADS: Final = (AwaitChild, CancelChild, CancelGroup, CancelMe, Within)


def fate(steps: Steps) -> Fate:
    """Return what comes of these steps."""
    every = list(walk(steps))
    if any(isinstance(step, _UP_TO_THE_THREADS) for step in every):
        return Unknown()
    if any(isinstance(s, (Gather, PoolRun)) and s.cancel_after is not None for s in every):
        return Unknown()
    raising = [step for step in every if isinstance(step, (Raise, Interrupt))]
    if not raising:
        return Returns()
    if len(raising) > 1 or any(isinstance(step, Spawn) and step.by_thread for step in every):
        return Unknown()
    # Nothing else keeps the only step that raises from being reached, and nothing catches it but a
    # gather that makes it a result.
    return Raises(raising[0].number) if _gets_out(steps, raising[0]) else Returns()


def _gets_out(steps: Steps, raising: Raise | Interrupt) -> bool:
    for step in steps:
        if step == raising:
            return True
        if isinstance(step, Gather) and step.return_exceptions:
            continue
        if any(_gets_out(part, raising) for part in parts(step)):
            return True
    return False


def possible(steps: Steps) -> set[int]:
    """Return the numbers of the exceptions that may get out of these steps."""
    every = [step for step in walk(steps) if isinstance(step, (Raise, Interrupt))]
    return {step.number for step in every if _gets_out(steps, step)}


def leaves(error: BaseException) -> list[BaseException]:
    """Return what is in an exception group, however deep, or the exception."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


@dataclass(frozen=True)
class Facts:
    """What came of the parts of a group."""

    children: Sequence[BaseException]
    """What its children raised, without the cancellations."""
    body: BaseException | None
    """What its block raised."""
    cancelled: bool
    """Whether somebody called its `cancel()`."""
    outside: int
    """How many requests to cancel its parent task are left at its end: none of them its own."""
    strict: bool
    """Whether a single exception is to be grouped."""


def judge_group(facts: Facts, raised: BaseException | None) -> str | None:
    """Return what is wrong with what a group raised, given its parts, or None."""
    errors = list(facts.children)
    if facts.body is not None and not isinstance(facts.body, asyncio.CancelledError):
        errors.append(facts.body)
    apart = [e for e in errors if isinstance(e, (KeyboardInterrupt, SystemExit))]
    if apart:
        return _expect(any(raised is e for e in apart), "one of", apart, raised)
    if len(errors) == 1 and not facts.strict:
        return _expect(raised is errors[0], "this one", errors, raised)
    if errors:
        kind = (
            ExceptionGroup if all(isinstance(e, Exception) for e in errors) else BaseExceptionGroup
        )
        right = (
            isinstance(raised, BaseExceptionGroup)
            and type(raised) is kind
            and raised.message == "unhandled errors in a TaskGroup"
            and _same(raised.exceptions, errors)
            and (errors[-1] is not facts.body or raised.exceptions[-1] is facts.body)
        )
        return _expect(right, f"{kind.__name__} of", errors, raised)
    if facts.outside:
        # A cancellation may have come, and been refused, before: it need not come out here.
        right = raised is None or isinstance(raised, asyncio.CancelledError)
        return _expect(right, "nothing, or a cancellation, from", [], raised)
    if isinstance(facts.body, asyncio.CancelledError):
        # The block awaited something that was cancelled, or the group was.
        right = raised is facts.body or (facts.cancelled and raised is None)
        return _expect(right, "the cancellation of the block", [facts.body], raised)
    return _expect(raised is None, "nothing from", errors, raised)


@dataclass(frozen=True)
class Ended:
    """What came of a child of a gather."""

    value: object
    error: BaseException | None
    cancelled: bool
    """Cancelled, or never started."""
    late: bool
    """Whether a cancellation may have come when its last step was over: it ends cancelled, then."""


def judge_gather(
    children: Sequence[Ended],
    return_exceptions: bool,
    cancelled: bool,
    results: list[Any] | None,
    raised: BaseException | None,
) -> str | None:
    """Return what is wrong with what a gather returned or raised, given its children, or None.

    Args:
        children: What came of them. What is not over yet has no error.
        return_exceptions: What it was called with.
        cancelled: Whether it, or the task that awaits it, was cancelled.
        results: What it returned.
        raised: What it raised instead.
    """
    if results is not None:
        if len(results) != len(children):
            return f"{len(results)} results of {len(children)} children"
        for place, (result, child) in enumerate(zip(results, children, strict=True)):
            if child.cancelled:
                right = return_exceptions and isinstance(result, asyncio.CancelledError)
            elif child.error is not None:
                right = return_exceptions and result is child.error
            else:
                right = result is child.value
            if child.late and return_exceptions and isinstance(result, asyncio.CancelledError):
                right = True
            if not right:
                return f"result {place} is {result!r}, of {child!r}"
        return None
    if isinstance(raised, asyncio.CancelledError):
        right = cancelled or (
            not return_exceptions and any(c.cancelled or c.late for c in children)
        )
        return _expect(right, "no cancellation, from", [], raised)
    errors = [child.error for child in children if child.error is not None]
    # A gather that was cancelled raises what went wrong meanwhile, whatever it was called with.
    right = any(raised is error for error in errors) and (cancelled or not return_exceptions)
    return _expect(right, "one of", errors, raised)


def _same(these: Iterable[BaseException], those: Iterable[BaseException]) -> bool:
    return Counter(map(id, these)) == Counter(map(id, those))


def _expect(
    right: bool, how: str, errors: Sequence[BaseException | None], raised: BaseException | None
) -> str | None:
    return None if right else f"raised {raised!r}; expected {how} {errors!r}"
