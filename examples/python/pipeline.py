"""How do I build a pipeline whose memory stays bounded? Connect its stages by bounded buffers.

    files --> readers --> channel --> counters --> writer --> FILE
              threads     bounded     all cores    a thread

Each stage waits when the next one is slower, all the way back to the files: readers put blocks of
lines into a `FromThreadChannel`, which makes them wait when it is full; `threaded_map` takes from
it only as many as it has room for, `buffersize`, and counts words on all cores; and the writer is
awaited for each. So no more blocks are in memory than the program says, however large the files.

    python pipeline.py [FILE ...] [--out FILE] [--lines N] [--buffer N] [--threads N]

Without files it reads the sources of asyncio. FILE gets a line for each block, `/dev/null` none.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from command_line import at_least_one, run

from thrasks import ChannelClosed, FromThreadChannel, threaded, threaded_map

READERS = 2


class Gauge:
    """How many blocks are in memory, and how many ever were at once. Any thread may tell."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0
        self.most = 0

    def add(self, change: int) -> None:
        """Count blocks that come, or go."""
        with self._lock:
            self.now += change
            self.most = max(self.most, self.now)


class Pipeline:
    """Counts the words of files."""

    def __init__(self, buffer: int, lines: int, threads: int) -> None:
        self._buffer = buffer
        self._lines = lines
        self._threads = threads
        self._channel = FromThreadChannel[list[str]](maxsize=buffer)
        self.blocks = Gauge()
        self.words = Counter[str]()
        #: In the channel, in or before its counter, and one in the hands of each reader, of the
        #: feed and of the writer.
        self.bound = buffer + buffer + READERS + 2

    @threaded
    def _read(self, paths: list[Path]) -> None:
        with contextlib.suppress(ChannelClosed):  # Nobody wants more.
            for path in paths:
                with path.open(encoding="utf-8", errors="replace") as file:
                    while block := list(itertools.islice(file, self._lines)):
                        self.blocks.add(1)
                        self._channel.put(block)  # Waits for room.

    async def _read_all(self, paths: list[Path]) -> None:
        # Leaving the block closes the channel: that is the end for who takes from it, and for a
        # reader that waits for room.
        with self._channel:
            await asyncio.gather(*(self._read(paths[i::READERS]) for i in range(READERS)))

    async def _blocks(self) -> AsyncIterator[list[str]]:
        with contextlib.suppress(ChannelClosed):
            while True:
                yield await self._channel.get()

    async def run(self, paths: list[Path], out: Path) -> None:
        """Read, count and write, all at once."""
        with out.open("w", buffering=1, encoding="utf-8") as file:
            write = threaded(file.write)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read_all(paths))
                counting = threaded_map(
                    count, self._blocks(), num_threads=self._threads, buffersize=self._buffer
                )
                async with counting as counts:
                    async for words in counts:
                        await write(f"{words.total()} words, {len(words)} distinct\n")
                        self.words.update(words)
                        self.blocks.add(-1)


async def count(block: list[str]) -> Counter[str]:
    """Count the words of a block: this is what needs the cores."""
    return Counter(word.lower() for line in block for word in line.split() if word.isalpha())


async def main(paths: list[Path], out: Path, lines: int, buffer: int, threads: int) -> int:
    pipeline = Pipeline(buffer, lines, threads)
    failed = False
    try:
        await pipeline.run(paths, out)
    except* OSError as errors:
        failed = True
        print(*errors.exceptions, sep="\n", file=sys.stderr)
    if failed:
        return 1
    words = ", ".join(f"{word} ({times})" for word, times in pipeline.words.most_common(5))
    print(f"{len(paths)} files, {pipeline.words.total()} words: {words}")
    print(f"at most {pipeline.blocks.most} blocks were in memory; the bound is {pipeline.bound}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path(os.devnull), help="%(default)s by default")
    parser.add_argument("--lines", type=at_least_one, default=50, help="of a block (%(default)s)")
    parser.add_argument("--buffer", type=at_least_one, default=8, help="blocks (%(default)s)")
    parser.add_argument("--threads", type=at_least_one, default=4, help="%(default)s by default")
    given = parser.parse_args()
    files = given.files or sorted(Path(asyncio.__file__).parent.glob("*.py"))
    sys.exit(run(main(files, given.out, given.lines, given.buffer, given.threads)))
