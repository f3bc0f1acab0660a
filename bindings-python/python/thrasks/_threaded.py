"""Functions that block, to be awaited: their calls run on threads."""

from __future__ import annotations

__all__ = [
    "BoundThreaded",
    "Threaded",
    "ThreadedBase",
    "ThreadedCall",
    "ThreadedSeparate",
    "threaded",
    "threaded_separate",
]

import asyncio
import inspect
from collections.abc import Callable, Generator
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, overload

from ._binding import Binder, Taking, Unknown, unwrap
from ._iterables import ThreadedIterable, ThreadedIterableBase, ThreadedIterableSeparate
from ._places import OWN_THREAD, OWN_THREAD_JOINED, Place, check_function, name_of
from ._thrasks import start_call

if TYPE_CHECKING:
    from typing import Self

    from ._thrasks import _Call

P = ParamSpec("P")
Q = ParamSpec("Q")
S = TypeVar("S")
C = TypeVar("C")
T = TypeVar("T")


class ThreadedCall(asyncio.Future[T]):
    """A call that runs on a thread, as a future of the caller's loop.

    It is made by calling a `Threaded`, and not by itself.

    Args:
        loop: The loop that it belongs to, as of `asyncio.Future`.
    """

    __slots__ = ("_call",)

    _call: _Call

    def cancel(self, msg: Any | None = None) -> bool:
        """Give the call up.

        One that has not begun never will. One that has begun cannot be interrupted: it goes on, and
        its result is dropped; an exception that it raises goes to the loop's exception handler.

        Args:
            msg: The message of the `asyncio.CancelledError`.

        Returns:
            False if the call has ended already, otherwise True.
        """
        if not super().cancel(msg):
            return False
        self._call.cancel()
        return True


class ThreadedBase(Generic[P, T]):
    """What all wrappers of functions that block have in common.

    Args:
        func: The function, a ``staticmethod`` or a ``classmethod``.

    Attributes:
        func: The function.

    Raises:
        TypeError: It is not callable, or asynchronous already.
    """

    func: Callable[..., T]
    _place: Place = None
    _target: Callable[P, T]

    def __init__(self, func: Callable[..., T]) -> None:
        check_function(type(self).__name__, func)
        self.func = func
        self._target = unwrap(func)

    def sync_call(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function here, on this thread, and return its result.

        Args:
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            What it returns; what it raises is raised.
        """
        return self._target(*args, **kwargs)

    def async_call(self, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call the function on a thread.

        The call is on its way when this returns. It sees a copy of its caller's context.

        Args:
            *args: The function's arguments.
            **kwargs: Its keyword arguments.

        Returns:
            A future of the function's result. Cancelling it takes back a call that has not begun,
            and gives up one that has: a thread cannot be interrupted.

        Raises:
            RuntimeError: No event loop is running here, or the interpreter shuts down.
        """
        return start_call(self._place, self._target, args, kwargs)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call the function on a thread, as `async_call` does.

        Args:
            *args: The function's arguments.
            **kwargs: Its keyword arguments.

        Returns:
            A future of the function's result.

        Raises:
            RuntimeError: No event loop is running here, or the interpreter shuts down.
        """
        return start_call(self._place, self._target, args, kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {name_of(self.func)}>"


class Threaded(ThreadedBase[P, T]):
    """A function whose calls run on threads of the pool: made by `threaded`.

    In a class it is a method, just as the function would be.

    Args:
        func: The function, a ``staticmethod`` or a ``classmethod``.

    Raises:
        TypeError: It is not callable, or asynchronous already.
    """

    def __init__(self, func: Callable[P, T]) -> None:
        super().__init__(func)
        update_wrapper(self, unwrap(func))
        self._binder = Binder(func, self._bind)

    # Nobody can tell: its first argument may be anything.
    @overload
    def __get__(
        self: Taking[Unknown, Q, C], instance: object, owner: type
    ) -> BoundThreaded[..., C]: ...
    # A class method, of a class or an instance of it.
    @overload
    def __get__(
        self: Taking[type[S], Q, C], instance: object, owner: type[S]
    ) -> BoundThreaded[Q, C]: ...
    # A method, of the class.
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    # A method.
    @overload
    def __get__(
        self: Taking[S, Q, C], instance: S, owner: type | None = None
    ) -> BoundThreaded[Q, C]: ...
    # A static method, of an instance.
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Self: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self._binder.bind(instance, owner) or self

    def _bind(self, func: Callable[..., T], instance: object) -> BoundThreaded[..., T]:
        return BoundThreaded(func, instance, place=self._place)


class BoundThreaded(ThreadedBase[P, T]):
    """A method whose calls run on threads: what ``instance.method`` is where that is `Threaded`.

    Args:
        func: The function.
        instance: What its first argument is.
        place: Which threads its calls run on: those of the wrapper that it comes from.

    Attributes:
        func: The function.
        instance: What its first argument is.

    Raises:
        TypeError: `func` is not callable, or asynchronous already.
    """

    def __init__(self, func: Callable[..., T], instance: Any, *, place: Place = None) -> None:
        super().__init__(func)
        self.instance = instance
        self._target = func.__get__(instance)
        self._place = place
        self.__doc__ = func.__doc__

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._target)

    def __getattr__(self, name: str) -> Any:
        if name in _OF_FUNCTIONS:
            return getattr(self.func, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


#: What the bound wrapper of a method has from its function.
_OF_FUNCTIONS: Final = {"__name__", "__qualname__"}


class ThreadedSeparate(Threaded[P, T]):
    """A function each call of which has a thread of its own: made by `threaded_separate`.

    Args:
        func: The function, a ``staticmethod`` or a ``classmethod``.
        detach: Whether the interpreter may exit while a call is still running.

    Attributes:
        func: The function.
        detach: Whether the interpreter may exit while a call is still running.

    Raises:
        TypeError: `func` is not callable, or asynchronous already.
    """

    def __init__(self, func: Callable[P, T], detach: bool = True) -> None:
        super().__init__(func)
        self.detach = detach
        self._place = OWN_THREAD if detach else OWN_THREAD_JOINED


@overload
def threaded(func: Callable[P, Unknown]) -> Threaded[P, Any]: ...
@overload
def threaded(  # type: ignore[overload-overlap]
    func: staticmethod[P, Generator[T, Any, Any]],
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded(  # type: ignore[overload-overlap]
    func: classmethod[C, P, Generator[T, Any, Any]],
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded(func: staticmethod[P, T]) -> ThreadedBase[P, T]: ...  # type: ignore[overload-overlap]
@overload
def threaded(func: classmethod[C, P, T]) -> ThreadedBase[P, T]: ...
@overload
def threaded(func: Callable[P, Generator[T, Any, Any]]) -> ThreadedIterable[P, T]: ...  # type: ignore[overload-overlap]
@overload
def threaded(func: Callable[P, T]) -> Threaded[P, T]: ...
def threaded(func: Any) -> Any:
    """Make a function that blocks one to be awaited: its calls run on a pool of threads.

    ::

        @threaded
        def read(path: str) -> str:
            with open(path) as file:
                return file.read()


        texts = await asyncio.gather(*(read(path) for path in paths))

    The pool is shared by the whole process. So many calls run at once as the machine has
    processors, and 4 more, but at most 32; others wait for their turn. One that waits for async
    code (`sync_await`) counts when it goes on, too, but is not made to wait for its turn again.
    A loop that was given an executor, by ``set_default_executor``, has its calls run there, unless
    it hides that, as uvloop's do.

    Args:
        func: A function, a method, a ``staticmethod`` or a ``classmethod``. A generator function is
            given to `threaded_iterable`; type checkers know it by being annotated to return a
            ``Generator``.

    Returns:
        An object that calls the function on a thread when it is called itself
        (`ThreadedBase.async_call` is the same), and here with `ThreadedBase.sync_call`.

    Raises:
        TypeError: It is not callable, or asynchronous already.
    """
    check_function("threaded", func)
    if inspect.isgeneratorfunction(unwrap(func)):
        return ThreadedIterable(func)
    return Threaded(func)


@overload
def threaded_separate(
    func: Callable[P, Unknown], detach: bool = True
) -> ThreadedSeparate[P, Any]: ...
@overload
def threaded_separate(  # type: ignore[overload-overlap]
    func: staticmethod[P, Generator[T, Any, Any]], detach: bool = True
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded_separate(  # type: ignore[overload-overlap]
    func: classmethod[C, P, Generator[T, Any, Any]], detach: bool = True
) -> ThreadedIterableBase[P, T]: ...
@overload
def threaded_separate(func: staticmethod[P, T], detach: bool = True) -> ThreadedBase[P, T]: ...  # type: ignore[overload-overlap]
@overload
def threaded_separate(func: classmethod[C, P, T], detach: bool = True) -> ThreadedBase[P, T]: ...
@overload
def threaded_separate(  # type: ignore[overload-overlap]
    func: Callable[P, Generator[T, Any, Any]], detach: bool = True
) -> ThreadedIterableSeparate[P, T]: ...
@overload
def threaded_separate(func: Callable[P, T], detach: bool = True) -> ThreadedSeparate[P, T]: ...
def threaded_separate(func: Any, detach: bool = True) -> Any:
    """Make a function that blocks one to be awaited: each call has a thread of its own.

    For calls that may block for long, or for ever, and must not take a place in the pool. There is
    no bound on how many such threads there are.

    Args:
        func: As for `threaded`. A generator function is given to `threaded_iterable_separate`.
        detach: Whether the interpreter may exit while a call is still running. If not, it waits for
            the call to end.

    Returns:
        The function as an object that calls it, as for `threaded`.

    Raises:
        TypeError: As for `threaded`.
    """
    check_function("threaded_separate", func)
    if inspect.isgeneratorfunction(unwrap(func)):
        return ThreadedIterableSeparate(func)
    return ThreadedSeparate(func, detach)
