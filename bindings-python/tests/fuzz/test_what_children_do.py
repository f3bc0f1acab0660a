"""Tasks that spoil their loop, and objects that cannot be handled: it stays their own business."""

# mypy: disable-error-code="comparison-overlap"

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather

from .junk import AwaitsJunk, CoroutineLike, EvilError, RaisingAwait, RefusesToClose, Text
from .support import for_ever, is_closed, run, suspended, value


class EvilExceptionError(Exception):
    """One that cannot be looked at."""

    def _raise(self, *args: object) -> Any:
        raise EvilError

    __str__ = __repr__ = __eq__ = __hash__ = __bool__ = _raise


class EvilCancelled(asyncio.CancelledError):
    """A cancellation that cannot be made again."""

    def __init__(self) -> None:
        raise EvilError


async def raises(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


class TestWhatIsRaised:
    def test_one_that_cannot_be_looked_at(self) -> None:
        async def main() -> None:
            error = EvilExceptionError()
            with pytest.raises(EvilExceptionError) as one:
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(raises(error))
            assert one.value is error
            with pytest.raises(EvilExceptionError) as other:
                await threaded_gather(raises(error), value())
            assert other.value is error
            assert (await threaded_gather(raises(error), return_exceptions=True))[0] is error
            async with LoopPool(1) as pool:
                with pytest.raises(EvilExceptionError):
                    await pool.run(raises(error))

        run(main)

    def test_many_that_cannot_be_looked_at(self) -> None:
        async def main() -> None:
            together = threading.Barrier(2)

            async def fail() -> None:
                together.wait()
                raise EvilExceptionError

            with pytest.raises(ExceptionGroup) as caught:
                async with ThreadedTaskGroup(2) as group:
                    group.create_task(fail())
                    group.create_task(fail())
            assert len(caught.value.exceptions) == 2

        run(main)

    def test_a_cancellation_that_cannot_be_made_again(self) -> None:
        async def main() -> None:
            async def child() -> None:
                raise EvilCancelled.__new__(EvilCancelled)

            async with ThreadedTaskGroup(1) as group:
                handle = group.create_task(child())
            assert handle.cancelled()

        run(main)

    @pytest.mark.parametrize("args", [(), (1, 2, 3), ([],), (EvilExceptionError(),)], ids=len)
    def test_a_cancellation_with_strange_arguments(self, args: tuple[Any, ...]) -> None:
        async def main() -> None:
            async def child() -> None:
                raise asyncio.CancelledError(*args)

            async with ThreadedTaskGroup(1) as group:
                handle = group.create_task(child())
            assert handle.cancelled()

        run(main)

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, GeneratorExit])
    def test_one_that_means_something_to_a_coroutine(self, kind: type[BaseException]) -> None:
        async def main() -> None:
            with pytest.raises((kind, RuntimeError)):
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(raises(kind()))

        run(main)


class TestWhatIsAwaited:
    def test_an_awaitable_that_raises(self) -> None:
        async def main() -> None:
            with pytest.raises(EvilError):
                await threaded_gather(RaisingAwait(), suspended())

            async def child() -> None:
                await RaisingAwait()

            with pytest.raises(EvilError):
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(child())

        run(main)

    def test_one_that_yields_junk(self) -> None:
        async def main() -> None:
            async def child() -> None:
                await AwaitsJunk()

            with pytest.raises(RuntimeError, match="bad yield"):
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(child())

        run(main)

    def test_a_future_whose_cancel_raises(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Stubborn(asyncio.Future[None]):
            def cancel(self, msg: Any | None = None) -> bool:
                raise EvilError

        async def main() -> None:
            started = asyncio.Event()
            loop = asyncio.get_running_loop()

            async def stubborn() -> None:
                future = Stubborn()
                asyncio.get_running_loop().call_later(0.05, future.set_result, None)
                loop.call_soon_threadsafe(started.set)
                await future

            async with ThreadedTaskGroup(1) as group:
                before = group.create_task(for_ever())
                odd = group.create_task(stubborn())
                after = [group.create_task(for_ever()) for _ in range(5)]
                await started.wait()
                group.cancel()
            assert before.cancelled()
            assert odd.done()
            assert all(handle.cancelled() for handle in after)

        # That the request failed is told, by the one hook or the other.
        unraisable: list[object] = []
        monkeypatch.setattr("sys.unraisablehook", lambda told: unraisable.append(told.exc_value))
        told = run(main, ("cancel", "callback"))
        assert len(told) + len(unraisable) == 1
        assert all(isinstance(error, EvilError) for error in unraisable)

    @pytest.mark.parametrize("kind", [CoroutineLike, RefusesToClose])
    def test_what_is_like_a_coroutine_runs(self, kind: type[CoroutineLike]) -> None:
        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:
                handle = group.create_task(kind())
            assert handle.result() == 7
            assert await threaded_gather(kind()) == [7]
            async with LoopPool(1) as pool:
                assert await pool.run(kind()) == 7

        run(main)

    def test_what_refuses_to_be_closed_does_not_keep_the_rest_open(self) -> None:
        async def main() -> None:
            odd, coro = RefusesToClose(), value()
            with pytest.raises(TypeError, match="required"):
                threaded_gather(odd, coro, object())  # type: ignore[call-overload]
            assert odd.closed == 1
            assert is_closed(coro)

        run(main)


class TestWhatIsGiven:
    def test_names_of_all_sorts(self) -> None:
        async def main() -> None:
            async def child() -> str:
                task = asyncio.current_task()
                assert task is not None
                return task.get_name()

            async with ThreadedTaskGroup(1) as group:
                for name in (Text("text"), "", "\0", "\ud800", "x" * 100_000, 3):
                    handle = group.create_task(child(), name=name)  # type: ignore[arg-type]
                    assert await handle == str(name)
                    assert handle.get_name() == str(name)
                    assert repr(handle)

        run(main)

    def test_a_context_that_is_in_use_elsewhere(self) -> None:
        context = contextvars.copy_context()
        inside, leave = threading.Event(), threading.Event()

        def hold() -> None:
            inside.set()
            leave.wait()

        async def main() -> None:
            # It fails, or waits; and the loop that it was to run on is none the worse.
            try:
                async with ThreadedTaskGroup(1) as group:
                    handle = group.create_task(value(), context=context)
                    asyncio.get_running_loop().call_later(0.05, leave.set)
            except RuntimeError as error:
                told.append(str(error))
            else:
                assert handle.result() == 1
            assert await one_more() == 1

        told: list[str] = []
        thread = threading.Thread(target=context.run, args=(hold,))
        thread.start()
        inside.wait()
        try:
            run(main)
        finally:
            leave.set()
            thread.join()
        assert all("context" in text for text in told)

    def test_a_loop_for_a_task_is_refused(self) -> None:
        async def main() -> None:
            coro = value()
            with pytest.raises(TypeError, match="loop"):
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(coro, loop=asyncio.get_running_loop())
            assert is_closed(coro)
            assert await one_more() == 1

        run(main)

    def test_one_coroutine_for_two_tasks(self) -> None:
        async def main() -> None:
            coro = suspended()
            with pytest.raises((RuntimeError, ExceptionGroup)):
                async with ThreadedTaskGroup(1) as group:
                    group.create_task(coro)
                    group.create_task(coro)
            assert is_closed(coro)

        run(main)


async def one_more() -> int:
    """Find out whether the workers still work."""
    async with ThreadedTaskGroup(2) as group:
        handles = [group.create_task(suspended()) for _ in range(2)]
    assert [handle.result() for handle in handles] == [1, 1]
    return handles[0].result()


class TestWhatIsDoneToTheLoop:
    def hold(self, spoil: Coroutine[Any, Any, Any], explained: tuple[str, ...] = ()) -> None:
        """A task spoils its loop. Its group ends, and so do those that come after."""

        async def main() -> None:
            async with ThreadedTaskGroup(1) as group:
                spoiling = group.create_task(spoil)
                beside = group.create_task(suspended())
            assert spoiling.done()
            assert beside.result() == 1
            for _ in range(3):
                assert await one_more() == 1

        run(main, explained)

    def test_stop(self) -> None:
        async def spoil() -> None:
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0.001)

        self.hold(spoil())

    def test_close(self) -> None:
        async def spoil() -> None:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop().close()

        self.hold(spoil())

    def test_run_another(self) -> None:
        async def spoil() -> None:
            coro = value()
            with pytest.raises(RuntimeError):
                asyncio.run(coro)
            coro.close()

        self.hold(spoil())

    def test_a_task_factory_that_raises(self) -> None:
        def factory(*args: object, **keywords: object) -> Any:
            raise EvilError

        async def spoil() -> None:
            asyncio.get_running_loop().set_task_factory(factory)

        self.hold(spoil())
        asyncio.run(self.children_of_children())

    def test_a_task_factory_that_raises_with_something_left_behind(self) -> None:
        def factory(*args: object, **keywords: object) -> Any:
            raise EvilError

        async def spoil() -> None:
            loop = asyncio.get_running_loop()
            left = asyncio.Task(for_ever(), loop=loop)
            left.set_name("left behind")
            loop.set_task_factory(factory)

        self.hold(spoil(), ("left behind",))
        asyncio.run(self.children_of_children())

    async def children_of_children(self) -> None:
        async def child() -> int:
            return await asyncio.create_task(suspended())

        async with ThreadedTaskGroup(2) as group:
            handles = [group.create_task(child()) for _ in range(4)]
        assert [handle.result() for handle in handles] == [1] * 4

    def test_an_exception_handler_that_raises(self) -> None:
        def handler(*args: object) -> None:
            raise EvilError

        async def spoil() -> None:
            asyncio.get_running_loop().set_exception_handler(handler)

        self.hold(spoil())

    def test_a_timer_left_behind_that_raises(self) -> None:
        async def spoil() -> None:
            asyncio.get_running_loop().call_later(0.002, int, "no number")

        self.hold(spoil(), ("Exception in callback",))

    def test_a_context_variable_left_set(self) -> None:
        variable = contextvars.ContextVar[str]("variable", default="as it was")

        async def spoil() -> None:
            variable.set("spoilt")

        self.hold(spoil())

        async def look() -> str:
            return variable.get()

        async def main() -> None:
            async with ThreadedTaskGroup(2) as group:
                handles = [group.create_task(look()) for _ in range(4)]
            assert {handle.result() for handle in handles} == {"as it was"}

        asyncio.run(main())
