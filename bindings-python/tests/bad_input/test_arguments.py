"""What cannot work is refused at the call, with a text that says what was given.

That nothing is left behind, no thread, descriptor, coroutine or task, is checked after every test.
"""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support import is_closed, value

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather

Maker = Callable[..., Any]

#: Everything that takes num_threads, mode and loop_factory.
takers = pytest.mark.parametrize("take", [ThreadedTaskGroup, threaded_gather, LoopPool])

#: Everything that takes a pool.
pool_takers = pytest.mark.parametrize("take", [ThreadedTaskGroup, threaded_gather])


class TestNumberOfThreads:
    @takers
    @pytest.mark.parametrize("number", [0, -3, -(2**70)])
    async def test_below_one(self, take: Maker, number: int) -> None:
        with pytest.raises(ValueError, match=f"num_threads must be at least 1, got {number}"):
            take(num_threads=number)

    @takers
    @pytest.mark.parametrize("given", ["four", "2", 2.0, [2], True])
    async def test_that_is_no_int(self, take: Maker, given: Any) -> None:
        with pytest.raises(TypeError, match="num_threads must be an int, got") as caught:
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
        with pytest.raises(ValueError, match=f"max_concurrency must be at least 1, got {limit}"):
            take(max_concurrency=limit)

    @takers
    @pytest.mark.parametrize("given", ["QUEUE", 1, object(), SchedulingMode])
    async def test_a_mode_that_cannot_place(self, take: Maker, given: Any) -> None:
        text = r"mode must be a SchedulingMode or an object with a place\(loads\) method, got"
        with pytest.raises(TypeError, match=text) as caught:
            take(mode=given)
        assert repr(given) in str(caught.value)

    @takers
    async def test_a_loop_factory_that_cannot_be_called(self, take: Maker) -> None:
        with pytest.raises(TypeError, match="loop_factory must be callable, got 'uvloop'"):
            take(loop_factory="uvloop")

    @pool_takers
    async def test_a_pool_that_is_none(self, take: Maker) -> None:
        with pytest.raises(TypeError, match=r"pool must be a LoopPool, got \[1\]"):
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
            with pytest.raises(TypeError, match=f"{name} is the pool's"):
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
