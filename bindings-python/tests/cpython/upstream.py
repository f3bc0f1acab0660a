"""Load the interpreter's own tests, with something else in the place of what they test."""

from __future__ import annotations

import importlib.util
import inspect
import types
import unittest
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from .changes import ADAPTED, CHANGES, ENABLED, NOT_YET, SKIPPED, changes


class Instead(types.ModuleType):
    """A module in which some names mean something else. All others are the module's own."""

    def __init__(self, module: types.ModuleType, names: Mapping[str, Any]) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__.update(names, _instead_of=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instead_of, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._instead_of, name, value)


def load(name: str, instead: Mapping[str, Any]) -> types.ModuleType:
    """Load a module of `test.test_asyncio` once more, for ourselves.

    Args:
        name: The module.
        instead: What in asyncio means what instead, to this module.

    Returns:
        The module. Where the interpreter has none, all tests of the calling module are skipped.
    """
    try:
        spec = importlib.util.find_spec(f"test.test_asyncio.{name}")
    except ModuleNotFoundError:
        spec = None
    except unittest.SkipTest as skip:
        pytest.skip(f"CPython skips its own tests: {skip}", allow_module_level=True)
    if spec is None or spec.loader is None:
        pytest.skip(f"this interpreter has no test.test_asyncio.{name}", allow_module_level=True)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for key, value in list(vars(module).items()):
        if isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] == "asyncio":
            vars(module)[key] = Instead(
                value, {n: v for n, v in instead.items() if n in dir(value)}
            )
    return module


def names_of(case: type[unittest.TestCase]) -> list[str]:
    """Find the names of a class's tests."""
    return list(unittest.defaultTestLoader.getTestCaseNames(case))


def cases(
    upstream: types.ModuleType,
    module: str,
    adapted: type[unittest.TestCase] | None = None,
    takes: Callable[[type[unittest.TestCase], str], bool] = lambda case, test: True,
) -> Iterator[tuple[str, type[unittest.TestCase]]]:
    """Make classes of tests of our own from CPython's.

    Args:
        upstream: The module with CPython's.
        module: The name of the module that ours are to be in.
        adapted: The tests that replace some of theirs, if any do.
        takes: Which of their tests to run: all of them, if it is not given.

    Yields:
        The name of a class, and the class.
    """
    for case in list(vars(upstream).values()):
        if (
            isinstance(case, type)
            and issubclass(case, unittest.TestCase)
            and case.__module__ == upstream.__name__
        ):
            ours = _case(case, upstream, module, adapted, takes)
            if names_of(ours):
                yield case.__name__, ours


def _case(
    case: type[unittest.TestCase],
    upstream: types.ModuleType,
    module: str,
    adapted: type[unittest.TestCase] | None,
    takes: Callable[[type[unittest.TestCase], str], bool],
) -> type[unittest.TestCase]:
    suite = case.__module__.rpartition(".")[2]
    theirs = names_of(case)
    members: dict[str, Any] = {"__module__": module, "upstream": upstream}
    for name in {*theirs, *(names_of(adapted) if adapted else ())}:
        if name not in theirs or not takes(case, name):
            members[name] = None
            continue
        different = changes(suite, name)
        test = getattr(adapted if ADAPTED in different else case, name)
        if SKIPPED in different:
            test = unittest.skip(different[SKIPPED].why)(test)
        elif NOT_YET in different:
            reason = f"not yet: {different[NOT_YET].why}"
            test = pytest.mark.xfail(reason=reason, strict=True)(test)
        members[name] = test
    for change in CHANGES:
        if change.suite == suite and change.kind is ENABLED and hasattr(case, f"_{change.test}"):
            members[change.test] = getattr(case, f"_{change.test}")
    whole = changes(suite, case.__name__)
    if SKIPPED in whole:
        case = unittest.skip(whole[SKIPPED].why)(case)
    return type(case.__name__, (adapted, case) if adapted else (case,), members)


def uses(test: Callable[..., Any], *names: str) -> bool:
    """Say whether a function, or one inside it, has one of these attributes in its code."""
    return _uses(inspect.unwrap(test).__code__, frozenset(names))


def _uses(code: types.CodeType, names: frozenset[str]) -> bool:
    return not names.isdisjoint(code.co_names) or any(
        _uses(inner, names) for inner in code.co_consts if isinstance(inner, types.CodeType)
    )
