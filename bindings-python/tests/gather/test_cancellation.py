"""A gather is cancelled, or its loop shuts down."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import sys

import pytest
from support import (
    Everybody,
    Signal,
    SlowToEnd,
    block_until,
    fail_when_cancelled,
    for_ever,
    is_closed,
    value,
)

from thrasks import SchedulingMode, threaded_gather

needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="before CPython 3.12 a worker makes the tasks of all its jobs, and then the first runs",
)


class TestCancel:
    async def test_cancels_every_child_and_ends_when_all_have_ended(
        self, mode: SchedulingMode
    ) -> None:
        all_run, go = Everybody(4), Signal()
        heard: list[object] = []

        async def child() -> None:
            try:
                await all_run.meet()
                await for_ever()
            except asyncio.CancelledError as error:
                await go.wait()
                heard.append(error.args)
                raise

        outer = threaded_gather(*[child() for _ in range(3)], num_threads=2, mode=mode)
        await all_run.meet()
        assert outer.cancel("enough") is True
        for _ in range(5):
            await asyncio.sleep(0)
        assert not outer.done()
        go.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await outer
        assert caught.value.args == ("enough",)
        assert heard == [("enough",)] * 3

    async def test_of_the_awaiting_task_does_the_same(self) -> None:
        started = Signal()
        ended: list[bool] = []

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        async def caller() -> None:
            await threaded_gather(child())

        task = asyncio.create_task(caller())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    async def test_with_return_exceptions_is_a_cancellation_all_the_same(self) -> None:
        started = Signal()
        outer = threaded_gather(for_ever(started), value(1), return_exceptions=True)
        await started.wait()
        outer.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await outer

    @needs_eager_tasks
    async def test_takes_unstarted_jobs_out_of_the_queue(self, mode: SchedulingMode) -> None:
        busy, release = Signal(), Signal()
        waiting = [value(i) for i in range(5)]
        outer = threaded_gather(block_until(release, busy), *waiting, num_threads=1, mode=mode)
        try:
            await busy.wait()
            outer.cancel()
            # At once: the worker is still busy.
            assert all(is_closed(coro) for coro in waiting)
        finally:
            release.set()
        with pytest.raises(asyncio.CancelledError):
            await outer

    async def test_of_a_finished_gather_is_false(self) -> None:
        outer = threaded_gather(*[value(1)])
        await outer
        assert outer.cancel() is False
        assert await outer == [1]

    async def test_an_error_in_a_childs_cleanup_does_not_hide_the_cancellation(self) -> None:
        # As asyncio.gather: it was cancelled, whatever came of the children...
        started = Signal()
        outer = threaded_gather(
            fail_when_cancelled(ValueError("in cleanup"), started), return_exceptions=True
        )
        await started.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer

    async def test_but_the_first_error_is_raised_without_return_exceptions(self) -> None:
        # ... and this as well is asyncio.gather's rule.
        started = Signal()
        outer = threaded_gather(fail_when_cancelled(ValueError("in cleanup"), started))
        await started.wait()
        outer.cancel()
        with pytest.raises(ValueError, match="in cleanup"):
            await outer

    async def test_and_it_is_so_though_others_were_cancelled_before(self) -> None:
        one, other, cancelled = Signal(), Signal(), Signal()

        async def quick() -> None:
            try:
                await for_ever(one)
            finally:
                cancelled.set()

        async def slow() -> None:
            try:
                await for_ever(other)
            finally:
                await cancelled.wait()
                # On the same loop: by then the other has ended.
                for _ in range(5):
                    await asyncio.sleep(0)
                raise ValueError("in cleanup")

        outer = threaded_gather(quick(), slow(), num_threads=1)
        await one.wait()
        await other.wait()
        outer.cancel()
        with pytest.raises(ValueError, match="in cleanup"):
            await outer


class TestShutdown:
    def test_children_left_running_are_cancelled_with_the_callers_loop(self) -> None:
        child = SlowToEnd()

        async def main() -> None:
            # Never awaited.
            threaded_gather(child.run())
            await child.started.wait()

        asyncio.run(main())
        # Nothing outlives asyncio.run.
        assert child.has_ended

    def test_so_are_siblings_of_the_one_that_failed(self) -> None:
        sibling = SlowToEnd()

        async def fails() -> None:
            await sibling.started.wait()
            raise ValueError("the first")

        async def main() -> None:
            with pytest.raises(ValueError, match="the first"):
                await threaded_gather(sibling.run(), fails())

        asyncio.run(main())
        assert sibling.has_ended
