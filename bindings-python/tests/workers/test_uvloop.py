"""uvloop as `loop_factory`. `--flavour uvloop` runs the whole suite with it."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio

import pytest
from support import Signal, for_ever

from thrasks import ThreadedTaskGroup, threaded_gather

uvloop = pytest.importorskip("uvloop")


async def module() -> str:
    await asyncio.sleep(0.001)
    return type(asyncio.get_running_loop()).__module__


async def main() -> None:
    started = Signal()
    with pytest.raises(LookupError):
        async with ThreadedTaskGroup(2, loop_factory=uvloop.new_event_loop) as group:
            task = group.create_task(module())
            sleeper = group.create_task(for_ever(started))
            await started.wait()
            assert await task == "uvloop"
            raise LookupError
    assert sleeper.cancelled()
    found = await threaded_gather(*[module()], loop_factory=uvloop.new_event_loop)
    assert found == ["uvloop"]


def test_on_the_workers_alone() -> None:
    asyncio.run(main())


def test_on_the_workers_and_below_the_caller() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
