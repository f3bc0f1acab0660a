"""Random programs of streams and channels: whatever is done with them, the promises hold."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import hypothesis
import hypothesis.strategies as st
from support import PATIENCE, Blocking

from thrasks import FromThreadChannel, generate, iterate, threaded

from .support import Source, nothing_runs, run

#: What is done with a stream, in this order: most of it many times.
STREAM_STEPS = ("take", "take", "take", "cancel", "late", "yield", "call")
ENDS = ("aclose", "close", "drop", "close on a thread", "exhaust", "nothing")

programs = st.lists(
    st.tuples(
        st.sampled_from(["stream", "generator"]),
        st.integers(0, 12),  # how many items there are
        st.integers(1, 5),  # the buffer's size
        st.booleans(),  # whether it fails in the end
        st.lists(st.sampled_from(STREAM_STEPS), max_size=12),
        st.sampled_from(ENDS),
    ),
    min_size=1,
    max_size=5,
)


class OfTheSourceError(Exception):
    pass


async def consume(
    kind: str, count: int, size: int, fails: bool, steps: list[str], end: str
) -> None:
    source = Source(stop=count, error=OfTheSourceError() if fails else None)
    stream: Any
    if kind == "stream":
        stream, ahead = iterate(source.generator, buffer_maxsize=size)(), size
    else:
        stream, ahead = generate(source.generator)(), 0
    taken: list[int] = []
    over = False

    async def take() -> None:
        nonlocal over
        try:
            taken.append(await anext(stream))
        except StopAsyncIteration:
            over = True
        except OfTheSourceError:
            assert len(taken) == count
            over = True

    for step in steps:
        if step == "take":
            await take()
        elif step == "cancel":
            task = asyncio.ensure_future(take())
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        elif step == "late":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(take(), 0.0001)
        elif step == "yield":
            await asyncio.sleep(0)
        else:
            assert await threaded(int)() == 0
        # Nothing lost, nothing twice, none too many made.
        assert taken == [*range(len(taken))]
        assert source.made <= len(taken) + max(ahead, 1)
    if end == "exhaust":
        while not over:
            await take()
        assert taken == [*range(count)]
    elif end == "aclose":
        await stream.aclose()
        assert source.ended.is_set() is source.began.is_set()
    elif end == "close":
        stream.close()
    elif end == "close on a thread":
        await threaded(stream.close)()
    if end != "nothing":
        del stream


@hypothesis.settings(max_examples=60, deadline=None, database=None)
@hypothesis.given(programs)
def test_streams(program: list[tuple[str, int, int, bool, list[str], str]]) -> None:
    async def main() -> None:
        before = Blocking.now()
        async with asyncio.timeout(4 * PATIENCE):
            await asyncio.gather(*(consume(*each) for each in program))
            await nothing_runs(before)

    run(main())


@hypothesis.settings(max_examples=40, deadline=None, database=None)
@hypothesis.given(
    st.integers(0, 4),
    st.lists(st.integers(0, 15), min_size=1, max_size=4),
    st.integers(1, 3),
    st.lists(st.booleans(), max_size=20),
)
def test_channels(maxsize: int, puts: list[int], takers: int, cancels: list[bool]) -> None:
    async def main() -> None:
        channel = FromThreadChannel[tuple[int, int]](maxsize)
        taken: list[tuple[int, int]] = []

        @threaded
        def fill(who: int, count: int) -> None:
            for number in range(count):
                channel.put((who, number))

        async def take() -> None:
            left = iter(cancels)
            while True:
                timeout = 0.0001 if next(left, False) else 0.0
                try:
                    taken.append(await channel.get(timeout=timeout))
                except TimeoutError:
                    continue
                except RuntimeError:
                    assert channel.is_closed
                    return

        async with asyncio.timeout(4 * PATIENCE), asyncio.TaskGroup() as group:
            for _ in range(takers):
                group.create_task(take())
            await asyncio.gather(*(fill(who, count) for who, count in enumerate(puts)))
            channel.close()
        for who, count in enumerate(puts):
            assert sorted(number for each, number in taken if each == who) == [*range(count)]

    run(main())
