"""What cannot work is refused at the call, with a text that says what was given."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from test_group import value

from thrasks import LoopPool, Scheduler, SchedulingMode, ThreadedTaskGroup, threaded_gather

MAKERS: dict[str, Callable[..., Any]] = {
    "group": ThreadedTaskGroup,
    "gather": threaded_gather,
    "pool": LoopPool,
}


@pytest.fixture(params=list(MAKERS.values()), ids=list(MAKERS))
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    maker: Callable[..., Any] = request.param
    return maker


@pytest.mark.parametrize("number", [0, -1, -(2**70)])
def test_a_number_of_threads_below_one(make: Callable[..., Any], number: int) -> None:
    with pytest.raises(ValueError, match=f"num_threads must be at least 1, got {number}"):
        make(num_threads=number)


@pytest.mark.parametrize("wrong", [2.0, "2", True, [2]])
def test_a_number_of_threads_that_is_no_int(make: Callable[..., Any], wrong: object) -> None:
    with pytest.raises(TypeError, match="num_threads must be an int, got") as caught:
        make(num_threads=wrong)
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize("wrong", ["queue", 1, object(), SchedulingMode])
def test_a_mode_that_is_none(make: Callable[..., Any], wrong: object) -> None:
    with pytest.raises(TypeError, match="mode must be a SchedulingMode or an object with a place"):
        make(mode=wrong)


def test_a_loop_factory_that_cannot_be_called(make: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="loop_factory must be callable, got 'uvloop'"):
        make(loop_factory="uvloop")


@pytest.mark.parametrize("maker", [ThreadedTaskGroup, threaded_gather])
def test_a_limit_or_a_pool_that_is_none(maker: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="max_concurrency must be at least 1, got 0"):
        maker(max_concurrency=0)
    with pytest.raises(TypeError, match="pool must be a LoopPool, got 3"):
        maker(pool=3)
    options = {
        "num_threads": 2,
        "mode": SchedulingMode.QUEUE,
        "loop_factory": asyncio.new_event_loop,
    }
    for name, option in options.items():
        with pytest.raises(TypeError, match=f"{name} is the pool's"):
            maker(pool=LoopPool(1), **{name: option})


class Fixed:
    """A scheduler that always says the same."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.loads: list[list[int]] = []

    def place(self, loads: Sequence[int]) -> int:
        self.loads.append(list(loads))
        if isinstance(self.answer, type):
            raise self.answer("no idea")
        return self.answer  # type: ignore[return-value]


WRONG = [
    (Fixed(2), ValueError, "returned 2, and the workers are numbered 0 to 1"),
    (Fixed(-1), ValueError, "returned -1, and the workers are numbered 0 to 1"),
    (Fixed(2**80), ValueError, f"returned {2**80}, and"),
    (Fixed(None), TypeError, "must return the number of a worker, got None"),
    (Fixed("0"), TypeError, "must return the number of a worker, got '0'"),
    (Fixed(LookupError), LookupError, "no idea"),
]


@pytest.mark.parametrize(("scheduler", "error", "text"), WRONG)
def test_a_scheduler_that_places_wrongly(
    scheduler: Fixed, error: type[Exception], text: str
) -> None:
    async def main() -> None:
        coroutine = value(1)
        async with ThreadedTaskGroup(2, mode=scheduler) as group:
            with pytest.raises(error, match=text):
                group.create_task(coroutine)
            assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
            assert "tasks=" not in repr(group)

        coroutines = [value(1), value(2)]
        with pytest.raises(error, match=text):
            threaded_gather(*coroutines, num_threads=2, mode=scheduler)
        for each in coroutines:
            assert inspect.getcoroutinestate(each) == inspect.CORO_CLOSED

        async with LoopPool(2, mode=scheduler) as pool:
            coroutine = value(1)
            with pytest.raises(error, match=text):
                pool.run(coroutine)
            assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED

    asyncio.run(main())


def test_a_scheduler_that_fails_midway_ends_what_it_placed() -> None:
    class FailsSecond:
        def __init__(self) -> None:
            self.count = 0

        def place(self, loads: Sequence[int]) -> int:
            self.count += 1
            if self.count == 2:
                raise LookupError
            return 0

    async def main() -> None:
        coroutines = [value(i) for i in range(5)]
        with pytest.raises(LookupError):
            threaded_gather(*coroutines, num_threads=2, mode=FailsSecond())
        for each in coroutines[1:]:
            assert inspect.getcoroutinestate(each) == inspect.CORO_CLOSED

    asyncio.run(main())


def test_a_scheduler_of_ones_own_chooses() -> None:
    scheduler: Scheduler = Fixed(1)

    async def main() -> None:
        async with ThreadedTaskGroup(3, mode=scheduler) as group:
            tasks = [group.create_task(value(i)) for i in range(5)]
            assert "Fixed" in repr(group)
        assert [task.result() for task in tasks] == [0, 1, 2, 3, 4]

    asyncio.run(main())
    assert isinstance(scheduler, Fixed)
    assert len(scheduler.loads) == 5
    assert all(len(loads) == 3 and loads[0] == loads[2] == 0 for loads in scheduler.loads)


class NoLoopError(Exception):
    """What the tests' loop factories raise."""


def no_loop() -> asyncio.AbstractEventLoop:
    raise NoLoopError("no loop today")


def wrong_loop() -> asyncio.AbstractEventLoop:
    return 42  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("factory", "error", "text"),
    [
        (no_loop, NoLoopError, "no loop today"),
        (wrong_loop, TypeError, "loop_factory must return an event loop, got 42"),
    ],
)
def test_a_loop_factory_that_makes_none(
    factory: Callable[[], asyncio.AbstractEventLoop], error: type[Exception], text: str
) -> None:
    async def main() -> None:
        group = ThreadedTaskGroup(2, loop_factory=factory)
        with pytest.raises(error, match=text):
            async with group:
                raise AssertionError("entered")
        pool = LoopPool(2, loop_factory=factory)
        with pytest.raises(error, match=text):
            async with pool:
                raise AssertionError("entered")
        coroutines = [value(1), value(2)]
        with pytest.raises(error, match=text):
            await threaded_gather(value(0), num_threads=1, loop_factory=factory)
        errors = await threaded_gather(
            *coroutines, num_threads=2, loop_factory=factory, return_exceptions=True
        )
        assert [type(each) for each in errors] == [error, error]
        for each in coroutines:
            assert inspect.getcoroutinestate(each) == inspect.CORO_CLOSED

    asyncio.run(main())
