"""Tasks that do next to nothing: what it costs to have them run."""

from __future__ import annotations

import pytest

from .conftest import Measure
from .measuring import GATHERS, GROUPS, Scenario

pytestmark = pytest.mark.benchmark

TASKS = 100

#: One of these takes less than a millisecond, and whatever else the machine does shows in it.
RUNS = 30


async def trivial_job(i: int) -> int:
    return i * 2


WORK = "doubles a number"
NOTES = ("there is nothing to be gained here. The time a task is the overhead.",)
EXPECTED = [i * 2 for i in range(TASKS)]

GATHER = Scenario("Overhead", WORK, trivial_job, EXPECTED, GATHERS, runs=RUNS, notes=NOTES)
GROUP = Scenario(
    "Overhead, task group", WORK, trivial_job, EXPECTED, GROUPS, runs=RUNS, notes=NOTES
)


async def test_overhead(measure: Measure) -> None:
    await measure(GATHER)


async def test_overhead_of_a_task_group(measure: Measure) -> None:
    await measure(GROUP)
