"""Every program that the READMEs of thrasks 0.1 show, in our own words, with what it is said to do.

Each test stands for one code block of `thrasks-0.1.0-readme.md` or `thrasks-0.1.0.post1-readme.md`,
in the order of the latter. Their sleeps, which stand for a network, are `asyncio.sleep(0)` here.
"""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import inspect
import json
import os
import threading
import time
from collections import Counter
from typing import Any

import pytest
from support import Everybody, Signal, fail, me, value, worker_threads

from thrasks import SchedulingMode, ThreadedTaskGroup, threaded_gather

MAIN = threading.main_thread().name


async def sum_of_squares(count: int) -> int:
    return sum(number**2 for number in range(count))


def squares(count: int) -> int:
    """The same by its formula."""
    return (count - 1) * count * (2 * count - 1) // 6


async def download(address: str) -> str:
    await asyncio.sleep(0)
    return f"body of {address}"


async def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def thread() -> str:
    return threading.current_thread().name


class TestQuickStartWithAGroup:
    async def test_four_tasks_on_four_threads(self) -> None:
        # 0.1.0 and 0.1.0.post1, "Using ThreadedTaskGroup", the default mode.
        counts = [1_000, 2_000, 3_000, 4_000]
        async with ThreadedTaskGroup(num_threads=4) as group:
            first = group.create_task(sum_of_squares(counts[0]))
            second = group.create_task(sum_of_squares(counts[1]))
            third = group.create_task(sum_of_squares(counts[2]))
            fourth = group.create_task(sum_of_squares(counts[3]))
        # Each is awaited after the block, as there.
        found = [await first, await second, await third, await fourth]
        assert found == [squares(count) for count in counts]

    async def test_the_threads_are_as_many_as_asked_for_and_not_ours(self) -> None:
        async def work() -> str:
            return thread()

        async with ThreadedTaskGroup(num_threads=4) as group:
            tasks = [group.create_task(work()) for _ in range(4)]
        names = {await task for task in tasks}
        assert len(names) == 4
        assert MAIN not in names

    async def test_eight_tasks_of_growing_size_in_queue_mode(self) -> None:
        async with ThreadedTaskGroup(num_threads=4, mode=SchedulingMode.QUEUE) as group:
            tasks = [group.create_task(sum_of_squares(1_000 * i)) for i in range(1, 9)]
        assert [await task for task in tasks] == [squares(1_000 * i) for i in range(1, 9)]

    def test_as_a_whole_program(self) -> None:
        async def main() -> list[int]:
            async with ThreadedTaskGroup(num_threads=4) as group:
                tasks = [group.create_task(sum_of_squares(i)) for i in (10, 20)]
            return [await task for task in tasks]

        assert asyncio.run(main()) == [squares(10), squares(20)]


class TestQuickStartWithGather:
    async def test_four_downloads_on_three_threads(self) -> None:
        found = await threaded_gather(
            download("one.example"),
            download("two.example"),
            download("three.example"),
            download("four.example"),
            num_threads=3,
        )
        assert list(found) == [
            "body of one.example",
            "body of two.example",
            "body of three.example",
            "body of four.example",
        ]

    async def test_three_downloads_in_queue_mode_keep_their_order(self) -> None:
        # The slow one is first: it ends when the others have.
        quick_ones = Everybody(3)

        async def slow() -> str:
            await quick_ones.meet()
            return await download("slow.example")

        async def quick(address: str) -> str:
            body = await download(address)
            await quick_ones.meet()
            return body

        found = await threaded_gather(
            slow(),
            quick("fast.example"),
            quick("medium.example"),
            num_threads=2,
            mode=SchedulingMode.QUEUE,
        )
        assert list(found) == [
            "body of slow.example",
            "body of fast.example",
            "body of medium.example",
        ]


class TestSchedulingModes:
    @pytest.mark.not_in("queue", "least-loaded", reason="it is about the default mode")
    async def test_round_robin_is_the_default(self) -> None:
        names = await threaded_gather(*[self.where() for _ in range(9)], num_threads=3)
        assert names == names[:3] * 3
        assert len(set(names)) == 3

    async def test_round_robin_gives_task_i_to_thread_i_mod_n(self) -> None:
        async with ThreadedTaskGroup(num_threads=4, mode=SchedulingMode.ROUND_ROBIN) as group:
            tasks = [group.create_task(self.where()) for _ in range(100)]
        names = [await task for task in tasks]
        assert len(set(names[:4])) == 4
        assert names == names[:4] * 25

    async def test_queue_lets_each_thread_take_the_next_task_when_it_is_free(self) -> None:
        # One thread is held up by its task for as long as the others need for all the rest.
        release = Signal()

        async def item(i: int) -> str:
            if i == 0:
                release.block()
            return thread()

        async with ThreadedTaskGroup(num_threads=4, mode=SchedulingMode.QUEUE) as group:
            held_up, *others = [group.create_task(item(i)) for i in range(100)]
            counts = Counter([await task for task in others])
            assert not held_up.done()
            release.set()
        assert await held_up not in counts
        assert counts.total() == 99

    async def test_uneven_tasks_in_both_modes(self) -> None:
        async def uneven(number: int) -> int:
            for _ in range(50 if number % 10 == 0 else 5):
                await asyncio.sleep(0)
            return number

        for mode in (SchedulingMode.ROUND_ROBIN, SchedulingMode.QUEUE):
            async with ThreadedTaskGroup(num_threads=4, mode=mode) as group:
                tasks = [group.create_task(uneven(i)) for i in range(40)]
            assert [task.result() for task in tasks] == list(range(40))

    def test_the_modes_have_these_names(self) -> None:
        assert {"ROUND_ROBIN", "QUEUE"} <= {mode.name for mode in SchedulingMode}
        assert SchedulingMode["QUEUE"] is SchedulingMode.QUEUE

    @staticmethod
    async def where() -> str:
        return thread()


class TestReferenceOfTheGroup:
    def test_the_parameters_of_the_group(self) -> None:
        parameters = inspect.signature(ThreadedTaskGroup.__init__).parameters
        assert list(parameters)[:3] == ["self", "num_threads", "mode"]
        assert parameters["mode"].kind is inspect.Parameter.KEYWORD_ONLY
        # Positionally, too.
        ThreadedTaskGroup(2)

    async def test_the_default_is_four_threads(self) -> None:
        async with ThreadedTaskGroup() as group:
            tasks = [group.create_task(TestSchedulingModes.where()) for _ in range(8)]
        assert len({await task for task in tasks}) == 4

    async def test_create_task_takes_a_name_and_a_context_and_returns_a_future(self) -> None:
        language: contextvars.ContextVar[str] = contextvars.ContextVar("language", default="none")
        context = contextvars.copy_context()
        context.run(language.set, "of the context")

        async def look() -> tuple[str, str]:
            return me().get_name(), language.get()

        async with ThreadedTaskGroup(num_threads=2) as group:
            named = group.create_task(look(), name="this one")
            in_context = group.create_task(look(), context=context)
            assert isinstance(named, asyncio.Future)
        assert (await named)[0] == "this one"
        assert (await in_context)[1] == "of the context"

    async def test_the_example_awaits_its_futures_after_the_block(self) -> None:
        async with ThreadedTaskGroup(num_threads=4) as group:
            one = group.create_task(value("one"), name="first")
            two = group.create_task(value("two"))
        assert one.done()
        assert two.done()
        assert (await one, await two) == ("one", "two")

    async def test_waits_for_all_when_the_block_ends(self) -> None:
        count = 0
        lock = threading.Lock()

        async def work() -> None:
            nonlocal count
            await asyncio.sleep(0)
            with lock:
                count += 1

        async with ThreadedTaskGroup(num_threads=4) as group:
            for _ in range(25):
                group.create_task(work())
        assert count == 25


class TestReferenceOfGather:
    def test_the_parameters_of_gather(self) -> None:
        parameters = inspect.signature(threaded_gather).parameters
        assert next(iter(parameters.values())).kind is inspect.Parameter.VAR_POSITIONAL
        assert {"num_threads", "return_exceptions", "mode"} <= set(parameters)
        assert parameters["return_exceptions"].default is False

    async def test_the_order_of_the_arguments_is_that_of_the_results(self) -> None:
        found = await threaded_gather(value("a"), value("b"), value("c"), num_threads=2)
        assert list(found) == ["a", "b", "c"]

    async def test_exceptions_among_the_results(self) -> None:
        found = await threaded_gather(
            value("fine"),
            fail(LookupError("gone")),
            value("fine, too"),
            num_threads=3,
            return_exceptions=True,
        )
        assert found[0] == "fine"
        assert isinstance(found[1], LookupError)
        assert found[2] == "fine, too"

    async def test_tasks_are_gathered_where_they_are(self) -> None:
        # "Falls back to asyncio.gather": they stay on this loop.
        tasks = [asyncio.create_task(TestSchedulingModes.where()) for _ in range(3)]
        assert await threaded_gather(*tasks, num_threads=2) == [MAIN] * 3

    async def test_tasks_and_coroutines_may_be_mixed(self) -> None:
        task = asyncio.create_task(TestSchedulingModes.where())
        here, there = await threaded_gather(task, TestSchedulingModes.where())
        assert here == MAIN
        assert there != MAIN

    async def test_nothing_gathered_is_an_empty_list(self) -> None:
        found: list[Any] = await threaded_gather(*[value(i) for i in range(0)])
        assert found == []


class TestUseCases:
    async def test_hashing(self) -> None:
        # 0.1.0, "CPU-Bound Async Operations".
        async def digest(block: bytes) -> str:
            for _ in range(200):
                block = hashlib.sha256(block).digest()
            await asyncio.sleep(0)
            return block.hex()

        blocks = [f"block {i}".encode() for i in range(4)]
        found = await threaded_gather(*[digest(block) for block in blocks], num_threads=4)
        assert found == [await digest(block) for block in blocks]
        assert len(set(found)) == 4

    async def test_json(self) -> None:
        # 0.1.0.post1, the same place.
        async def there_and_back(record: dict[str, Any], times: int = 50) -> int:
            length = 0
            for _ in range(times):
                text = json.dumps(record)
                assert json.loads(text) == record
                length += len(text)
            return length

        records: list[dict[str, Any]] = [
            {"number": i, "text": "y" * 100, "inner": {"numbers": list(range(50))}}
            for i in range(4)
        ]
        found = await threaded_gather(*[there_and_back(each) for each in records], num_threads=4)
        assert found == [50 * len(json.dumps(each)) for each in records]

    async def test_requests_with_heavy_json(self) -> None:
        # 0.1.0, "Parallel API Requests with Heavy Processing".
        async def request(address: str) -> dict[str, Any]:
            await asyncio.sleep(0)
            body = json.dumps(json.loads(json.dumps({"text": "json" * 1_000})))
            return {"address": address, "length": len(body)}

        addresses = [f"api.example/{i}" for i in range(20)]
        async with ThreadedTaskGroup(num_threads=5) as group:
            futures = [group.create_task(request(address)) for address in addresses]
        found = [await future for future in futures]
        assert [each["address"] for each in found] == addresses
        assert {each["length"] for each in found} == {4_012}

    async def test_requests_with_fibonacci(self) -> None:
        # 0.1.0.post1, the same place: an await of another coroutine in between.
        async def request(number: int) -> dict[str, Any]:
            await asyncio.sleep(0)
            record = {"number": number, "items": [{"n": i, "square": i * i} for i in range(50)]}
            result = await fibonacci(500)
            for _ in range(5):
                assert json.loads(json.dumps(record)) == record
            return {"number": number, "state": "done", "fibonacci": result}

        async with ThreadedTaskGroup(num_threads=4) as group:
            futures = [group.create_task(request(i)) for i in range(20)]
        found = [await future for future in futures]
        assert [each["number"] for each in found] == list(range(20))
        expected = await fibonacci(500)
        assert all(each == {**each, "state": "done", "fibonacci": expected} for each in found)

    async def test_waiting_and_working_tasks_mixed(self) -> None:
        async def waits(number: int) -> str:
            await asyncio.sleep(0)
            return f"waited {number}"

        async with ThreadedTaskGroup(num_threads=4) as group:
            waiting = [group.create_task(waits(i)) for i in range(10)]
            working = [group.create_task(sum_of_squares(i * 1_000)) for i in range(1, 5)]
        assert [await future for future in waiting] == [f"waited {i}" for i in range(10)]
        assert [await future for future in working] == [squares(i * 1_000) for i in range(1, 5)]

    async def test_blocking_calls(self) -> None:
        # 0.1.0.post1, "When to Use thrasks": time.sleep in place of asyncio.sleep.
        together = Everybody(4)

        async def blocks() -> None:
            together.meet_blocking()
            time.sleep(0.001)  # noqa: ASYNC251 -- that it blocks is the point

        # Four at once, or they would never meet.
        await threaded_gather(*[blocks() for _ in range(4)], num_threads=4)


class TestExceptionsOfTheGroup:
    async def test_a_failure_cancels_the_others_and_is_raised_bare(self) -> None:
        started = Signal()

        async def broken() -> None:
            await started.wait()
            raise ValueError("it went wrong")

        async def fine() -> str:
            started.set()
            await asyncio.sleep(3600)
            return "never"

        with pytest.raises(ValueError, match="it went wrong"):
            async with ThreadedTaskGroup(num_threads=2) as group:
                group.create_task(broken())
                cancelled = group.create_task(fine())
        assert cancelled.cancelled()

    async def test_several_failures_are_an_exception_group(self) -> None:
        both = Everybody(2)

        async def broken(error: Exception) -> None:
            # Neither suspends between here and its end: neither can be cancelled any more.
            both.meet_blocking()
            raise error

        with pytest.raises(ExceptionGroup) as caught:
            async with ThreadedTaskGroup(num_threads=2) as group:
                group.create_task(broken(ValueError("one")))
                group.create_task(broken(TypeError("other")))
        described = sorted(f"{type(e).__name__}: {e}" for e in caught.value.exceptions)
        assert described == ["TypeError: other", "ValueError: one"]
        assert len(caught.value.exceptions) == 2


class TestExceptionsOfGather:
    async def test_the_first_is_raised(self) -> None:
        with pytest.raises(ValueError, match="it went wrong"):
            await threaded_gather(value("fine"), fail(ValueError("it went wrong")), num_threads=2)

    async def test_or_all_are_results_to_be_told_apart(self) -> None:
        results = await threaded_gather(
            *[value("fine"), fail(ValueError("it went wrong")), value("fine, too")],
            num_threads=2,
            return_exceptions=True,
        )
        told = [
            f"{i} failed: {result}" if isinstance(result, Exception) else f"{i} is {result}"
            for i, result in enumerate(results)
        ]
        assert told == ["0 is fine", "1 failed: it went wrong", "2 is fine, too"]


class TestPerformanceConsiderations:
    async def test_as_many_threads_as_cores(self) -> None:
        cores = os.cpu_count() or 4
        async with ThreadedTaskGroup(num_threads=cores) as group:
            tasks = [group.create_task(TestSchedulingModes.where()) for _ in range(cores)]
        assert len({await task for task in tasks}) == cores

    @pytest.mark.not_in("queue", reason="whoever is awake takes tasks that are as short as these")
    @pytest.mark.parametrize("count", [1, 10, 50])
    async def test_any_number_of_threads(self, count: int) -> None:
        names = await threaded_gather(
            *[TestSchedulingModes.where() for _ in range(count * 2)], num_threads=count
        )
        assert len(set(names)) == count
        assert set(names) <= {worker.name for worker in worker_threads()}


@pytest.mark.parametrize("mode", [SchedulingMode.ROUND_ROBIN, SchedulingMode.QUEUE])
class TestComparisonWithAsyncio:
    """The tables: the same calls on asyncio's own class and function give the same."""

    async def test_of_the_groups(self, mode: SchedulingMode) -> None:
        async def use(group: Any) -> list[int]:
            async with group:
                tasks = [group.create_task(sum_of_squares(i), name=f"task {i}") for i in range(9)]
                assert [task.get_name() for task in tasks] == [f"task {i}" for i in range(9)]
            return [task.result() for task in tasks]

        assert await use(ThreadedTaskGroup(2, mode=mode)) == await use(asyncio.TaskGroup())

    async def test_of_gather(self, mode: SchedulingMode) -> None:
        def arguments() -> list[Any]:
            return [sum_of_squares(i) for i in range(9)]

        threaded = await threaded_gather(*arguments(), num_threads=2, mode=mode)
        assert threaded == await asyncio.gather(*arguments())
