"""What could end the process: each case in one of its own, which has to end as it should."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

#: Seconds for one of these, most of which are for starting the interpreter.
LIMIT = 60

PRELUDE = """
import asyncio, contextvars, faulthandler, gc, os, sys, threading, time
from thrasks import *

faulthandler.enable()
faulthandler.dump_traceback_later(50, exit=True)

async def value(result=1):
    return result

async def suspended(result=1):
    await asyncio.sleep(0)
    return result
"""


def run(script: str, *, code: int = 0, limit: float = LIMIT) -> str:
    """Run a script, which prints "done" at its end, and return what it says on the way."""
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=limit,
    )
    assert ended.returncode == code, ended.stderr
    if code == 0:
        assert ended.stdout.endswith("done\n"), ended.stderr
    # In debug mode asyncio says what has held a loop for long.
    said = ended.stderr.splitlines(keepends=True)
    return "".join(line for line in said if not line.startswith("Executing "))


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_all_that_wait_at_a_gate_are_refused(count: int) -> None:
    told = run(f"""
    class Places:
        placed = 0
        def place(self, loads):
            self.placed += 1
            if self.placed > 1:
                raise OSError("no more")
            return 0

    async def main():
        leave = threading.Event()
        async def first():
            leave.wait()
        try:
            async with ThreadedTaskGroup(1, mode=Places(), max_concurrency=1) as group:
                group.create_task(first())
                for _ in range({count}):
                    group.create_task(value())
                leave.set()
        except (ExceptionGroup, OSError) as errors:
            # The first to be refused has those cancelled that have not been.
            assert isinstance(errors, OSError) or len(errors.exceptions) <= {count}
        else:
            raise AssertionError

    asyncio.run(main())
    print("done")
    """)
    assert told == ""


def test_a_pool_is_closed_on_all_that_wait_at_a_gate() -> None:
    run("""
    async def main():
        leave = threading.Event()
        async def first():
            leave.wait()
        pool = LoopPool(1)
        await pool.__aenter__()
        future = threaded_gather(
            first(), *(value() for _ in range(100_000)), pool=pool, max_concurrency=1,
            return_exceptions=True,
        )
        closing = asyncio.create_task(pool.__aexit__(OSError, OSError(), None))
        await asyncio.sleep(0)
        leave.set()
        results = await future
        await closing
        ends = (asyncio.CancelledError, RuntimeError)
        assert all(isinstance(result, ends) for result in results[1:]), results[:5]

    asyncio.run(main())
    print("done")
    """)


def test_a_chain_of_tasks_that_create_each_other_in_their_destructors() -> None:
    run("""
    class Link:
        def __init__(self, left):
            self.left = left
        def __del__(self):
            if self.left:
                try:
                    group.create_task(keep(Link(self.left - 1)))
                except RuntimeError:
                    pass

    async def keep(link):
        return None

    async def main():
        global group
        async with ThreadedTaskGroup(2) as group:
            group.create_task(keep(Link(20_000)))

    asyncio.run(main())
    print("done")
    """)


def test_a_placement_that_places_its_own_tasks_without_end() -> None:
    run("""
    class Places:
        def place(self, loads):
            coro = value()
            try:
                group.create_task(coro)
            finally:
                coro.close()
            return 0

    async def main():
        global group
        try:
            async with ThreadedTaskGroup(1, mode=Places()) as group:
                group.create_task(value())
        except RecursionError:
            print("done")

    asyncio.run(main())
    """)


def test_a_child_that_recurses_without_end() -> None:
    run("""
    def deeper():
        return deeper()

    async def child():
        deeper()

    async def main():
        for _ in range(3):
            try:
                async with ThreadedTaskGroup(2) as group:
                    group.create_task(child())
                    group.create_task(suspended())
            except RecursionError:
                pass
            else:
                raise AssertionError

    asyncio.run(main())
    print("done")
    """)


def test_groups_in_groups_without_end() -> None:
    # Each level is a thread, until there is no room for one more: here, by a limit.
    run("""
    async def down(depth):
        if depth == 150:
            raise OSError("deep enough")
        async with ThreadedTaskGroup(1) as group:
            group.create_task(down(depth + 1))

    try:
        asyncio.run(down(0))
    except OSError:
        print("done")
    """)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space or the processes")
def test_threads_that_cannot_be_started() -> None:
    run("""
    import resource
    start, calls = threading.Thread.start, 0
    def refuses(self):
        global calls
        if self.name.startswith("thrasks-loop-"):
            calls += 1
            if calls > 3:
                raise RuntimeError("can't start new thread")
        start(self)
    threading.Thread.start = refuses

    async def main():
        coro = value()
        for attempt in (lambda: threaded_gather(coro, num_threads=8),
                        lambda: ThreadedTaskGroup(8).__aenter__(),
                        lambda: LoopPool(8).__aenter__()):
            global calls
            calls = 0
            try:
                await attempt()
            except (RuntimeError, OSError) as error:
                assert "start new thread" in str(error), error
            else:
                raise AssertionError
        assert coro.cr_frame is None
        threading.Thread.start = start
        assert await threaded_gather(value(), value(), num_threads=4) == [1, 1]

    asyncio.run(main())
    print("done")
    """)


@pytest.mark.skipif(
    "free-threading" in sys.version and sys.version_info < (3, 15),
    reason="free-threaded CPython 3.14 crashes when two threads run one coroutine (gh-120321)",
)
def test_one_coroutine_on_two_threads() -> None:
    # A coroutine is not to be run twice: CPython says so, or it runs once. It does not crash.
    run("""
    async def main():
        for _ in range(300):
            coro = suspended()
            try:
                async with ThreadedTaskGroup(2) as group:
                    group.create_task(coro)
                    group.create_task(coro)
            except* (RuntimeError, ValueError):
                pass

    asyncio.run(main())
    print("done")
    """)


def test_handles_and_groups_in_cycles_with_destructors() -> None:
    run("""
    class Cycle:
        def __init__(self, group):
            self.group = group
            self.me = self
        def __del__(self):
            try:
                self.group.cancel()
                self.group.create_task(value())
            except RuntimeError:
                pass

    async def child(cycle):
        cycle.task = asyncio.current_task()
        await asyncio.sleep(0)
        return cycle

    async def main():
        for _ in range(200):
            async with ThreadedTaskGroup(2) as group:
                for _ in range(3):
                    cycle = Cycle(group)
                    cycle.handle = group.create_task(child(cycle))
                    del cycle
            if _ % 50 == 0:
                gc.collect()

    asyncio.run(main())
    gc.collect()
    print("done")
    """)


@pytest.mark.parametrize("where", ["a worker", "the caller"])
def test_the_interpreter_ends_while_a_destructor_submits(where: str) -> None:
    run(f"""
    class Last:
        def __del__(self):
            try:
                asyncio.run(threaded_gather(value()))
            except BaseException as error:
                pass

    async def main():
        kept = Last()
        async def child():
            global held
            held = Last()
        if {where!r} == "a worker":
            async with ThreadedTaskGroup(1) as group:
                group.create_task(child())
        else:
            global mine
            mine = kept

    asyncio.run(main())
    print("done")
    """)


@pytest.mark.parametrize(
    "kind", ["KeyboardInterrupt", "SystemExit", "GeneratorExit", "MemoryError"]
)
def test_what_a_loop_factory_raises_is_raised(kind: str) -> None:
    run(f"""
    def factory():
        raise {kind}("of the factory")

    async def main():
        for attempt in (lambda: threaded_gather(value(), loop_factory=factory),
                        lambda: ThreadedTaskGroup(2, loop_factory=factory).__aenter__(),
                        lambda: LoopPool(2, loop_factory=factory).__aenter__()):
            try:
                await attempt()
            except {kind}:
                pass
            else:
                raise AssertionError

    asyncio.run(main())
    print("done")
    """)


@pytest.mark.parametrize("state", ["closed", "running", "shared"])
def test_a_loop_factory_that_returns_a_loop_that_cannot_be_run(state: str) -> None:
    told = run(f"""
    state = {state!r}

    async def main():
        caller = asyncio.get_running_loop()
        loop = caller if state == "running" else asyncio.new_event_loop()
        if state == "closed":
            loop.close()
        try:
            async with ThreadedTaskGroup(2, loop_factory=lambda: loop) as group:
                handles = [group.create_task(suspended()) for _ in range(4)]
        except ValueError as error:
            assert "loop_factory" in str(error), error
        else:
            raise AssertionError("there are two threads, and one loop that runs")
        assert caller.is_running()
        assert await threaded_gather(suspended()) == [1]

    asyncio.run(main())
    print("done")
    """)
    assert told == ""
