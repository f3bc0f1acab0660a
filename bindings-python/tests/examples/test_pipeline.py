"""`pipeline.py`: what it finds, and how much it ever holds."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from .program import LIMIT, needs_signals, running, to_end

pytestmark = pytest.mark.process

WORDS = ("one", "two", "TWO", "three", "x1", "four!", "")


def text_of(lines: int) -> str:
    return "".join(f"{' '.join(WORDS[: i % 8])}\n" for i in range(lines))


def words_of(text: str) -> Counter[str]:
    return Counter(word.lower() for word in text.split() if word.isalpha())


def in_memory(output: str) -> tuple[int, int]:
    pattern = r"^at most (\d+) blocks were in memory; the bound is (\d+)$"
    match = re.search(pattern, output, re.MULTILINE)
    assert match is not None
    return int(match[1]), int(match[2])


@pytest.mark.parametrize("buffer", [1, 8])
async def test_counts_the_words_of_files(tmp_path: Path, buffer: int) -> None:
    paths, words, blocks = [], Counter[str](), 0
    for number, lines in enumerate((1000, 1, 0, 333, 50)):
        path = tmp_path / f"{number}.txt"
        path.write_text(text_of(lines))
        paths.append(path)
        words += words_of(text_of(lines))
        blocks += -(-lines // 10)
    out = tmp_path / "out.txt"
    options = ("--lines", "10", "--buffer", str(buffer), "--out", out)
    ended = await to_end("pipeline.py", *paths, *options)
    assert (ended.code, ended.errors) == (0, "")
    summary = ", ".join(f"{word} ({count})" for word, count in words.most_common())
    assert ended.output.startswith(f"5 files, {words.total()} words: {summary}\n")
    written = [line.split() for line in out.read_text().splitlines()]
    assert len(written) == blocks
    assert sum(int(line[0]) for line in written) == words.total()
    most, bound = in_memory(ended.output)
    assert most <= bound


@needs_signals
async def test_a_slow_end_slows_the_beginning(tmp_path: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    lines, buffer = 3_000, 4
    source, sink = tmp_path / "source", tmp_path / "sink"
    os.mkfifo(source)
    os.mkfifo(sink)
    sent = 0
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    #: Each line is as long as a pipe holds, so that none hides there: one block, and one answer.
    line = ("word " * 820)[:4095].encode() + b"\n"
    answer = b"819 words, 1 distinct\n"
    # Of the pipes, of the reader's own buffer, and of the writer's.
    page = 4096
    elsewhere = 1 + 2 + page // len(answer) + 1

    def send() -> None:
        nonlocal sent
        # Unbuffered, and not larger than it has to be.
        with open(source, "wb", buffering=0) as file:
            fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, page)
            for _ in range(lines):
                file.write(line)
                sent += 1
                if sent == buffer:
                    loop.call_soon_threadsafe(began.set)

    options = ("--lines", "1", "--buffer", str(buffer), "--out", sink)
    async with running("pipeline.py", source, *options) as program:
        with await asyncio.to_thread(open, sink, "rb", 0) as file:
            fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, page)
            sender = asyncio.create_task(asyncio.to_thread(send))
            async with asyncio.timeout(LIMIT):
                await began.wait()
            received, most = 0, 0
            while received < lines:
                content = await asyncio.to_thread(file.read, len(answer))
                received += content.count(b"\n")
                most = max(most, sent - received)
            assert await asyncio.to_thread(file.read) == b""
            await sender
        ended = await program.end()
    assert (ended.code, ended.errors) == (0, "")
    held, bound = in_memory(ended.output)
    assert (held <= bound, bound) == (True, 2 * buffer + 4)
    # They were used, and no more than them.
    assert bound <= most <= bound + elsewhere


async def test_reads_the_sources_of_asyncio() -> None:
    ended = await to_end("pipeline.py")
    assert (ended.code, ended.errors) == (0, "")
    count = len(list(Path(asyncio.__file__).parent.glob("*.py")))
    assert ended.output.startswith(f"{count} files, ")


async def test_says_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text(text_of(10_000))
    missing = tmp_path / "missing"
    ended = await to_end("pipeline.py", missing, good, "--lines", "1")
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors == f"[Errno 2] No such file or directory: '{missing}'\n"
    ended = await to_end("pipeline.py", good, "--out", missing / "out")
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors == f"[Errno 2] No such file or directory: '{missing / 'out'}'\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
async def test_a_full_disk_ends_it_while_it_reads(tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text(text_of(10_000))
    ended = await to_end("pipeline.py", good, "--out", "/dev/full", "--lines", "1")
    assert (ended.code, ended.output) == (1, "")
    assert set(ended.errors.splitlines()) == {"[Errno 28] No space left on device"}


@needs_signals
async def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    if sys.platform == "win32":
        return
    good, sink = tmp_path / "good.txt", tmp_path / "sink"
    good.write_text(text_of(100_000))
    os.mkfifo(sink)
    async with running("pipeline.py", good, "--lines", "1", "--out", sink) as program:
        # It writes more than a pipe holds, and nobody reads on.
        with await asyncio.to_thread(open, sink, "rb", 0) as file:
            assert await asyncio.to_thread(file.read, 1)
            program.send()
            ended = await program.end()
    assert (ended.code, ended.output, ended.errors) == (130, "", "Interrupted.\n")
