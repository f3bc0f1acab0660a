"""Whole programs: Ctrl-C, the end of the interpreter, what they say and how they exit."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import flavours
import pytest
from support import python

pytestmark = pytest.mark.process

#: Seconds in which a program ends. Only a hang takes that.
LIMIT = 30.0

KINDS = {"loop": "", "threads": "num_threads=2"}

HEADER = """
import asyncio, itertools, sys
from thrasks import TaskPoolExecutor, as_completed, threaded_map

async def double(number):
    await asyncio.sleep(0)
    return 2 * number

async def for_ever(*_):
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise
"""


@pytest.fixture(params=[*KINDS.values()], ids=[*KINDS])
def options(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def run(source: str, options: str = "") -> subprocess.CompletedProcess[str]:
    return python(HEADER + textwrap.dedent(source).replace("OPTIONS", options), timeout=LIMIT)


def test_what_is_queued_is_done_before_the_end(options: str) -> None:
    done = run(
        """
        async def say(number):
            await asyncio.sleep(0.001)
            print(number, flush=True)

        async def main():
            executor = TaskPoolExecutor(1, OPTIONS)
            first = executor.submit(say, 0)
            for number in range(1, 6):
                executor.submit(say, number)
            await first

        asyncio.run(main())
        """,
        options,
    )
    lines = done.stdout.split()
    # What runs on the loop when it begins to shut down is cancelled.
    assert lines in (["0", "1", "2", "3", "4", "5"], ["0", "2", "3", "4", "5"])
    assert (done.returncode, done.stderr) == (0, "")


def test_an_executor_that_is_global(options: str) -> None:
    done = run(
        """
        executor = TaskPoolExecutor(2, OPTIONS)

        async def main():
            print(await executor.submit(double, 1))
            kept.append(executor.map(double, itertools.count(), buffersize=3))

        kept = []
        asyncio.run(main())
        asyncio.run(main())
        """,
        options,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n2\n", "")


@pytest.mark.parametrize("error", ["KeyboardInterrupt()", "SystemExit(3)"])
def test_a_job_that_ends_the_program(error: str, options: str) -> None:
    done = run(
        f"""
        async def end():
            raise {error}

        async def main():
            async with TaskPoolExecutor(2, OPTIONS) as executor:
                try:
                    await executor.submit(end)
                finally:
                    print("left", flush=True)

        asyncio.run(main())
        """,
        options,
    )
    assert "left" in done.stdout
    if error.startswith("System"):
        assert done.returncode == 3, done.stderr
    else:
        assert done.returncode == -signal.SIGINT, done.stderr


@pytest.mark.parametrize("first", [True, False], ids=["first step", "later"])
def test_on_the_loop_it_stops_at_once(first: bool) -> None:
    done = run(
        f"""
        async def end():
            if not {first}:
                await asyncio.sleep(0)
            raise SystemExit(3)

        loop = asyncio.new_event_loop()
        executor = TaskPoolExecutor(1)

        futures = []

        def begin():
            futures.extend([executor.submit(end), executor.submit(double, 2)])

        loop.call_soon(begin)
        try:
            loop.run_until_complete(asyncio.sleep(10))
        except SystemExit as error:
            print(error.code)
        # The loop may go on, and so do the jobs.
        print(loop.run_until_complete(futures[1]))
        print(type(futures[0].exception()).__name__)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        """
    )
    assert (done.returncode, done.stdout) == (0, "3\n4\nSystemExit\n")
    if "eager" in flavours.chosen and first:
        # Of a task that its factory fails to make, nobody can take the exception.
        assert "Task exception was never retrieved" in done.stderr
    else:
        assert done.stderr == ""


BODIES = {
    "jobs": """
        async with TaskPoolExecutor(2, OPTIONS) as executor:
            futures = [executor.submit(for_ever) for _ in range(5)]
            await up()
            await asyncio.wait(futures)
    """,
    "leaving": """
        async with TaskPoolExecutor(2, OPTIONS) as executor:
            for _ in range(5):
                executor.submit(for_ever)
            await up()
    """,
    "a map": """
        async with TaskPoolExecutor(2, OPTIONS) as executor:
            results = executor.map(for_ever, range(5))
            await up()
            async for _ in results:
                pass
    """,
    "threaded_map": """
        results = threaded_map(for_ever, range(2), num_threads=2)
        await up()
        async for _ in results:
            pass
    """,
    "as_completed": """
        completing = as_completed([for_ever(), for_ever()], num_threads=2)
        await up()
        async for _ in completing:
            pass
    """,
}


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("body", BODIES)
def test_ctrl_c(body: str, options: str) -> None:
    if options and body in ("threaded_map", "as_completed"):
        pytest.skip("those have threads of their own")
    source = (
        flavours.prelude()
        + HEADER
        + "async def up():\n    await asyncio.sleep(0.2)\n    print('up', flush=True)\n"
        + "async def main():\n"
        + textwrap.indent(textwrap.dedent(BODIES[body]).replace("OPTIONS", options), "    ")
        + "\nasyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT, errors
    # The two that ran were asked to end, and have.
    assert output.count("cancelled") == 2
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "never" not in errors
    assert "destroyed" not in errors


def test_the_program_ends_with_an_exception(options: str) -> None:
    done = run(
        """
        async def main():
            async with TaskPoolExecutor(2, OPTIONS) as executor:
                results = executor.map(double, itertools.count(), buffersize=5)
                async for each in results:
                    if each == 20:
                        raise KeyError("enough")

        asyncio.run(main())
        """,
        options,
    )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("KeyError: 'enough'")
    assert done.stderr.count("Traceback") == 1


def test_a_loop_that_is_left_open(options: str) -> None:
    done = run(
        """
        async def main():
            executor = TaskPoolExecutor(1, OPTIONS)
            kept.append(executor)
            kept.extend(executor.submit(for_ever) for _ in range(3))
            await asyncio.sleep(0.01)

        kept = []
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        print("end", flush=True)
        """,
        options,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("end\n")


def test_importing_takes_no_tqdm() -> None:
    done = run("assert 'tqdm' not in sys.modules")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_tqdm_installed() -> None:
    done = run(
        """
        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "tqdm":
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Refuse())

        async def main():
            try:
                threaded_map(double, range(3), progress=True)
            except ImportError as error:
                print(error)

        asyncio.run(main())
        """
    )
    assert done.stdout == (
        "progress=True draws its bar with tqdm, which is not installed: "
        "pip install 'thrasks[progress]', or pass a function of (done, total)\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
