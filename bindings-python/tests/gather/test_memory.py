"""What is finished with is let go."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import weakref

from support import eventually_async, no_gc, value

from thrasks import threaded_gather


class TestMemory:
    async def test_a_gather_dies_with_its_last_reference(self) -> None:
        with no_gc():
            outer = threaded_gather(*[value(i) for i in range(4)])
            await outer
            dead = weakref.ref(outer)
            del outer
            assert await eventually_async(lambda: dead() is None, 1.0)

    async def test_the_results_of_a_gather_die_with_their_last_references(self) -> None:
        class Result:
            pass

        async def child() -> Result:
            return Result()

        with no_gc():
            found = await threaded_gather(*[child() for _ in range(4)])
            dead = [weakref.ref(result) for result in found]
            del found
            assert await eventually_async(lambda: all(r() is None for r in dead), 1.0)

    async def test_coroutines_and_arguments_are_dropped_when_they_have_ended(self) -> None:
        class Argument:
            pass

        async def child(argument: Argument) -> None:
            del argument

        with no_gc():
            coros = [child(Argument()) for _ in range(4)]
            dead = [weakref.ref(coro) for coro in coros]
            outer = threaded_gather(*coros)
            del coros
            await outer
            assert await eventually_async(lambda: all(r() is None for r in dead), 1.0)
