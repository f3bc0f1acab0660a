"""A scheduler that places wrongly."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from support import (
    Signal,
    eventually,
    eventually_async,
    eventually_freed,
    for_ever,
    idle_workers,
    is_closed,
    value,
    worker_threads,
)

from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather


class NotNowError(Exception):
    """What our schedulers raise."""


class Places:
    """A scheduler that always says the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def place(self, loads: Sequence[int]) -> int:
        del loads
        if isinstance(self.answer, type):
            raise self.answer("no idea")
        answer: int = self.answer
        return answer


class FailsThird:
    """A scheduler that fails at the third call."""

    def __init__(self, error: type[BaseException] = NotNowError) -> None:
        self.calls = 0
        self.error = error

    def place(self, loads: Sequence[int]) -> int:
        del loads
        self.calls += 1
        if self.calls == 3:
            raise self.error
        return 0


WRONG = [
    (2, ValueError, "returned 2, and the workers are numbered 0 to 1"),
    (-1, ValueError, "returned -1, and the workers are numbered 0 to 1"),
    (2**80, ValueError, f"returned {2**80}, and"),
    (None, TypeError, "must return the number of a worker, got None"),
    ("0", TypeError, "must return the number of a worker, got '0'"),
    (1.0, TypeError, r"must return the number of a worker, got 1\.0"),
    (NotNowError, NotNowError, "no idea"),
    (KeyboardInterrupt, KeyboardInterrupt, "no idea"),
]
wrong = pytest.mark.parametrize(("answer", "error", "text"), WRONG)

#: Whether there is a gate, which lets the third through when one of the first two has ended.
limits = pytest.mark.parametrize("limit", [None, 2])


class TestScheduler:
    @wrong
    async def test_of_a_group(self, answer: Any, error: type[BaseException], text: str) -> None:
        coro = value(1)
        async with ThreadedTaskGroup(2, mode=Places(answer)) as group:
            with pytest.raises(error, match=text):
                group.create_task(coro)
            assert is_closed(coro)
            assert "tasks=" not in repr(group)

    async def test_what_a_group_refuses_for_it_is_none_of_those_that_may_run_at_once(self) -> None:
        scheduler = Places(NotNowError)
        async with ThreadedTaskGroup(2, mode=scheduler, max_concurrency=2) as group:
            # Once more than there are places: the last one would wait for ever.
            for _ in range(3):
                with pytest.raises(NotNowError):
                    group.create_task(value(1))
            scheduler.answer = 0
            task = group.create_task(value(2))
        assert task.result() == 2

    @wrong
    async def test_of_a_gather(self, answer: Any, error: type[BaseException], text: str) -> None:
        coros = [value(1), value(2)]
        with pytest.raises(error, match=text):
            threaded_gather(*coros, num_threads=2, mode=Places(answer))
        assert all(is_closed(each) for each in coros)

    @wrong
    async def test_of_a_pool(self, answer: Any, error: type[BaseException], text: str) -> None:
        async with LoopPool(2, mode=Places(answer)) as pool:
            coro = value(1)
            with pytest.raises(error, match=text):
                pool.run(coro)
            assert is_closed(coro)

    @limits
    async def test_that_fails_midway_in_a_gather(self, limit: int | None) -> None:
        # Those that were placed run, so they are waited for: what is not placed has failed.
        called = Signal()

        async def hold(result: int) -> int:
            await called.wait()
            return result

        coros = [hold(1), hold(2), value(3), value(4)]
        future = threaded_gather(
            *coros,
            num_threads=2,
            mode=FailsThird(),
            max_concurrency=limit,
            return_exceptions=True,
        )
        called.set()
        first, second, third, fourth = await future
        assert (first, second) == (1, 2)
        assert isinstance(third, NotNowError)
        # None is placed after one that cannot be, but by a gate, which goes on.
        assert fourth == 4 if limit == 2 else isinstance(fourth, NotNowError)
        assert all(is_closed(each) for each in coros)

    @limits
    async def test_that_fails_midway_in_a_gather_is_its_failure(self, limit: int | None) -> None:
        held, entered = Signal(), Signal()

        async def hold() -> None:
            entered.set()
            await held.wait()

        coros = [hold(), value(2), value(3)]
        future = threaded_gather(*coros, num_threads=2, mode=FailsThird(), max_concurrency=limit)
        with pytest.raises(NotNowError):
            await future
        await entered.wait()
        assert is_closed(coros[2])
        # As with asyncio.gather, the others go on.
        assert not is_closed(coros[0])
        held.set()
        assert await eventually_async(lambda: is_closed(coros[0]))

    async def test_that_is_interrupted_midway_in_a_gather(self) -> None:
        coros = [for_ever(), for_ever(), value(1)]
        with pytest.raises(KeyboardInterrupt):
            threaded_gather(*coros, num_threads=2, mode=FailsThird(KeyboardInterrupt))
        assert eventually(lambda: all(is_closed(each) for each in coros))

    def test_that_fails_midway_in_a_gather_just_before_the_loop_ends(self) -> None:
        async def main() -> None:
            threaded_gather(for_ever(), for_ever(), value(1), num_threads=2, mode=FailsThird())

        for _ in range(200):
            asyncio.run(main())
            assert eventually(lambda: idle_workers() == len(worker_threads()), 3.0)

    async def test_that_keeps_what_it_raised_can_still_be_collected(self) -> None:
        # Scheduler, error, traceback, frame, group, scheduler: a cycle that the collector has to
        # see through.
        class Keeps:
            error: NotNowError | None = None

            def place(self, loads: Sequence[int]) -> int:
                del loads
                self.error = NotNowError()
                raise self.error

        async def use_it() -> weakref.ref[Keeps]:
            keeps = Keeps()
            group = ThreadedTaskGroup(1, mode=keeps)
            async with group:
                with contextlib.suppress(NotNowError):
                    group.create_task(value(1))
            return weakref.ref(keeps)

        assert eventually_freed(await use_it())

    async def test_a_refused_task_does_not_hurt_the_group(self) -> None:
        class EverySecond:
            def __init__(self) -> None:
                self.calls = 0

            def place(self, loads: Sequence[int]) -> int:
                self.calls += 1
                return 0 if self.calls % 2 else len(loads)

        tasks = []
        async with ThreadedTaskGroup(2, mode=EverySecond()) as group:
            for i in range(10):
                try:
                    tasks.append(group.create_task(value(i)))
                except ValueError:
                    continue
        assert [task.result() for task in tasks] == [0, 2, 4, 6, 8]

    async def test_that_fails_when_the_group_waits_for_this_task_alone(self) -> None:
        placing, go = Signal(), Signal()

        class FailsLate:
            def place(self, loads: Sequence[int]) -> int:
                del loads
                placing.set()
                go.block()
                raise NotNowError

        coro = value(1)
        async with ThreadedTaskGroup(1, mode=FailsLate()) as group:
            creator = asyncio.create_task(asyncio.to_thread(group.create_task, coro))
            await placing.wait()
            # Once the body has ended, and the group waits.
            asyncio.get_running_loop().call_soon(go.set)
        with pytest.raises(NotNowError):
            await creator
        assert is_closed(coro)

    async def test_that_fails_midway_in_a_gather_ends_what_it_has_placed(self) -> None:
        # The first two might run; they do not outlive the call's error for long.
        coros = [for_ever(), for_ever(), value(1), value(2)]
        with pytest.raises(NotNowError):
            await threaded_gather(*coros, num_threads=2, mode=FailsThird())
        assert is_closed(coros[2])
        assert is_closed(coros[3])
