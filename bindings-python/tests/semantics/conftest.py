"""Tests here may be coroutine functions, and are held to some more than the others."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import logging
import warnings
from collections.abc import Iterator

import pytest

from thrasks import SchedulingMode, ThreadedTask

#: Seconds after which a test has hung. pytest-timeout then shows where every thread is.
TIMEOUT = 60

# On a free-threaded build pytest's own warning filters hold in pytest's context only, which the
# workers' threads do not share. In an empty context this sets those of the whole process.
contextvars.Context().run(warnings.simplefilter, "error")


#: What is promised and not built yet, by the test that will hold it: listed, so that it is not
#: mistaken for done.
NOT_YET: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        reason = NOT_YET.get(getattr(item, "originalname", item.name))
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=f"not yet: {reason}"))
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function as the main task of a loop."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = inspect.signature(test).parameters
    asyncio.run(test(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(params=list(SchedulingMode), ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> SchedulingMode:
    chosen: SchedulingMode = request.param
    return chosen


@contextlib.contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what asyncio logs as errors: "never retrieved", "was destroyed but it is pending"."""
    heard: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)


def unfinished() -> list[asyncio.Future[object]]:
    kinds = (asyncio.Task, ThreadedTask)
    return [each for each in gc.get_objects() if isinstance(each, kinds) and not each.done()]


@pytest.fixture(autouse=True)
def nothing_to_complain_about(nothing_left_behind: None) -> Iterator[None]:
    """Fail a test that leaves a task behind, or an exception that nobody looked at.

    Workers, threads, descriptors and coroutines: see the fixture that this one builds upon.
    """
    del nothing_left_behind
    # What an earlier test left behind is not this one's fault.
    known = set(unfinished())
    with complaints() as heard:
        yield
        # A future with an exception that nobody looked at says so when it is freed.
        gc.collect()
        left = set(unfinished()) - known
        assert not left, f"tasks left behind: {left}"
    assert not heard, "\n".join(heard)
