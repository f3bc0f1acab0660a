"""Where blocking code runs, and how far ahead of its consumer it may run."""

from __future__ import annotations

__all__: list[str] = []

import inspect
import operator
import os
import sys
from concurrent.futures import Executor
from typing import Any, Final, TypeAlias

from ._binding import unwrap
from ._thrasks import Separate

#: The executors whose workers share no objects with this interpreter. Their modules are costly to
#: import, and imported where there is such an executor.
_ELSEWHERE: Final = (
    ("concurrent.futures.process", "ProcessPoolExecutor"),
    ("concurrent.futures.interpreter", "InterpreterPoolExecutor"),
)

#: Where something runs: on a thread of the process's pool (or of the executor that the user has
#: given the loop), on a thread of its own, or on a thread of this executor.
Place: TypeAlias = Separate | Executor | None

#: A thread that nothing else runs on, left behind when the interpreter exits.
OWN_THREAD: Final = Separate(True)

#: The same, but waited for.
OWN_THREAD_JOINED: Final = Separate(False)

#: The environment variable that says how many items an iterable runs ahead, unless it is said.
MAX_SIZE_VARIABLE: Final = "THREADED_ITERABLE_DEFAULT_MAX_SIZE"

#: And how many if that is not set, either.
MAX_SIZE: Final = 1024


def check_size(name: str, value: object, *, zero: str = "for the default") -> int:
    """Return the size of a buffer; 0, and None, stand for something else."""
    if value is None:
        return 0
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} must be an int, got {value!r}")
    size = operator.index(value)  # type: ignore[arg-type]
    if size < 0:
        raise ValueError(f"{name} must be at least 1, or 0 {zero}, got {size}")
    return size


def default_size() -> int:
    """Return how many items an iterable runs ahead of its consumer unless it is said."""
    text = os.environ.get(MAX_SIZE_VARIABLE)
    if not text:
        return MAX_SIZE
    try:
        size = int(text)
    except ValueError:
        size = 0
    if size < 1:
        raise ValueError(f"{MAX_SIZE_VARIABLE} must be a number of at least 1, got {text!r}")
    return size


def check_executor(executor: object) -> Executor | None:
    """Refuse what is no executor."""
    if executor is None or isinstance(executor, Executor):
        return executor
    raise TypeError(f"executor must be a concurrent.futures.Executor, got {executor!r}")


def check_place(executor: object, what: str) -> Place:
    """Return where something is to run that goes on for long."""
    executor = check_executor(executor)
    if executor is not None and is_elsewhere(executor):
        raise TypeError(
            f"{what} needs an executor whose workers are threads of this interpreter, such as "
            f"ThreadPoolExecutor, got {executor!r}"
        )
    return executor


def is_elsewhere(executor: Executor) -> bool:
    """Whether an executor runs code in other processes or interpreters."""
    return any(
        module in sys.modules and isinstance(executor, getattr(sys.modules[module], name))
        for module, name in _ELSEWHERE
    )


def check_function(what: str, function: Any, needs: str = "a function") -> None:
    """Refuse what is no function that blocks."""
    inner = unwrap(function)
    if not callable(inner):
        advice = ""
        if inspect.iscoroutine(inner):
            advice = ": await it, it needs no thread"
            inner.close()
        raise TypeError(f"{what} needs {needs}, got {function!r}{advice}")
    if _is_asynchronous(inner):
        raise TypeError(
            f"{what} is for functions that block, got the asynchronous {function!r}: call it "
            "without, it needs no thread"
        )


def _is_asynchronous(function: Any) -> bool:
    call = getattr(type(function), "__call__", None)  # noqa: B004 - An object with such a method.
    return any(
        inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate)
        for candidate in (function, call)
    )


def name_of(function: Any) -> str:
    """Return the name of a function for people."""
    name: Any = getattr(unwrap(function), "__qualname__", None)
    return name if isinstance(name, str) else repr(function)
