"""Holds what came of the parts of a program, and of the whole, to the model."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from . import model
from .ledger import Ledger, Record, Scope
from .program import BoomError, Gather, Group, LeaveGenerator, OddError, Program, walk

#: What a program raises by its steps.
_NUMBERED: Final = (BoomError, OddError, KeyboardInterrupt, SystemExit)


def is_of_a_closed_pool(error: object) -> bool:
    """Return whether this is of a child that a gather has left running: it outlives the pools."""
    return isinstance(error, RuntimeError) and str(error).endswith(" is closed")


def check_unentered(scope: Scope, raised: BaseException | None) -> None:
    """Hold a group that could not be entered to a good reason."""
    scope.check_over()
    if not (isinstance(raised, asyncio.CancelledError) or is_of_a_closed_pool(raised)):
        scope.fault(f"could not be entered: {raised!r}")


def check_group(
    scope: Scope,
    step: Group,
    outside: int,
    in_body: BaseException | None,
    raised: BaseException | None,
) -> None:
    """Hold a group that has ended to what came of its children and of its block."""
    scope.check_over()
    errors: list[BaseException] = []
    for record in scope.records:
        error = record.error or _never_ran(record)
        if error is not None:
            errors.append(error)
        # A thread that has made it may not have told its handle yet.
        if record.handle is not None:
            check_handle(record)
    facts = model.Facts(errors, in_body, scope.cancelled, outside, step.strict)
    if wrong := model.judge_group(facts, raised):
        scope.fault(f"{wrong}; {facts!r}")
    if step.where.pool is None:
        threads = {record.thread for record in scope.records if record.started}
        if len(threads) > step.where.threads:
            scope.fault(f"ran on {threads}, which is more than {step.where.threads}")


def check_handle(record: Record) -> None:
    """Find out whether a handle agrees with what came of its child."""
    handle = record.handle
    assert handle is not None
    if not handle.done():
        record.scope.fault(f"child {record.index} has ended, and its handle has not: {handle}")
        return
    if record.cancelled or (not record.started and not _never_ran(record)):
        right = handle.cancelled()
    elif handle.cancelled():
        # By a cancellation that came when its last step was over.
        right = record.error is None and record.left_cancelling > 0
    elif not record.started:
        right = True
    elif record.error is not None:
        right = handle.exception() is record.error
    else:
        right = handle.exception() is None and handle.result() is record.value
    if not right:
        record.scope.fault(f"handle of child {record.index} says {handle!r}: {record!r}")
    most = record.asked + handle.cancelling()
    if record.started and not record.asked <= record.left_cancelling <= most:
        record.scope.fault(
            f"child {record.index} had {record.left_cancelling} requests to cancel left, "
            f"of {record.asked} of its own and {handle.cancelling()} of its handle"
        )


def _never_ran(record: Record) -> BaseException | None:
    """Return why a child was never started, if it waited for a pool that is closed."""
    handle = record.handle
    if record.started or handle is None or not handle.done() or handle.cancelled():
        return None
    error = handle.exception()
    return error if is_of_a_closed_pool(error) else None


def check_gather(
    scope: Scope,
    step: Gather,
    asked: bool,
    cancelled: bool,
    results: list[Any] | None,
    raised: BaseException | None,
) -> None:
    """Hold a gather that has been awaited to what came of its children.

    Args:
        scope: The gather.
        step: How it was called.
        asked: Whether it was cancelled, and said that it would end its children.
        cancelled: Whether it was, or whoever awaits it.
        results: What it returned.
        raised: What it raised instead.
    """
    if results is not None or asked:
        scope.check_over()
    ended = [
        model.Ended(
            record.value,
            record.error,
            record.cancelled or (record.is_over() and not record.started),
            record.error is None and record.left_cancelling > 0,
        )
        for record in scope.records
    ]
    if any(map(is_of_a_closed_pool, [raised] if results is None else results)):
        # Of what waited at the gate, which has no part in the ledger.
        return
    if wrong := model.judge_gather(ended, step.return_exceptions, cancelled, results, raised):
        scope.fault(f"{wrong}; {ended!r}")


def check_run(program: Program, ledger: Ledger, raised: BaseException | None) -> None:
    """Hold what a run has left, and what came of it, to the model. Fail with all that is wrong."""
    for scope in ledger.scopes:
        scope.check_over(finally_=True)
        for record in scope.records:
            if record.handle is not None:
                check_handle(record)
            elif scope.group is not None and not record.refused:
                scope.fault(f"child {record.index} has no handle, and was not refused")
            # What is called back on a worker's loop may come after all else.
            if record.listens and not _soon(record.was_told):
                scope.fault(f"handle of child {record.index} called back {record.told} times")
    if ledger.open_generators:
        ledger.fault(f"{len(ledger.open_generators)} generators are still open")
    _check_fate(program, ledger, raised)
    faults = "\n".join(ledger.faults)
    # What was raised refers to frames, and those to all this.
    ledger.scopes.clear()
    assert not faults, f"{faults}\nin {program!r}"


def _soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def _check_fate(program: Program, ledger: Ledger, raised: BaseException | None) -> None:
    leaves = [] if raised is None else model.leaves(raised)
    numbers = [leaf.args[0] for leaf in leaves if isinstance(leaf, _NUMBERED)]
    if more := set(numbers) - model.possible(program.steps):
        ledger.fault(f"raised {raised!r}, of which {more} cannot be")
    known = (*_NUMBERED, TimeoutError, asyncio.CancelledError)
    if strange := [leaf for leaf in leaves if not isinstance(leaf, known)]:
        ledger.fault(f"raised {strange!r}, which are not the program's")
    match model.fate(program.steps):
        case model.Returns():
            if raised is not None:
                ledger.fault(f"raised {raised!r}, and nothing was to go wrong")
        case model.Raises(number):
            if numbers != [number] or len(leaves) != 1:
                ledger.fault(f"raised {raised!r}, and was to raise number {number}")


def unexplained(program: Program, complaints: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what loops complained of, without that for which the program gives reason."""
    kinds: tuple[type, ...] = (LeaveGenerator,)
    if not isinstance(model.fate(program.steps), model.Returns):
        # A gather that was left behind has a generator, too.
        kinds += (Gather,)
    known = ["raises KeyboardInterrupt or SystemExit in place of"]
    if any(isinstance(step, kinds) for step in walk(program.steps)):
        known.append(r"^left behind on .*: \d+ asynchronous generators?$")
    return [
        complaint
        for complaint in complaints
        if not any(re.search(text, str(complaint.get("message"))) for text in known)
    ]
