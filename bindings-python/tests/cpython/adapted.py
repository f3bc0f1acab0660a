"""Tests of our own in the place of CPython's that cannot hold as they are.

The table in `changes.py` says of each what differs, and why.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import queue
import time
import types
import unittest
import weakref
from collections.abc import Awaitable, Coroutine
from typing import Any, ClassVar, TypeVar

import pytest
from support import (
    PATIENCE,
    Signal,
    eventually,
    eventually_async,
    idle_workers,
    is_closed,
    no_gc,
    value,
)

from thrasks import ThreadedTask, ThreadedTaskGroup, threaded_gather

from .changes import BEGUN, changes

T = TypeVar("T")


class BegunGroup(ThreadedTaskGroup):
    """A group whose tasks have begun when its parent has created them."""

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> ThreadedTask[T]:
        task = super().create_task(coro, **options)
        if asyncio.get_running_loop() is task.get_loop():
            under_way = (inspect.CORO_CREATED, inspect.CORO_RUNNING)
            has_begun = eventually(lambda: inspect.getcoroutinestate(coro) not in under_way)
            assert has_begun
        return task


#: What stands in the place of `asyncio.TaskGroup` in the present test.
_kind: type[ThreadedTaskGroup] = ThreadedTaskGroup


def _use(kind: type[ThreadedTaskGroup]) -> None:
    global _kind
    _kind = kind


def group() -> ThreadedTaskGroup:
    """What stands in the place of `asyncio.TaskGroup`."""
    return _kind(3, strict_exception_groups=True)


def gather(*aws: Awaitable[Any], return_exceptions: bool = False) -> Any:
    """What stands in the place of `asyncio.gather`.

    That may be called where no loop runs, and then takes the loop of the futures that it gathers:
    `threaded_gather` is called inside that.
    """

    def call() -> Any:
        return threaded_gather(
            *aws, return_exceptions=return_exceptions, num_threads=2, loop_factory=worker_loop
        )

    async def call_inside() -> Any:
        return call()

    futures = [each for each in aws if asyncio.isfuture(each)]
    if asyncio._get_running_loop() is not None or not futures:
        return call()
    return futures[0].get_loop().run_until_complete(call_inside())


#: The loops of the workers that gather.
_worker_loops: list[asyncio.AbstractEventLoop] = []


def worker_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    _worker_loops.append(loop)
    return loop


def workers_are_quiet() -> bool:
    """Say whether no worker that gathers has anything to do, until it is told of something."""
    _worker_loops[:] = [loop for loop in _worker_loops if not loop.is_closed()]
    return all(map(_is_quiet, _worker_loops))


def _is_quiet(loop: Any) -> bool:
    answer: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def look() -> None:
        # It has been woken for this: what woke it may be next.
        answer.put(all(each._callback == loop._read_from_self for each in loop._ready))

    loop.call_soon_threadsafe(look)
    return answer.get(timeout=PATIENCE)


async def abroad(future: asyncio.Future[Any]) -> Any:
    """Await a future of another loop."""
    done = Signal()
    home = future.get_loop()
    home.call_soon_threadsafe(future.add_done_callback, lambda _: done.set())
    await done.wait()
    return future.result()


class MyError(Exception):
    pass


def _only(error: BaseException) -> BaseException:
    assert isinstance(error, BaseExceptionGroup)
    (only,) = error.exceptions
    return only


class Begun(unittest.IsolatedAsyncioTestCase):
    """For tests that rely on children having begun."""

    upstream: ClassVar[types.ModuleType]

    def setUp(self) -> None:
        suite = self.upstream.__name__.rpartition(".")[2]
        if BEGUN in changes(suite, self._testMethodName):
            _use(BegunGroup)
            self.addCleanup(_use, ThreadedTaskGroup)
        super().setUp()


class Groups(Begun):
    """For test_taskgroups."""

    async def test_cancels_task_if_created_during_creation(self) -> None:
        cancelled = False

        async def third_task() -> None:
            raise MyError

        async def second_task() -> None:
            nonlocal cancelled
            tasks.create_task(third_task())
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                cancelled = True
                raise

        error = None
        try:
            async with group() as tasks:
                tasks.create_task(second_task())
        except* MyError as errors:
            error = errors.exceptions[0]
        assert cancelled
        assert isinstance(error, MyError)

    async def test_error_and_cancel(self) -> None:
        home = asyncio.get_running_loop()
        event = asyncio.Event()
        parent_cancelled = Signal()

        async def raise_error() -> None:
            home.call_soon_threadsafe(event.set)
            # Standing on its thread, it is not cancelled meanwhile.
            parent_cancelled.block()
            raise MyError

        async def inner() -> None:
            me = asyncio.current_task()
            assert me is not None
            try:
                async with group() as tasks:
                    tasks.create_task(raise_error())
                    await asyncio.sleep(PATIENCE)
                    self.fail("the sleep in the group should have been cancelled")
            except* MyError:
                assert me.cancelling() == 1
            assert me.cancelling() == 1
            await asyncio.sleep(PATIENCE)
            self.fail("the sleep after the group should have been cancelled")

        task = asyncio.create_task(inner())
        await event.wait()
        assert task.cancelling() == 0
        task.cancel()
        assert task.cancelling() == 1
        parent_cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    async def test_exception_refcycles_parent_task(self) -> None:
        tasks = group()
        error: BaseException | None = None

        async def child() -> None:
            async with tasks:
                raise MyError

        try:
            async with group() as outer:
                outer.create_task(child())
        except* MyError as errors:
            error = _only(_only(errors))
        assert isinstance(error, MyError)
        end = time.monotonic() + PATIENCE
        while len(gc.get_referrers(error)) > 1 and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        referrers = gc.get_referrers(error)
        assert referrers == self.upstream.no_other_refs()

    async def test_exception_refcycles_parent_task_wr(self) -> None:
        tasks = group()
        error: BaseException | None = None

        async def child() -> None:
            async with tasks:
                raise MyError

        handle: weakref.ref[ThreadedTask[None]] | None = None
        with no_gc():
            try:
                async with group() as outer:
                    handle = weakref.ref(outer.create_task(child()))
            except* MyError as errors:
                error = _only(_only(errors))
            assert handle is not None
            assert handle() is None
            assert isinstance(error, MyError)
            end = time.monotonic() + PATIENCE
            while len(gc.get_referrers(error)) > 1 and time.monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            referrers = gc.get_referrers(error)
            assert referrers == self.upstream.no_other_refs()

    def refused(self, tasks: ThreadedTaskGroup, why: str) -> None:
        coroutine = value(None)
        with pytest.raises(RuntimeError, match=why):
            tasks.create_task(coroutine)
        assert is_closed(coroutine)

    async def test_taskgroup_finished(self) -> None:
        async with group() as tasks:
            pass
        self.refused(tasks, "is finished")

    async def test_taskgroup_not_entered(self) -> None:
        self.refused(group(), "has not been entered")

    async def test_taskgroup_without_parent_task(self) -> None:
        tasks = group()
        with pytest.raises(RuntimeError, match="parent task"):
            await self.upstream.await_without_task(tasks.__aenter__())
        self.refused(tasks, "has not been entered")

    async def test_taskgroup_no_create_task_after_failure(self) -> None:
        async def fails() -> None:
            await asyncio.sleep(0.001)
            raise MyError

        async def creates() -> None:
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                self.refused(tasks, "is shutting down")

        with pytest.raises(ExceptionGroup) as caught:
            async with group() as tasks:
                tasks.create_task(fails())
                tasks.create_task(creates())
        assert [type(each) for each in caught.value.exceptions] == [MyError]

    async def test_taskgroup_23(self) -> None:
        ends = [Signal() for _ in range(10)]
        async with group() as tasks:
            for end in ends:
                tasks.create_task(end.wait())
            assert tasks._unfinished == 10
            for end in ends[:6]:
                end.set()
            assert await eventually_async(lambda: tasks._unfinished == 4)
            for end in ends[6:]:
                end.set()
            assert await eventually_async(lambda: tasks._unfinished == 0)


class Gathers(unittest.TestCase):
    """For test_tasks."""

    one_loop: Any
    other_loop: Any

    def setUp(self) -> None:
        asyncio.run(gather(value(None), value(None)))
        assert eventually(lambda: idle_workers() >= 2)
        # For the one that collects a hundred times: not all of pytest each time.
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        super().setUp()

    def tearDown(self) -> None:
        if hasattr(self, "one_loop"):
            self._run_loop(self.one_loop)
        super().tearDown()

    def wrap_futures(self, *futures: asyncio.Future[Any]) -> list[Any]:
        theirs: Any = super()
        wrapped = []
        for each, future in zip(theirs.wrap_futures(*futures), futures, strict=True):
            if asyncio.iscoroutine(each):
                each.close()
                wrapped.append(abroad(future))
            else:
                wrapped.append(each)
        return wrapped

    def _run_loop(self, loop: Any) -> None:
        theirs: Any = super()
        theirs._run_loop(loop)
        while not workers_are_quiet() or loop._ready:
            theirs._run_loop(loop)

    def test_constructor_empty_sequence_without_loop(self) -> None:
        gathering = gather()
        assert asyncio.iscoroutine(gathering)
        assert self.one_loop.run_until_complete(gathering) == []

    def test_constructor_empty_sequence_use_global_loop(self) -> None:
        asyncio.set_event_loop(self.other_loop)
        self.addCleanup(asyncio.set_event_loop, None)
        assert self.one_loop.run_until_complete(gather()) == []

    def test_constructor_without_loop(self) -> None:
        gathering = gather(value("abc"), value("def"))
        assert asyncio.iscoroutine(gathering)
        assert self.one_loop.run_until_complete(gathering) == ["abc", "def"]

    def test_constructor_use_global_loop(self) -> None:
        asyncio.set_event_loop(self.other_loop)
        self.addCleanup(asyncio.set_event_loop, None)
        gathering = gather(value("abc"), value("def"))
        assert self.one_loop.run_until_complete(gathering) == ["abc", "def"]

    def test_exception_marking(self) -> None:
        async def inner(future: asyncio.Future[None]) -> None:
            await abroad(future)
            raise RuntimeError("should not be ignored")

        async def outer() -> None:
            await gather(inner(a), inner(b))

        a = self.one_loop.create_future()
        b = self.one_loop.create_future()
        task = asyncio.ensure_future(outer(), loop=self.one_loop)
        self._run_loop(self.one_loop)
        a.set_result(None)
        self._run_loop(self.one_loop)
        b.set_result(None)
        self._run_loop(self.one_loop)
        assert isinstance(task.exception(), RuntimeError)

    def test_cancel_gather_1(self) -> None:
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        end = Signal()

        async def child() -> int:
            await end.wait()
            return 42

        async def create() -> Any:
            return asyncio.ensure_future(gather(child()))

        gathering = loop.run_until_complete(create())
        end.set()
        assert eventually(workers_are_quiet)
        # Its outcome is under way: the caller's loop stands still.
        assert not gathering.done()
        assert not gathering.cancel()
        loop.run_until_complete(gathering)
        assert not gathering.cancelled()
        assert gathering.result() == [42]


class Graphs(unittest.IsolatedAsyncioTestCase):
    """For test_graph."""

    upstream: ClassVar[types.ModuleType]

    def look(self, depth: int) -> tuple[list[Any], str]:
        graph, text = self.upstream.capture_test_stack(depth=depth + 1)
        return _without_private_coroutines(graph), text

    async def test_stack_tgroup(self) -> None:
        parent = ["T<anon>", ["a __aexit__", "a main", "a test_stack_tgroup"], []]
        expected = [
            "T<c2_root>",
            ["s c5", "a c4", "a c3", "a c2"],
            [
                parent,
                ["T<sub_main_1>", ["a c1"], [parent]],
                ["T<sub_main_2>", ["a c1"], [parent]],
            ],
        ]
        graph: list[Any] = []
        text = ""

        def c5() -> bool:
            nonlocal graph, text
            graph, text = self.look(depth=2)
            return graph == expected

        async def c4() -> None:
            end = time.monotonic() + PATIENCE
            while not c5() and time.monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

        async def c3() -> None:
            await c4()

        async def c2() -> None:
            await c3()

        async def c1(task: ThreadedTask[None]) -> None:
            await task

        async def main() -> None:
            async with group() as tasks:
                task = tasks.create_task(c2(), name="c2_root")
                tasks.create_task(c1(task), name="sub_main_1")
                tasks.create_task(c1(task), name="sub_main_2")

        await main()
        assert graph == expected
        assert " async Graphs.test_stack_tgroup()" in text

    async def test_stack_gather(self) -> None:
        caller = ["T<anon>", ["a main", "a test_stack_gather"], []]
        expected = ["T<anon>", ["s look", "a deep", "a c1"], [caller]]
        graph: list[Any] = []

        async def deep() -> None:
            nonlocal graph
            end = time.monotonic() + PATIENCE
            while graph != expected and time.monotonic() < end:
                await asyncio.sleep(0.001)
                graph, _ = self.look(depth=1)

        async def c1() -> None:
            await deep()

        async def c2() -> None:
            await asyncio.sleep(0)

        async def main() -> None:
            await gather(c1(), c2())

        await main()
        assert graph == expected


def _without_private_coroutines(graph: list[Any]) -> list[Any]:
    who, calls, awaited_by = graph
    public = [call for call in calls if call.startswith("a __") or not call.startswith("a _")]
    return [who, public, [_without_private_coroutines(each) for each in awaited_by]]
