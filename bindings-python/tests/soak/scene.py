"""What there is in the process, for whoever has to find out why it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

import thrasks
from thrasks._generators import Generators
from thrasks._thrasks import idle_loops, worker_loops

from .ledger import Ledger, Record

#: How many steps from a coroutine to what it awaits are followed.
DEEP: Final = 50


def describe(file: TextIO) -> None:
    """Write down every loop with its tasks, what has not ended, and what was complained of.

    From any thread. What goes wrong with one thing is written in its place.
    """
    say = functools.partial(print, file=file, flush=True)
    say(f"Idle workers: {idle_loops()}")
    names = {id(loop): name for name, loop in worker_loops()}
    for loop in _every(asyncio.AbstractEventLoop):
        if not loop.is_closed():
            say(f"\nThe loop of {names.get(id(loop), 'no worker')}: {loop!r}")
            _attempt(say, _tell_loop, loop)
    say("\nWhat has not ended, and what was complained of:")
    for kind, tell in _KINDS.items():
        for each in _every(kind):
            _attempt(say, tell, each)


def _attempt(
    say: Callable[[str], None], tell: Callable[[Any], Iterator[str]], what: object
) -> None:
    try:
        for line in tell(what):
            say(f"  {line}")
    except BaseException:
        say(traceback.format_exc())


def _every(kind: type) -> list[Any]:
    # By the type alone: to ask an object for its class may run its code.
    return [each for each in gc.get_objects() if issubclass(type(each), kind)]


def _tell_loop(loop: Any) -> Iterator[str]:
    # By number: an iterator does not bear that the loop goes on.
    ready = getattr(loop, "_ready", ())
    with contextlib.suppress(IndexError):
        for index in range(len(ready)):
            yield f"ready: {ready[index]!r}"
    for handle in list(getattr(loop, "_scheduled", ())):
        yield f"timer, in {handle.when() - loop.time():.3f} s: {handle!r}"
    for task in asyncio.all_tasks(loop):
        yield f"{task!r}, asked to end {task.cancelling()} times"
        for line in _awaits(task.get_coro()):
            yield f"  {line}"


def _awaits(awaitable: Any) -> Iterator[str]:
    """Yield where a coroutine is, where what it awaits is, and so on."""
    for _ in range(DEEP):
        for letters in ("cr", "ag", "gi"):
            frame = getattr(awaitable, f"{letters}_frame", None)
            if frame is not None:
                code = frame.f_code
                yield f"{code.co_qualname} at {code.co_filename}:{frame.f_lineno}"
                following = "gi_yieldfrom" if letters == "gi" else f"{letters}_await"
                awaitable = getattr(awaitable, following)
                break
        else:
            if awaitable is not None:
                yield repr(awaitable)
            return


def _tell_future(future: asyncio.Future[Any]) -> Iterator[str]:
    if not future.done():
        yield f"{future!r} of {future.get_loop()!r}"


def _tell_group(group: thrasks.ThreadedTaskGroup) -> Iterator[str]:
    # One that has ended lets go of them.
    if group._errors is not None:
        state = {name: value for name, value in vars(group).items() if name != "_leasing"}
        yield f"{group!r}: {state!r}"


def _tell_pool(pool: thrasks.LoopPool) -> Iterator[str]:
    if pool._workers is not None:
        yield f"{pool!r}: {pool.stats()!r}"


def _tell_generators(generators: Generators) -> Iterator[str]:
    if known := [generator() for generator in list(generators.known.values())]:
        yield f"generators on a worker: {known!r}"


def _tell_complaints(ledger: Ledger) -> Iterator[str]:
    for context in list(ledger.complaints):
        yield f"a loop complained: {context!r}"
        if (error := context.get("exception")) is not None:
            yield "".join(traceback.format_exception(error))


def _tell_record(record: Record) -> Iterator[str]:
    if record.coroutine is not None and not record.is_over():
        yield f"{record.scope!r}: {record!r}"


_KINDS: Final[dict[type, Callable[[Any], Iterator[str]]]] = {
    thrasks.ThreadedTaskGroup: _tell_group,
    thrasks.LoopPool: _tell_pool,
    thrasks.ThreadedTask: _tell_future,
    thrasks.GatheringFuture: _tell_future,
    Generators: _tell_generators,
    Record: _tell_record,
    Ledger: _tell_complaints,
}
