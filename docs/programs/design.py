"""One task, seen from inside and from outside."""

import asyncio
import threading

import thrasks
from thrasks import ThreadedTaskGroup


class Seen:
    """What the task has seen of itself."""

    task: asyncio.Task[None] | None = None
    loop: asyncio.AbstractEventLoop | None = None
    thread: str = ""


async def look(
    seen: Seen,
    here: asyncio.AbstractEventLoop,
    ready: asyncio.Event,
) -> None:
    seen.task = asyncio.current_task()
    seen.loop = asyncio.get_running_loop()
    seen.thread = threading.current_thread().name
    # In the next turn of this loop, when this task sleeps, call something on the other loop.
    # That is the only way to touch what belongs to it.
    seen.loop.call_soon(here.call_soon_threadsafe, ready.set)
    await asyncio.sleep(3600)


async def main() -> None:
    here, ready, seen = asyncio.get_running_loop(), asyncio.Event(), Seen()
    async with ThreadedTaskGroup(1) as group:
        handle = group.create_task(look(seen, here, ready), name="look")
        await ready.wait()

        # Inside it is a task of asyncio's, on the loop of a worker, on another thread.
        there = asyncio.all_tasks(seen.loop)
        print("inside:", type(seen.task).__name__, seen.task in there)
        print("on a loop of its own:", seen.loop is not here)
        print("on a worker's thread:", seen.thread.startswith("thrasks-loop-"))

        # Outside it is a handle: a future of the loop that made it.
        print("outside:", type(handle).__name__, handle.get_loop() is here)
        for info in thrasks.all_tasks():
            print("listed:", info.name, info.coro, info.state)
        handle.cancel()
    print("ended:", handle.cancelled(), seen.task is not None and seen.task.cancelled())
    print("left behind:", thrasks.all_tasks())


asyncio.run(main())
