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
    print("ROUND_ROBIN:", ran_on[0::2] == [ran_on[0]] * 3, ran_on[1::2] == [ran_on[1]] * 3)

    # QUEUE: nothing waits behind a task that blocks its worker while another worker is free.
    others_ended = threading.Event()
    names: list[str] = []
    async with ThreadedTaskGroup(2, mode=SchedulingMode.QUEUE) as group:
        blocked = group.create_task(block(others_ended))
        await asyncio.wait([group.create_task(follow(names)) for _ in range(10)])
        others_ended.set()
    print("QUEUE:", len(names), "passed by", blocked.result() not in names)

    # LEAST_LOADED: the worker with the fewest unfinished tasks when the task is created.
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
    pairs = {(account, task.result()) for account, task in zip(accounts, tasks, strict=True)}
    print("by key:", sorted(account for account, _ in pairs))


asyncio.run(main())
