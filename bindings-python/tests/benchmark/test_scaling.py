"""The same work on more and more threads."""

from __future__ import annotations

import pytest

from thrasks import SchedulingMode

from .computing import fibonacci, fibonacci_by_doubling
from .conftest import Measure
from .measuring import ASYNCIO_GATHER, Scenario, gather

pytestmark = pytest.mark.benchmark

TASKS = 32

THREADS = (1, 2, 4, 8, 16)
N = 20_000


async def fibonacci_job(i: int) -> int:
    return fibonacci(N + i)


def named(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


SCALING = Scenario(
    "Scaling",
    f"computes the {N}th Fibonacci number",
    fibonacci_job,
    [fibonacci_by_doubling(N + i) for i in range(TASKS)],
    (
        ASYNCIO_GATHER,
        *(gather(SchedulingMode.ROUND_ROBIN, threads, named(threads)) for threads in THREADS),
    ),
    threads=f"1 to {THREADS[-1]} threads",
    beside=named(1),
    notes=("with more threads than processors, what is faster was taken from other programs.",),
)


async def test_scaling(measure: Measure) -> None:
    await measure(SCALING)
