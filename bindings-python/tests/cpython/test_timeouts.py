"""CPython's tests of timeouts around a task group."""

from __future__ import annotations

import unittest

from . import adapted
from .upstream import cases, load, uses

upstream = load("test_timeouts", {"TaskGroup": adapted.group, "gather": adapted.gather})
tearDownModule = upstream.tearDownModule


def _takes(case: type[unittest.TestCase], test: str) -> bool:
    return uses(getattr(case, test), "TaskGroup", "gather")


globals().update(cases(upstream, __name__, adapted.Begun, _takes))
