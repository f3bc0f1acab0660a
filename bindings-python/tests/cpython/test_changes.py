"""The table of changes holds, and CPython's tests are there at all."""

from __future__ import annotations

import sys
import unittest

import pytest

from . import adapted, test_taskgroups, test_tasks
from .changes import ADAPTED, CHANGES, ENABLED, HELPER
from .upstream import load, names_of

ADAPTERS = {
    "test_taskgroups": adapted.Groups,
    "test_tasks": adapted.Gathers,
    "test_graph": adapted.Graphs,
    "test_timeouts": adapted.Begun,
}

#: How many tests of each class run at least. CPython adds some with each version.
AT_LEAST = (
    {"TestTaskGroup": 49, "TestEagerTaskTaskGroup": 49, "BaseTaskTests": 6}
    if sys.version_info >= (3, 14)
    else {"TestTaskGroup": 35, "BaseTaskTests": 6}
)


def classes(module: object) -> dict[str, type[unittest.TestCase]]:
    """Find the classes of tests that pytest finds."""
    return {
        name: each
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, unittest.TestCase)
    }


@pytest.mark.parametrize("name", [name for name in AT_LEAST if name != "BaseTaskTests"])
def test_the_group_tests_are_there(name: str) -> None:
    assert len(names_of(classes(test_taskgroups)[name])) >= AT_LEAST[name]


def test_the_gather_tests_are_there() -> None:
    found = classes(test_tasks)
    assert len(names_of(found.pop("FutureGatherTests"))) >= 12
    assert len(names_of(found.pop("CoroutineGatherTests"))) >= 12
    assert len(found) >= 8
    for each in found.values():
        assert len(names_of(each)) >= AT_LEAST["BaseTaskTests"]


def test_every_test_of_our_own_is_in_the_table() -> None:
    ours = {(suite, name) for suite, case in ADAPTERS.items() for name in names_of(case)}
    assert ours == {(each.suite, each.test) for each in CHANGES if each.kind is ADAPTED}
    helpers = [each for each in CHANGES if each.kind is HELPER]
    for each in helpers:
        plain = getattr(unittest.TestCase, each.test, None)
        assert getattr(ADAPTERS[each.suite], each.test) is not plain


def test_the_table_says_everything_once() -> None:
    rows = [(each.suite, each.test, each.kind) for each in CHANGES]
    assert len(rows) == len(set(rows))


@pytest.mark.skipif(sys.version_info < (3, 14), reason="older versions do not have them all")
@pytest.mark.parametrize("suite", ADAPTERS)
def test_the_table_names_tests_that_cpython_has(suite: str) -> None:
    cases = classes(load(suite, {}))
    theirs = {name for each in cases.values() for name in dir(each)} | set(cases)
    for each in CHANGES:
        if each.suite == suite:
            assert ("_" if each.kind is ENABLED else "") + each.test in theirs
