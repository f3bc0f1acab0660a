"""CPython's tests of `asyncio.TaskGroup`, of a `ThreadedTaskGroup`."""

from __future__ import annotations

from . import adapted
from .upstream import cases, load

upstream = load("test_taskgroups", {"TaskGroup": adapted.group})
tearDownModule = upstream.tearDownModule

globals().update(cases(upstream, __name__, adapted.Groups))
