"""Random programs: whatever is done with an executor, in whichever order, its promises hold.

What is to be seen afterwards is told by a model that knows of each job only what was asked of it:
everything is done, every job that was not cancelled has its own outcome, nothing is left running,
and at no time did more run than were to.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from support import PATIENCE, Alive

from thrasks import MapIterator, TaskPoolExecutor

from .support import Kind, run, turns

#: What a job does: return, raise, wait for a while, refuse to be cancelled, cancel itself.
JOBS = ("value", "fail", "turns", "stubborn", "cancelled")

steps = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(JOBS), st.booleans()),
    st.tuples(st.just("submit"), st.sampled_from(JOBS), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 30), st.none()),
    st.tuples(st.just("await"), st.integers(0, 30), st.booleans()),
    st.tuples(st.just("turns"), st.integers(1, 5), st.none()),
    st.tuples(st.just("map"), st.sampled_from([None, 1, 3]), st.booleans()),
    st.tuples(st.just("take"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("leave"), st.integers(0, 5), st.booleans()),
)
ENDS = ("leave", "raise", "cancel", "shutdown", "cancel_futures", "drop")

programs = st.tuples(
    st.integers(1, 4),  # max_workers
    st.lists(steps, max_size=30),
    st.sampled_from(ENDS),
)


class OfTheJobError(Exception):
    pass


class OfTheBodyError(Exception):
    pass


@dataclass
class Submitted:
    what: str
    number: int
    future: asyncio.Future[int]
    asked_to_end: bool = False

    def check(self, might_be_cancelled: bool) -> None:
        assert self.future.done(), self
        if self.future.cancelled():
            assert self.asked_to_end or might_be_cancelled or self.what == "cancelled", self
        elif self.what == "fail":
            assert type(self.future.exception()) is OfTheJobError
        else:
            assert self.what != "cancelled"
            assert self.future.result() == self.number


@dataclass
class Program:
    """What has been done so far, and what is known of it."""

    executor: TaskPoolExecutor
    alive: Alive = field(default_factory=Alive)
    jobs: list[Submitted] = field(default_factory=list)
    maps: list[MapIterator[int]] = field(default_factory=list)
    #: How many results each map has given.
    taken: list[int] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def work(self, what: str, number: int) -> int:
        with self.alive:
            if what == "fail":
                raise OfTheJobError
            if what == "cancelled":
                raise asyncio.CancelledError
            try:
                await turns(number % 4)
                if what == "stubborn":
                    await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                if what != "stubborn":
                    raise
            return number

    async def mapped(self, number: int) -> int:
        return await self.work("turns", number)

    async def step(self, kind: str, one: Any, other: Any) -> None:
        if kind == "submit":
            number = next(self.numbers)
            future = (
                self.executor.submit(self.work, one, number)
                if other
                else self.executor.submit(self.work(one, number))
            )
            self.jobs.append(Submitted(one, number, future))
        elif kind == "cancel" and self.jobs:
            job = self.jobs[one % len(self.jobs)]
            done = job.future.done()
            asked = job.future.cancel()
            assert not (done and asked)
            job.asked_to_end |= asked
        elif kind == "await" and self.jobs:
            job = self.jobs[one % len(self.jobs)]
            if other:
                await asyncio.wait([job.future])
            else:
                # Which cancels it if it is not there in time.
                job.asked_to_end = True
                with contextlib.suppress(TimeoutError, asyncio.CancelledError, OfTheJobError):
                    await asyncio.wait_for(job.future, 0.0005)
        elif kind == "turns":
            await turns(one)
        elif kind == "map":
            inputs = itertools.count() if one else range(10)
            self.maps.append(self.executor.map(self.mapped, inputs, buffersize=one, ordered=other))
            self.taken.append(0)
        elif kind == "take" and self.maps:
            await self.take(one % len(self.maps), cancelled=other)
        elif kind == "leave" and self.maps:
            index = one % len(self.maps)
            results = self.maps.pop(index)
            self.taken.pop(index)
            if other:
                await results.aclose()
                with pytest.raises(StopAsyncIteration):
                    await anext(results)
            del results

    async def take(self, index: int, *, cancelled: bool) -> None:
        results = self.maps[index]
        if cancelled:
            task = asyncio.ensure_future(anext(results))
            await turns(1)
            task.cancel()
            await asyncio.wait([task])
            # It may have been quicker.
            if not task.cancelled() and task.exception() is None:
                self.taken[index] += 1
        else:
            with contextlib.suppress(StopAsyncIteration):
                await anext(results)
                self.taken[index] += 1

    async def end(self, how: str) -> None:
        if how == "raise":
            raise OfTheBodyError
        if how == "cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await turns(1)
        elif how == "shutdown":
            await self.executor.shutdown(wait=False)
        elif how == "cancel_futures":
            await self.executor.shutdown(wait=False, cancel_futures=True)


async def play(kind: Kind, max_workers: int, script: list[Any], end: str) -> None:
    async with kind.make(max_workers) as executor:
        program = Program(executor)

        async def body() -> None:
            for step in script:
                await program.step(*step)
            await program.end(end)

        if end == "drop":
            await body()
            maps = program.maps
            # Endless ones have to be left.
            while maps:
                await maps.pop().aclose()
            if program.jobs:
                await asyncio.wait([job.future for job in program.jobs])
        else:

            async def use() -> None:
                async with executor:
                    await body()

            task = asyncio.ensure_future(use())
            await asyncio.wait([task])
            if end == "cancel":
                assert task.cancelled()
            else:
                error = task.exception()
                assert type(error) is (OfTheBodyError if end == "raise" else type(None)), error
        for job in program.jobs:
            job.check(end in ("cancel", "cancel_futures"))
        if end != "drop":
            # All has ended, what the maps had begun with, too.
            assert program.alive.now == 0
        assert program.alive.most <= max_workers
        while program.maps:
            await program.maps.pop().aclose()
        program.executor = None  # type: ignore[assignment]


def test_random_programs(kind: Kind) -> None:
    @hypothesis.settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @hypothesis.given(programs)
    def once(program: tuple[int, list[Any], str]) -> None:
        async def main() -> None:
            async with asyncio.timeout(4 * PATIENCE):
                await play(kind, *program)

        run(main())

    once()


@pytest.mark.slow
def test_many_random_programs(kind: Kind) -> None:
    @hypothesis.settings(
        max_examples=600,
        deadline=None,
        database=None,
        suppress_health_check=[*hypothesis.HealthCheck],
    )
    @hypothesis.given(programs)
    def once(program: tuple[int, list[Any], str]) -> None:
        async def main() -> None:
            async with asyncio.timeout(4 * PATIENCE):
                await play(kind, *program)

        run(main())

    once()


maps = st.tuples(
    st.integers(0, 20),  # how many inputs there are
    st.one_of(st.none(), st.integers(1, 6)),  # buffersize
    st.booleans(),  # ordered
    st.booleans(),  # return_exceptions
    st.sets(st.integers(0, 19), max_size=3),  # which jobs fail
    st.booleans(),  # whether the inputs fail in the end
    st.booleans(),  # whether they come asynchronously
    st.one_of(st.none(), st.integers(0, 20)),  # after how many results it is left
)


def test_random_maps(kind: Kind) -> None:
    @hypothesis.settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @hypothesis.given(maps)
    def once(program: tuple[Any, ...]) -> None:
        async def main() -> None:
            async with asyncio.timeout(4 * PATIENCE):
                await play_map(kind, *program)

        run(main())

    once()


async def play_map(
    kind: Kind,
    count: int,
    buffersize: int | None,
    ordered: bool,
    return_exceptions: bool,
    failing: set[int],
    inputs_fail: bool,
    asynchronous: bool,
    leave_after: int | None,
) -> None:
    alive = Alive()
    made = 0

    def numbers() -> Any:
        nonlocal made
        for number in range(count):
            made += 1
            yield number
        if inputs_fail:
            raise OfTheBodyError

    async def later() -> Any:
        for number in numbers():
            await turns(number % 2)
            yield number

    async def work(number: int) -> int:
        with alive:
            await turns(number % 5)
            if number in failing:
                raise OfTheJobError(number)
            return number

    told: list[tuple[int, int | None]] = []
    taken: list[Any] = []
    error: BaseException | None = None
    async with kind.open(3) as executor:
        mapping = executor.map(
            work,
            later() if asynchronous else numbers(),
            buffersize=buffersize,
            ordered=ordered,
            return_exceptions=return_exceptions,
            progress=lambda *args: told.append(args),
        )
        async with mapping as results:
            try:
                async for each in results:
                    taken.append(each)
                    bound = buffersize or (6 if asynchronous else count)
                    assert made <= len(taken) + bound
                    if len(taken) == leave_after:
                        break
            except (OfTheJobError, OfTheBodyError) as exc:
                error = exc
        assert alive.now == 0
        assert alive.most <= 3
    values = [each.args[0] if isinstance(each, OfTheJobError) else each for each in taken]
    assert len(set(values)) == len(values)
    if ordered:
        assert values == [*range(len(values))]
    first = min((number for number in failing if number < count), default=None)
    if leave_after is None or leave_after > count:
        # It went on to its end.
        if not return_exceptions and first is not None:
            assert type(error) is OfTheJobError
            if ordered:
                assert len(values) == first
        else:
            assert type(error) is (OfTheBodyError if inputs_fail else type(None))
            assert sorted(values) == [*range(count)]
            assert len(told) == count
    assert [done for done, _ in told] == [*range(1, len(told) + 1)]
    assert len(told) >= len(taken)
