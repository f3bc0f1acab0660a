"""`shutdown`: what it waits for, what it cancels, and who may call it."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from support import PATIENCE, Signal, eventually_async, is_closed

from thrasks import TaskPoolExecutor

from .support import Gate, Kind, double, new_loop, nothing_happens_to, outcome, turns

REFUSED = r"^cannot schedule new futures after shutdown$"


class TestAfterIt:
    async def test_jobs_are_refused(self, kind: Kind) -> None:
        async with kind.make() as executor:
            await executor.submit(double, 1)
            await executor.shutdown()
            with pytest.raises(RuntimeError, match=REFUSED):
                executor.submit(double, 1)

    async def test_a_coroutine_that_is_refused_is_closed(self, kind: Kind) -> None:
        async with kind.make() as executor:
            await executor.shutdown()
            coroutine = double(1)
            with pytest.raises(RuntimeError, match=REFUSED):
                executor.submit(coroutine)
            assert is_closed(coroutine)

    async def test_maps_are_refused(self, kind: Kind) -> None:
        async with kind.make() as executor:
            await executor.shutdown()
            with pytest.raises(RuntimeError, match=REFUSED):
                executor.map(double, [1])

    async def test_from_its_call_on(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            held = executor.submit(gate.hold, 1)
            ending = asyncio.ensure_future(executor.shutdown())
            await turns(2)
            with pytest.raises(RuntimeError, match="after shutdown"):
                executor.submit(double, 1)
            gate.open()
            await ending
            assert held.done()


class TestWait:
    async def test_for_everything(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            await gate.inside(2)
            ending = asyncio.ensure_future(executor.shutdown())
            await nothing_happens_to(executor)
            assert not ending.done()
            gate.open()
            await ending
            # The results are there right away.
            assert [future.result() for future in futures] == [*range(6)]
            assert sorted(gate.ended) == [*range(6)]

    async def test_not_at_all(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            await executor.shutdown(wait=False)
            assert not any(future.done() for future in futures)
            gate.open()
            # What was submitted is done.
            assert await asyncio.gather(*futures) == [*range(6)]

    async def test_by_position(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            future = executor.submit(gate.hold, 1)
            await executor.shutdown(False)
            assert not future.done()
            gate.open()
            assert await future == 1

    async def test_after_shutdown_without_it(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            await executor.shutdown(wait=False)
            ending = asyncio.ensure_future(executor.shutdown())
            await turns()
            assert not ending.done()
            gate.open()
            await ending
            assert all(future.done() for future in futures)

    async def test_with_nothing_to_wait_for(self, kind: Kind) -> None:
        async with kind.make() as executor:
            await executor.shutdown()
        async with kind.make() as executor:
            assert await executor.submit(double, 1) == 2
            await executor.shutdown()

    async def test_with_failures(self, kind: Kind) -> None:
        async def fail() -> None:
            await asyncio.sleep(0)
            raise ValueError("its own business")

        async with kind.make() as executor:
            future = executor.submit(fail)
            await executor.shutdown()
            assert isinstance(future.exception(), ValueError)

    async def test_that_is_cancelled_leaves_the_jobs_alone(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(3)]
            await gate.inside(1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(executor.shutdown(), 0.01)
            assert not any(future.done() for future in futures)
            with pytest.raises(RuntimeError, match="after shutdown"):
                executor.submit(double, 1)
            gate.open()
            await executor.shutdown()
            assert [future.result() for future in futures] == [0, 1, 2]

    async def test_for_jobs_that_are_cancelled_meanwhile(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(3)]
            await gate.inside(1)
            ending = asyncio.ensure_future(executor.shutdown())
            await turns()
            for future in reversed(futures):
                future.cancel()
            await asyncio.wait_for(ending, PATIENCE)
            assert all(future.cancelled() for future in futures)
            assert gate.ended == [0]


class TestCancelFutures:
    async def test_those_that_have_not_started(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            await gate.inside(2)
            ending = asyncio.ensure_future(executor.shutdown(cancel_futures=True))
            assert await eventually_async(lambda: sum(f.done() for f in futures) == 4)
            assert not ending.done()
            gate.open()
            await ending
            # Those that ran are as they were.
            assert [future.result() for future in futures[:2]] == [0, 1]
            assert all(future.cancelled() for future in futures[2:])
            assert sorted(gate.entered) == [0, 1]

    async def test_without_waiting(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            await gate.inside(2)
            await executor.shutdown(wait=False, cancel_futures=True)
            assert [future.cancelled() for future in futures] == [False] * 2 + [True] * 4
            gate.open()
            assert await asyncio.gather(*futures[:2]) == [0, 1]

    async def test_their_coroutines_are_closed(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            coroutines = [gate.hold(number) for number in range(1, 5)]
            for coroutine in coroutines:
                executor.submit(coroutine)
            await executor.shutdown(wait=False, cancel_futures=True)
            assert all(map(is_closed, coroutines))
            gate.open()
            await held

    async def test_whoever_awaits_one_is_told(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            waiting = asyncio.ensure_future(outcome(executor.submit(gate.hold, 1)))
            await turns(2)
            await executor.shutdown(wait=False, cancel_futures=True)
            assert isinstance(await asyncio.wait_for(waiting, PATIENCE), asyncio.CancelledError)
            gate.open()
            await held

    async def test_after_shutdown_without_it(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(3)]
            await gate.inside(1)
            await executor.shutdown(wait=False)
            assert not futures[2].done()
            await executor.shutdown(wait=False, cancel_futures=True)
            assert [future.cancelled() for future in futures] == [False, True, True]
            gate.open()
            assert await futures[0] == 0

    async def test_while_another_waits(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(3)]
            await gate.inside(1)
            waiting = [asyncio.ensure_future(executor.shutdown()) for _ in range(2)]
            await turns()
            await executor.shutdown(wait=False, cancel_futures=True)
            gate.open()
            await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
            assert [future.cancelled() for future in futures] == [False, True, True]

    async def test_of_those_just_submitted(self) -> None:
        gate = Gate()
        executor = TaskPoolExecutor(2)
        futures = [executor.submit(gate.hold, number) for number in range(3)]
        await executor.shutdown(cancel_futures=True)
        assert all(future.cancelled() for future in futures)
        assert gate.entered == []


class TestMoreThanOnce:
    @pytest.mark.parametrize("wait", [True, False])
    @pytest.mark.parametrize("cancel_futures", [True, False])
    async def test_in_every_way(self, kind: Kind, wait: bool, cancel_futures: bool) -> None:
        async with kind.make(2) as executor:
            future = executor.submit(double, 1)
            await future
            await executor.shutdown(wait=wait, cancel_futures=cancel_futures)
            await executor.shutdown(wait=not wait, cancel_futures=not cancel_futures)
            await executor.shutdown()
        assert future.result() == 2

    async def test_inside_its_block(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert await executor.submit(double, 1) == 2
            await executor.shutdown()

    async def test_a_block_after_shutdown(self, kind: Kind) -> None:
        async with kind.make() as executor:
            await executor.shutdown()
            async with executor:
                with pytest.raises(RuntimeError, match="after shutdown"):
                    executor.submit(double, 1)


class TestByJobs:
    async def test_that_do_not_wait(self) -> None:
        executor = TaskPoolExecutor(1)

        async def end() -> str:
            await executor.shutdown(wait=False, cancel_futures=True)
            return "ended"

        futures = [executor.submit(end), executor.submit(end)]
        assert await futures[0] == "ended"
        assert futures[1].cancelled()
        await executor.shutdown()

    @pytest.mark.parametrize("first", [True, False])
    async def test_one_that_would_wait_for_itself_is_refused(self, first: bool) -> None:
        executor = TaskPoolExecutor(1)

        async def end() -> None:
            if not first:
                await asyncio.sleep(0)
            await executor.shutdown()

        with pytest.raises(RuntimeError, match="would wait for it: pass wait=False"):
            await asyncio.wait_for(executor.submit(end), PATIENCE)
        await executor.shutdown()

    async def test_that_of_another_executor(self, kind: Kind) -> None:
        gate = Gate()
        async with TaskPoolExecutor(1) as other, kind.make(1) as executor:
            future = executor.submit(gate.hold, 1)
            ending = other.submit(executor.shutdown)
            await gate.inside(1)
            assert not ending.done()
            gate.open()
            await ending
            assert future.result() == 1

    async def test_on_another_loop(self, threaded_kind: Kind) -> None:
        async with threaded_kind.make(1) as executor:

            async def end() -> None:
                await executor.shutdown()

            with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                await executor.submit(end)
            await executor.shutdown()


class TestOnAnotherLoop:
    async def test_with_jobs_it_is_refused(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(1) as executor:
            future = executor.submit(gate.hold, 1)

            def elsewhere() -> None:
                asyncio.run(executor.shutdown())

            with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                await asyncio.to_thread(elsewhere)
            gate.open()
            assert await future == 1
            await executor.shutdown()

    async def test_without_it_does(self, kind: Kind) -> None:
        async with kind.make(1) as executor:
            assert await executor.submit(double, 1) == 2
            # Whether it has none left is known in the turn after.
            await turns(2)

            def elsewhere() -> None:
                asyncio.run(executor.shutdown())

            await asyncio.to_thread(elsewhere)
            with pytest.raises(RuntimeError, match="after shutdown"):
                executor.submit(double, 1)

    def test_when_the_own_one_is_closed(self, kind: Kind) -> None:
        kept: list[TaskPoolExecutor] = []

        async def use() -> None:
            async with kind.make(1) as executor:
                assert await executor.submit(double, 1) == 2
                kept.append(executor)

        async def end() -> None:
            await kept[0].shutdown()
            with pytest.raises(RuntimeError, match="after shutdown"):
                kept[0].submit(double, 1)

        asyncio.run(use())
        asyncio.run(end())


class TestUseOnAnotherLoop:
    async def test_while_the_own_one_is_open(self, kind: Kind) -> None:
        async with kind.open() as executor:
            assert await executor.submit(double, 1) == 2

            async def use() -> None:
                coroutine = double(1)
                with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                    executor.submit(coroutine)
                assert is_closed(coroutine)
                with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                    executor.map(double, [1])

            await asyncio.to_thread(lambda: asyncio.run(use()))
            assert await executor.submit(double, 1) == 2

    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_after_the_own_one_is_closed(self, num_threads: int | None) -> None:
        executor = TaskPoolExecutor(2, num_threads=num_threads)

        async def use() -> list[int]:
            gate = Gate()
            gate.open()
            results = [each async for each in executor.map(gate.hold, range(5))]
            assert gate.alive.most <= 2
            return [*results, await executor.submit(double, 1)]

        for _ in range(3):
            assert asyncio.run(use()) == [0, 1, 2, 3, 4, 2]

        async def end() -> None:
            async with executor:
                assert await executor.submit(double, 1) == 2

        asyncio.run(end())

    @pytest.mark.parametrize("num_threads", [None, 2])
    def test_after_one_that_was_closed_with_work_left(self, num_threads: int | None) -> None:
        executor = TaskPoolExecutor(1, num_threads=num_threads)
        signal = Signal()

        async def wait() -> None:
            await signal.wait()

        async def begin() -> None:
            for _ in range(3):
                executor.submit(wait)

        loop = new_loop()
        loop.run_until_complete(begin())
        if num_threads is not None:
            # These go on.
            signal.set()
        else:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            for task in asyncio.all_tasks(loop):
                task.cancel()
            signal.set()
            loop.run_until_complete(asyncio.sleep(0.01))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

        async def use() -> int:
            async with executor:
                return await executor.submit(double, 2)

        assert asyncio.run(use()) == 4

    async def test_without_a_loop(self) -> None:
        executor = TaskPoolExecutor()

        def use() -> None:
            coroutine = double(1)
            with pytest.raises(RuntimeError, match="no running event loop"):
                executor.submit(coroutine)
            assert is_closed(coroutine)
            with pytest.raises(RuntimeError, match="no running event loop"):
                executor.map(double, [1])

        await asyncio.to_thread(use)


class TestMapsThatRun:
    async def test_what_was_submitted_is_delivered(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            results = executor.map(gate.hold, range(6))
            await executor.shutdown(wait=False)
            gate.open()
            assert [each async for each in results] == [*range(6)]

    async def test_what_was_not_is_refused(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            results = executor.map(gate.hold, range(6), buffersize=3)
            await executor.shutdown(wait=False)
            gate.open()
            taken = []
            with pytest.raises(RuntimeError, match=REFUSED):
                async for each in results:
                    taken.append(each)
            assert taken == [0, 1, 2]

    async def test_what_was_not_is_refused_while_others_run(self, kind: Kind) -> None:
        gate, other = Gate(), Gate()
        async with kind.make(4) as executor:
            held = executor.submit(other.hold, 0)
            await other.inside(1)
            results = executor.map(gate.hold, itertools.count(), buffersize=3)
            await executor.shutdown(wait=False)
            gate.open()
            taken = []
            with pytest.raises(RuntimeError, match=REFUSED):
                async for each in results:
                    taken.append(each)
            assert taken == [0, 1, 2]
            other.open()
            assert await held == 0

    async def test_queued_ones_are_cancelled(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            results = executor.map(gate.hold, range(6))
            await gate.inside(2)
            await executor.shutdown(wait=False, cancel_futures=True)
            gate.open()
            taken = []
            with pytest.raises(asyncio.CancelledError):
                async for each in results:
                    taken.append(each)
            assert taken == [0, 1]
            # And it is over.
            assert [each async for each in results] == []

    async def test_the_end_waits_for_what_they_have_begun(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.make(2) as executor:
            results = executor.map(gate.hold, range(4))
            ending = asyncio.ensure_future(executor.shutdown())
            await nothing_happens_to(executor)
            assert not ending.done()
            gate.open()
            await ending
            assert [each async for each in results] == [*range(4)]
