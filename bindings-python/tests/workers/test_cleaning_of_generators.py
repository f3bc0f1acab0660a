"""Decision 8: asynchronous generators have ended with the group, whoever drops them, and when."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support import PATIENCE, reports, worker_threads

from thrasks import ThreadedTaskGroup, _cleaning
from thrasks._generators import Generators

#: After so many turns of its loop, a cleaning that finds nothing to do is over.
TURNS = 10


async def numbers(ended: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        ended.append("generator")


def begin(generator: AsyncIterator[int]) -> None:
    """Have one begin outside of any task, up to its first value."""
    with pytest.raises(StopIteration):
        generator.__anext__().__await__().send(None)


def interrupt() -> None:
    """Use a generator, and interrupt the loop."""
    begin(numbers([]))
    raise KeyboardInterrupt


def clean(
    ended: list[str],
    before: Callable[[], object],
    after: Callable[[asyncio.AbstractEventLoop], object] = lambda _: None,
    *,
    interrupted: bool = False,
) -> Generators:
    """Do something on a loop like a worker's, begin to clean it, and do more in the same turn.

    `interrupted`: when a callback has raised a KeyboardInterrupt, and the loop runs again.

    Returns:
        What is known of its generators when it is clean.
    """
    known: list[Generators] = []

    def run() -> None:
        loop = asyncio.new_event_loop()

        def cleaned(clean: bool) -> None:
            ended.append(f"clean: {clean}")
            loop.stop()

        def turn() -> None:
            before()
            _cleaning.clean(loop, cleaned)
            after(loop)

        try:
            _cleaning.watch(loop)
            known.append(_cleaning._local.generators)
            if interrupted:
                loop.call_soon(interrupt)
                with pytest.raises(KeyboardInterrupt):
                    loop.run_forever()
            # Ready when the loop starts.
            loop.call_soon(turn)
            if interrupted:
                _cleaning.watch_generators(loop)
            loop.run_forever()
        finally:
            loop.close()

    # What is known of a loop is its thread's.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return known[0]


class TestDropped:
    """The loop closes one that was dropped by a task, which a callback makes later."""

    @pytest.mark.parametrize("begun", [False, True])
    def test_one_that_was_just_dropped_has_ended(self, begun: bool) -> None:
        # `begun`: when the cleaning has looked already, and has found it there.
        ended: list[str] = []
        kept: list[AsyncIterator[int]] = []

        def use() -> None:
            kept.append(numbers(ended))
            begin(kept[0])
            if not begun:
                kept.clear()

        clean(ended, use, lambda _: kept.clear())
        assert ended == ["generator", "clean: True"]

    @pytest.mark.parametrize("interrupted", [False, True])
    @pytest.mark.parametrize("cyclic", [False, True])
    def test_one_that_another_thread_is_just_freeing_has_ended(
        self, cyclic: bool, interrupted: bool
    ) -> None:
        # The weak references to it are gone, and its finalizer has yet to be called.
        ended: list[str] = []
        kept: list[Any] = []
        made, begun, vanishing, looked = (threading.Event() for _ in range(4))

        def hold_up(_: object) -> None:
            vanishing.set()
            looked.wait(PATIENCE)

        def free() -> None:
            generator: Any = numbers(ended)
            kept.append(generator)
            watch = weakref.ref(generator, hold_up)
            made.set()
            begun.wait(PATIENCE)
            if cyclic:
                generator = [generator]
                generator.append(generator)
            del generator
            gc.collect()
            del watch

        def use() -> None:
            assert made.wait(PATIENCE)
            begin(kept[0])
            kept.clear()
            begun.set()
            assert vanishing.wait(PATIENCE)

        def look(loop: asyncio.AbstractEventLoop, turns: int = TURNS) -> None:
            if turns:
                loop.call_soon(look, loop, turns - 1)
            else:
                looked.set()

        thread = threading.Thread(target=free)
        # Nobody else is to find the cycle.
        gc.disable()
        try:
            thread.start()
            clean(ended, use, look, interrupted=interrupted)
        finally:
            gc.enable()
            looked.set()
            thread.join()
        assert ended == ["generator", "clean: True"]


class OfAnotherMake(asyncio.SelectorEventLoop):
    """A loop that sets hooks, and does not look them up by the names that asyncio has for them."""

    _starts = False

    def run_forever(self) -> None:
        self._starts = True
        # What runs first.
        self.call_soon(setattr, self, "_starts", False)
        super().run_forever()

    def __getattribute__(self, name: str) -> Any:
        if name in ("_asyncgen_firstiter_hook", "_asyncgen_finalizer_hook") and not self._starts:
            raise AttributeError(name)
        return super().__getattribute__(name)


class TestKept:
    async def test_one_that_began_right_after_an_interrupt_has_ended(self) -> None:
        # The loop sets its hooks anew when it runs on.
        closed_on: list[str] = []
        kept: list[Any] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                closed_on.append(threading.current_thread().name)

        def begin_one() -> None:
            kept.append(numbers())
            begin(kept[0])

        async def child() -> None:
            # In its first step it would be our callback that catches it.
            await asyncio.sleep(0)
            closed_on.append(threading.current_thread().name)
            asyncio.get_running_loop().call_soon(begin_one)
            raise KeyboardInterrupt

        with reports() as seen, pytest.raises(KeyboardInterrupt):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert len(closed_on) == 2
        assert len(set(closed_on)) == 1
        assert [report["message"].rpartition(": ")[2] for report in seen] == [
            "1 asynchronous generator"
        ]

    @pytest.mark.parametrize("interrupted", [False, True])
    async def test_one_on_a_loop_of_another_make_has_ended(self, interrupted: bool) -> None:
        ended: list[str] = []
        kept: list[Any] = []

        async def interrupt() -> None:
            await asyncio.sleep(0)
            raise KeyboardInterrupt

        async def child() -> None:
            kept.append(numbers(ended))
            await anext(kept[0])

        if interrupted:
            with pytest.raises(KeyboardInterrupt):
                async with ThreadedTaskGroup(1, loop_factory=OfAnotherMake) as group:
                    group.create_task(interrupt())
        with reports() as seen:
            async with ThreadedTaskGroup(1, loop_factory=OfAnotherMake) as group:
                group.create_task(child())
        assert ended == ["generator"]
        assert [report["message"].rpartition(": ")[2] for report in seen] == [
            "1 asynchronous generator"
        ]


class TestHooksOfOthers:
    async def test_a_finalizer_that_a_task_has_set_is_that_of_what_begins_after_it(self) -> None:
        finalized: list[Any] = []
        kept: list[Any] = []

        async def child() -> None:
            hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(finalizer=finalized.append)
            try:
                for _ in range(2):
                    begin(numbers([]))
                kept.append(numbers([]))
                begin(kept[0])
            finally:
                sys.set_asyncgen_hooks(*hooks)

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        assert len(finalized) == 2
        assert kept[0].ag_frame is None
        assert [report["message"].rpartition(": ")[2] for report in seen] == [
            "1 asynchronous generator"
        ]

    async def test_those_that_a_task_leaves_are_not_those_of_the_next_group(self) -> None:
        ended: list[str] = []
        kept: list[Any] = []

        async def take_away() -> None:
            sys.set_asyncgen_hooks(None, None)

        async def begin_one() -> None:
            generator = numbers(ended)
            kept.append(generator)
            await anext(generator)

        async with ThreadedTaskGroup(1) as group:
            group.create_task(take_away())
        # Whichever worker it was.
        count = len(worker_threads())
        with reports() as seen:
            async with ThreadedTaskGroup(count) as group:
                for _ in range(count):
                    group.create_task(begin_one())
        assert ended == ["generator"] * count
        assert [report["message"].rpartition(": ")[2] for report in seen] == [
            "1 asynchronous generator"
        ] * count

    def test_a_finalizer_that_a_task_keeps_holds_up_one_cleaning_only(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The generator has ended and is freed, and its finalizer was to be freed with it.
        ended: list[str] = []
        kept: list[Any] = []

        async def one() -> AsyncIterator[int]:
            yield 1

        def use() -> None:
            kept.append(sys.get_asyncgen_hooks())
            generator = one()
            begin(generator)
            with pytest.raises(StopAsyncIteration):
                generator.__anext__().__await__().send(None)

        monkeypatch.setattr(_cleaning, "CLEANING_TIME", 0.05)
        assert clean(ended, use).look() == ([], False)
        assert ended == ["clean: True"]
