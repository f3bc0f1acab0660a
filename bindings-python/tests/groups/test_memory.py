"""Row 21: what is finished with is let go."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from support import Signal, eventually_async, for_ever, no_gc, value

from thrasks import SchedulingMode, ThreadedTaskGroup


class Thing:
    """Something that can be referred to weakly."""


class TestMemory:  # row 21
    async def test_coroutine_and_arguments_are_dropped_at_once(self, mode: SchedulingMode) -> None:
        made: list[weakref.ref[Any]] = []

        async def child(argument: Thing) -> None:
            await asyncio.sleep(0)
            made.append(weakref.ref(argument))

        with no_gc():
            async with ThreadedTaskGroup(2, mode=mode) as group:
                coro = child(Thing())
                made.append(weakref.ref(coro))
                task = group.create_task(coro)
                del coro
                await task
                # The group is still open, and we have the handle.
                assert await eventually_async(lambda: all(r() is None for r in made), 1.0)
        assert len(made) == 2

    async def test_a_result_dies_with_the_handle(self, mode: SchedulingMode) -> None:
        made: list[weakref.ref[Thing]] = []

        async def child() -> Thing:
            result = Thing()
            made.append(weakref.ref(result))
            return result

        with no_gc():
            async with ThreadedTaskGroup(2, mode=mode) as group:
                tasks = [group.create_task(child()) for _ in range(4)]
            assert all(dead() is not None for dead in made)
            tasks.clear()
            assert await eventually_async(lambda: all(dead() is None for dead in made), 1.0)
        assert len(made) == 4

    async def test_a_result_dies_with_the_handle_once_its_worker_has_run_again(self) -> None:
        async def child() -> Thing:
            return Thing()

        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
        dead = weakref.ref(task.result())
        del task
        # The worker that made it lets go of it.
        async with ThreadedTaskGroup(1) as again:
            again.create_task(value(1))
        gc.collect()
        assert dead() is None
        # The group is still there, and holds nothing.
        assert "tasks=" not in repr(group)

    async def test_a_handle_dies_with_its_last_reference(self, mode: SchedulingMode) -> None:
        with no_gc():
            async with ThreadedTaskGroup(2, mode=mode) as group:
                task = group.create_task(value(1))
                dead = weakref.ref(task)
                await task
                del task
                assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_finished_tasks_are_not_counted_or_kept(self) -> None:
        with no_gc():
            async with ThreadedTaskGroup(2) as group:
                refs = [weakref.ref(group.create_task(value(i))) for i in range(20)]
                await group.create_task(value("last"))
                assert await eventually_async(lambda: all(r() is None for r in refs), 1.0)

    async def test_a_childs_error_dies_with_its_last_reference(self) -> None:
        with no_gc():
            dead = await self._fail_and_catch(strict=False)
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_so_does_one_in_an_exception_group(self) -> None:
        with no_gc():
            dead = await self._fail_and_catch(strict=True)
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def _fail_and_catch(self, *, strict: bool) -> weakref.ref[BaseException]:
        class DoneError(Exception):
            pass

        async def child() -> None:
            await asyncio.sleep(0)
            # Not out of a variable, or the frame in its traceback would refer to it.
            raise DoneError

        try:
            async with ThreadedTaskGroup(1, strict_exception_groups=strict) as group:
                group.create_task(child())
                await for_ever()
        except ExceptionGroup as errors:
            return weakref.ref(errors.exceptions[0])
        except DoneError as error:
            return weakref.ref(error)
        raise AssertionError("nothing was raised")

    @pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt], ids=["error", "base error"])
    async def test_the_bodys_error_dies_with_its_last_reference(
        self, kind: type[BaseException]
    ) -> None:
        class DoneError(kind):  # type: ignore[misc, valid-type]
            pass

        async def body() -> weakref.ref[BaseException]:
            try:
                async with ThreadedTaskGroup(1):
                    raise DoneError
            except DoneError as error:
                return weakref.ref(error)
            raise AssertionError("nothing was raised")

        with no_gc():
            dead = await body()
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_a_cancellation_dies_with_its_last_reference(self) -> None:
        started = Signal()

        async def parent() -> weakref.ref[BaseException]:
            try:
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(for_ever(started))
            except asyncio.CancelledError as error:
                return weakref.ref(error)
            raise AssertionError("it was not cancelled")

        with no_gc():
            task = asyncio.create_task(parent())
            await started.wait()
            task.cancel()
            dead = await task
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_a_group_dies_with_its_last_reference(self) -> None:
        with no_gc():
            group = ThreadedTaskGroup(1)
            async with group:
                group.create_task(value(1))
            dead = weakref.ref(group)
            del group
            assert await eventually_async(lambda: dead() is None, 1.0)
