"""Generators that block, to be iterated over with ``async for``: they run on threads."""

from __future__ import annotations

__all__ = [
    "BoundThreadedIterable",
    "ThreadedIterable",
    "ThreadedIterableBase",
    "ThreadedIterableSeparate",
    "threaded_iterable",
    "threaded_iterable_separate",
]

import inspect
from collections.abc import Callable, Iterator
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from ._binding import Binder, Taking, Unknown, unwrap
from ._places import OWN_THREAD, Place, check_function, check_size, name_of
from ._streams import ThreadedAsyncIterator

if TYPE_CHECKING:
    from typing import Self

P = ParamSpec("P")
Q = ParamSpec("Q")
S = TypeVar("S")
C = TypeVar("C")
T = TypeVar("T")


class ThreadedIterableBase(Generic[P, T]):
    """What all wrappers of generator functions that block have in common.

    Args:
        func: A generator function, or another that returns an iterable.
        max_size: How many items it runs ahead of its consumer at most; 0 for the default.

    Attributes:
        func: The generator function.
        max_size: How many items it runs ahead of its consumer at most; 0 for the default.

    Raises:
        TypeError: `func` is not callable, or asynchronous already; the size is not an int.
        ValueError: The size is negative.
    """

    func: Callable[..., Iterator[T]]
    max_size: int
    _place: Place = None
    _target: Callable[P, Iterator[T]]

    def __init__(self, func: Callable[..., Iterator[T]], max_size: int = 0) -> None:
        check_function(type(self).__name__, func)
        self.func = func
        self.max_size = check_size("max_size", max_size)
        self._target = unwrap(func)

    def sync_call(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Call the function here, and return the generator itself.

        Args:
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            What it returns. As a rule that is a generator, which runs where it is iterated over.
        """
        return self._target(*args, **kwargs)

    def async_call(self, *args: P.args, **kwargs: P.kwargs) -> ThreadedAsyncIterator[T]:
        """Return an asynchronous iterator of what the generator yields on a thread.

        Nothing runs before the first item is asked for. It sees a copy of the context of this call.

        Args:
            *args: The function's arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The iterator. What the generator raises comes after the items before it.
        """
        return self.create_wrapper(*args, **kwargs)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> ThreadedAsyncIterator[T]:
        """Return an asynchronous iterator, as `async_call` does.

        Args:
            *args: The function's arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The iterator.
        """
        return self.create_wrapper(*args, **kwargs)

    def create_wrapper(self, *args: P.args, **kwargs: P.kwargs) -> ThreadedAsyncIterator[T]:
        """Return an asynchronous iterator, as `async_call` does.

        Args:
            *args: The function's arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The iterator.
        """
        return ThreadedAsyncIterator._of(
            partial(self._target, *args, **kwargs), self.max_size, self._place, name_of(self.func)
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {name_of(self.func)}>"


class ThreadedIterable(ThreadedIterableBase[P, T]):
    """A generator function whose generators run on threads of the pool.

    In a class it is a method, just as the function would be. Made by `threaded_iterable`.

    Args:
        func: A generator function, or another that returns an iterable.
        max_size: How many items it runs ahead of its consumer at most; 0 for the default.

    Raises:
        TypeError: `func` is not callable, or asynchronous already; the size is not an int.
        ValueError: The size is negative.
    """

    def __init__(self, func: Callable[P, Iterator[T]], max_size: int = 0) -> None:
        super().__init__(func, max_size)
        update_wrapper(self, unwrap(func))
        self._binder = Binder(func, self._bind)

    # Nobody can tell: its first argument may be anything.
    @overload
    def __get__(
        self: Taking[Unknown, Q, Iterator[C]], instance: object, owner: type
    ) -> BoundThreadedIterable[..., C]: ...
    # A class method, of a class or an instance of it.
    @overload
    def __get__(
        self: Taking[type[S], Q, Iterator[C]], instance: object, owner: type[S]
    ) -> BoundThreadedIterable[Q, C]: ...
    # A method, of the class.
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    # A method.
    @overload
    def __get__(
        self: Taking[S, Q, Iterator[C]], instance: S, owner: type | None = None
    ) -> BoundThreadedIterable[Q, C]: ...
    # A static method, of an instance.
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Self: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self._binder.bind(instance, owner) or self

    def _bind(
        self, func: Callable[..., Iterator[T]], instance: object
    ) -> BoundThreadedIterable[..., T]:
        return BoundThreadedIterable(func, instance, self.max_size, place=self._place)


class BoundThreadedIterable(ThreadedIterableBase[P, T]):
    """A generator method whose generators run on threads: what ``instance.method`` is.

    Args:
        func: The generator function.
        instance: What its first argument is.
        max_size: How many items it runs ahead of its consumer at most; 0 for the default.
        place: Which threads its generators run on: those of the wrapper that it comes from.

    Attributes:
        func: The generator function.
        instance: What its first argument is.
        max_size: How many items it runs ahead of its consumer at most; 0 for the default.

    Raises:
        TypeError: `func` is not callable, or asynchronous already; the size is not an int.
        ValueError: The size is negative.
    """

    def __init__(
        self,
        func: Callable[..., Iterator[T]],
        instance: Any,
        max_size: int = 0,
        *,
        place: Place = None,
    ) -> None:
        super().__init__(func, max_size)
        self.instance = instance
        self._target = func.__get__(instance)
        self._place = place
        self.__doc__ = func.__doc__

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._target)

    def __getattr__(self, name: str) -> Any:
        if name in {"__name__", "__qualname__"}:
            return getattr(self.func, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class ThreadedIterableSeparate(ThreadedIterable[P, T]):
    """A generator function each generator of which has a thread of its own.

    Made by `threaded_iterable_separate`.

    Args:
        func: A generator function, or another that returns an iterable.
        max_size: How many items it runs ahead of its consumer at most; 0 for the default.

    Raises:
        TypeError: `func` is not callable, or asynchronous already; the size is not an int.
        ValueError: The size is negative.
    """

    _place = OWN_THREAD


@overload
def threaded_iterable(  # type: ignore[overload-overlap]
    func: staticmethod[P, Iterator[T]], *, max_size: int = 0
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded_iterable(
    func: classmethod[C, P, Iterator[T]], *, max_size: int = 0
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded_iterable(
    func: Callable[P, Iterator[T]], *, max_size: int = 0
) -> ThreadedIterable[P, T]: ...
@overload
def threaded_iterable(
    func: None = None, *, max_size: int = 0
) -> Callable[[Callable[P, Iterator[T]]], ThreadedIterable[P, T]]: ...
def threaded_iterable(func: Any = None, *, max_size: int = 0) -> Any:
    """Make a generator that blocks an asynchronous one: it runs on a thread of the pool.

    ::

        @threaded_iterable(max_size=100)
        def rows(path: str) -> Iterator[list[str]]:
            with open(path) as file:
                yield from csv.reader(file)


        async for row in rows("big.csv"):
            ...

    The generator runs ahead of its consumer, by `max_size` items at most. When the loop is left (by
    ``break``, by an exception, because its task was cancelled) the generator is closed at its next
    ``yield``, on its own thread, and the thread is free again.

    Args:
        func: A generator function, or another that returns an iterable. A method, a
            ``staticmethod`` or a ``classmethod`` as well.
        max_size: How many items it runs ahead at most. 0 stands for the number in the environment
            variable ``THREADED_ITERABLE_DEFAULT_MAX_SIZE``, and that for 1024.

    Returns:
        The function as an object. That returns an asynchronous iterator when it is called
        (`ThreadedIterableBase.async_call` is the same), and the generator itself with
        `ThreadedIterableBase.sync_call`. Where only the size is given, a decorator.

    Raises:
        TypeError: It is not callable, or asynchronous already; the size is not an int.
        ValueError: The size is negative.
    """
    if func is None:
        check_size("max_size", max_size)
        return partial(ThreadedIterable, max_size=max_size)
    return ThreadedIterable(func, max_size)


@overload
def threaded_iterable_separate(  # type: ignore[overload-overlap]
    func: staticmethod[P, Iterator[T]], *, max_size: int = 0
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded_iterable_separate(
    func: classmethod[C, P, Iterator[T]], *, max_size: int = 0
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded_iterable_separate(
    func: Callable[P, Iterator[T]], *, max_size: int = 0
) -> ThreadedIterableSeparate[P, T]: ...
@overload
def threaded_iterable_separate(
    func: None = None, *, max_size: int = 0
) -> Callable[[Callable[P, Iterator[T]]], ThreadedIterableSeparate[P, T]]: ...
def threaded_iterable_separate(func: Any = None, *, max_size: int = 0) -> Any:
    """Make a generator that blocks an asynchronous one: it runs on a thread of its own.

    For generators that may block for long, or for ever. There is no bound on how many such threads
    there are.

    Args:
        func: As for `threaded_iterable`.
        max_size: As for `threaded_iterable`.

    Returns:
        The function as an object, or a decorator, as for `threaded_iterable`.

    Raises:
        TypeError: As for `threaded_iterable`.
        ValueError: As for `threaded_iterable`.
    """
    if func is None:
        check_size("max_size", max_size)
        return partial(ThreadedIterableSeparate, max_size=max_size)
    return ThreadedIterableSeparate(func, max_size)
