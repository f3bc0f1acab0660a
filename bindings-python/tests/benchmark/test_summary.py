"""All scenarios in one table, those first that have not been measured yet."""

from __future__ import annotations

import pytest

from . import (
    report,
    test_computing,
    test_mixed,
    test_modes,
    test_overhead,
    test_real_world,
    test_scaling,
    test_sleeping,
)
from .conftest import Measure
from .measuring import Comparison

pytestmark = pytest.mark.benchmark

#: In the order of the table. The real world is another, which has to be set up.
SCENARIOS = (
    test_computing.JSON_GATHER,
    test_computing.FIBONACCI_GATHER,
    test_sleeping.SLEEPING,
    test_sleeping.BLOCKING,
    test_mixed.MIXED,
    test_computing.FIBONACCI_GROUP,
    test_scaling.SCALING,
    test_overhead.GATHER,
    test_overhead.GROUP,
    test_modes.COMPUTING,
    test_modes.BLOCKING,
)


# Alone, it measures all of them.
@pytest.mark.timeout(600)
async def test_summary(measure: Measure, measured: dict[str, Comparison]) -> None:
    for scenario in SCENARIOS:
        if scenario.name not in measured:
            await measure(scenario)
    if test_real_world.NAME not in measured:
        async with test_real_world.real_world() as scenario:
            await measure(scenario)
    names = [scenario.name for scenario in SCENARIOS] + [test_real_world.NAME]
    # Each of them was measured, and had the right results.
    assert set(names) == measured.keys()
    report.log_summary([measured[name] for name in names])
