"""The asynchronous generators on a worker's loop."""

from __future__ import annotations

__all__: list[str] = []

import itertools
import sys
import weakref
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, Final, TypeAlias

from ._thrasks import _Life

_Generator: TypeAlias = AsyncGenerator[Any, Any]
_Hook: TypeAlias = Callable[[_Generator], None]

# The hooks that a loop sets: asyncio's, uvloop's, and others that are made after them.
_FIRSTITER: Final = "_asyncgen_firstiter_hook"
_FINALIZER: Final = "_asyncgen_finalizer_hook"


class Generators:
    """The asynchronous generators that began to iterate on a loop, until they are freed.

    The loop keeps a record, too, but its `shutdown_asyncgens` marks it for good, and a worker's is
    to run on. Nor does that show one that vanishes: that nobody can reach any more, and whose
    finalizer has not told the loop yet that it is to be closed. Any thread may drop the last
    reference, or find the generator in a cycle, and take its time until then.
    """

    def __init__(self) -> None:
        #: Whether one began, or the loop was told to close one, since somebody set this to False.
        self.stirred = False
        #: Whether the loop sets our hooks itself.
        self._lasting = False
        self._numbers = itertools.count()
        # Every step on it is a single one: any thread may free a generator.
        #: They, by their numbers.
        self.known: dict[int, weakref.ref[_Generator]] = {}

    def watch(self, loop: Any) -> None:
        """Keep track of those of a loop: on its thread, before each of its runs."""
        if self._lasting:
            return
        if hasattr(loop, _FIRSTITER) and hasattr(loop, _FINALIZER):
            # Whenever it starts to run it sets its hooks, which it looks up by these names. What is
            # ready then goes before all that one could have it call, and may begin a generator.
            self._lasting = True
            firstiter, finalizer = self._hooks(
                getattr(loop, _FIRSTITER),
                getattr(loop, _FINALIZER),
                partial(setattr, loop, _FINALIZER),
            )
            setattr(loop, _FIRSTITER, firstiter)
            setattr(loop, _FINALIZER, finalizer)
        else:
            # If it sets any, it has by then.
            loop.call_soon(self._watch_thread)

    def watch_on(self, loop: Any) -> None:
        """Do so though somebody has set other hooks, from inside the loop."""
        if self._lasting:
            sys.set_asyncgen_hooks(getattr(loop, _FIRSTITER), getattr(loop, _FINALIZER))

    def _watch_thread(self) -> None:
        """Keep track of those of the loop of this thread, from inside the loop, until it stops."""
        # Those that its own hooks have seen until now, among them.
        self.stirred = True
        sys.set_asyncgen_hooks(*self._hooks(*sys.get_asyncgen_hooks(), lambda _: None))

    def _hooks(
        self,
        their_firstiter: _Hook | None,
        their_finalizer: _Hook | None,
        replaced: Callable[[_Hook], object],
    ) -> tuple[_Hook, _Hook]:
        """Return hooks that call those of a loop. `replaced` is told of each other finalizer."""
        # A generator keeps the finalizer that was set when it began. So each gets one of its own,
        # which is freed with it.
        number, finalizer = self._finalizer(their_finalizer)

        def first_iteration(generator: _Generator) -> None:
            nonlocal number, finalizer
            self.stirred = True
            if sys.get_asyncgen_hooks().finalizer is finalizer:
                self.known[number] = weakref.ref(generator)
                number, finalizer = self._finalizer(their_finalizer)
                replaced(finalizer)
                sys.set_asyncgen_hooks(finalizer=finalizer)
            else:
                # Somebody has set another.
                other = next(self._numbers)
                self.known[other] = weakref.ref(generator, lambda _: self._forget(other))
            if their_firstiter is not None:
                their_firstiter(generator)

        return first_iteration, finalizer

    def look(self) -> tuple[list[_Generator], bool]:
        """Return those that can be reached, and whether there are any that vanish."""
        found = [generator() for generator in list(self.known.values())]
        return [generator for generator in found if generator is not None], None in found

    def forget_vanishing(self) -> None:
        """Wait for those that vanish no more."""
        for number, generator in list(self.known.items()):
            if generator() is None:
                self._forget(number)

    def _forget(self, number: int) -> None:
        self.known.pop(number, None)

    def _finalizer(self, finalizer: _Hook | None) -> tuple[int, _Hook]:
        """Return a number and a finalizer for a generator."""
        number = next(self._numbers)
        life = _Life(partial(self._forget, number))
        return number, partial(self._finalize, finalizer, number, life)

    def _finalize(
        self,
        finalizer: _Hook | None,
        number: int,
        life: _Life,
        generator: _Generator,
    ) -> None:
        """Have the loop close a generator. On any thread."""
        del life  # The generator has it, until it is freed.
        try:
            if finalizer is not None:
                finalizer(generator)
        finally:
            # Whoever finds it gone is to find that the loop was told.
            self.stirred = True
            self._forget(number)
