"""Functions that report by a callback: as an asynchronous iterator, or as one value."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, Blocking, Signal, eventually_async, reports

from thrasks import (
    CallbackThreadedAsyncIterator,
    ChannelClosed,
    iterate_callback,
    single_callback,
    threaded,
)

from .support import CAP, is_idle, nothing_runs, occupy, run

Callback = Callable[[Any], None]


class TestMany:
    async def test_each_value_is_an_item(self) -> None:
        @iterate_callback
        def values(callback: Callback, stop: int, *, start: int = 0) -> str:
            for i in range(start, stop):
                callback(i)
            return "dropped"

        assert [i async for i in values(3)] == [0, 1, 2]
        assert [i async for i in values(5, start=2)] == [2, 3, 4]
        assert values.__name__ == "values"

    async def test_the_class_takes_the_function_itself(self) -> None:
        stream = CallbackThreadedAsyncIterator[int](lambda callback: callback(1))
        assert [i async for i in stream] == [1]

    async def test_none_is_a_value(self) -> None:
        def values(callback: Callback) -> None:
            callback(None)
            callback(None)

        assert [i async for i in iterate_callback(values)()] == [None, None]

    async def test_any_thread_may_call_it(self) -> None:
        @iterate_callback
        def values(callback: Callback) -> None:
            threads = [threading.Thread(target=callback, args=(i,)) for i in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert sorted([i async for i in values()]) == [*range(20)]

    async def test_once_the_loop_is_left_it_raises(self) -> None:
        before = Blocking.now()
        raised: list[BaseException] = []
        ended = Signal()

        @iterate_callback
        def values(callback: Callback) -> None:
            try:
                while True:
                    callback(1)
            except ChannelClosed as error:
                raised.append(error)
                raise
            finally:
                ended.set()

        with reports() as reported:
            async for _ in values():
                break
            assert await eventually_async(ended.is_set)
            await nothing_runs(before)
        assert len(raised) == 1
        # That it let this one through is as it should be.
        assert reported == []

    async def test_what_else_it_raises_then_is_reported(self) -> None:
        @iterate_callback
        def values(callback: Callback) -> None:
            try:
                while True:
                    callback(1)
            finally:
                raise ValueError("of the function")

        with reports() as reported:
            async for _ in values():
                break
            assert await eventually_async(lambda: bool(reported))
        assert str(reported[0]["exception"]) == "of the function"

    async def test_a_function_that_does_not_call_back_is_waited_for_by_aclose(self) -> None:
        gate, inside = Signal(), Signal()

        @iterate_callback
        def values(callback: Callback) -> None:
            callback(1)
            inside.set()
            gate.block()

        stream = values()
        assert await anext(stream) == 1
        await asyncio.wait_for(inside.wait(), PATIENCE)
        closing = asyncio.create_task(stream.aclose())
        await threaded(int)()
        assert not closing.done()
        gate.set()
        await closing
        assert stream.closed

    async def test_after_the_function_has_returned_it_raises(self) -> None:
        kept: list[Callback] = []
        assert [i async for i in iterate_callback(kept.append)()] == []
        with pytest.raises(ChannelClosed):
            kept[0](1)

    def test_when_the_loop_is_closed_it_raises(self) -> None:
        go, ended = Signal(), Signal()
        kept: list[Any] = []
        count = 0

        @iterate_callback
        def values(callback: Callback) -> None:
            nonlocal count
            try:
                callback(0)
                go.block()
                while True:
                    callback(1)
                    count += 1
            finally:
                ended.set()

        async def main() -> None:
            kept.append(values())
            await anext(kept[0])

        run(main())
        go.set()
        ended.block()
        # The buffer is of the default size.
        assert count <= 1025

    def test_a_function_that_fails_then_does_not_wait_for_room(self) -> None:
        kept: list[Any] = []
        full, closed = Signal(), Signal()

        @iterate_callback
        def values(callback: Callback) -> None:
            for i in range(1025):
                callback(i)
            full.set()
            closed.block()
            raise ValueError("of the function")

        async def main() -> None:
            kept.append(values())
            await anext(kept[0])
            await asyncio.wait_for(full.wait(), PATIENCE)

        run(main())
        closed.set()
        assert is_idle()

    async def test_called_on_the_loops_own_thread_with_a_full_buffer_it_raises(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("THREADED_ITERABLE_DEFAULT_MAX_SIZE", "1")
        kept: list[Callback] = []
        kept_one, gate = Signal(), Signal()

        @iterate_callback
        def values(callback: Callback) -> None:
            kept.append(callback)
            kept_one.set()
            gate.block()

        stream = values()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.wait_for(kept_one.wait(), PATIENCE)
        kept[0](1)
        assert await first == 1
        kept[0](2)
        with pytest.raises(RuntimeError, match="would wait for itself: call this on another"):
            kept[0](3)
        assert await anext(stream) == 2
        gate.set()
        assert await anext(stream, "end") == "end"


class TestOne:
    async def test_the_value_is_returned(self) -> None:
        @single_callback
        def answer(callback: Callback, left: int, *, right: int = 2) -> str:
            callback(left * right)
            return "dropped"

        assert await answer(3) == 6
        assert await answer(3, right=5) == 15
        assert answer.__name__ == "answer"

    async def test_it_does_not_wait_for_the_function(self) -> None:
        gate = Signal()

        @single_callback
        def answer(callback: Callback) -> None:
            callback(1)
            gate.block()

        assert await answer() == 1
        gate.set()

    async def test_the_first_value_counts(self) -> None:
        @single_callback
        def answer(callback: Callback) -> None:
            callback(1)
            callback(2)

        assert await answer() == 1

    async def test_it_may_come_later_from_another_thread(self) -> None:
        returned = Signal()

        def answer(callback: Callback) -> None:
            def later() -> None:
                returned.block()
                callback("later")

            threading.Thread(target=later).start()

        waiting = asyncio.ensure_future(single_callback(answer)())
        assert await eventually_async(lambda: not Blocking.now().at_work)
        assert not waiting.done()
        returned.set()
        assert await waiting == "later"

    async def test_what_the_function_raises_is_raised(self) -> None:
        @single_callback
        def answer(callback: Callback) -> None:
            raise ValueError("of the function")

        with pytest.raises(ValueError, match="of the function"):
            await answer()

    async def test_what_it_raises_after_its_value_is_reported(self) -> None:
        @single_callback
        def answer(callback: Callback) -> None:
            callback(1)
            raise ValueError("of the function")

        with reports() as reported:
            assert await answer() == 1
            assert await eventually_async(lambda: bool(reported))
        assert str(reported[0]["exception"]) == "of the function"
        assert "had called its callback" in reported[0]["message"]

    async def test_a_callback_that_nobody_can_call_any_more_is_an_error(self) -> None:
        with pytest.raises(RuntimeError, match="without calling it"):
            await single_callback(lambda callback: None)()

    async def test_also_when_it_is_dropped_later(self) -> None:
        kept: list[Callback] = []
        waiting = asyncio.ensure_future(single_callback(kept.append)())
        assert await eventually_async(lambda: bool(kept) and not Blocking.now().at_work)
        assert not waiting.done()
        kept.clear()
        gc.collect()
        with pytest.raises(RuntimeError, match="without calling it"):
            await asyncio.wait_for(waiting, PATIENCE)

    async def test_an_exception_is_a_value(self) -> None:
        error = ValueError("a value")
        assert await single_callback(lambda callback: callback(error))() is error

    async def test_one_that_waits_for_a_thread_can_be_cancelled(self) -> None:
        occupied = await occupy(CAP)
        ran: list[Callback] = []
        waiting = asyncio.ensure_future(single_callback(ran.append)())
        assert await eventually_async(lambda: Blocking.now().queued == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        occupied.free()
        await asyncio.gather(*occupied.calls)
        await threaded(int)()
        assert ran == []

    async def test_what_a_cancelled_one_raises_is_reported(self) -> None:
        gate, inside = Signal(), Signal()

        @single_callback
        def answer(callback: Callback) -> None:
            inside.set()
            gate.block()
            raise ValueError("too late")

        with reports() as reported:
            waiting = asyncio.ensure_future(answer())
            await asyncio.wait_for(inside.wait(), PATIENCE)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            gate.set()
            assert await eventually_async(lambda: bool(reported))
        assert str(reported[0]["exception"]) == "too late"
        assert "cancelled" in reported[0]["message"]
