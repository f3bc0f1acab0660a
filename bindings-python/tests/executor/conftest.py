"""Most tests run with each kind of executor."""

from __future__ import annotations

import flavours
import pytest

from .support import KINDS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take a `kind` with each, or a `threaded_kind` with those that have threads."""
    # How a pool differs from threads of one's own does not depend on the flavour.
    chosen = [kind for kind in KINDS if not (flavours.chosen and kind.of_a_pool)]
    for name in ("kind", "threaded_kind"):
        if name in metafunc.fixturenames:
            kinds = [kind for kind in chosen if name == "kind" or kind.threaded]
            metafunc.parametrize(name, kinds, ids=[kind.name for kind in kinds])
