"""Which thread runs which task: the modes, and a scheduler of one's own."""

import asyncio
import threading
import zlib
from collections.abc import Sequence
from contextvars import ContextVar

from thrasks import SchedulingMode, ThreadedTaskGroup, threaded_gather


async def where(started: threading.Barrier) -> str:
    started.wait()  # Until both threads have a task.
    return threading.current_thread().name


async def follow(names: list[str]) -> str:
    await asyncio.sleep(0)
    names.append(threading.current_thread().name)
    return names[-1]


async def block(until: threading.Event) -> str:
    until.wait()  # Blocks this worker, for as long as it takes.
    return threading.current_thread().name


class ByKey:
    """Tasks of one key run on one worker."""

    key: ContextVar[str] = ContextVar("key")

    def place(self, loads: Sequence[int], /) -> int:
        # Called in create_task, in the context of who creates the task.
        return zlib.crc32(self.key.get().encode()) % len(loads)


async def main() -> None:
    # ROUND_ROBIN: task i runs on worker i % n.
    async with ThreadedTaskGroup(2) as group:
        tasks = [group.create_task(follow([])) for _ in range(6)]
    ran_on = [task.result() for task in tasks]
    print("ROUND_ROBIN:", ran_on == ran_on[:2] * 3)

    # QUEUE: nothing waits behind a task that blocks while another worker is free.
    others_ended = threading.Event()
    names: list[str] = []
    async with ThreadedTaskGroup(2, mode=SchedulingMode.QUEUE) as group:
        blocked = group.create_task(block(others_ended))
        await asyncio.wait([group.create_task(follow(names)) for _ in range(10)])
        others_ended.set()
    print("QUEUE:", len(names), "passed by", blocked.result() not in names)

    # LEAST_LOADED: the worker that has the fewest unfinished tasks at that moment.
    barrier = threading.Barrier(2)
    two = await threaded_gather(
        where(barrier), where(barrier), num_threads=2, mode=SchedulingMode.LEAST_LOADED
    )
    print("LEAST_LOADED:", two[0] != two[1])

    # One's own.
    accounts = ["anna", "ben", "carla", "anna", "ben", "anna"]
    async with ThreadedTaskGroup(3, mode=ByKey()) as group:
        tasks = []
        for account in accounts:
            ByKey.key.set(account)
            tasks.append(group.create_task(follow([])))
    ran_on = [task.result() for task in tasks]
    # Each account is there once: with one worker.
    pairs = set(zip(accounts, ran_on, strict=True))
    print("by key:", sorted(account for account, _ in pairs))


asyncio.run(main())
