"""How long, from which seed: what `cargo xtask soak` sets, and the normal suite does not."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from .watchdog import Watchdog

MINUTES = "THRASKS_SOAK_MINUTES"
SEED = "THRASKS_SOAK_SEED"


@dataclass(frozen=True)
class Effort:
    """How much is to be done."""

    minutes: float | None
    """How long the random part may take; None in the normal suite, which does little."""
    seed: int
    """Where it begins: in the normal suite at the same place each time, and in a soak elsewhere."""


@pytest.fixture(scope="session")
def effort() -> Effort:
    minutes = os.environ.get(MINUTES)
    seed = os.environ.get(SEED)
    return Effort(
        None if minutes is None else float(minutes),
        1 if seed is None else int(seed),
    )


@pytest.fixture(scope="session")
def watchdog(request: pytest.FixtureRequest) -> Watchdog:
    return Watchdog(request.config)
