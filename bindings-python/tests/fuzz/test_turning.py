"""Code that is called back, and uses what has called it."""

# mypy: disable-error-code="comparison-overlap"

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from thrasks import LoopPool, SchedulingMode, ThreadedTask, ThreadedTaskGroup, threaded_gather

from .support import for_ever, is_closed, run, suspended, value


class TurnError(Exception):
    """What these raise."""


class Places:
    """A scheduler that does something before it answers."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def place(self, loads: Sequence[int]) -> int:
        self.act()
        return len(loads) - 1


class TestPlace:
    @pytest.mark.parametrize("limit", [None, 1, 2])
    def test_that_submits(self, limit: int | None) -> None:
        async def main() -> None:
            made: list[ThreadedTask[int]] = []
            numbers = iter(range(5))

            def submit() -> None:
                for number in numbers:
                    made.append(group.create_task(suspended(number)))

            mode = Places(submit)
            async with ThreadedTaskGroup(2, mode=mode, max_concurrency=limit) as group:
                first = group.create_task(suspended(7))
            assert first.result() == 7
            assert {handle.result() for handle in made} == {0, 1, 2, 3, 4}

        run(main)

    def test_that_submits_without_end(self) -> None:
        async def main() -> None:
            group = ThreadedTaskGroup(1, mode=Places(lambda: create()))

            def create() -> None:
                coro = value()
                try:
                    group.create_task(coro)
                finally:
                    coro.close()

            with pytest.raises(RecursionError):
                async with group:
                    create()

        run(main)

    def test_that_cancels_its_group(self) -> None:
        async def main() -> None:
            mode = Places(lambda: group.cancel())
            async with ThreadedTaskGroup(1, mode=mode) as group:
                handle = group.create_task(for_ever())
            assert handle.cancelled()

        run(main)

    def test_that_cancels_what_it_places(self) -> None:
        async def main() -> None:
            handles: list[ThreadedTask[Any]] = []
            mode = Places(lambda: [handle.cancel() for handle in handles])
            async with ThreadedTaskGroup(1, mode=mode) as group:
                handles += [group.create_task(for_ever())]
                handles += [group.create_task(for_ever())]
                group.cancel()
            assert all(handle.cancelled() for handle in handles)

        run(main)

    def test_that_opens_a_gather_of_its_own(self) -> None:
        async def main() -> None:
            inner: list[Any] = []

            def gather() -> None:
                inner.append(threaded_gather(value(1), value(2), num_threads=1))

            async with ThreadedTaskGroup(1, mode=Places(gather)) as group:
                handle = group.create_task(value())
            assert handle.result() == 1
            assert await inner[0] == [1, 2]

        run(main)

    def test_that_leaves_its_pool(self) -> None:
        async def main() -> None:
            leaving: list[asyncio.Task[None]] = []

            def leave() -> None:
                if not leaving:
                    leaving.append(asyncio.create_task(pool.__aexit__(None, None, None)))

            pool = LoopPool(1, mode=Places(leave))
            await pool.__aenter__()
            assert await pool.run(suspended()) == 1
            await leaving[0]
            with pytest.raises(RuntimeError, match="is closed"):
                pool.run(value())

        run(main)


class TestADoneCallback:
    def test_that_raises(self) -> None:
        async def main() -> None:
            def fail(_: object) -> None:
                raise TurnError

            async with ThreadedTaskGroup(1) as group:
                handle = group.create_task(suspended())
                handle.add_done_callback(fail)
                handle.add_done_callback(lambda _: called.append(True))
            assert handle.result() == 1

        called: list[bool] = []
        assert len(run(main, ("Exception in callback",))) == 1
        assert called == [True]

    def test_that_submits(self) -> None:
        async def main() -> None:
            handles: list[ThreadedTask[int]] = []
            refused: list[str] = []

            def again(_: object) -> None:
                try:
                    handles.append(group.create_task(suspended()))
                    if len(handles) < 5:
                        handles[-1].add_done_callback(again)
                except RuntimeError as error:
                    refused.append(str(error))

            async with ThreadedTaskGroup(2) as group:
                group.create_task(suspended()).add_done_callback(again)
                beside = group.create_task(asyncio.sleep(0.02))
                await beside
            # The group may be finished when the callback of its last task runs.
            assert all(handle.result() == 1 for handle in handles)
            assert all("is finished" in text for text in refused)

        run(main)

    def test_that_cancels_the_others(self) -> None:
        async def main() -> None:
            async with ThreadedTaskGroup(2) as group:
                others = [group.create_task(for_ever()) for _ in range(5)]

                def cancel(_: object) -> None:
                    for handle in others:
                        handle.cancel()

                group.create_task(suspended()).add_done_callback(cancel)
            assert all(handle.cancelled() for handle in others)

        run(main)

    def test_that_cancels_the_group(self) -> None:
        async def main() -> None:
            async with ThreadedTaskGroup(2) as group:
                other = group.create_task(for_ever())
                group.create_task(suspended()).add_done_callback(lambda _: group.cancel())
            assert other.cancelled()

        run(main)


class Last:
    """Does something when it is destroyed."""

    def __init__(self, act: Callable[[], object], said: threading.Event) -> None:
        self.act = act
        self.said = said

    def __del__(self) -> None:
        try:
            with contextlib.suppress(RuntimeError):
                self.act()
        finally:
            self.said.set()


class TestADestructor:
    @pytest.mark.parametrize("mode", SchedulingMode, ids=lambda mode: mode.name)
    def test_on_a_worker(self, mode: SchedulingMode) -> None:
        async def main() -> None:
            said = threading.Event()
            coros = [value(), value()]

            async def child() -> None:
                Last(lambda: group.create_task(coros[0]), said)
                # And one that lives as long as the task.
                last = Last(lambda: group.create_task(coros[1]), said)
                await asyncio.sleep(0)
                del last

            async with ThreadedTaskGroup(2, mode=mode) as group:
                group.create_task(child())
            assert said.is_set()
            assert all(map(is_closed, coros))

        run(main)

    def test_of_a_result_on_the_caller(self) -> None:
        async def main() -> None:
            said = threading.Event()
            coro = value()

            async def child() -> Last:
                return Last(lambda: group.create_task(coro), said)

            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
                await asyncio.sleep(0)
            gc.collect()
            coro.close()

        run(main)

    def test_that_cancels_the_group_while_a_task_of_it_is_cancelled(self) -> None:
        async def main() -> None:
            said = threading.Event()

            async def child() -> None:
                last = Last(lambda: group.cancel(), said)
                try:
                    await for_ever()
                finally:
                    del last

            async with ThreadedTaskGroup(1) as group:
                handle = group.create_task(child())
                await asyncio.sleep(0.001)
                handle.cancel()
            assert handle.cancelled()

        run(main)

    def test_of_an_argument_of_a_task_that_waits_for_its_turn(self) -> None:
        async def main() -> None:
            said = threading.Event()

            async def child(last: Last) -> None:
                del last

            with pytest.raises(TurnError):
                async with ThreadedTaskGroup(1, max_concurrency=1) as group:
                    group.create_task(for_ever())
                    last = Last(lambda: threaded_gather(value()), said)
                    handle = group.create_task(child(last))
                    del last
                    raise TurnError
            assert handle.done()
            assert said.is_set()
            await asyncio.sleep(0.01)

        run(main)


class TestInsideTheGroup:
    def test_a_task_that_awaits_itself_is_told(self) -> None:
        async def main() -> None:
            given: list[ThreadedTask[None]] = []
            ready = threading.Event()

            async def child() -> None:
                await asyncio.to_thread(ready.wait)
                await given[0]

            with pytest.raises(RuntimeError, match="await on itself"):
                async with ThreadedTaskGroup(1) as group:
                    given.append(group.create_task(child()))
                    ready.set()

        run(main)

    def test_a_task_that_awaits_itself_in_its_first_step_is_told(self) -> None:
        async def main() -> None:
            given: list[ThreadedTask[None]] = []
            ready = threading.Event()

            async def child() -> None:
                ready.wait()
                await given[0]

            async with LoopPool(1) as pool:
                given.append(pool.run(child()))
                ready.set()
                with pytest.raises(RuntimeError, match="await on itself"):
                    await given[0]

        run(main)

    def test_a_gather_that_is_awaited_by_what_it_gathers(self) -> None:
        async def main() -> None:
            given: list[Any] = []
            ready = threading.Event()

            async def child() -> None:
                await asyncio.to_thread(ready.wait)
                await given[0]

            given.append(threaded_gather(child(), num_threads=1))
            ready.set()
            with pytest.raises(RuntimeError, match="belongs to another loop"):
                await given[0]

        run(main)

    def test_a_gather_of_gathers_of_one_gather(self) -> None:
        async def main() -> None:
            inner = threaded_gather(value(1), value(2), num_threads=1)
            outer = threaded_gather(inner, threaded_gather(inner), inner)
            assert await outer == [[1, 2], [[1, 2]], [1, 2]]

        run(main)

    def test_create_task_while_something_inside_is_left(self) -> None:
        async def main() -> None:
            made: list[ThreadedTask[int]] = []

            class Inside:
                async def __aenter__(self) -> None:
                    pass

                async def __aexit__(self, *exc: object) -> None:
                    made.append(group.create_task(suspended()))

            with pytest.raises(TurnError):
                async with ThreadedTaskGroup(1) as group, Inside():
                    raise TurnError
            assert made[0].cancelled() or made[0].result() == 1

        run(main)

    def test_create_task_while_the_group_is_left(self) -> None:
        async def main() -> None:
            made: list[ThreadedTask[int]] = []

            async def late() -> None:
                await asyncio.sleep(0.002)
                made.append(group.create_task(suspended()))

            async with ThreadedTaskGroup(2) as group:
                group.create_task(late())
            assert made[0].result() == 1

        run(main)

    def test_a_group_left_on_the_loop_of_its_child_is_told_and_goes_on(self) -> None:
        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:

                async def child() -> str:
                    with pytest.raises(RuntimeError) as caught:
                        await group.__aexit__(None, None, None)
                    return str(caught.value)

                handle = group.create_task(child())
            assert handle.result()

        run(main)

    def test_a_pool_left_by_one_of_its_tasks_is_told_and_goes_on(self) -> None:
        async def main() -> None:
            async with LoopPool(1) as pool:

                async def child() -> str:
                    with pytest.raises(RuntimeError) as caught:
                        await pool.__aexit__(None, None, None)
                    return str(caught.value)

                assert await pool.run(child())
                assert await pool.run(value()) == 1

        run(main)

    def test_a_finished_handle_is_not_cancelled(self) -> None:
        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:
                handle = group.create_task(value())
            assert not handle.cancel()
            assert handle.cancelling() == 0
            assert handle.uncancel() == 0
            assert handle.result() == 1

        run(main)
