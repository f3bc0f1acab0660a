"""Jobs that are cancelled: in the queue, while they run, and by whoever awaits them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import weakref
from collections.abc import Awaitable
from typing import Any

import pytest
from support import PATIENCE, Signal, SlowToEnd, for_ever, is_closed, me, value

from thrasks import TaskPoolExecutor

from .support import Gate, Kind, double, outcome, turns


class TestQueued:
    async def test_it_is_done_at_once_and_never_runs(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            queued = executor.submit(gate.hold, 1)
            assert queued.cancel()
            assert queued.cancelled()
            assert not queued.cancel()
            with pytest.raises(asyncio.CancelledError):
                await queued
            gate.open()
            assert await held == 0
        assert gate.entered == [0]

    async def test_its_message_is_kept(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            queued = executor.submit(gate.hold, 1)
            queued.cancel("not wanted")
            with pytest.raises(asyncio.CancelledError, match="not wanted"):
                await queued
            gate.open()
            await held

    async def test_its_coroutine_is_closed(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            coroutine = double(1)
            queued = executor.submit(coroutine)
            queued.cancel()
            assert is_closed(coroutine)
            gate.open()
            await held

    async def test_its_callbacks_run(self, kind: Kind) -> None:
        gate = Gate()
        called: list[bool] = []
        async with kind.open(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            queued = executor.submit(gate.hold, 1)
            queued.add_done_callback(lambda future: called.append(future.cancelled()))
            queued.cancel()
            assert called == []
            await turns(2)
            assert called == [True]
            gate.open()
            await held

    async def test_right_after_it_was_submitted(self, kind: Kind) -> None:
        ran: list[int] = []

        async def tell() -> None:
            ran.append(1)

        async with TaskPoolExecutor(2) as executor:
            futures = [executor.submit(tell), executor.submit(tell())]
            for future in futures:
                assert future.cancel()
                assert future.cancelled()
        assert ran == []

    async def test_what_it_was_to_be_called_with_is_let_go(self, kind: Kind) -> None:
        class Argument:
            pass

        gate = Gate()
        async with kind.open(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            argument = Argument()
            dead = weakref.ref(argument)
            queued = executor.submit(gate.hold, argument)
            del argument
            queued.cancel()
            gc.collect()
            assert dead() is None
            gate.open()
            await held

    async def test_by_whoever_awaits_it(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(1) as executor:
            held = executor.submit(gate.hold, 0)
            await gate.inside(1)
            queued = executor.submit(gate.hold, 1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(queued, 0.01)
            assert queued.cancelled()
            gate.open()
            await held
        assert gate.entered == [0]

    async def test_all_of_many(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(1) as executor:
            held = executor.submit(gate.hold, -1)
            await gate.inside(1)
            futures = [executor.submit(gate.hold, number) for number in range(1000)]
            for future in futures[::2] + futures[1::2]:
                assert future.cancel()
            gate.open()
            await held
        assert all(future.cancelled() for future in futures)
        assert gate.entered == [-1]


class TestRunning:
    async def test_it_is_done_when_it_has_ended(self, kind: Kind) -> None:
        job = SlowToEnd()
        async with kind.open() as executor:
            future = executor.submit(job.run)
            await job.started.wait()
            assert future.cancel("stop")
            assert not future.done()
            with pytest.raises(asyncio.CancelledError):
                await future
            assert future.cancelled()
            assert job.has_ended

    async def test_its_message_reaches_the_job(self, kind: Kind) -> None:
        seen: list[Any] = []

        async def listen() -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError as error:
                seen.append(error.args)
                raise

        async with kind.open() as executor:
            started = Signal()
            future = executor.submit(listen)
            await started.wait()
            future.cancel("stop")
            with pytest.raises(asyncio.CancelledError):
                await future
        assert seen == [("stop",)]

    async def test_the_job_may_refuse(self, kind: Kind) -> None:
        async def refuse() -> str:
            with contextlib.suppress(asyncio.CancelledError):
                await for_ever(started)
            return "refused"

        async with kind.open() as executor:
            started = Signal()
            future = executor.submit(refuse)
            await started.wait()
            assert future.cancel()
            assert await future == "refused"
            assert not future.cancel()

    async def test_or_fail(self, kind: Kind) -> None:
        async def fail() -> str:
            try:
                await for_ever(started)
            finally:
                raise KeyError("instead")

        async with kind.open() as executor:
            started = Signal()
            future = executor.submit(fail)
            await started.wait()
            assert future.cancel()
            with pytest.raises(KeyError, match="instead"):
                await future

    async def test_it_has_time_to_clean_up_while_others_run(self, kind: Kind) -> None:
        let = Signal()

        async def clean() -> str:
            try:
                await for_ever(started)
            finally:
                await let.wait()
            raise AssertionError

        async with kind.open(2) as executor:
            started = Signal()
            future = executor.submit(clean)
            await started.wait()
            future.cancel()
            # It holds its place until it has ended.
            gate = Gate()
            gate.open()
            for number in range(3):
                await executor.submit(gate.hold, number)
            assert gate.alive.most == 1
            assert not future.done()
            let.set()
            with pytest.raises(asyncio.CancelledError):
                await future

    async def test_a_second_time_while_it_cleans_up(self, kind: Kind) -> None:
        cleaning = Signal()
        seen: list[str] = []

        async def clean() -> None:
            try:
                await for_ever(started)
            finally:
                try:
                    await for_ever(cleaning)
                except asyncio.CancelledError:
                    seen.append("again")

        async with kind.open() as executor:
            started = Signal()
            future = executor.submit(clean)
            await started.wait()
            future.cancel()
            await cleaning.wait()
            future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future
        assert seen == ["again"]

    async def test_the_queue_goes_on(self, kind: Kind) -> None:
        async with kind.open(1) as executor:
            started = Signal()
            future = executor.submit(for_ever, started)
            queued = [executor.submit(double, number) for number in range(3)]
            await started.wait()
            future.cancel()
            assert await asyncio.gather(*queued) == [0, 2, 4]
            assert future.cancelled()

    async def test_a_plain_function_s_awaitable(self, kind: Kind) -> None:
        def begin() -> Awaitable[None]:
            return for_ever(started)

        async with kind.open() as executor:
            started = Signal()
            future = executor.submit(begin)
            await started.wait()
            future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future

    async def test_an_awaitable_of_this_loop(self, kind: Kind) -> None:
        awaited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with kind.open() as executor:
            future = executor.submit(awaited)
            await turns()
            future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future
        # As a task that awaits it.
        assert awaited.cancelled()

    async def test_twice_before_it_notices(self, kind: Kind) -> None:
        job = SlowToEnd()
        async with kind.open() as executor:
            future = executor.submit(job.run)
            await job.started.wait()
            assert future.cancel()
            # On a worker it may have ended by now.
            assert future.cancel() or kind.threaded
            with pytest.raises(asyncio.CancelledError):
                await future
            assert future.cancelled()


class TestByItself:
    async def test_in_its_first_step(self) -> None:
        async with TaskPoolExecutor(1) as executor:

            async def cancel() -> None:
                assert future.cancel("by itself")
                await asyncio.sleep(PATIENCE)

            future: asyncio.Future[None] = executor.submit(cancel)
            with pytest.raises(asyncio.CancelledError):
                await future
            assert future.cancelled()
            assert await executor.submit(double, 1) == 2

    async def test_and_never_suspends(self) -> None:
        async with TaskPoolExecutor(1) as executor:

            async def cancel() -> str:
                assert future.cancel("by itself")
                return "result"

            future: asyncio.Future[str] = executor.submit(cancel)
            # As of a task that cancels itself and returns.
            with pytest.raises(asyncio.CancelledError, match="by itself"):
                await future

            async def fail() -> str:
                assert future.cancel()
                raise KeyError

            future = executor.submit(fail)
            with pytest.raises(KeyError):
                await future
            assert await executor.submit(double, 1) == 2

    async def test_through_its_task(self, kind: Kind) -> None:
        async def cancel() -> None:
            me().cancel("by itself")
            await asyncio.sleep(PATIENCE)

        async with kind.open() as executor:
            for future in executor.submit(cancel), executor.submit(cancel()):
                with pytest.raises(asyncio.CancelledError):
                    await future
                assert future.cancelled()

    async def test_one_job_cancels_another_in_its_first_step(self) -> None:
        async with TaskPoolExecutor(2) as executor:

            async def cancel() -> None:
                assert other.cancel()

            one = executor.submit(cancel)
            other = executor.submit(value, 1)
            await one
            assert isinstance(await outcome(other), asyncio.CancelledError)

    async def test_while_its_function_is_being_called(self) -> None:
        async with TaskPoolExecutor(1) as executor:

            def begin() -> Awaitable[None]:
                assert future.cancel("at the call")
                return asyncio.sleep(PATIENCE)

            future: asyncio.Future[None] = executor.submit(begin)
            with pytest.raises(asyncio.CancelledError):
                await future


class TestByOthers:
    async def test_a_gather_that_is_cancelled(self, kind: Kind) -> None:
        gate = Gate()
        async with kind.open(2) as executor:
            futures = [executor.submit(gate.hold, number) for number in range(6)]
            gathering = asyncio.gather(*futures)
            await gate.inside(2)
            gathering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gathering
            assert await asyncio.wait(futures, timeout=PATIENCE) == (set(futures), set())
            assert all(future.cancelled() for future in futures)
            assert sorted(gate.entered) == sorted(gate.ended)
            if not kind.threaded:
                # Those in the queue never began. A worker may be quicker than the one that cancels.
                assert gate.entered == [0, 1]

    async def test_a_group_whose_task_awaits_it(self, kind: Kind) -> None:
        job = SlowToEnd()
        async with kind.open() as executor:

            async def wait() -> None:
                await executor.submit(job.run)

            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(wait())
                    await job.started.wait()
                    raise ValueError
            assert job.has_ended

    async def test_a_timeout(self, kind: Kind) -> None:
        job = SlowToEnd()
        async with kind.open() as executor:
            future = executor.submit(job.run)
            await job.started.wait()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await future
            assert job.has_ended
            assert future.cancelled()

    async def test_wait_for(self, kind: Kind) -> None:
        job = SlowToEnd()
        async with kind.open() as executor:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(executor.submit(job.run), 0.05)
            assert job.has_ended is job.started.is_set()

    @pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs are new in 3.14")
    async def test_the_call_graph_leads_to_the_job(self) -> None:
        gate = Gate()
        async with TaskPoolExecutor(1) as executor:
            future = executor.submit(gate.hold, 1)

            async def wait() -> int:
                return await future

            task = asyncio.ensure_future(wait())
            await gate.inside(1)
            await turns(2)
            graph = asyncio.capture_call_graph(
                next(each for each in asyncio.all_tasks() if each.get_name().endswith("_0"))
            )
            assert graph is not None
            assert [each.future for each in graph.awaited_by] == [future]
            gate.open()
            assert await task == 1
