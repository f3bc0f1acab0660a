"""Rows 24 and 25: what a group tells of itself."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import sys

import pytest
from support import Everybody, Signal, for_ever

from thrasks import SchedulingMode, ThreadedTask, ThreadedTaskGroup

QUEUE = SchedulingMode.QUEUE

needs_call_graph = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="call graphs are new in CPython 3.14"
)


class TestRepr:  # row 24
    async def test_says_what_the_group_does(self) -> None:
        group = ThreadedTaskGroup(4, mode=QUEUE)
        assert repr(group) == "<ThreadedTaskGroup threads=4 mode=QUEUE>"
        all_run, fail_now, go = Everybody(4), Signal(), Signal()
        texts: list[str] = []

        async def stays() -> None:
            try:
                await all_run.meet()
                await for_ever()
            finally:
                await go.wait()

        async def fails() -> None:
            await all_run.meet()
            await fail_now.wait()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with group:
                assert repr(group) == "<ThreadedTaskGroup threads=4 mode=QUEUE entered>"
                for _ in range(2):
                    group.create_task(stays())
                group.create_task(fails())
                await all_run.meet()
                texts.append(repr(group))
                fail_now.set()
                try:
                    await for_ever()
                finally:
                    texts.append(repr(group))
                    go.set()
        assert texts == [
            "<ThreadedTaskGroup threads=4 mode=QUEUE tasks=3 entered>",
            "<ThreadedTaskGroup threads=4 mode=QUEUE tasks=2 errors=1 cancelling>",
        ]

    async def test_says_that_it_is_cancelled_without_an_error(self) -> None:
        started = Signal()
        async with ThreadedTaskGroup(3, mode=QUEUE) as group:
            group.create_task(for_ever(started))
            await started.wait()
            group.cancel()
            assert repr(group) == "<ThreadedTaskGroup threads=3 mode=QUEUE tasks=1 cancelling>"


@needs_call_graph
class TestCallGraph:  # row 25
    async def test_shows_the_parent_behind_a_child(self) -> None:
        ready, looked = Signal(), Signal()
        graphs: list[str] = []

        async def child() -> None:
            ready.set()
            await looked.wait()

        async def parent() -> None:
            async with ThreadedTaskGroup(1) as group:
                tasks.append(group.create_task(child()))

        tasks: list[ThreadedTask[None]] = []
        running = asyncio.create_task(parent(), name="the parent")
        await ready.wait()
        await asyncio.sleep(0)
        if sys.version_info >= (3, 14):
            graphs.append(asyncio.format_call_graph(tasks[0]))
        looked.set()
        await running
        assert "the parent" in graphs[0]

    async def test_crosses_threads_from_inside_a_child(self) -> None:
        graphs: list[str] = []

        async def child() -> None:
            await asyncio.sleep(0)
            if sys.version_info >= (3, 14):
                graphs.append(asyncio.format_call_graph())

        async def parent() -> None:
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child(), name="the child")

        await asyncio.create_task(parent(), name="the parent")
        assert "the child" in graphs[0]
        assert "the parent" in graphs[0]
