"""Tasks that wait: politely, or so that their thread cannot do anything else."""

from __future__ import annotations

import asyncio
import time

import pytest

from .conftest import Measure
from .measuring import GATHERS, Scenario

pytestmark = pytest.mark.benchmark

TASKS = 20

ASLEEP = 0.05
BLOCKED = 0.1


async def sleeping_job(i: int) -> int:
    await asyncio.sleep(ASLEEP)
    return i


async def blocking_job(i: int) -> int:
    time.sleep(BLOCKED)  # noqa: ASYNC251 - That it blocks is the point.
    return i


SLEEPING = Scenario(
    "Sleeping",
    f"awaits asyncio.sleep({ASLEEP})",
    sleeping_job,
    list(range(TASKS)),
    GATHERS,
    notes=("one loop waits for many tasks at once: there is nothing to be gained by another.",),
)
BLOCKING = Scenario(
    "Blocking",
    f"calls time.sleep({BLOCKED})",
    blocking_job,
    list(range(TASKS)),
    GATHERS,
    runs=2,
    notes=("what blocks holds the loop that it runs on, and none of the others.",),
)


async def test_sleeping(measure: Measure) -> None:
    await measure(SLEEPING)


async def test_blocking(measure: Measure) -> None:
    await measure(BLOCKING)
