"""Hazards of two loops on two threads: locks, each other's tasks, the GIL."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest
from support import Signal, for_ever, python, value

from thrasks import ThreadedTaskGroup, threaded_gather

needs_free_threading = pytest.mark.skipif(
    "free-threading" not in sys.version, reason="not a free-threaded build"
)


class TestLocks:
    async def test_of_asyncio_are_refused_on_a_second_loop_once_one_has_waited(self) -> None:
        lock = asyncio.Lock()

        async def child() -> None:
            await lock.acquire()

        await lock.acquire()
        waiting = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is bound to a different event loop"):
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        lock.release()
        assert await waiting

    @pytest.mark.not_in("uvloop", reason="its debug mode crashes (uvloop issue 730)")
    def test_whose_waiter_is_elsewhere_cannot_be_released_in_debug_mode(self) -> None:
        # Without debug mode the waiter is not woken, and nobody is told.
        done = python("""
            import asyncio, os
            from thrasks import ThreadedTaskGroup

            async def main():
                # A busy machine is not to be complained of.
                asyncio.get_running_loop().slow_callback_duration = 60.0
                lock = asyncio.Lock()
                await lock.acquire()
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(lock.acquire())
                    while "waiters:1" not in repr(lock):
                        await asyncio.sleep(0)
                    try:
                        lock.release()
                    except RuntimeError as error:
                        print(error, flush=True)
                    # Its waiter waits for ever.
                    os._exit(0)

            asyncio.run(main(), debug=True)
        """)
        assert "Non-thread-safe operation" in done.stdout
        assert (done.returncode, done.stderr) == (0, "")


class TestTasksOfAnotherThread:
    async def test_are_never_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # On a free-threaded build that stops the world.
        foreign: list[str] = []
        here = threading.get_ident()

        def guard(name: str) -> None:
            look: Any = getattr(asyncio, name)

            def guarded(loop: asyncio.AbstractEventLoop | None = None) -> Any:
                if loop is not None and loop is not asyncio._get_running_loop():
                    foreign.append(f"{name} on {threading.get_ident() == here}")
                return look(loop)

            monkeypatch.setattr(asyncio, name, guarded)

        guard("all_tasks")
        guard("current_task")
        started = Signal()
        async with ThreadedTaskGroup(2) as group:
            tasks = [group.create_task(value(i)) for i in range(50)]
            sleeper = group.create_task(for_ever(started))
            await started.wait()
            sleeper.cancel()
        assert [task.result() for task in tasks] == list(range(50))
        await threaded_gather(*[value(i) for i in range(50)], num_threads=2)
        assert foreign == []

    async def test_each_is_made_and_ends_on_its_own(self) -> None:
        ends: list[tuple[int, int]] = []

        async def child() -> None:
            task = asyncio.current_task()
            assert task is not None
            assert task.get_loop() is asyncio.get_running_loop()
            made = threading.get_ident()
            task.add_done_callback(lambda _: ends.append((made, threading.get_ident())))
            await asyncio.sleep(0)

        async with ThreadedTaskGroup(3) as group:
            for _ in range(12):
                group.create_task(child())
        assert len(ends) == 12
        assert all(made == ended != threading.get_ident() for made, ended in ends)


class TestTheGil:
    @needs_free_threading
    def test_stays_off(self) -> None:
        done = python("""
            import sys
            import thrasks
            assert not sys._is_gil_enabled()
        """)
        assert (done.returncode, done.stderr) == (0, "")

    @needs_free_threading
    def test_that_is_on_in_a_free_threaded_build_is_warned_of_once(self) -> None:
        program = """
            import asyncio, warnings
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                from thrasks import threaded_gather
                async def one():
                    return 1
                for _ in range(2):
                    assert asyncio.run(threaded_gather(one(), one())) == [1, 1]
            (warning,) = caught
            assert issubclass(warning.category, RuntimeWarning), warning
            assert "GIL" in str(warning.message), warning
        """
        done = python(program, "-X", "gil=1")
        assert (done.returncode, done.stderr) == (0, "")
