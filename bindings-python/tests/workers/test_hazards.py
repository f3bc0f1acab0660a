"""The hazards of crossing threads."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap

import pytest
from support import PATIENCE, Signal, eventually, eventually_async, for_ever, python, reports, value

from thrasks import ThreadedTaskGroup, threaded_gather


class TestHazards:
    async def test_callbacks_that_raise_go_to_the_parents_handler(self) -> None:
        error = ValueError("of a done callback")

        def callback(_: object) -> None:
            raise error

        with reports() as seen:
            async with ThreadedTaskGroup(1) as group:
                task = group.create_task(value(1))
                task.add_done_callback(callback)
            await asyncio.sleep(0)
        assert [report["exception"] for report in seen] == [error]
        assert task.result() == 1

    async def test_timeouts_work_inside_a_child_and_around_a_group(self) -> None:
        async def child() -> str:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await for_ever()
            return "timed out"

        async with ThreadedTaskGroup(1) as group:
            inside = group.create_task(child())
        assert inside.result() == "timed out"

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                async with ThreadedTaskGroup(1) as group:
                    around = group.create_task(for_ever())
        assert around.cancelled()

    @pytest.mark.not_in("uvloop", reason="two of its loops cannot start a process at the same time")
    async def test_subprocesses_work_from_workers(self) -> None:
        async def child(text: str) -> bytes:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", f"print({text!r}, end='')", stdout=subprocess.PIPE
            )
            output, _ = await process.communicate()
            return output

        assert await threaded_gather(*[child("a"), child("b")], num_threads=2) == [b"a", b"b"]

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
    async def test_workers_install_no_signal_handlers(self) -> None:
        before = [signal.getsignal(number) for number in signal.valid_signals()]
        await threaded_gather(*[value(i) for i in range(8)])
        assert [signal.getsignal(number) for number in signal.valid_signals()] == before

    async def test_a_child_that_stops_its_loop_stops_nothing(self) -> None:
        async def child() -> None:
            # What no child should do.
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        # The worker goes on: stopping its loop is not ending it.
        async with ThreadedTaskGroup(1) as group:
            task = group.create_task(child())
        assert task.done()
        async with ThreadedTaskGroup(1) as group:
            again = group.create_task(value(1))
        assert again.result() == 1

    @pytest.mark.not_in("uvloop", reason="it has no selector to break")
    @pytest.mark.parametrize("kind", ["group", "gather"])
    def test_a_loop_that_breaks_is_an_error_and_no_hang(self, kind: str) -> None:
        use = {
            "group": """
                async with ThreadedTaskGroup(2) as group:
                    group.create_task(breaks())
                    group.create_task(asyncio.sleep(3600))
            """,
            "gather": """
                await threaded_gather(breaks(), num_threads=1)
            """,
        }[kind]
        program = f"""
import asyncio, os
from thrasks import ThreadedTaskGroup, threaded_gather

async def breaks():
    asyncio.get_running_loop()._selector.close()
    await asyncio.sleep(3600)

async def use():
{textwrap.indent(textwrap.dedent(use), "    ")}

async def main():
    task = asyncio.create_task(use())
    done, _ = await asyncio.wait([task], timeout={PATIENCE})
    if not done:
        print("it hangs")
    elif isinstance(task.exception(), Exception):
        print("it is an error")
    os.sys.stdout.flush()
    os._exit(0)

asyncio.run(main())
"""
        assert python(program).stdout == "it is an error\n"

    @pytest.mark.not_in("uvloop", reason="it has no selector to break")
    def test_a_loop_that_broke_says_why_and_serves_nobody_any_more(self) -> None:
        program = """
            import asyncio, os
            from thrasks import ThreadedTaskGroup

            async def breaks():
                asyncio.get_running_loop()._selector.close()
                await asyncio.sleep(3600)

            async def answer():
                return 42

            async def main():
                try:
                    async with ThreadedTaskGroup(1) as group:
                        group.create_task(breaks())
                except RuntimeError as error:
                    print("has died" in str(error), isinstance(error.__cause__, Exception))
                async with ThreadedTaskGroup(1) as group:
                    task = group.create_task(answer())
                print(task.result())
                os.sys.stdout.flush()
                os._exit(0)

            asyncio.run(main())
        """
        assert python(program).stdout == "True True\n42\n"

    def test_a_closed_callers_loop_ends_its_children_quietly(self) -> None:
        started = Signal()
        ended = Signal()

        async def child() -> None:
            try:
                await for_ever(started)
            finally:
                ended.set()

        loop = asyncio.new_event_loop()

        async def main() -> None:
            threaded_gather(child())
            await started.wait()

        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        assert eventually(ended.is_set)

    async def test_a_half_used_group_that_is_collected_cleans_up(self) -> None:
        started, ended = Signal(), Signal()

        release = Signal()

        async def child() -> None:
            try:
                started.set()
                await release.wait()
            except asyncio.CancelledError:
                ended.set()
                raise

        async def enter_and_forget() -> None:
            group = ThreadedTaskGroup(1)
            await group.__aenter__()
            group.create_task(child())
            await started.wait()

        with pytest.warns(ResourceWarning, match="was entered and never left"):
            await asyncio.create_task(enter_and_forget())
        cleaned_up = await eventually_async(ended.is_set, 3.0)
        release.set()
        assert cleaned_up
