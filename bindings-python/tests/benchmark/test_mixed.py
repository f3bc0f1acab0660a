"""Tasks that wait, then compute."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .computing import document, fibonacci, fibonacci_by_doubling, through_json
from .conftest import Measure
from .measuring import GATHERS, Scenario

pytestmark = pytest.mark.benchmark

TASKS = 20

ASLEEP = 0.01
TIMES = 50
N = 10_000


async def mixed_job(i: int) -> tuple[tuple[int, Any], int]:
    await asyncio.sleep(ASLEEP)
    return through_json(document(i), TIMES), fibonacci(N + i)


MIXED = Scenario(
    "Mixed",
    f"awaits asyncio.sleep({ASLEEP}), then JSON and Fibonacci",
    mixed_job,
    [
        (
            (TIMES * through_json(document(i), 1)[0], document(i)),
            fibonacci_by_doubling(N + i),
        )
        for i in range(TASKS)
    ],
    GATHERS,
    runs=10,
)


async def test_mixed(measure: Measure) -> None:
    await measure(MIXED)
