"""How many jobs run at once, in which order, and what they are called."""

from __future__ import annotations

import asyncio
import os
import re

import pytest
from support import Everybody, eventually_async, idle_workers, me, worker_threads

from thrasks import LoopPool, SchedulingMode, TaskPoolExecutor

from .support import Gate, Kind, double, identity, nothing_happens_to, turns


async def name_of_task() -> str:
    await asyncio.sleep(0)
    return me().get_name()


class TestMaxWorkers:
    @pytest.mark.parametrize("max_workers", [1, 2, 5])
    async def test_so_many_run_at_once_and_no_more(self, kind: Kind, max_workers: int) -> None:
        gate = Gate()
        async with kind.open(max_workers) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(12)]
            await gate.inside(max_workers)
            await nothing_happens_to(executor)
            assert gate.alive.now == max_workers
            gate.open()
            assert await asyncio.gather(*futures) == [*range(12)]
        assert gate.alive.most == max_workers

    async def test_they_do_run_at_once(self, kind: Kind) -> None:
        everybody = Everybody(6)
        async with kind.open(6) as executor:
            for _ in range(6):
                executor.submit(everybody.meet)

    async def test_coroutines_and_functions_count_alike(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            for number in range(6):
                executor.submit(gate.hold, number)
                executor.submit(gate.hold(number))
            await gate.inside(2)
            await nothing_happens_to(executor)
            gate.open()
        assert gate.alive.most == 2
        assert len(gate.ended) == 12

    async def test_those_of_maps_count_too(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(3) as executor:
            one = executor.map(gate.hold, range(5))
            other = executor.map(gate.hold, range(5), ordered=False)
            future = executor.submit(gate.hold, 5)
            await gate.inside(3)
            await nothing_happens_to(executor)
            gate.open()
            assert [each async for each in one] == [*range(5)]
            assert sorted([each async for each in other]) == [*range(5)]
            await future
        assert gate.alive.most == 3

    async def test_failures_and_cancellations_give_their_place_back(self, kind: Kind) -> None:
        async def fail(_: int) -> None:
            await asyncio.sleep(0)
            raise ValueError

        gate = Gate()
        async with kind.open(2) as executor:
            failing = [executor.submit(fail, number) for number in range(5)]
            await asyncio.gather(*failing, return_exceptions=True)
            held = [executor.submit(gate.hold, number) for number in range(4)]
            await gate.inside(2)
            held[0].cancel()
            held[1].cancel()
            await gate.inside(4)
            gate.open()
            results = await asyncio.gather(*held, return_exceptions=True)
        assert [type(each) for each in results[:2]] == [asyncio.CancelledError] * 2
        assert results[2:] == [2, 3]
        assert gate.alive.most == 2

    async def test_by_default_as_many_as_processors(self) -> None:
        gate = Gate()
        count = os.cpu_count() or 1
        async with TaskPoolExecutor() as executor:
            for number in range(count + 3):
                executor.submit(gate.hold, number)
            await turns()
            assert gate.alive.now == count
            gate.open()

    async def test_or_as_threads_if_those_are_more(self) -> None:
        count = (os.cpu_count() or 1) + 2
        everybody = Everybody(count)
        async with TaskPoolExecutor(num_threads=count) as executor:
            for _ in range(count):
                executor.submit(everybody.meet)

    async def test_two_executors_on_a_pool_have_a_bound_each(self) -> None:
        gates = Gate(), Gate()
        async with (
            LoopPool(2) as pool,
            TaskPoolExecutor(1, pool=pool) as one,
            TaskPoolExecutor(3, pool=pool) as other,
        ):
            for number in range(6):
                one.submit(gates[0].hold, number)
                other.submit(gates[1].hold, number)
            await gates[0].inside(1)
            await gates[1].inside(3)
            await nothing_happens_to(one)
            for gate in gates:
                gate.open()
        assert [gate.alive.most for gate in gates] == [1, 3]


class TestOrder:
    async def test_jobs_start_in_the_order_of_their_submission(self, kind: Kind) -> None:
        gate = Gate()
        gate.open()
        async with kind.open(1) as executor:
            futures = [
                executor.submit(gate.hold, number)
                if number % 2
                else executor.submit(gate.hold(number))
                for number in range(30)
            ]
            await asyncio.gather(*futures)
        assert gate.entered == [*range(30)]

    async def test_a_queued_job_that_goes_leaves_the_others_in_order(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(1) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            await gate.inside(1)
            assert futures[3].cancel()
            futures.append(executor.submit(gate.hold, 6))
            gate.open()
            await asyncio.wait(futures)
        assert gate.entered == [0, 1, 2, 4, 5, 6]

    async def test_jobs_that_never_suspend_let_the_loop_have_its_turns(self) -> None:
        ticks = 0
        ended = False

        async def tick() -> None:
            nonlocal ticks
            while not ended:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        async with TaskPoolExecutor(1) as executor:
            futures = [executor.submit(identity, number) for number in range(20_000)]
            await turns(2)
            before = ticks
            await asyncio.wait(futures)
            # They take many slices of time: between two of them there was a turn.
            assert ticks > before + 2
        ended = True
        await ticking


class TestStarting:
    async def test_making_one_starts_nothing(self) -> None:
        before = worker_threads()
        TaskPoolExecutor(5)
        TaskPoolExecutor(5, num_threads=3)
        assert worker_threads() == before

    def test_without_a_loop_too(self) -> None:
        executor = TaskPoolExecutor(2)

        async def main() -> int:
            async with executor:
                return await executor.submit(double, 3)

        assert asyncio.run(main()) == 6

    async def test_no_more_workers_than_jobs(self) -> None:
        names = []
        async with TaskPoolExecutor(5, "worker") as executor:
            for _ in range(5):
                # Each has ended before the next comes: one worker is enough.
                names.append(await executor.submit(name_of_task))
        assert names == ["worker_0"] * 5

    async def test_an_idle_worker_is_used_again_before_another_is_made(self) -> None:
        gate = Gate()
        async with TaskPoolExecutor(4, "worker") as executor:
            held = executor.submit(gate.hold, 1)
            await gate.inside(1)
            names = {await executor.submit(name_of_task) for _ in range(5)}
            assert names == {"worker_1"}
            gate.open()
            await held

    async def test_nothing_starts_within_submit(self, kind: Kind) -> None:
        ran = []

        async def tell() -> None:
            ran.append(True)

        async with TaskPoolExecutor(2) as executor:
            future = executor.submit(tell)
            assert ran == []
            await future
        assert ran == [True]

    async def test_threads_are_leased_with_the_first_job(self, threaded_kind: Kind) -> None:
        async with threaded_kind.make(4) as executor:
            assert "unfinished" not in repr(executor)
            async with executor:
                assert await executor.submit(double, 1) == 2

    async def test_and_given_back_at_the_end(self) -> None:
        busy = len(worker_threads()) - idle_workers()
        async with TaskPoolExecutor(4, num_threads=2) as executor:
            await executor.submit(double, 1)
            assert len(worker_threads()) - idle_workers() >= busy + 2
        assert await eventually_async(lambda: len(worker_threads()) - idle_workers() <= busy)


class TestNames:
    async def test_of_workers_on_the_loop(self) -> None:
        everybody = Everybody(3)

        async def name() -> str:
            await everybody.meet()
            return me().get_name()

        async with TaskPoolExecutor(3, task_name_prefix="fetcher") as executor:
            names = await asyncio.gather(*(executor.submit(name) for _ in range(3)))
        assert names == ["fetcher_0", "fetcher_1", "fetcher_2"]

    async def test_by_default(self) -> None:
        async with TaskPoolExecutor(1) as one, TaskPoolExecutor(1) as other:
            first, second = await one.submit(name_of_task), await other.submit(name_of_task)
        assert re.fullmatch(r"TaskPoolExecutor-\d+_0", first)
        assert re.fullmatch(r"TaskPoolExecutor-\d+_0", second)
        assert first != second

    async def test_on_threads(self, threaded_kind: Kind) -> None:
        async with threaded_kind.open(1, "fetcher") as executor:
            names = await asyncio.gather(*(executor.submit(name_of_task) for _ in range(3)))
        assert names == ["fetcher_0", "fetcher_1", "fetcher_2"]

    async def test_on_threads_by_default(self, threaded_kind: Kind) -> None:
        async with threaded_kind.open(1) as executor:
            assert "Task-" in await executor.submit(name_of_task)

    async def test_subclasses_have_their_own(self) -> None:
        class Fetchers(TaskPoolExecutor):
            pass

        async with Fetchers(1) as executor:
            assert (await executor.submit(name_of_task)).startswith("Fetchers-")


class TestRepr:
    async def test_on_the_loop(self) -> None:
        gate = Gate()
        executor = TaskPoolExecutor(2)
        assert repr(executor) == "<TaskPoolExecutor max_workers=2>"
        futures = [executor.submit(gate.hold, number) for number in range(5)]
        await gate.inside(2)
        assert repr(executor) == "<TaskPoolExecutor max_workers=2 2 running 3 queued>"
        gate.open()
        await asyncio.wait(futures)
        await executor.shutdown()
        assert repr(executor) == "<TaskPoolExecutor max_workers=2 shut down>"

    async def test_on_threads(self) -> None:
        gate = Gate()
        executor = TaskPoolExecutor(2, num_threads=3, mode=SchedulingMode.LEAST_LOADED)
        assert repr(executor) == "<TaskPoolExecutor max_workers=2 threads=3 mode=LEAST_LOADED>"
        futures = [executor.submit(gate.hold, number) for number in range(5)]
        assert "5 unfinished" in repr(executor)
        gate.open()
        await asyncio.wait(futures)
        await executor.shutdown()
        assert repr(executor).endswith("mode=LEAST_LOADED shut down>")
