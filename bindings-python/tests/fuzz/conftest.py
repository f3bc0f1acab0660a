"""What the soak has, for these too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from soak.conftest import Effort
from soak.conftest import effort as effort
from soak.conftest import watchdog as watchdog
from soak.watchdog import Watchdog

#: Seconds after which one of these has hung: in the normal suite, and in a soak.
HANGS = (60.0, 1800.0)


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest, watchdog: Watchdog, effort: Effort) -> Iterator[None]:
    """End the process, and show every thread, if a test hangs."""
    with watchdog.watching(request.node.nodeid, HANGS[effort.minutes is not None]):
        yield
