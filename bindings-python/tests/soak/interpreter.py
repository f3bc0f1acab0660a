"""Runs a program on the real thing, and holds every part of it to the model."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather

from . import holding
from .ledger import Ledger, Record, Scope
from .program import (
    AwaitChild,
    Block,
    BoomError,
    CancelChild,
    CancelGroup,
    CancelMe,
    Finally,
    Gather,
    Group,
    Interrupt,
    LeaveGenerator,
    OddError,
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

#: In each task, the numbers that lead to it from the main task.
PATH: contextvars.ContextVar[tuple[int, ...]] = contextvars.ContextVar("PATH", default=())

MODES = list(SchedulingMode)

#: A task that awaits one of its siblings, and is not the group's block, does so no longer than this
#: many milliseconds: the sibling may be waiting for its turn, which would come after this one's.
PATIENCE_WITH_A_SIBLING = 20


class Spread:
    """A scheduler of our own: one after the other, from the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0

    def place(self, loads: Sequence[int]) -> int:
        with self._lock:
            self._next -= 1
            return self._next % len(loads)


@dataclass
class Tally:
    """What is counted for one task."""

    asked: int = 0
    """How often it was cancelled by the program itself."""


@dataclass(frozen=True)
class Me:
    """Who does a step: a task, and the group around it."""

    task: asyncio.Task[Any]
    tally: Tally
    path: tuple[int, ...]
    record: Record | None = None
    scope: Scope | None = None
    """The group that it belongs to, or whose block this is."""
    in_block: bool = False
    """Whether this is that group's block."""
    kept: tuple[list[object], ...] = ()
    """What is to live as long as the task."""


class Run:
    """One run of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ledger = Ledger()
        self.pools: list[LoopPool] = []
        self.raised: BaseException | None = None
        self._left_cancelling = 0
        # Until the loop closes them: asyncio.run does not wait for generators that it finds gone.
        self._kept: list[object] = []

    def __call__(self) -> None:
        """Run the program to its end, on a loop of its own."""
        try:
            asyncio.run(self._main())
        except BaseException as exc:
            # Raised by the program; or by what is to be tested, which the model then finds.
            # A cancellation that comes when the last step is over has the task end cancelled.
            late = isinstance(exc, asyncio.CancelledError) and self._left_cancelling
            if exc is not self.raised and not late:
                self.ledger.fault(f"asyncio.run raised {exc!r}, the program {self.raised!r}")
        finally:
            self._kept.clear()
            self.ledger.join()

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.ledger.complaints.append(context))
        task = asyncio.current_task()
        assert task is not None
        me = Me(task, Tally(), PATH.get(), kept=(self._kept,))
        try:
            async with contextlib.AsyncExitStack() as stack:
                for threads in self.program.pools:
                    self.pools.append(await stack.enter_async_context(LoopPool(threads)))
                await self._steps(me, self.program.steps)
        except BaseException as exc:
            self.raised = exc
            raise
        finally:
            self._left_cancelling = task.cancelling()
            if task.cancelling() != me.tally.asked:
                self.ledger.fault(
                    f"the main task has {task.cancelling()} requests to cancel left, "
                    f"of {me.tally.asked}"
                )

    async def _steps(self, me: Me, steps: Steps) -> None:
        for step in steps:
            await self._step(me, step)
            if PATH.get() != me.path:
                self.ledger.fault(f"{me.path} finds itself in the context of {PATH.get()}")
            if asyncio.current_task() is not me.task:
                self.ledger.fault(f"{me.task} is not the current task in itself")

    async def _step(self, me: Me, step: Step) -> None:
        match step:
            case Sleep(ms):
                await asyncio.sleep(ms / 1000)
            case Block(ms):
                time.sleep(ms / 1000)  # noqa: ASYNC251 - it is to block
            case Raise(number, base):
                raise OddError(number) if base else BoomError(number)
            case Interrupt(number, exits):
                raise SystemExit(number) if exits else KeyboardInterrupt(number)
            case LeaveGenerator():
                generator = _numbers(self.ledger)
                await anext(generator)
                me.kept[0].append(generator)
            case Within(ms, steps):
                async with asyncio.timeout(ms / 1000):
                    await self._steps(me, steps)
            case Refuse(steps):
                with contextlib.suppress(asyncio.CancelledError):
                    await self._steps(me, steps)
            case Finally(steps, ms):
                try:
                    await self._steps(me, steps)
                finally:
                    await asyncio.sleep(ms / 1000)
            case CancelMe(ms, by_thread):
                self._cancel_later(me, ms, by_thread)
            case Group():
                await self._group(me, step)
            case Gather():
                await self._gather(me, step)
            case PoolRun():
                await self._pool_run(me, step)
            case Spawn() | CancelChild() | AwaitChild() | CancelGroup():
                if me.scope is not None:
                    await self._in_group(me, me.scope, step)

    async def _in_group(
        self, me: Me, scope: Scope, step: Spawn | CancelChild | AwaitChild | CancelGroup
    ) -> None:
        """Do a step that has to do with the group that this is in."""
        match step:
            case Spawn(steps, by_thread):
                self._maybe_on_thread(by_thread, lambda: self._spawn(scope, steps))
            case CancelChild(which, by_thread):
                record = self._choose(me, scope, which)
                if record is not None and record.handle is not None:
                    handle = record.handle
                    self._maybe_on_thread(by_thread, lambda: handle.cancel("by the program"))
            case AwaitChild(which, ms):
                record = self._choose(me, scope, which)
                if record is not None and record.handle is not None:
                    if ms is None and not me.in_block:
                        ms = PATIENCE_WITH_A_SIBLING
                    # As wait_for, which before 3.12 takes no handle of another loop.
                    async with asyncio.timeout(None if ms is None else ms / 1000):
                        await record.handle
            case CancelGroup(by_thread):
                scope.cancelled = True
                assert scope.group is not None
                self._maybe_on_thread(by_thread, scope.group.cancel)

    def _maybe_on_thread(self, by_thread: bool, what: Callable[[], object]) -> None:
        if by_thread:
            self.ledger.thread(lambda: (what(), None)[1])
        else:
            what()

    def _choose(self, me: Me, scope: Scope, which: int) -> Record | None:
        """Choose a child of a group: one that is older than who asks, who may be one."""
        older = scope.records
        if not me.in_block and me.record is not None and me.record.scope is scope:
            older = older[: me.record.index]
        return older[which % len(older)] if older else None

    def _cancel_later(self, me: Me, ms: int, by_thread: bool) -> None:
        loop = asyncio.get_running_loop()

        def cancel() -> None:
            if me.task.cancel():
                me.tally.asked += 1

        def from_thread() -> None:
            time.sleep(ms / 1000)
            # The loop may be gone by then, and the task with it.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(cancel)

        if by_thread:
            self.ledger.thread(from_thread)
        else:
            loop.call_later(ms / 1000, cancel)

    # Groups.

    def _options(self, where: Where) -> dict[str, Any]:
        options: dict[str, Any] = {"max_concurrency": where.limit}
        if where.pool is not None:
            return {**options, "pool": self.pools[where.pool]}
        mode = MODES[where.mode] if where.mode < len(MODES) else Spread()
        if where.own_loops:
            options["loop_factory"] = asyncio.SelectorEventLoop
        return {**options, "num_threads": where.threads, "mode": mode}

    async def _group(self, me: Me, step: Group) -> None:
        scope = Scope(self.ledger, f"group in {me.path}", step.where.limit)
        scope.group = ThreadedTaskGroup(
            **self._options(step.where), strict_exception_groups=step.strict
        )
        raised: BaseException | None = None
        in_body: BaseException | None = None
        entered = False
        try:
            async with scope.group:
                entered = True
                try:
                    for child in step.children:
                        self._spawn(scope, child)
                    await self._steps(replace(me, scope=scope, in_block=True), step.body)
                except BaseException as exc:
                    in_body = exc
                    raise
        except BaseException as exc:
            raised = exc
        try:
            if entered:
                holding.check_group(scope, step, me.task.cancelling(), in_body, raised)
            else:
                holding.check_unentered(scope, raised)
            if raised is not None:
                raise raised
        finally:
            del raised, in_body

    def _spawn(self, scope: Scope, steps: Steps) -> None:
        """Create a task in a group, from whichever thread this is."""
        record = scope.new()
        record.path = PATH.get()
        record.coroutine = self._child(record, steps, scope)
        assert scope.group is not None
        try:
            record.handle = scope.group.create_task(record.coroutine)
        except RuntimeError as exc:
            record.refused = True
            if not str(exc).endswith(
                ("is shutting down", "is finished")
            ) and not holding.is_of_a_closed_pool(exc):
                scope.fault(f"refused a task: {exc!r}")
            if not record.is_over() or record.started:
                scope.fault(f"refused a task and did not close its coroutine: {record!r}")
            return
        if asyncio._get_running_loop() is record.handle.get_loop():
            # Only there may callbacks be added.
            record.listens = True
            record.handle.add_done_callback(lambda _: self._told(record))

    def _told(self, record: Record) -> None:
        record.told += 1

    async def _child(self, record: Record, steps: Steps, group: Scope | None) -> object:
        """Do the steps of a child, and take down what comes of them."""
        task = asyncio.current_task()
        assert task is not None
        record.scope.begins(record)
        if PATH.get() != record.path:
            self.ledger.fault(f"child of {record.path} starts in the context of {PATH.get()}")
        me = Me(task, Tally(), (*record.path, record.index), record=record, scope=group, kept=([],))
        PATH.set(me.path)
        try:
            await self._steps(me, steps)
        except asyncio.CancelledError:
            record.cancelled = True
            raise
        except BaseException as exc:
            record.error = exc
            raise
        finally:
            record.asked = me.tally.asked
            record.left_cancelling = task.cancelling()
            record.scope.ends(record)
        return record.value

    # Gathers and pools.

    def _children(self, scope: Scope, children: Sequence[Steps]) -> list[Record]:
        records = []
        for steps in children:
            record = scope.new()
            record.path = PATH.get()
            record.coroutine = self._child(record, steps, None)
            records.append(record)
        return records

    async def _gather(self, me: Me, step: Gather) -> None:
        scope = Scope(self.ledger, f"gather in {me.path}", step.where.limit)
        records = self._children(scope, step.children)
        try:
            future = threaded_gather(
                *(record.coroutine for record in records if record.coroutine is not None),
                return_exceptions=step.return_exceptions,
                **self._options(step.where),
            )
        except RuntimeError as exc:
            scope.check_over()
            if not holding.is_of_a_closed_pool(exc):
                scope.fault(f"was refused: {exc!r}")
            return
        asked: list[bool] = []
        if step.cancel_after is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(step.cancel_after / 1000, lambda: asked.append(future.cancel()))
        results: list[Any] | None = None
        raised: BaseException | None = None
        try:
            results = await future
        except BaseException as exc:
            raised = exc
        try:
            cancelled = any(asked) or me.task.cancelling() > 0
            holding.check_gather(scope, step, any(asked), cancelled, results, raised)
            if raised is not None:
                raise raised
        finally:
            del raised

    async def _pool_run(self, me: Me, step: PoolRun) -> None:
        scope = Scope(self.ledger, f"pool run in {me.path}", None)
        (record,) = self._children(scope, (step.steps,))
        assert record.coroutine is not None
        try:
            record.handle = handle = self.pools[step.pool].run(record.coroutine)
        except RuntimeError as exc:
            record.refused = True
            scope.check_over()
            if not holding.is_of_a_closed_pool(exc):
                scope.fault(f"was refused: {exc!r}")
            return
        record.listens = True
        handle.add_done_callback(lambda _: self._told(record))
        if step.cancel_after is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(step.cancel_after / 1000, handle.cancel)
        try:
            await handle
        finally:
            # However often this is cancelled, it goes on when the task has ended.
            scope.check_over()
            if handle.done():
                holding.check_handle(record)

    def check(self) -> None:
        """Hold what is left, and what came of the whole, to the model."""
        raised, self.raised = self.raised, None
        self.pools.clear()
        holding.check_run(self.program, self.ledger, raised)
        self.check_complaints()

    def check_complaints(self) -> None:
        """Fail if a loop's exception handler was told something that the program does not explain.

        Some of it is said when an object is freed only, and that may be later.
        """
        wrong = holding.unexplained(self.program, self.ledger.complaints)
        assert not wrong, f"complaints: {wrong!r}\nin {self.program!r}"


async def _numbers(ledger: Ledger) -> AsyncIterator[int]:
    number = ledger.generator_begins()
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        ledger.generator_ends(number)
