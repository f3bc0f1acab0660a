"""Groups and pools used in any order, from any task and thread: an error, or what it says."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from soak.conftest import Effort

from thrasks import LoopPool, ThreadedTask, ThreadedTaskGroup, threaded_gather

from .support import Complaints


class OrderError(Exception):
    """What a body raises, and what a child does."""


class Play:
    """One group and one pool, and somebody who does not know how to use them."""

    def __init__(self) -> None:
        self.group = ThreadedTaskGroup(2)
        self.pool = LoopPool(2)
        self.handles: list[ThreadedTask[Any]] = []
        self.coros: list[Coroutine[Any, Any, Any]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.threads: list[threading.Thread] = []
        self.lock = threading.Lock()

    def made(self, coro: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        with self.lock:
            self.coros.append(coro)
        return coro

    def in_a_task(self, coro: Coroutine[Any, Any, Any]) -> None:
        self.tasks.append(asyncio.create_task(coro))

    def in_a_thread(self, what: Callable[[], object]) -> None:
        def guarded() -> None:
            with contextlib.suppress(RuntimeError):
                what()

        thread = threading.Thread(target=guarded)
        self.threads.append(thread)
        thread.start()

    def create(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        handle = self.group.create_task(self.made(work()))
        with self.lock:
            self.handles.append(handle)

    def run(self) -> None:
        # On the loop only: a thread has no loop that runs.
        self.handles.append(self.pool.run(self.made(brief())))

    def gather(self) -> None:
        coros = [self.made(brief()), self.made(brief())]
        self.in_a_task(threaded_gather(*coros, pool=self.pool))

    async def group_on_the_pool(self) -> None:
        async with ThreadedTaskGroup(pool=self.pool) as group:
            group.create_task(self.made(brief()))

    async def breathe(self) -> None:
        await asyncio.sleep(0.002)


async def brief() -> None:
    await asyncio.sleep(0)


async def long() -> None:
    await asyncio.sleep(0.02)


async def failing() -> None:
    await asyncio.sleep(0)
    raise OrderError


#: Everything that can be done, by name. What it returns is awaited.
MOVES: dict[str, Callable[[Play], Awaitable[Any] | None]] = {
    "enter the group": lambda play: play.group.__aenter__(),
    "enter the group in a task": lambda play: play.in_a_task(play.group.__aenter__()),
    "leave the group": lambda play: play.group.__aexit__(None, None, None),
    "leave the group by an error": lambda play: play.group.__aexit__(
        OrderError, OrderError(), None
    ),
    "leave the group by a cancellation": lambda play: play.group.__aexit__(
        asyncio.CancelledError, asyncio.CancelledError(), None
    ),
    "leave the group in a task": lambda play: play.in_a_task(
        play.group.__aexit__(None, None, None)
    ),
    "create a task": lambda play: play.create(brief),
    "create a long task": lambda play: play.create(long),
    "create a failing task": lambda play: play.create(failing),
    "create a task in a thread": lambda play: play.in_a_thread(lambda: play.create(long)),
    "cancel the group": lambda play: play.group.cancel(),
    "cancel the group in a thread": lambda play: play.in_a_thread(play.group.cancel),
    "enter the pool": lambda play: play.pool.__aenter__(),
    "enter the pool in a task": lambda play: play.in_a_task(play.pool.__aenter__()),
    "leave the pool": lambda play: play.pool.__aexit__(None, None, None),
    "leave the pool by an error": lambda play: play.pool.__aexit__(OrderError, OrderError(), None),
    "leave the pool in a task": lambda play: play.in_a_task(play.pool.__aexit__(None, None, None)),
    "run on the pool": lambda play: play.run(),
    "run on the pool in a thread": lambda play: play.in_a_thread(lambda: play.run()),
    "gather on the pool": lambda play: play.gather(),
    "open a group on the pool": lambda play: play.group_on_the_pool(),
    "ask the pool": lambda play: (play.pool.stats(), None)[1],
    "cancel what there is": lambda play: ([h.cancel() for h in play.handles], None)[1],
    "uncancel what there is": lambda play: ([h.uncancel() for h in play.handles], None)[1],
    "look": lambda play: (repr((play.group, play.pool, play.handles)), None)[1],
    "breathe": lambda play: play.breathe(),
}

#: A wrong order is told by one of these; or it is the outcome of what was done.
TOLD = (RuntimeError, TypeError, OrderError, ExceptionGroup, asyncio.CancelledError)


async def play_it(moves: list[str]) -> Play:
    play = Play()
    complaints = Complaints(asyncio.get_running_loop())

    async def move_by_move() -> None:
        for move in moves:
            try:
                done = MOVES[move](play)
                if done is not None:
                    await done
            except TOLD as error:
                check(error)
            # Whatever cancels it: it goes on, as one does that does not know.

    # A task of its own, which the group may take for its parent and cancel.
    await asyncio.wait([asyncio.create_task(move_by_move())])
    for thread in play.threads:
        await asyncio.to_thread(thread.join)
    # Now somebody comes who puts it right. Each of these may be refused: it was done already.
    play.group.cancel()
    for end in (
        lambda: play.group.__aexit__(None, None, None),
        lambda: play.pool.__aexit__(None, None, None),
    ):
        ending = asyncio.create_task(end())
        await asyncio.wait([ending])
        check(None if ending.cancelled() else ending.exception())
    if play.tasks:
        await asyncio.wait(play.tasks)
    for task in play.tasks:
        check(None if task.cancelled() else task.exception())
    if play.handles:
        await asyncio.wait(play.handles)
    for handle in play.handles:
        assert handle.cancelled() or isinstance(
            handle.exception(), (OrderError, RuntimeError, type(None))
        )
    # A child that fails when its group was left badly is told to the handler.
    unexplained = [text for text in complaints.messages if "has errored out but" not in text]
    assert unexplained == []
    return play


def check(error: BaseException | None) -> None:
    """Refuse errors that nobody was told about, and those that say nothing."""
    assert error is None or isinstance(error, TOLD)
    if isinstance(error, (RuntimeError, TypeError)):
        assert str(error)


@pytest.mark.timeout(3600)
def test_any_order_ends_in_an_error_or_well(effort: Effort) -> None:
    @hypothesis.seed(effort.seed)
    @hypothesis.settings(
        max_examples=3000 if effort.minutes else 120,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @hypothesis.given(st.lists(st.sampled_from(list(MOVES)), min_size=1, max_size=9))
    def attempt(moves: list[str]) -> None:
        play = asyncio.run(play_it(moves))
        for coro in play.coros:
            assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED

    attempt()
