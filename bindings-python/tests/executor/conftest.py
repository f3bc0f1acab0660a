"""Most tests run with each kind of executor."""

from __future__ import annotations

import pytest

from .support import KINDS, Kind


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Run the test on the caller's loop, on threads of the executor's own, and on a pool's."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(params=[kind for kind in KINDS if kind.threaded], ids=lambda kind: kind.name)
def threaded_kind(request: pytest.FixtureRequest) -> Kind:
    """Run the test with each kind that has threads."""
    chosen: Kind = request.param
    return chosen
