"""Tasks that compute: what several processors are for."""

from __future__ import annotations

from typing import Any

import pytest

from .computing import document, fibonacci, fibonacci_by_doubling, through_json
from .conftest import Measure
from .measuring import GATHERS, GROUPS, Scenario

pytestmark = pytest.mark.benchmark

TASKS = 16

TIMES = 2000
N = 20_000


async def json_job(i: int) -> tuple[int, Any]:
    return through_json(document(i), TIMES)


async def fibonacci_job(i: int) -> int:
    return fibonacci(N + i)


FIBONACCI = [fibonacci_by_doubling(N + i) for i in range(TASKS)]

JSON_GATHER = Scenario(
    "JSON",
    f"writes a document as JSON and reads it, {TIMES} times",
    json_job,
    [(TIMES * through_json(document(i), 1)[0], document(i)) for i in range(TASKS)],
    GATHERS,
)
FIBONACCI_GATHER = Scenario(
    "Fibonacci",
    f"computes the {N}th Fibonacci number",
    fibonacci_job,
    FIBONACCI,
    GATHERS,
    runs=10,
)
FIBONACCI_GROUP = Scenario(
    "Fibonacci, task group",
    f"computes the {N}th Fibonacci number",
    fibonacci_job,
    FIBONACCI,
    GROUPS,
    runs=10,
)


async def test_json(measure: Measure) -> None:
    await measure(JSON_GATHER)


async def test_fibonacci(measure: Measure) -> None:
    await measure(FIBONACCI_GATHER)


async def test_fibonacci_in_a_task_group(measure: Measure) -> None:
    await measure(FIBONACCI_GROUP)
