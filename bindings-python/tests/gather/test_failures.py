"""A child fails, or is cancelled."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from support import Signal, eventually_async, fail, fail_later, me, no_gc, reports, value

from thrasks import SchedulingMode, threaded_gather


class TestFirstException:
    async def test_is_raised_at_once_and_siblings_go_on(self, mode: SchedulingMode) -> None:
        go, ended = Signal(), Signal()

        async def sibling() -> None:
            await go.wait()
            ended.set()

        error = ValueError("the first")
        outer = threaded_gather(sibling(), fail(error), num_threads=2, mode=mode)
        with pytest.raises(ValueError, match="the first") as caught:
            await outer
        assert caught.value is error
        assert not ended.is_set()
        go.set()
        assert await eventually_async(ended.is_set)

    async def test_later_ones_count_as_retrieved(self) -> None:
        first, go = Signal(), Signal()

        async def later() -> None:
            await go.wait()
            raise LookupError("a later one")

        with reports() as seen:
            with no_gc():
                outer = threaded_gather(later(), fail(ValueError()), later(), num_threads=2)
                with pytest.raises(ValueError) as raised:  # noqa: PT011  # It has no text.
                    await outer
                assert not str(raised.value)
                del raised
                go.set()
                # When the loop has heard of all of them, the gather dies.
                dead = weakref.ref(outer)
                del outer
                await eventually_async(lambda: dead() is None, 1.0)
            gc.collect()
            await asyncio.sleep(0)
        assert seen == []
        del first

    async def test_keeps_its_traceback_and_context(self) -> None:
        with pytest.raises(ValueError, match="here") as caught:
            await threaded_gather(fail_later(ValueError("here")))
        assert caught.value.__context__ is None
        assert "fail_later" in [entry.name for entry in caught.traceback]

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
    async def test_may_be_a_keyboard_interrupt_or_system_exit(
        self, kind: type[BaseException]
    ) -> None:
        error = kind("of the child")
        with pytest.raises(kind) as caught:
            await threaded_gather(fail_later(error))
        assert caught.value is error
        # The workers' loops survived.
        assert await threaded_gather(*[value(i) for i in range(8)]) == list(range(8))


class TestCancelledChild:
    async def test_raises_without_cancelling_the_others(self, mode: SchedulingMode) -> None:
        go, ended = Signal(), Signal()

        async def cancels_itself() -> None:
            raise asyncio.CancelledError("by itself")

        async def sibling() -> None:
            await go.wait()
            ended.set()

        outer = threaded_gather(sibling(), cancels_itself(), num_threads=2, mode=mode)
        with pytest.raises(asyncio.CancelledError) as caught:
            await outer
        assert caught.value.args == ("by itself",)
        # asyncio.gather, too, says so in an exception, and is not cancelled itself.
        assert not outer.cancelled()
        assert me().cancelling() == 0
        go.set()
        assert await eventually_async(ended.is_set)

    async def test_may_be_a_future_of_ours(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outer = threaded_gather(value(1), future)
        future.cancel("ours")
        with pytest.raises(asyncio.CancelledError, match="ours"):
            await outer
        assert not outer.cancelled()
