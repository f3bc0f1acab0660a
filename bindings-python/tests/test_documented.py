"""What `help()` and editors show: a docstring on everything public, which leaves nothing out."""

from __future__ import annotations

import ast
import builtins
import enum
import importlib.resources
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import FunctionType, MethodDescriptorType
from typing import Any

import thrasks
from thrasks import _thrasks

Function = FunctionType | MethodDescriptorType


@dataclass(frozen=True)
class Documented:
    """Something public that can be called, and what `help()` says of it."""

    name: str
    text: str
    functions: tuple[Function, ...]

    @property
    def parameters(self) -> list[str]:
        """The names of what is passed, but for the object itself."""
        found = inspect.signature(self.functions[0]).parameters
        return [name for name in found if name not in ("self", "cls")]

    def section(self, title: str) -> list[str]:
        """The names of the entries in a section, in order."""
        lines = iter(self.text.splitlines())
        entries = []
        for line in lines:
            if line != f"{title}:":
                continue
            for entry in lines:
                if entry and not entry.startswith(" "):
                    break
                if named := re.match(r" {4}\*{0,2}(\w[\w.]*):", entry):
                    entries.append(named[1].removeprefix("asyncio."))
            break
        return entries


def ours(cls: type) -> bool:
    return cls.__module__.split(".")[0] == "thrasks"


def classes() -> Iterator[type]:
    for name in thrasks.__all__:
        found = getattr(thrasks, name)
        if inspect.isclass(found):
            yield found


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The public members that a class has from this package, and `__call__`."""
    for name in dir(cls):
        if name.startswith("_") and name != "__call__":
            continue
        definer = next((base for base in cls.__mro__ if name in vars(base)), cls)
        if ours(definer):
            yield name, vars(definer)[name]


def constructor(cls: type) -> Documented | None:
    """How a class is called, unless that is Python's or another library's matter."""
    if is_dataclass(cls) or issubclass(cls, enum.Enum) or getattr(cls, "_is_protocol", False):
        return None
    for base in cls.__mro__:
        own = [vars(base).get(name) for name in ("__init__", "__new__")]
        functions = [getattr(one, "__func__", one) for one in own]
        made = [function for function in functions if isinstance(function, FunctionType)]
        if made and ours(base):
            texts = [inspect.getdoc(cls) or "", *(inspect.getdoc(one) or "" for one in made)]
            return Documented(f"{cls.__name__}()", "\n".join(texts), tuple(made))
    return None


def everything() -> Iterator[Documented]:
    """All that is called by those who use the package."""
    for name in thrasks.__all__:
        found = getattr(thrasks, name)
        if isinstance(found, FunctionType):
            yield Documented(name, inspect.getdoc(found) or "", (found,))
    for cls in classes():
        made = constructor(cls)
        if made is not None:
            yield made
        for name, member in members(cls):
            function = getattr(member, "__func__", member)
            if isinstance(function, Function):
                text = inspect.getdoc(function) or ""
                yield Documented(f"{cls.__name__}.{name}", text, (function,))


EVERYTHING = {one.name: one for one in everything()}


def test_all_names_what_is_public_and_nothing_else() -> None:
    # `from __future__ import annotations` leaves its name behind.
    public = {name for name in vars(thrasks) if not name.startswith("_")} - {"annotations"}

    assert public | {"__version__"} == set(thrasks.__all__)
    assert thrasks.__all__ == sorted(set(thrasks.__all__))


def test_the_walk_finds_functions_classes_and_methods_of_either_half() -> None:
    for name in (
        "threaded_gather",
        "LoopPool()",
        "LoopPool.run",
        "FromThreadChannel()",
        "Threaded.__call__",
        "ThreadedTaskGroup.create_task",
    ):
        assert name in EVERYTHING


def is_a_sentence(text: str) -> bool:
    first, _, rest = text.partition("\n")
    return first.endswith(".") and first[0].isupper() and (not rest or rest.startswith("\n"))


def test_every_docstring_begins_with_a_sentence() -> None:
    assert [one.name for one in EVERYTHING.values() if not is_a_sentence(one.text)] == []


def test_each_parameter_is_told_of() -> None:
    told = {name: one.section("Args") for name, one in EVERYTHING.items()}

    assert told == {name: one.parameters for name, one in EVERYTHING.items()}


def test_each_exception_is_told_of() -> None:
    missing = []
    for one in EVERYTHING.values():
        told = set(one.section("Raises"))
        for error in {error for function in one.functions for error in raised(function, set())}:
            # A class may stand for what derives from it, but for those that all exceptions are of.
            if told.isdisjoint({error.__name__, *(base.__name__ for base in error.__mro__[:-3])}):
                missing.append((one.name, error.__name__))

    assert missing == []
    assert sum(len(one.section("Raises")) for one in EVERYTHING.values()) >= 60


def test_classes_properties_and_fields_are_told_of() -> None:
    for cls in classes():
        text = vars(cls)["__doc__"]
        assert text, cls
        assert is_a_sentence(inspect.cleandoc(text)), text
        named: list[str] = []
        if is_dataclass(cls):
            named = [field.name for field in fields(cls)]
        elif issubclass(cls, enum.Enum):
            named = list(cls.__members__)
        told = Documented(cls.__name__, inspect.cleandoc(text), ()).section("Attributes")
        assert not named or told == named, cls
        for name, member in members(cls):
            if isinstance(member, property) or inspect.isgetsetdescriptor(member):
                told_of = inspect.getdoc(member)
                assert told_of, f"{cls.__name__}.{name}"
                assert is_a_sentence(told_of), told_of


def test_editors_show_of_the_native_half_what_help_shows() -> None:
    stub = ast.parse(importlib.resources.files(thrasks).joinpath("_thrasks.pyi").read_text())
    stubs = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    native = {base for cls in classes() for base in cls.__mro__ if hasattr(_thrasks, base.__name__)}
    compared = 0
    for cls in native:
        told = {
            node.name: ast.get_docstring(node)
            for node in stubs[cls.__name__].body
            if isinstance(node, ast.FunctionDef)
        }
        for name, member in vars(cls).items():
            if not name.startswith("_"):
                assert told[name] == inspect.getdoc(member), f"{cls.__name__}.{name}"
                compared += 1
    assert compared >= 9


def raised(function: Callable[..., Any], seen: set[object]) -> set[type[BaseException]]:
    """The exceptions that a function itself raises, or one of this package that it calls by name.

    What a handler around it may keep from whoever has called the function does not count.
    """
    if not isinstance(function, FunctionType) or function in seen:
        return set()
    seen.add(function)
    try:
        source = inspect.getsource(function)
    except OSError:
        # What `dataclass` makes.
        return set()
    tree = ast.parse(textwrap.dedent(source)).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)

    def look_up(node: ast.expr | None) -> object:
        named = node.func if isinstance(node, ast.Call) else node
        if not isinstance(named, ast.Name):
            return None
        return function.__globals__.get(named.id, getattr(builtins, named.id, None))

    found: set[type[BaseException]] = set()
    for node in uncaught(tree.body):
        if isinstance(node, ast.Raise):
            error = look_up(node.exc)
            if inspect.isclass(error) and issubclass(error, BaseException):
                found.add(error)
        elif isinstance(node, ast.Call):
            called = look_up(node)
            if inspect.isclass(called) and ours(called):
                called = vars(called).get("__init__")
            if isinstance(called, FunctionType) and called.__module__.startswith("thrasks."):
                found |= raised(called, seen)
    return found


def uncaught(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What runs in a body itself: not in functions within it, nor where handlers may keep it."""
    left: list[ast.AST] = list(body)
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        for name, value in ast.iter_fields(node):
            if isinstance(node, ast.Try) and name == "body" and not all_raise(node.handlers):
                continue
            children = value if isinstance(value, list) else [value]
            left.extend(child for child in children if isinstance(child, ast.AST))


def all_raise(handlers: list[ast.ExceptHandler]) -> bool:
    """Whether all handlers pass on what they catch."""
    ends = (handler.body[-1] for handler in handlers)
    return all(isinstance(end, ast.Raise) and end.exc is None for end in ends)
