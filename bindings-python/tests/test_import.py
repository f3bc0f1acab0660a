"""The package as a module: its version, and what it does not import."""

from __future__ import annotations

import importlib.metadata

import pytest
from support import python

import thrasks


def test_the_version_is_that_of_the_installed_package() -> None:
    version = importlib.metadata.version("thrasks")

    assert thrasks.__version__ == version
    assert "__version__" in dir(thrasks)
    assert python("from thrasks import *; print(__version__)").stdout.strip() == version


def test_a_name_that_it_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'thrasks' has no attribute 'nothing'$"):
        _ = thrasks.nothing  # type: ignore[attr-defined]


@pytest.mark.process
def test_to_look_a_version_up_is_left_to_those_who_ask_for_it() -> None:
    # Its import takes as long as asyncio's.
    program = """
    import sys
    import thrasks
    before = "importlib.metadata" in sys.modules
    version = thrasks.__version__
    print(before, "importlib.metadata" in sys.modules)
    """
    ran = python(program, "-I")

    assert ran.stdout.split() == ["False", "True"], ran.stderr
