"""A worker's loop calls back at less cost than asyncio's, and in no other way."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support import eventually_freed, reports

from thrasks import LoopPool, threaded_gather
from thrasks._turns import hasten

pytestmark = [
    pytest.mark.not_in("uvloop", reason="its loops have handles of their own"),
    pytest.mark.not_in("tasks", reason="there it is asyncio's own way"),
]

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


async def on_a_worker(function: Callable[[], Awaitable[Any]]) -> Any:
    async def call() -> Any:
        return await function()

    (result,) = await threaded_gather(call(), num_threads=1)
    return result


async def turns(count: int = 2) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def no_more() -> None:
    raise AssertionError("it is cancelled")


class TestCallSoon:
    async def test_calls_in_order_whoever_asks(self) -> None:
        async def both_ways() -> list[int]:
            loop, seen = asyncio.get_running_loop(), list[int]()
            context = contextvars.copy_context()
            for number in range(12):
                if number % 5 == 2:
                    loop.call_soon(seen.append, number)
                elif number % 5 == 3:
                    loop.call_soon_threadsafe(seen.append, number)
                else:
                    loop.call_soon(seen.append, number, context=context)
            await turns()
            return seen

        assert await on_a_worker(both_ways) == list(range(12))

    async def test_calls_what_a_callback_asks_for_in_the_next_round(self) -> None:
        async def rounds() -> list[str]:
            loop, seen = asyncio.get_running_loop(), list[str]()
            context = contextvars.Context()

            def first() -> None:
                seen.append("first")
                loop.call_soon(seen.append, "of the next round", context=context)

            loop.call_soon(first, context=context)
            loop.call_soon(seen.append, "second", context=context)
            loop.call_soon(seen.append, "third")
            await turns(3)
            return seen

        assert await on_a_worker(rounds) == ["first", "second", "third", "of the next round"]

    async def test_calls_in_the_context(self) -> None:
        async def in_context() -> tuple[list[str], str, str]:
            loop, seen = asyncio.get_running_loop(), list[str]()
            context = contextvars.Context()
            context.run(variable.set, "given")

            def see() -> None:
                seen.append(variable.get())
                variable.set("changed")

            loop.call_soon(see, context=context)
            await turns()
            return seen, context[variable], variable.get()

        assert await on_a_worker(in_context) == (["given"], "changed", "default")

    async def test_passes_arguments(self) -> None:
        async def arguments() -> list[tuple[Any, ...]]:
            loop, seen = asyncio.get_running_loop(), list[tuple[Any, ...]]()
            context = contextvars.Context()
            for args in [(), (1,), (1, "two", None)]:
                loop.call_soon(lambda *args: seen.append(args), *args, context=context)
            await turns()
            return seen

        assert await on_a_worker(arguments) == [(), (1,), (1, "two", None)]

    async def test_bad_arguments_are_refused(self) -> None:
        async def bad() -> list[str]:
            call_soon: Any = asyncio.get_running_loop().call_soon
            errors = []
            for args, keywords in [((), {}), ((print,), {"nothing": 1})]:
                try:
                    call_soon(*args, **keywords)
                except TypeError as exc:
                    errors.append(str(exc))
            return errors

        missing, unexpected = await on_a_worker(bad)
        assert "'callback'" in missing
        assert "'nothing'" in unexpected

    async def test_in_debug_mode_is_asyncios(self) -> None:
        async def in_debug_mode() -> tuple[type, type]:
            loop = asyncio.get_running_loop()
            before = loop.get_debug()
            context = contextvars.Context()
            try:
                loop.set_debug(True)
                slow = loop.call_soon(lambda: None, context=context)
                loop.set_debug(False)
                fast = loop.call_soon(lambda: None, context=context)
            finally:
                loop.set_debug(before)
            await turns()
            return type(slow), type(fast)

        slow, fast = await on_a_worker(in_debug_mode)
        assert slow is asyncio.Handle
        assert fast is not asyncio.Handle


class TestTheHandle:
    async def test_can_be_cancelled(self) -> None:
        async def cancel() -> tuple[list[int], bool, bool, str]:
            loop, seen = asyncio.get_running_loop(), list[int]()
            handle = loop.call_soon(seen.append, 1, context=contextvars.Context())
            before = handle.cancelled()
            handle.cancel()
            handle.cancel()
            await turns()
            return seen, before, handle.cancelled(), repr(handle)

        seen, before, after, text = await on_a_worker(cancel)
        assert (seen, before, after) == ([], False, True)
        assert text.startswith("<Handle cancelled")

    async def test_tells_its_context_and_its_callback(self) -> None:
        async def look() -> tuple[bool, str]:
            context = contextvars.Context()
            handle = asyncio.get_running_loop().call_soon(no_more, context=context)
            text = repr(handle)
            told = handle.get_context() is context
            handle.cancel()
            return told, text

        told, text = await on_a_worker(look)
        assert told
        assert text.startswith("<Handle no_more() at ")

    @pytest.mark.parametrize("cancelled", [False, True])
    async def test_that_is_part_of_a_cycle_is_collected(self, cancelled: bool) -> None:
        class Owner:
            handle: asyncio.Handle
            called = False

            def method(self) -> None:
                self.called = True

        async def make() -> tuple[bool, weakref.ref[Owner]]:
            owner = Owner()
            loop = asyncio.get_running_loop()
            owner.handle = loop.call_soon(owner.method, context=contextvars.Context())
            if cancelled:
                owner.handle.cancel()
            await turns()
            return owner.called, weakref.ref(owner)

        called, dead = await on_a_worker(make)
        assert called is not cancelled
        assert eventually_freed(dead)


class TestACallbackThatRaises:
    async def test_is_told_as_asyncio_tells_it(self) -> None:
        error = ValueError("by the callback")

        def fail(_: object) -> None:
            raise error

        async def on_this_loop(context: contextvars.Context | None) -> None:
            asyncio.get_running_loop().call_soon(fail, 1, context=context)
            await turns()

        with reports() as seen:
            await on_this_loop(contextvars.Context())
            await on_a_worker(lambda: on_this_loop(contextvars.Context()))
            await on_a_worker(lambda: on_this_loop(None))
            here, there, there_without = seen
        assert here["exception"] is there["exception"] is there_without["exception"] is error
        assert here["message"] == there["message"] == there_without["message"]
        assert {"message", "exception", "handle"} <= set(there)
        assert isinstance(there["handle"], asyncio.Handle)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_with_an_interrupt_ends_the_loops_turn_and_no_worker(
        self, error: type[BaseException]
    ) -> None:
        async def main() -> list[str]:
            def interrupt() -> None:
                raise error

            async def job(interrupted: bool) -> str:
                if interrupted:
                    loop = asyncio.get_running_loop()
                    loop.call_soon(interrupt, context=contextvars.Context())
                await turns(3)
                return "went on"

            async with LoopPool(1) as pool:
                return [await pool.run(job(interrupted)) for interrupted in (True, False)]

        assert asyncio.run(main()) == ["went on", "went on"]

    def test_with_an_interrupt_leaves_those_after_it_their_turn(self) -> None:
        async def main() -> list[int]:
            seen: list[int] = []

            def interrupt() -> None:
                raise KeyboardInterrupt

            async def job() -> None:
                loop, context = asyncio.get_running_loop(), contextvars.Context()
                loop.call_soon(seen.append, 1, context=context)
                loop.call_soon(interrupt, context=context)
                for number in (2, 3):
                    loop.call_soon(seen.append, number, context=context)
                loop.call_soon(seen.append, 4)
                await turns(3)

            async with LoopPool(1) as pool:
                await pool.run(job())
            return seen

        assert asyncio.run(main()) == [1, 2, 3, 4]


async def test_a_loop_that_is_made_by_the_user_and_calls_back_in_its_own_way_does_so() -> None:
    called: list[str] = []

    class Own(asyncio.SelectorEventLoop):
        def call_soon(  # type: ignore[override]
            self, callback: Any, *args: Any, context: Any = None
        ) -> asyncio.Handle:
            called.append("here")
            return super().call_soon(callback, *args, context=context)

    async def type_of_call_soon() -> str:
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop().call_soon).__name__

    (name,) = await threaded_gather(type_of_call_soon(), num_threads=1, loop_factory=Own)
    assert name == "method"
    assert called


def test_once_it_is_undone_a_closed_loop_refuses() -> None:
    loop = asyncio.SelectorEventLoop()
    own = loop.call_soon
    undo = hasten(loop)
    assert undo is not None
    assert loop.call_soon != own
    undo()
    assert loop.call_soon == own
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print, context=contextvars.Context())
