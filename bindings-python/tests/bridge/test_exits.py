"""The interpreter ends: whatever runs on threads for blocking code, soon, with the right code."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap

import flavours
import pytest
from support import python

pytestmark = pytest.mark.process

HEADER = """
import asyncio, atexit, contextlib, os, sys, threading, time
from thrasks import *
from thrasks import threaded, threaded_separate, threaded_iterable, iterate, generate

up = threading.Event()
kept = []

def stuck():
    up.set()
    threading.Event().wait()

def numbers():
    try:
        i = 0
        while True:
            yield i
            i += 1
            up.set()
    finally:
        os.write(1, b"finally\\n")

async def wait_until_up():
    while not up.is_set():
        await asyncio.sleep(0.001)

async def first(stream):
    kept.append(stream)
    assert await anext(stream) == 0

@atexit.register
def say():
    print("atexit", flush=True)
"""

#: More seconds than any of them needs, and less than what is waited for in vain.
LIMIT = 20.0


def run(source: str, *options: str) -> subprocess.CompletedProcess[str]:
    return python(HEADER + textwrap.dedent(source), *options, timeout=LIMIT)


#: What the program does, its exit code, what it prints, what is in its complaints.
SHAPES: dict[str, tuple[str, int, str, str]] = {
    "an idle pool": ("asyncio.run(call(int)())", 0, "", ""),
    "a full idle pool": (
        """
        async def main():
            await asyncio.gather(*(threaded(time.sleep)(0.01) for _ in range(50)))
        asyncio.run(main())
        """,
        0,
        "",
        "",
    ),
    "a call that is stuck": (
        """
        async def main():
            kept.append(threaded(stuck)())
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
        "",
        "",
    ),
    "a call that is stuck, and an exit code": (
        """
        async def main():
            kept.append(threaded(stuck)())
            await wait_until_up()
            sys.exit(7)
        asyncio.run(main())
        """,
        7,
        "",
        "",
    ),
    "a call that is stuck, and an exception": (
        """
        async def main():
            kept.append(threaded(stuck)())
            await wait_until_up()
            raise ValueError("of the main task")
        asyncio.run(main())
        """,
        1,
        "",
        "ValueError: of the main task",
    ),
    "calls that wait for a thread": (
        """
        async def main():
            kept.extend(threaded(stuck)() for _ in range(100))
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
        "",
        "",
    ),
    "a separate call that is stuck": (
        """
        async def main():
            kept.append(threaded_separate(stuck)())
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
        "",
        "",
    ),
    "a separate call that is waited for": (
        """
        def last():
            up.set()
            # Until the main thread waits for this one.
            threading.main_thread().join(0.2)
            print("done", flush=True)
        async def main():
            kept.append(threaded_separate(last, detach=False)())
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
        "done\n",
        "",
    ),
    "a producer that waits for room": (
        """
        async def main():
            await first(threaded_iterable(numbers, max_size=2)())
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
        "finally\n",
        "",
    ),
    "one of a loop that was never closed": (
        """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(first(threaded_iterable(numbers, max_size=2)()))
        kept.append(loop)
        """,
        0,
        "finally\n",
        "",
    ),
    "many producers that wait for room": (
        """
        async def main():
            for _ in range(50):
                await first(threaded_iterable(numbers, max_size=2)())
        asyncio.run(main())
        """,
        0,
        "finally\n" * 50,
        "",
    ),
    "a separate producer that waits for room": (
        """
        async def main():
            await first(threaded_separate(numbers)())
        asyncio.run(main())
        """,
        0,
        "finally\n",
        "",
    ),
    "a producer that is stuck": (
        """
        def silent():
            yield 0
            stuck()
        async def main():
            await first(threaded_iterable(silent)())
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
        "",
        "",
    ),
    "an open generator": (
        """
        async def main():
            await first(generate(numbers)())
        asyncio.run(main())
        """,
        0,
        "finally\n",
        "",
    ),
    "an open generator of a loop that was never closed": (
        """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(first(generate(numbers)()))
        kept.append(loop)
        """,
        0,
        "finally\n",
        "",
    ),
    "a callback's function that waits for room": (
        """
        def values(callback):
            try:
                while True:
                    callback(0)
            finally:
                print("finally", flush=True)
        async def main():
            await first(iterate_callback(values)())
        asyncio.run(main())
        """,
        0,
        "finally\n",
        "",
    ),
    "a thread that waits for async code": (
        """
        async def for_ever():
            up.set()
            await asyncio.Event().wait()
        async def main():
            kept.append(threaded(lambda: sync_await(for_ever))())
            await wait_until_up()
            kept[0].cancel()
        asyncio.run(main())
        """,
        0,
        "",
        "",
    ),
    "one that waits on a loop that was never closed": (
        """
        async def for_ever():
            up.set()
            await asyncio.Event().wait()
        async def main():
            kept.append(threaded(lambda: sync_await(for_ever))())
            await wait_until_up()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        kept.append(loop)
        """,
        0,
        "",
        "",
    ),
    "a put that waits for room": (
        """
        channel = FromThreadChannel(maxsize=1)
        def fill():
            channel.put(1)
            up.set()
            channel.put(2)
        async def main():
            kept.append(threaded(fill)())
            await wait_until_up()
        asyncio.run(main())
        """,
        0,
        "",
        "",
    ),
    "calls in an atexit callback, which come too late for the pool": (
        """
        @atexit.register
        def last_words():
            async def main():
                assert await threaded_separate(int)() == 0
                for make in (threaded(int), call(int), lambda: anext(iterate([1])),
                             lambda: anext(generate(numbers)())):
                    try:
                        await make()
                    except RuntimeError as error:
                        assert "the interpreter is shutting down" in str(error)
                        print("refused", flush=True)
            asyncio.run(main())
        asyncio.run(call(int)())
        """,
        0,
        "refused\n" * 4,
        "",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_interpreter_exits(shape: str) -> None:
    source, code, output, complaint = SHAPES[shape]
    done = run(source)
    assert done.returncode == code, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(f"{output}atexit\n".splitlines())
    if complaint:
        assert done.stderr.rstrip().endswith(complaint)
    else:
        # What is left behind is not hidden, and nothing else is said.
        left = re.sub(r"(?m)^.*(left behind|was destroyed but it is pending).*\n?", "", done.stderr)
        assert left == ""


WAITS = {
    "a call": "await threaded(stuck)()",
    "a separate call": "await threaded_separate(stuck)()",
    "a call in a group": """
        async with asyncio.TaskGroup() as group:
            group.create_task(call(stuck)())
    """,
    "an item": "await anext(iterate(lambda: iter(stuck, 1))())",
    "a step": """
        def silent():
            stuck()
            yield 0
        await anext(generate(silent)())
    """,
    "a value": "await single_callback(lambda callback: stuck())()",
    "the end of a stream": """
        def silent():
            yield 0
            stuck()
        async with iterate(silent)() as stream:
            await anext(stream)
            await wait_until_up()
    """,
}


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_the_wait_for_what_is_stuck(wait: str) -> None:
    body = textwrap.indent(textwrap.dedent(WAITS[wait]).strip(), "    ")
    source = (
        flavours.prelude()
        + HEADER
        + "async def main():\n"
        + body
        + "\ndef tell():\n    up.wait()\n    print('up', flush=True)\n"
        + "threading.Thread(target=tell, daemon=True).start()\nasyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(signal.SIGINT)
            if wait == "the end of a stream":
                # Where the body is interrupted, the end is still waited for, as is said.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2.0)
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    "before", ["", "asyncio.run(main())", "busy()"], ids=["new", "idle", "busy"]
)
def test_a_forked_child_has_threads_of_its_own(before: str) -> None:
    done = run(
        f"""
        async def main():
            assert await threaded(int)("3") == 3
            assert [i async for i in iterate(range(100), buffer_maxsize=2)] == list(range(100))
            assert await asyncio.gather(*map(threaded(int), range(50))) == list(range(50))
            async with generate(numbers)() as gen:
                assert await anext(gen) == 0
            assert await threaded(lambda: sync_await(asyncio.sleep, 0, 5))() == 5
        def busy():
            async def begin():
                kept.append(threaded(stuck)())
                await first(threaded_iterable(numbers, max_size=2)())
                await wait_until_up()
            loop = asyncio.new_event_loop()
            kept.append(loop)
            loop.run_until_complete(begin())
        {before}
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            asyncio.run(main())
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
        asyncio.run(main())
        """,
        "-W",
        "ignore::DeprecationWarning",
    )
    assert done.returncode == 0, done.stderr


def test_importing_starts_no_thread() -> None:
    done = run("assert threading.active_count() == 1")
    assert done.returncode == 0, done.stderr


def test_making_streams_and_wrappers_starts_none() -> None:
    done = run(
        """
        kept.append([threaded_iterable(numbers)(), generate(numbers)(), FromThreadChannel()])
        assert threading.active_count() == 1
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "atexit\n"
