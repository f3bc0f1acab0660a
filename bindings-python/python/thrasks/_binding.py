"""Wrappers of functions as methods: finding what they are bound to."""

from __future__ import annotations

__all__: list[str] = []

import threading
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, final
from weakref import WeakValueDictionary

P = ParamSpec("P")
FirstT = TypeVar("FirstT", contravariant=True)
ResultT = TypeVar("ResultT", covariant=True)
BoundT = TypeVar("BoundT")


class Taking(Protocol[FirstT, P, ResultT]):
    """A wrapper of a function whose first argument is of a type.

    Type checkers take what is decorated with `staticmethod` or `classmethod` for a plain function:
    only by its first argument can they tell whether it is bound. As the type of ``self`` this makes
    both mypy and pyright look; the wrapper's own, with ``Concatenate``, does not make mypy do so.
    """

    def sync_call(self, first: FirstT, /, *args: P.args, **kwargs: P.kwargs) -> ResultT: ...


@final
class Unknown:
    """What type checkers know nothing of: as a result only `Any` and `Never` pass for this.

    To pyright something of such a type is whatever the first overload that it meets asks for.
    """


class Binder(Generic[BoundT]):
    """Binds a wrapper to instances, and to classes where it wraps a class method.

    As long as somebody holds what it is bound to, ``obj.method is obj.method``. It is not kept any
    longer: kept by the instance it would make a cycle, and one that only the collector frees.
    """

    __slots__ = ("_bound", "_function", "_lock", "_make")

    def __init__(self, function: Any, make: Callable[[Any, object], BoundT]) -> None:
        self._function = function
        self._make = make
        #: By the address of what it is bound to, which lives as long as the value does.
        self._bound: WeakValueDictionary[int, BoundT] = WeakValueDictionary()
        self._lock = threading.Lock()

    def bind(self, instance: object, owner: type | None) -> BoundT | None:
        """Return the wrapper bound to what it was looked up in, or None if it is not bound."""
        function = self._function
        if isinstance(function, staticmethod):
            return None
        target: object = instance
        if isinstance(function, classmethod):
            target = type(instance) if owner is None else owner
            function = function.__func__
        if target is None or not hasattr(type(function), "__get__"):
            return None
        with self._lock:
            bound = self._bound.get(id(target))
            if bound is None:
                bound = self._bound[id(target)] = self._make(function, target)
            return bound


def unwrap(function: Any) -> Any:
    """Return the function in a static or class method, or the function itself."""
    while isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    return function
