"""Bad input: a clear error that names what was given, and nothing left behind.

That nothing is left behind, no thread, descriptor, coroutine or task, is checked after every test.
"""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather

from .support import (
    Signal,
    block_until,
    eventually,
    eventually_async,
    for_ever,
    idle_workers,
    is_closed,
    value,
    worker_threads,
)

Maker = Callable[..., Any]

#: Everything that takes num_threads, mode and loop_factory.
takers = pytest.mark.parametrize("take", [ThreadedTaskGroup, threaded_gather, LoopPool])
#: Everything that takes a pool.
pool_takers = pytest.mark.parametrize("take", [ThreadedTaskGroup, threaded_gather])


class NotNowError(Exception):
    """What our schedulers and factories raise."""


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


class TestNumberOfThreads:
    @takers
    @pytest.mark.parametrize("number", [0, -3])
    async def test_below_one(self, take: Maker, number: int) -> None:
        with pytest.raises(ValueError, match=f"num_threads must be at least 1.*{number}"):
            take(num_threads=number)

    @takers
    @pytest.mark.parametrize("given", ["four", 1.5, [2], True])
    async def test_that_is_no_int(self, take: Maker, given: Any) -> None:
        with pytest.raises(TypeError, match="num_threads") as caught:
            take(num_threads=given)
        assert repr(given) in str(caught.value)

    async def test_closes_the_coroutines_of_a_gather(self) -> None:
        coros = [value(1), value(2)]
        with pytest.raises(ValueError, match="num_threads"):
            threaded_gather(*coros, num_threads=0)
        assert all(is_closed(coro) for coro in coros)

    def test_closes_the_coroutines_of_a_gather_without_a_loop_too(self) -> None:
        coros = [value(1), value(2)]
        with pytest.raises(ValueError, match="num_threads"):
            asyncio.run(threaded_gather(*coros, num_threads=0))
        assert all(is_closed(coro) for coro in coros)


class TestOtherArguments:
    @pool_takers
    @pytest.mark.parametrize("limit", [0, -1])
    async def test_max_concurrency_below_one(self, take: Maker, limit: int) -> None:
        with pytest.raises(ValueError, match=f"max_concurrency must be at least 1.*{limit}"):
            take(max_concurrency=limit)

    @takers
    @pytest.mark.parametrize("given", ["QUEUE", 1, object(), SchedulingMode])
    async def test_a_mode_that_cannot_place(self, take: Maker, given: Any) -> None:
        with pytest.raises(TypeError, match="mode") as caught:
            take(mode=given)
        assert repr(given) in str(caught.value)

    @takers
    async def test_a_loop_factory_that_cannot_be_called(self, take: Maker) -> None:
        with pytest.raises(TypeError, match=r"loop_factory.*'uvloop'"):
            take(loop_factory="uvloop")

    @pool_takers
    async def test_a_pool_that_is_none(self, take: Maker) -> None:
        with pytest.raises(TypeError, match=r"pool.*\[1\]"):
            take(pool=[1])

    @pool_takers
    @pytest.mark.parametrize(
        "beside",
        [
            {"num_threads": 2},
            {"mode": SchedulingMode.QUEUE},
            {"loop_factory": asyncio.new_event_loop},
        ],
        ids=lambda beside: next(iter(beside)),
    )
    async def test_what_is_the_pools_beside_a_pool(
        self, take: Maker, beside: dict[str, Any]
    ) -> None:
        (name,) = beside
        async with LoopPool(1) as pool:
            with pytest.raises(TypeError, match=name):
                take(pool=pool, **beside)

    async def test_an_unknown_keyword(self) -> None:
        coro = value(1)
        take: Maker = threaded_gather
        with pytest.raises(TypeError, match="threads"):
            take(coro, threads=2)
        coro.close()


class TestNotACoroutine:
    @pytest.mark.parametrize("given", [42, None, value])
    async def test_in_a_group(self, given: Any) -> None:
        async with ThreadedTaskGroup(1) as group:
            with pytest.raises(TypeError) as caught:
                group.create_task(given)
        assert str(caught.value) == f"a coroutine was expected, got {given!r}"

    @pytest.mark.parametrize("given", [42, None, value])
    async def test_in_a_pool(self, given: Any) -> None:
        async with LoopPool(1) as pool:
            with pytest.raises(TypeError) as caught:
                pool.run(given)
        assert str(caught.value) == f"a coroutine was expected, got {given!r}"

    @pytest.mark.parametrize("given", [42, None, value])
    async def test_in_a_gather(self, given: Any) -> None:
        coro = value(1)
        with pytest.raises(TypeError):
            threaded_gather(coro, given)
        assert is_closed(coro)


class TestGroupOutOfItsTime:
    async def test_before_it_is_entered(self) -> None:
        group = ThreadedTaskGroup(3)
        coro = value(1)
        with pytest.raises(RuntimeError) as caught:
            group.create_task(coro)
        assert str(caught.value) == (
            f"{group!r} has not been entered: it must be used in async with statement"
        )
        assert is_closed(coro)

    async def test_after_it_was_left(self) -> None:
        async with ThreadedTaskGroup(3) as group:
            pass
        coro = value(1)
        with pytest.raises(RuntimeError) as caught:
            group.create_task(coro)
        assert str(caught.value) == f"{group!r} is finished"
        assert is_closed(coro)

    async def test_after_it_was_left_by_an_error(self) -> None:
        group = ThreadedTaskGroup(1)
        with pytest.raises(NotNowError):
            async with group:
                raise NotNowError
        coro = value(1)
        with pytest.raises(RuntimeError, match="is finished"):
            group.create_task(coro)
        assert is_closed(coro)


class TestPoolOutOfItsTime:
    async def test_run_on_a_closed_pool(self) -> None:
        async with LoopPool(2) as pool:
            pass
        coro = value(1)
        with pytest.raises(RuntimeError) as caught:
            pool.run(coro)
        assert str(caught.value) == f"{pool!r} is closed"
        assert is_closed(coro)

    async def test_run_on_a_pool_that_is_not_open_yet(self) -> None:
        pool = LoopPool(2)
        coro = value(1)
        with pytest.raises(RuntimeError, match="has not been entered"):
            pool.run(coro)
        assert is_closed(coro)

    async def test_a_group_on_a_closed_pool(self) -> None:
        async with LoopPool(2) as pool:
            pass
        group = ThreadedTaskGroup(pool=pool)
        with pytest.raises(RuntimeError, match="is closed"):
            async with group:
                raise AssertionError("it was entered")

    async def test_a_gather_on_a_closed_pool(self) -> None:
        async with LoopPool(2) as pool:
            pass
        coros = [value(1), value(2)]
        with pytest.raises(RuntimeError, match="is closed"):
            await threaded_gather(*coros, pool=pool)
        assert all(is_closed(coro) for coro in coros)

    async def test_a_pool_entered_twice(self) -> None:
        pool = LoopPool(1)
        async with pool:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await pool.__aenter__()
        with pytest.raises(RuntimeError, match="has already been entered"):
            await pool.__aenter__()

    async def test_a_group_that_is_open_when_its_pool_closes(self) -> None:
        # The pool waits for what runs on it; what comes later is refused, not lost.
        release, busy = Signal(), Signal()
        pool = LoopPool(1)
        async with pool:
            blocked = pool.run(block_until(release, busy))
            await busy.wait()
            release.set()
        assert blocked.done()
        coro = value(1)
        with pytest.raises(RuntimeError, match="is closed"):
            pool.run(coro)
        assert is_closed(coro)


class TestScheduler:
    @pytest.mark.parametrize("answer", [2, -1, 10**30])
    async def test_that_places_out_of_range(self, answer: int) -> None:
        coro = value(1)
        async with ThreadedTaskGroup(2, mode=Places(answer)) as group:
            with pytest.raises(ValueError, match=str(answer)):
                group.create_task(coro)
        assert is_closed(coro)
        coros = [value(1), value(2)]
        with pytest.raises(ValueError, match=str(answer)):
            await threaded_gather(*coros, num_threads=2, mode=Places(answer))
        assert all(is_closed(each) for each in coros)

    @pytest.mark.parametrize("answer", [None, "0", 1.0])
    async def test_that_places_by_no_number(self, answer: Any) -> None:
        coro = value(1)
        async with ThreadedTaskGroup(2, mode=Places(answer)) as group:
            with pytest.raises(TypeError) as caught:
                group.create_task(coro)
        assert repr(answer) in str(caught.value)
        assert is_closed(coro)

    @pytest.mark.parametrize("kind", [NotNowError, KeyboardInterrupt])
    async def test_that_raises(self, kind: type[BaseException]) -> None:
        coro = value(1)
        async with ThreadedTaskGroup(2, mode=Places(kind)) as group:
            with pytest.raises(kind, match="no idea"):
                group.create_task(coro)
        assert is_closed(coro)
        coros = [value(1), value(2)]
        with pytest.raises(kind, match="no idea"):
            await threaded_gather(*coros, num_threads=2, mode=Places(kind))
        assert all(is_closed(each) for each in coros)

    def test_that_fails_midway_in_a_gather_just_before_the_loop_ends(self) -> None:
        class FailsThird:
            def __init__(self) -> None:
                self.calls = 0

            def place(self, loads: Sequence[int]) -> int:
                del loads
                self.calls += 1
                if self.calls == 3:
                    raise NotNowError
                return 0

        async def main() -> None:
            with pytest.raises(NotNowError):
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

        dead = await use_it()
        gc.collect()
        assert dead() is None

    async def test_in_a_pool(self) -> None:
        coro = value(1)
        async with LoopPool(2, mode=Places(7)) as pool:
            with pytest.raises(ValueError, match="7"):
                pool.run(coro)
        assert is_closed(coro)

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

    async def test_that_fails_midway_in_a_gather_ends_what_it_has_placed(self) -> None:
        class FailsThird:
            def __init__(self) -> None:
                self.calls = 0

            def place(self, loads: Sequence[int]) -> int:
                del loads
                self.calls += 1
                if self.calls == 3:
                    raise NotNowError
                return 0

        # The first two might run; they do not outlive the call's error for long.
        coros = [for_ever(), for_ever(), value(1), value(2)]
        with pytest.raises(NotNowError):
            await threaded_gather(*coros, num_threads=2, mode=FailsThird())
        assert is_closed(coros[2])
        assert is_closed(coros[3])


def factory_that_raises() -> asyncio.AbstractEventLoop:
    raise NotNowError("no loop today")


def factory_of_something_else() -> asyncio.AbstractEventLoop:
    return 42  # type: ignore[return-value]


factories = pytest.mark.parametrize(
    ("factory", "error", "text"),
    [
        (factory_that_raises, NotNowError, "no loop today"),
        (factory_of_something_else, TypeError, "loop_factory.*42"),
    ],
    ids=["raises", "something else"],
)


class TestLoopFactory:
    @factories
    async def test_of_a_group(self, factory: Any, error: type[Exception], text: str) -> None:
        group = ThreadedTaskGroup(2, loop_factory=factory)
        with pytest.raises(error, match=text):
            async with group:
                raise AssertionError("it was entered")
        coro = value(1)
        with pytest.raises(RuntimeError, match="has not been entered"):
            group.create_task(coro)
        assert is_closed(coro)

    @factories
    async def test_of_a_pool(self, factory: Any, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            async with LoopPool(2, loop_factory=factory):
                raise AssertionError("it was entered")

    @factories
    async def test_of_a_gather(self, factory: Any, error: type[Exception], text: str) -> None:
        coros = [value(i) for i in range(5)]
        with pytest.raises(error, match=text):
            await threaded_gather(*coros, num_threads=2, loop_factory=factory)
        # The first error is raised at once, and the others come soon.
        assert await eventually_async(lambda: all(is_closed(coro) for coro in coros))

    async def test_that_fails_for_the_second_loop_only(self) -> None:
        lock = threading.Lock()
        calls = 0

        def factory() -> asyncio.AbstractEventLoop:
            nonlocal calls
            with lock:
                calls += 1
                fails = calls == 2
            if fails:
                raise NotNowError("one is enough")
            return asyncio.new_event_loop()

        with pytest.raises(NotNowError, match="one is enough"):
            async with ThreadedTaskGroup(2, loop_factory=factory):
                raise AssertionError("it was entered")

    async def test_leaves_no_thread_behind(self) -> None:
        before = worker_threads()
        with pytest.raises(NotNowError):
            async with ThreadedTaskGroup(4, loop_factory=factory_that_raises):
                raise AssertionError("it was entered")
        for thread in worker_threads() - before:
            thread.join(10)
        assert worker_threads() <= before

    async def test_a_group_can_be_entered_once_the_factory_works(self) -> None:
        works = False

        def factory() -> asyncio.AbstractEventLoop:
            if not works:
                raise NotNowError
            return asyncio.new_event_loop()

        group = ThreadedTaskGroup(2, loop_factory=factory)
        with pytest.raises(NotNowError):
            await group.__aenter__()
        works = True
        async with group:
            task = group.create_task(value(1))
        assert task.result() == 1
