"""A program that uses what is installed: words are counted in several ways, and all must agree.

It is run in an environment that holds the package and nothing else, with warnings as errors.
"""

from __future__ import annotations

import asyncio
import collections
import re
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import thrasks
from thrasks import (
    ChannelClosed,
    FromThreadChannel,
    LoopPool,
    SchedulingMode,
    TaskPoolExecutor,
    ThreadedTaskGroup,
    as_completed,
    iterate,
    sync_await,
    threaded,
    threaded_gather,
    threaded_iterable,
    threaded_map,
)

Counts = collections.Counter[str]

FILES = sorted(Path(asyncio.__file__).parent.glob("*.py"))


def count(text: str) -> Counts:
    return Counts(re.findall(r"\w+", text))


@threaded
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


async def count_file(path: Path) -> Counts:
    return count(await read(path))


@threaded_iterable(max_size=2)
def texts() -> Iterator[str]:
    for path in FILES:
        yield path.read_text(encoding="utf-8")


async def by_group() -> Counts:
    async with ThreadedTaskGroup(3, mode=SchedulingMode.QUEUE) as group:
        tasks = [group.create_task(count_file(path)) for path in FILES]
    return added(task.result() for task in tasks)


async def by_gather() -> Counts:
    return added(await threaded_gather(*map(count_file, FILES), num_threads=3))


async def by_pool() -> Counts:
    async with LoopPool(2) as pool:
        handles = [pool.run(count_file(path)) for path in FILES]
        return added([await handle for handle in handles])


async def by_executor() -> Counts:
    async with TaskPoolExecutor(max_workers=4, num_threads=2) as executor:
        return added([one async for one in executor.map(count_file, FILES)])


async def by_map() -> Counts:
    return added([one async for one in threaded_map(count_file, FILES, ordered=False)])


async def by_completion() -> Counts:
    counted = as_completed([count_file(path) for path in FILES], num_threads=2)
    return added([future.result() async for future in counted])


async def by_stream() -> Counts:
    async with texts() as stream:
        return added([count(text) async for text in stream])


async def by_iterator() -> Counts:
    async with iterate(path.read_text(encoding="utf-8") for path in FILES) as stream:
        return added([count(text) async for text in stream])


async def by_channel() -> Counts:
    channel: FromThreadChannel[Counts] = FromThreadChannel(maxsize=1)

    @threaded
    def fill() -> None:
        with channel:
            for path in FILES:
                channel.put(sync_await(count_file, path))

    filled = fill()
    counts = []
    with suppress(ChannelClosed):
        while True:
            counts.append(await channel.get())
    await filled
    return added(counts)


def added(counts: collections.abc.Iterable[Counts]) -> Counts:
    return sum(counts, Counts())


async def failing() -> None:
    raise LookupError("on purpose")


async def check_failures() -> None:
    try:
        async with ThreadedTaskGroup(2) as group:
            group.create_task(failing())
            group.create_task(asyncio.sleep(3600))
    except LookupError as error:
        assert str(error) == "on purpose"
    else:
        raise AssertionError("the group has not failed")


async def main() -> None:
    plain = added(count(path.read_text(encoding="utf-8")) for path in FILES)
    assert len(FILES) > 10
    assert plain.total() > 10_000
    ways = [
        by_group,
        by_gather,
        by_pool,
        by_executor,
        by_map,
        by_completion,
        by_stream,
        by_iterator,
        by_channel,
    ]
    for way in ways:
        assert await way() == plain, way.__name__
    await check_failures()
    print(f"{plain.total()} words in {len(FILES)} files, counted in {len(ways)} ways")


if __name__ == "__main__":
    # A module that needs the GIL switches it on when it is imported.
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert not sys._is_gil_enabled()
    assert sys.flags.dev_mode or "error" in sys.warnoptions
    assert thrasks.__version__ == version("thrasks")
    assert files(thrasks).joinpath("py.typed").is_file()
    asyncio.run(main())
    assert thrasks.all_tasks() == []
