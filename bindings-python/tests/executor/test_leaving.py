"""`async with` an executor: what leaving the block does with the jobs."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from support import PATIENCE, Signal, for_ever, me

from .support import Gate, Kind, double, nothing_happens_to, turns


class TestInPeace:
    async def test_it_waits_for_all(self, kind: Kind) -> None:
        gate = Gate()
        futures = []
        async with kind.open(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            asyncio.get_running_loop().call_later(0.01, gate.open)
        assert [future.result() for future in futures] == [*range(6)]

    async def test_nothing_was_submitted(self, kind: Kind) -> None:
        async with kind.open():
            pass

    async def test_a_failed_job_is_its_futures_business(self, kind: Kind) -> None:
        async def fail() -> None:
            await asyncio.sleep(0)
            raise ValueError

        async with kind.open() as executor:
            future = executor.submit(fail)
        assert isinstance(future.exception(), ValueError)

    async def test_it_may_be_entered_again_in_vain(self, kind: Kind) -> None:
        async with kind.open() as executor:
            await executor.submit(double, 1)
            async with executor as same:
                assert same is executor
            with pytest.raises(RuntimeError, match="after shutdown"):
                executor.submit(double, 1)


class TestByAnException:
    async def test_it_waits_for_all(self, kind: Kind) -> None:
        gate = Gate()
        futures = []
        async with kind.make(2) as executor:
            with pytest.raises(KeyError, match="of the body"):
                async with executor:
                    futures = [executor.submit(gate.hold, number) for number in range(6)]
                    asyncio.get_running_loop().call_later(0.01, gate.open)
                    raise KeyError("of the body")
        assert [future.result() for future in futures] == [*range(6)]

    async def test_it_is_raised_as_it_was(self, kind: Kind) -> None:
        error = KeyError("of the body")
        async with kind.make() as executor:
            with pytest.raises(KeyError) as caught:
                async with executor:
                    executor.submit(double, 1)
                    raise error
        assert caught.value is error
        assert error.__context__ is None
        assert error.__cause__ is None

    async def test_of_a_job_that_the_body_awaits(self, kind: Kind) -> None:
        async def fail() -> None:
            raise KeyError("of the job")

        async with kind.make() as executor:
            with pytest.raises(KeyError, match="of the job"):
                async with executor:
                    others = [executor.submit(double, number) for number in range(5)]
                    await executor.submit(fail)
        assert [future.result() for future in others] == [0, 2, 4, 6, 8]


class TestByACancellation:
    async def test_of_the_body(self, kind: Kind) -> None:
        gate = Gate()
        futures: list[asyncio.Future[int]] = []

        async def use() -> None:
            async with kind.make(2) as executor, executor:
                futures.extend(executor.submit(gate.hold, number) for number in range(6))
                await gate.inside(2)
                await for_ever(inside)

        inside = Signal()
        task = asyncio.ensure_future(use())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE)
        # Those that ran were asked to end, and have; the others never began.
        assert all(future.cancelled() for future in futures)
        assert sorted(gate.entered) == sorted(gate.ended) == [0, 1]

    async def test_while_it_waits(self, kind: Kind) -> None:
        gate = Gate()
        futures: list[asyncio.Future[int]] = []

        async def use() -> None:
            async with kind.make(2) as executor:
                async with executor:
                    futures.extend(executor.submit(gate.hold, number) for number in range(6))
                raise AssertionError("the cancellation goes on")

        task = asyncio.ensure_future(use())
        await gate.inside(2)
        await turns()
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE)
        assert all(future.cancelled() for future in futures)
        assert sorted(gate.entered) == sorted(gate.ended) == [0, 1]

    async def test_a_second_one_does_not_end_the_wait(self, kind: Kind) -> None:
        let, cleaning = Signal(), Signal()
        done: list[bool] = []

        async def clean() -> None:
            try:
                await for_ever(inside)
            finally:
                cleaning.set()
                while not let.is_set():
                    with contextlib.suppress(asyncio.CancelledError):
                        await let.wait()
                done.append(True)

        async def use() -> None:
            async with kind.make(1) as executor, executor:
                executor.submit(clean)
                await inside.wait()
                await for_ever()

        inside = Signal()
        task = asyncio.ensure_future(use())
        await inside.wait()
        await turns(2)
        task.cancel()
        await cleaning.wait()
        for _ in range(3):
            task.cancel()
            await turns()
            assert not task.done()
        let.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE)
        assert done == [True]

    async def test_jobs_that_refuse_are_waited_for(self, kind: Kind) -> None:
        async def refuse() -> str:
            try:
                await for_ever(inside)
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)
            return "refused"

        inside = Signal()
        futures = []

        async def use() -> None:
            async with kind.make(1) as executor, executor:
                futures.append(executor.submit(refuse))
                await inside.wait()
                await for_ever()

        task = asyncio.ensure_future(use())
        await inside.wait()
        await turns(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE)
        assert futures[0].result() == "refused"

    async def test_a_timeout_around_it(self, kind: Kind) -> None:
        gate = Gate()
        futures = []
        async with kind.make(2) as executor:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    async with executor:
                        futures = [executor.submit(gate.hold, number) for number in range(6)]
                        await for_ever()
        assert all(future.cancelled() for future in futures)
        assert sorted(gate.entered) == sorted(gate.ended)
        assert me().cancelling() == 0

    async def test_a_timeout_around_it_that_comes_while_it_waits(self, kind: Kind) -> None:
        gate = Gate()
        futures = []
        async with kind.make(2) as executor:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    async with executor:
                        futures = [executor.submit(gate.hold, number) for number in range(6)]
        assert all(future.cancelled() for future in futures)
        assert sorted(gate.entered) == sorted(gate.ended)
        assert me().cancelling() == 0

    async def test_by_the_group_that_it_is_in(self, kind: Kind) -> None:
        gate = Gate()
        futures: list[asyncio.Future[int]] = []

        async def use() -> None:
            async with kind.make(2) as executor, executor:
                futures.extend(executor.submit(gate.hold, number) for number in range(4))

        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(use())
                await gate.inside(2)
                raise ValueError("of a sibling")
        assert [type(error) for error in caught.value.exceptions] == [ValueError]
        assert all(future.cancelled() for future in futures)

    async def test_a_job_that_the_body_awaits_was_cancelled(self, kind: Kind) -> None:
        # What the body raises is a CancelledError, whoever was cancelled.
        gate = Gate()
        async with kind.make(2) as executor:
            with pytest.raises(asyncio.CancelledError):
                async with executor:
                    other = executor.submit(gate.hold, 0)
                    future = executor.submit(gate.hold, 1)
                    await gate.inside(2)
                    future.cancel()
                    await future
        assert other.cancelled()
        assert me().cancelling() == 0

    async def test_maps_end_too(self, kind: Kind) -> None:
        gate = Gate()

        async def use() -> None:
            async with kind.make(2) as executor, executor:
                async for _ in executor.map(gate.hold, range(10), buffersize=4):
                    raise AssertionError("nothing comes")

        task = asyncio.ensure_future(use())
        await gate.inside(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE)
        assert sorted(gate.entered) == sorted(gate.ended) == [0, 1]


async def test_another_may_submit_until_it_is_left(kind: Kind) -> None:
    gate = Gate()
    async with kind.make(1) as executor:

        async def late() -> None:
            await gate.inside(1)
            await nothing_happens_to(executor)
            with pytest.raises(RuntimeError, match="after shutdown"):
                executor.submit(double, 1)
            gate.open()

        task = asyncio.ensure_future(late())
        async with executor:
            executor.submit(gate.hold, 1)
        await task
