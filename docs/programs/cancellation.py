"""What is cancelled when, and which errors are seen."""

import asyncio

from thrasks import FromThreadChannel, ThreadedTaskGroup


async def serve(name: str, ready: FromThreadChannel[str]) -> None:
    try:
        ready.put(name)  # To whoever waits on the other loop.
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.001)  # Cleaning up may take time: the group waits for it.
        print(name, "has cleaned up")


async def break_down(ready: FromThreadChannel[str]) -> None:
    try:
        ready.put("to break down")
        await asyncio.sleep(3600)
    finally:
        raise OSError("while cleaning up")


async def refuse(ready: FromThreadChannel[str]) -> str:
    try:
        ready.put("to refuse")
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "no"
    return "never reached"


async def fail() -> None:
    raise ValueError("out of luck")


async def main() -> None:
    ready = FromThreadChannel[str]()

    # One failure: the others are cancelled and waited for, and it is raised as it is.
    try:
        async with ThreadedTaskGroup(2) as group:
            group.create_task(serve("a server", ready))
            await ready
            group.create_task(fail())
    except ValueError as error:
        print(repr(error))

    # More than one: a group of them.
    try:
        async with ThreadedTaskGroup(2) as group:
            group.create_task(break_down(ready))
            await ready
            group.create_task(fail())
    except* (ValueError, OSError) as errors:
        print(errors.message, *map(repr, errors.exceptions), sep="; ")

    # A time limit around a group. There may be one in a task as well.
    try:
        async with asyncio.timeout(0.01), ThreadedTaskGroup(2) as group:
            group.create_task(asyncio.sleep(3600))
    except TimeoutError:
        print("time is up")

    # To cancel a task is no error. It is a request, and may be refused.
    async with ThreadedTaskGroup(2) as group:
        polite = group.create_task(asyncio.sleep(3600))
        rude = group.create_task(refuse(ready))
        await ready
        print(polite.cancel(), rude.cancel())
    print(polite.cancelled(), rude.cancelled(), rude.result())

    # Enough: the group ends early, and nothing is raised.
    async with ThreadedTaskGroup(2) as group:
        group.create_task(serve("the last server", ready))
        await ready
        group.cancel()
        await asyncio.sleep(3600)
    print("left")


asyncio.run(main())
