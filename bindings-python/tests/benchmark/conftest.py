"""What has been measured is kept for the summary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from . import report
from .measuring import Comparison, Scenario, compare

Measure = Callable[[Scenario], Awaitable[None]]


@pytest.fixture(scope="session")
def measured() -> dict[str, Comparison]:
    """Return what was measured so far, by the names of the scenarios."""
    return {}


@pytest.fixture
def measure(measured: dict[str, Comparison]) -> Measure:
    """Return what measures a scenario, and says what it found."""

    async def run(scenario: Scenario) -> None:
        measured[scenario.name] = comparison = await compare(scenario)
        report.log(scenario, comparison)

    return run
