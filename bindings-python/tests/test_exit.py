"""The interpreter ends: whatever runs on the workers, soon, and with the right exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import flavours
import pytest
from support import python

pytestmark = pytest.mark.process

HEADER = """
import asyncio, atexit, os, sys, threading, time
from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather

up = threading.Event()

async def value(x):
    return x

async def sleep_for_ever():
    up.set()
    await asyncio.Event().wait()

async def spin_for_ever():
    up.set()
    while True:
        time.sleep(0.01)

async def wait_until_up():
    while not up.is_set():
        await asyncio.sleep(0.001)
"""

#: More than any of them needs, and less than a thread that is waited for in vain.
LIMIT = 20.0


def run(source: str, *options: str) -> subprocess.CompletedProcess[str]:
    return python(HEADER + textwrap.dedent(source), *options, timeout=LIMIT)


SHAPES = {
    "idle workers": ("asyncio.run(threaded_gather(value(1)))", 0),
    "busy workers, in a daemon thread's loop": (
        """
        async def main():
            async with ThreadedTaskGroup(2) as group:
                group.create_task(sleep_for_ever())
        threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
        up.wait()
        """,
        0,
    ),
    "a child that spins, and an exit code": (
        """
        async def main():
            threaded_gather(spin_for_ever())
            await wait_until_up()
            sys.exit(7)
        asyncio.run(main())
        """,
        7,
    ),
    "a gather nobody awaited": (
        """
        async def main():
            threaded_gather(sleep_for_ever(), sleep_for_ever())
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
    ),
    "work in an atexit callback": (
        """
        def last_words():
            assert asyncio.run(threaded_gather(value(1), value(2))) == [1, 2]
        atexit.register(last_words)
        asyncio.run(threaded_gather(value(1)))
        """,
        0,
    ),
    "an exception in the main task": (
        """
        async def main():
            async with ThreadedTaskGroup(2) as group:
                group.create_task(sleep_for_ever())
                raise ValueError("of the main task")
        asyncio.run(main())
        """,
        1,
    ),
    "SystemExit in a child's first step": (
        """
        async def child():
            raise SystemExit(3)
        async def main():
            async with ThreadedTaskGroup(2) as group:
                group.create_task(sleep_for_ever())
                group.create_task(child())
        asyncio.run(main())
        """,
        3,
    ),
    "SystemExit in a child that has suspended": (
        """
        async def child():
            await asyncio.sleep(0)
            raise SystemExit(3)
        async def main():
            async with ThreadedTaskGroup(2) as group:
                group.create_task(sleep_for_ever())
                group.create_task(child())
        asyncio.run(main())
        """,
        3,
    ),
    "a loop stopped with work under way": (
        """
        loop = asyncio.new_event_loop()
        async def main():
            threaded_gather(sleep_for_ever())
            await wait_until_up()
        loop.run_until_complete(main())
        loop.close()
        """,
        0,
    ),
}


@pytest.mark.parametrize(
    "shape",
    SHAPES,
)
def test_the_interpreter_exits(shape: str) -> None:
    source, code = SHAPES[shape]
    done = run(source)
    assert done.returncode == code, done.stderr
    if code == 1:
        assert done.stderr.rstrip().endswith("ValueError: of the main task")
    elif code != 7:
        # 7 reports the child that it leaves behind.
        assert done.stderr == ""


WAITS = {
    "group": """
        async with ThreadedTaskGroup(2) as group:
            group.create_task(CHILD())
            await ready()
    """,
    "group's body": """
        async with ThreadedTaskGroup(2) as group:
            group.create_task(CHILD())
            await ready()
            await asyncio.Event().wait()
    """,
    "gather": """
        gathered = threaded_gather(CHILD())
        await ready()
        await gathered
    """,
    "pool": """
        async with LoopPool(2) as pool:
            task = pool.run(CHILD())
            await ready()
            await task
    """,
}


def interrupt(wait: str, child: str, interrupts: int) -> tuple[int, str]:
    body = textwrap.dedent(WAITS[wait]).replace("CHILD", child)
    source = (
        flavours.prelude()
        + HEADER
        + "async def ready():\n    await wait_until_up()\n    print('up', flush=True)\n"
        + "async def main():\n"
        + textwrap.indent(body, "    ")
        + "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            for _ in range(interrupts):
                process.send_signal(signal.SIGINT)
                try:
                    # Give the first one the time to be taken note of.
                    process.wait(0.5 if interrupts > 1 else LIMIT)
                except subprocess.TimeoutExpired:
                    continue
                break
            _, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    return process.returncode, errors


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_once_ends_what_can_end(wait: str) -> None:
    code, errors = interrupt(wait, "sleep_for_ever", 1)
    assert code == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "left behind" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_twice_ends_with_a_child_stuck_in_synchronous_code(wait: str) -> None:
    code, errors = interrupt(wait, "spin_for_ever", 2)
    assert code == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "left behind" in errors


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="forks")
def test_a_forked_child_has_workers_of_its_own() -> None:
    done = run(
        """
        async def thread():
            return threading.current_thread().ident is not None
        asyncio.run(threaded_gather(value(1), value(2)))
        child = os.fork()
        if child == 0:
            ok = asyncio.run(threaded_gather(thread(), thread())) == [True, True]
            os._exit(5 if ok else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
        assert asyncio.run(threaded_gather(thread(), thread())) == [True, True]
        """,
        "-W",
        "ignore::DeprecationWarning",
    )
    assert done.returncode == 0, done.stderr


def test_importing_starts_nothing() -> None:
    done = run("assert threading.active_count() == 1")
    assert done.returncode == 0, done.stderr
