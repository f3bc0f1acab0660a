"""CPython's tests of `asyncio.gather`, of `threaded_gather`."""

from __future__ import annotations

import unittest

import pytest

from . import adapted
from .upstream import cases, load, uses

pytestmark = pytest.mark.slow

upstream = load("test_tasks", {"gather": adapted.gather})
tearDownModule = upstream.tearDownModule


def _takes(case: type[unittest.TestCase], test: str) -> bool:
    return hasattr(case, "_gather") or uses(getattr(case, test), "gather")


globals().update(cases(upstream, __name__, adapted.Gathers, _takes))
