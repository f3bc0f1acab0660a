"""Threads that are leased, and threads that are shared."""

import asyncio
import threading

from thrasks import LoopPool, SchedulingMode, ThreadedTaskGroup, threaded_gather


async def thread_name() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def lease() -> set[str]:
    async with ThreadedTaskGroup(2) as group:
        tasks = [group.create_task(thread_name()) for _ in range(4)]
    return {task.result() for task in tasks}


async def main() -> None:
    # A group leases its threads and gives them back. The next one has the same.
    first, second = await lease(), await lease()
    print("the same threads:", first == second)

    # At the same time it has others: nobody waits for a lease.
    one, two = await asyncio.gather(lease(), lease())
    print("two groups, threads:", len(one | two))

    # A pool is for many to share.
    async with LoopPool(2, mode=SchedulingMode.ROUND_ROBIN) as pool:
        by_itself = pool.run(thread_name())
        gathered = threaded_gather(*(thread_name() for _ in range(3)), pool=pool)
        async with ThreadedTaskGroup(pool=pool) as group:
            grouped = [group.create_task(thread_name()) for _ in range(4)]
        names = {await by_itself, *await gathered, *(task.result() for task in grouped)}
        print("everything on one pool, threads:", len(names))

        stats = pool.stats()
        print(f"queued {stats.queued}, running {stats.running}, done {stats.done}")
        print("done by each:", [loop.done for loop in stats.loops])


asyncio.run(main())
