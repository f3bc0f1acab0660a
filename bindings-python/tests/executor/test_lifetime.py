"""Executors and futures that nobody holds, and loops that end with work left."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest
from support import (
    PATIENCE,
    Signal,
    eventually,
    eventually_async,
    eventually_freed,
    for_ever,
    idle_workers,
    is_closed,
    me,
    no_gc,
    reports,
    worker_threads,
)

from thrasks import LoopPool, TaskPoolExecutor

from .support import Gate, Kind, double, new_loop, run, turns


def busy() -> int:
    return len(worker_threads()) - idle_workers()


class TestDroppedExecutors:
    async def test_what_was_submitted_is_done(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            dead = weakref.ref(executor)
            del executor
            if not kind.of_a_pool:
                gc.collect()
            gate.open()
            assert await asyncio.gather(*futures) == [*range(6)]
        assert await eventually_async(lambda: gc.collect() >= 0 and dead() is None)

    async def test_before_any_has_started(self) -> None:
        futures = [TaskPoolExecutor(1).submit(double, number) for number in range(3)]
        futures += [TaskPoolExecutor(1).submit(double(number)) for number in range(3)]
        gc.collect()
        assert await asyncio.gather(*futures) == [0, 2, 4] * 2

    async def test_a_map_of_one_goes_on(self, kind: Kind) -> None:
        async with kind.make(2) as executor:
            results = executor.map(double, range(20), buffersize=3)
            del executor
            gc.collect()
            assert [each async for each in results] == [2 * number for number in range(20)]

    async def test_of_a_temporary(self) -> None:
        results = TaskPoolExecutor(2).map(double, range(20), buffersize=3)
        gc.collect()
        assert [each async for each in results] == [2 * number for number in range(20)]

    async def test_its_threads_are_given_back(self) -> None:
        before = busy()
        executor = TaskPoolExecutor(2, num_threads=2)
        assert await executor.submit(double, 1) == 2
        assert busy() >= before + 1
        del executor
        assert await eventually_async(lambda: gc.collect() >= 0 and busy() <= before)

    async def test_its_threads_are_given_back_after_the_last_job(self) -> None:
        before = busy()
        gate = Gate()
        executor = TaskPoolExecutor(2, num_threads=2)
        future = executor.submit(gate.hold, 1)
        del executor
        gc.collect()
        await gate.inside(1)
        gate.open()
        assert await future == 1
        assert await eventually_async(lambda: busy() <= before)

    async def test_without_the_collector(self) -> None:
        with no_gc():
            executor = TaskPoolExecutor(2)
            futures = [executor.submit(double, number) for number in range(10)]
            await asyncio.gather(*futures)
            results = executor.map(double, range(10), buffersize=2)
            assert len([each async for each in results]) == 10
            await turns()
            dead = weakref.ref(executor)
            del executor, results
            assert dead() is None

    async def test_on_another_thread(self, kind: Kind) -> None:
        async with kind.make(2) as executor:
            kept = [executor]
            future = executor.submit(double, 1)
            assert await future == 2
            del executor
            thread = threading.Thread(target=kept.clear)
            thread.start()
            await asyncio.to_thread(thread.join)
            gc.collect()
            await turns()

    async def test_on_another_thread_with_work_left(self) -> None:
        for num_threads in (None, 2):
            gate = Gate()
            kept = [TaskPoolExecutor(1, num_threads=num_threads)]
            futures = [kept[0].submit(gate.hold, number) for number in range(3)]
            thread = threading.Thread(target=kept.clear)
            thread.start()
            await asyncio.to_thread(thread.join)
            gate.open()
            assert await asyncio.gather(*futures) == [0, 1, 2]
            assert await eventually_async(lambda: gc.collect() >= 0)


class TestDroppedFutures:
    async def test_their_jobs_run(self, kind: Kind) -> None:
        gate = Gate()
        gate.open()
        async with kind.open(1) as executor:
            for number in range(10):
                executor.submit(gate.hold, number)
            for number in range(10, 20):
                executor.submit(gate.hold(number))
            gc.collect()
        assert gate.ended == [*range(20)]

    async def test_they_die(self, kind: Kind) -> None:
        async with kind.open(1) as executor:
            future = executor.submit(double, 1)
            dead = weakref.ref(future)
            await future
            del future
            assert await eventually_async(lambda: gc.collect() >= 0 and dead() is None)


class TestTheEndOfTheLoop:
    """`asyncio.run` returns when everything has ended."""

    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_what_is_queued_is_done(self, num_threads: int | None) -> None:
        done: list[int] = []

        async def work(number: int) -> None:
            await asyncio.sleep(0)
            done.append(number)

        async def main() -> None:
            executor = TaskPoolExecutor(1, num_threads=num_threads)
            for number in range(10):
                executor.submit(work, number)

        run(main())
        # Those that ran on the loop when its main task ended are cancelled with all its tasks.
        assert done[-9:] == [*range(1, 10)]

    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_of_an_executor_that_somebody_holds(self, num_threads: int | None) -> None:
        gate = Gate()
        executor = TaskPoolExecutor(1, num_threads=num_threads)

        async def main() -> None:
            for number in range(5):
                executor.submit(gate.hold, number)
            await gate.inside(1)
            asyncio.get_running_loop().call_later(0.01, gate.open)

        run(main())
        assert sorted(gate.entered) == sorted(gate.ended) == [*range(5)]
        assert "unfinished" not in repr(executor)
        assert "running" not in repr(executor)

    def test_an_exception_in_main(self) -> None:
        gate = Gate()
        gate.open()

        async def main() -> None:
            executor = TaskPoolExecutor(1)
            for number in range(5):
                executor.submit(gate.hold, number)
            raise KeyError("of main")

        with pytest.raises(KeyError, match="of main"):
            run(main())
        assert sorted(gate.entered) == sorted(gate.ended)
        assert len(gate.ended) >= 4

    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_a_map_under_way(self, num_threads: int | None) -> None:
        gate = Gate()

        async def main() -> None:
            executor = TaskPoolExecutor(2, num_threads=num_threads)
            results = executor.map(gate.hold, range(100), buffersize=10)
            await gate.inside(2)
            gate.open()
            assert await anext(results) == 0

        run(main())
        assert sorted(gate.entered) == sorted(gate.ended)

    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_submitting_after_it_began(self, num_threads: int | None) -> None:
        refused: list[bool] = []
        executor = TaskPoolExecutor(1, num_threads=num_threads)
        coroutines: list[Coroutine[Any, Any, int]] = []

        async def last_words() -> Any:
            try:
                yield 1
            finally:
                # The executor ends with its loop, some time in this.
                for _ in range(1000):
                    await asyncio.sleep(0.001)
                    coroutine = double(1)
                    coroutines.append(coroutine)
                    try:
                        executor.submit(coroutine)
                    except RuntimeError:
                        refused.append(is_closed(coroutine))
                        break

        async def main() -> None:
            assert await executor.submit(double, 1) == 2
            async for _ in generator:
                break

        generator = last_words()
        run(main())
        assert refused == [True]
        assert all(map(is_closed, coroutines))

    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_without_a_proper_shutdown(self, num_threads: int | None) -> None:
        # As `loop.run_until_complete(main()); loop.close()` was before `asyncio.run`.
        executor = TaskPoolExecutor(1, num_threads=num_threads)
        gate = Gate()

        async def main() -> None:
            futures = [executor.submit(gate.hold, number) for number in range(3)]
            gate.open()
            await asyncio.gather(*futures)
            await turns()

        loop = new_loop()
        loop.run_until_complete(main())
        loop.close()
        gc.collect()
        # The next one starts anew.
        assert run(self.once(executor)) == 4
        assert eventually(lambda: gc.collect() >= 0)

    async def once(self, executor: TaskPoolExecutor) -> int:
        async with executor:
            return await executor.submit(double, 2)

    @pytest.mark.not_in("uvloop", reason="one that is stopped has another turn, and a job begins")
    @pytest.mark.parametrize("what", ["function", "coroutine", "map"])
    def test_with_work_that_never_began(self, what: str) -> None:
        # Nothing is left of it, and its coroutines are closed: otherwise they would complain.
        assert eventually_freed(_begin_nothing(what))

    def test_with_work_under_way(self) -> None:
        assert eventually_freed(_leave_under_way())


class Argument:
    async def work(self) -> None:
        await asyncio.sleep(0)


def _begin_nothing(what: str) -> weakref.ref[Argument]:
    executor = TaskPoolExecutor(1)
    argument = Argument()
    kept: list[object] = []

    def begin() -> None:
        if what == "map":
            kept.append(executor.map(Argument.work, [argument] * 3))
        else:
            for _ in range(3):
                if what == "function":
                    kept.append(executor.submit(Argument.work, argument))
                else:
                    kept.append(executor.submit(argument.work()))
        # Before the next turn.
        loop.stop()

    loop = new_loop()
    loop.call_soon(begin)
    loop.run_forever()
    loop.close()
    return weakref.ref(argument)


def _leave_under_way() -> weakref.ref[Argument]:
    executor = TaskPoolExecutor(1)
    argument = Argument()

    async def hold(_: Argument) -> None:
        await for_ever()

    async def begin() -> None:
        for _ in range(3):
            executor.submit(hold, argument)
        await turns()

    async def cancel() -> None:
        for task in asyncio.all_tasks() - {me()}:
            task.cancel()
        await turns()

    loop = new_loop()
    loop.run_until_complete(begin())
    # Each of these lets the next one begin.
    for _ in range(3):
        loop.run_until_complete(cancel())
    loop.close()
    return weakref.ref(argument)


class TestOnAWorker:
    async def test_an_executor_of_a_worker_s_loop(self) -> None:
        gate = Gate()

        async def work() -> list[int]:
            executor = TaskPoolExecutor(2)
            results = [await executor.submit(double, number) for number in range(3)]
            executor.submit(gate.hold, 1)
            await gate.inside(1)
            return results

        async with LoopPool(1) as pool:
            assert await pool.run(work()) == [0, 2, 4]
            gate.open()
            assert await eventually_async(lambda: gate.ended == [1])

    async def test_one_that_is_left_to_its_loop(self) -> None:
        ended = Signal()

        async def stubborn() -> None:
            try:
                await for_ever()
            finally:
                ended.set()

        async def work() -> None:
            executor = TaskPoolExecutor(1)
            executor.submit(stubborn)
            await turns()

        with reports() as seen:
            async with TaskPoolExecutor(1, num_threads=1) as executor:
                await executor.submit(work)
            # Nothing outlives the lease of its worker, and what does so nearly is told.
            await asyncio.wait_for(ended.wait(), PATIENCE)
            assert await eventually_async(lambda: seen != [])
        assert "left behind" in seen[0]["message"]
