"""Row 7: `handle.cancel()`."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio

import pytest
from support import Signal, block_until, for_ever, is_closed, me, value

from thrasks import SchedulingMode, ThreadedTaskGroup


class TestHandleCancel:  # row 7
    async def test_is_a_request_that_carries_its_message(self, mode: SchedulingMode) -> None:
        started = Signal()
        heard: list[tuple[object, ...]] = []

        async def child() -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError as error:
                heard.append(error.args)
                raise

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(child())
            await started.wait()
            assert task.cancelling() == 0
            assert task.cancel("enough") is True
            assert task.cancelling() == 1
            # The worker has yet to be told; nothing is decided.
            assert not task.done()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
        assert heard == [("enough",)]
        assert caught.value.args == ("enough",)
        assert task.cancelled()
        with pytest.raises(asyncio.CancelledError, match="enough"):
            task.result()
        assert task.cancel() is False

    async def test_may_be_refused_by_the_task(self, mode: SchedulingMode) -> None:
        started, refused, go = Signal(), Signal(), Signal()

        async def child() -> str:
            try:
                await for_ever(started)
            except asyncio.CancelledError:
                refused.set()
            await go.wait()
            return "went on"

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(child())
            await started.wait()
            assert task.cancel()
            await refused.wait()
            await asyncio.sleep(0)
            assert not task.done()
            assert task.cancelling() == 1
            assert task.uncancel() == 0
            go.set()
            assert await task == "went on"
        assert not task.cancelled()
        assert task.cancel() is False

    async def test_counts_each_request(self) -> None:
        started, go = Signal(), Signal()
        seen: list[int] = []

        async def child() -> None:
            for _ in range(2):
                try:
                    await for_ever(started)
                except asyncio.CancelledError:
                    seen.append(me().cancelling())
                    if len(seen) == 1:
                        go.set()

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
            await started.wait()
            task.cancel()
            await go.wait()
            task.cancel()
            assert task.cancelling() == 2
        assert seen == [1, 2]

    async def test_a_request_can_be_taken_back_in_the_count(self) -> None:
        started, cancelled, go = Signal(), Signal(), Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError:
                cancelled.set()
                await go.wait()

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
            await started.wait()
            task.cancel()
            await cancelled.wait()
            assert task.uncancel() == 0
            assert task.cancelling() == 0
            # Below nothing it does not go.
            assert task.uncancel() == 0
            go.set()

    async def test_the_handle_is_done_only_when_the_task_is(self, mode: SchedulingMode) -> None:
        started, cleaning, go = Signal(), Signal(), Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                cleaning.set()
                await go.wait()

        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(child())
            await started.wait()
            task.cancel()
            await cleaning.wait()
            await asyncio.sleep(0)
            assert not task.done()
            go.set()
        assert task.cancelled()

    async def test_takes_an_unstarted_job_out_of_the_queue_at_once(
        self, mode: SchedulingMode
    ) -> None:
        busy, release = Signal(), Signal()
        ran = False

        async def never() -> None:
            nonlocal ran
            ran = True

        async with ThreadedTaskGroup(1, mode=mode) as group:
            group.create_task(block_until(release, busy))
            await busy.wait()
            coro = never()
            waiting = group.create_task(coro)
            behind = group.create_task(value("behind"))
            try:
                assert waiting.cancel("not needed") is True
                # At once: the worker is still busy.
                assert waiting.cancelled()
                assert is_closed(coro)
                assert waiting.cancel() is False
            finally:
                release.set()
            with pytest.raises(asyncio.CancelledError, match="not needed"):
                await waiting
        assert not ran
        assert behind.result() == "behind"

    async def test_works_from_any_thread(self, mode: SchedulingMode) -> None:
        started = Signal()
        async with ThreadedTaskGroup(2, mode=mode) as group:
            task = group.create_task(for_ever(started))
            await started.wait()
            assert await asyncio.to_thread(task.cancel, "from elsewhere") is True
            with pytest.raises(asyncio.CancelledError, match="from elsewhere"):
                await task
        assert task.cancelled()

    @pytest.mark.not_in("uvloop", reason="its debug mode crashes (uvloop issue 730)")
    async def test_works_from_any_thread_after_a_request_from_here_was_refused(self) -> None:
        # In debug mode a loop refuses to be told something from another thread.
        asyncio.get_running_loop().set_debug(True)
        started, refused = Signal(), Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            except asyncio.CancelledError:
                refused.set()
            await for_ever()

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
            await started.wait()
            task.cancel()
            await refused.wait()
            assert await asyncio.to_thread(task.cancel) is True
        assert task.cancelled()

    async def test_of_a_finished_task_is_false(self) -> None:
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(value(1))
        assert task.cancel() is False
        assert task.result() == 1
