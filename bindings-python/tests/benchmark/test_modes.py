"""Tasks of which some take ten times as long: who gets which of them counts."""

from __future__ import annotations

import time

import pytest

from thrasks import SchedulingMode

from .computing import fibonacci, fibonacci_by_doubling
from .conftest import Measure
from .measuring import ASYNCIO_GATHER, Contender, Scenario, gather

pytestmark = pytest.mark.benchmark

TASKS = 30
THREADS = 4

#: Which Fibonacci numbers: the second takes ten times as long as the first.
SHORT = 3000
LONG = 12_000

BLOCKED = 0.005


def is_long(i: int) -> bool:
    return i % 10 == 0


def size(i: int) -> int:
    return (LONG if is_long(i) else SHORT) + i


async def computing_job(i: int) -> int:
    return fibonacci(size(i))


async def blocking_job(i: int) -> int:
    time.sleep(BLOCKED * 10 if is_long(i) else BLOCKED)  # noqa: ASYNC251 - It is to block.
    return i


def contenders() -> tuple[Contender, ...]:
    return (ASYNCIO_GATHER, *(gather(mode, THREADS) for mode in SchedulingMode))


COMPUTING = Scenario(
    "QUEUE against ROUND_ROBIN",
    "computes a Fibonacci number, every 10th ten times as long",
    computing_job,
    [fibonacci_by_doubling(size(i)) for i in range(TASKS)],
    contenders(),
    threads=f"{THREADS} threads",
    beside="thrasks ROUND_ROBIN",
    runs=10,
    notes=(f"with fewer than {THREADS} processors the threads share them: it matters less then.",),
)
BLOCKING = Scenario(
    "QUEUE against ROUND_ROBIN, blocking",
    f"calls time.sleep({BLOCKED}), every 10th {10 * BLOCKED}",
    blocking_job,
    list(range(TASKS)),
    contenders(),
    threads=f"{THREADS} threads",
    beside="thrasks ROUND_ROBIN",
)


async def test_queue_against_round_robin(measure: Measure) -> None:
    await measure(COMPUTING)


async def test_queue_against_round_robin_when_tasks_block(measure: Measure) -> None:
    await measure(BLOCKING)
