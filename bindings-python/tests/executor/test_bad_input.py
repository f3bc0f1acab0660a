"""What is refused, with which words, and that nothing is left of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support import PATIENCE, is_closed, value

from thrasks import LoopPool, SchedulingMode, TaskPoolExecutor, threaded_map

from .support import Gate, Kind, Numbers, double, turns


class TestMaking:
    @pytest.mark.parametrize("number", [0, -1, -(2**70)])
    def test_too_few_workers(self, number: int) -> None:
        with pytest.raises(ValueError, match=r"^max_workers must be greater than 0$"):
            TaskPoolExecutor(number)
        with pytest.raises(ValueError, match=r"^max_workers must be greater than 0$"):
            TaskPoolExecutor(max_workers=number, num_threads=2)

    @pytest.mark.parametrize("number", ["2", 2.0, [], True, b"2"])
    def test_no_number_of_workers(self, number: Any) -> None:
        with pytest.raises(TypeError, match=r"^max_workers must be an int, got "):
            TaskPoolExecutor(number)

    async def test_any_number_of_workers(self, kind: Kind) -> None:
        for number in (1, 10**6, 2**63, 2**100):
            async with kind.open(number) as executor:
                assert await executor.submit(double, 1) == 2

    @pytest.mark.parametrize("prefix", [None, 1, b"name"])
    def test_no_name(self, prefix: Any) -> None:
        with pytest.raises(TypeError, match=r"^task_name_prefix must be a str, got "):
            TaskPoolExecutor(1, prefix)

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"num_threads": 0}, ValueError, "num_threads must be at least 1"),
            ({"num_threads": 1.5}, TypeError, "num_threads must be an int"),
            ({"num_threads": 1, "mode": 1}, TypeError, "mode must be a SchedulingMode"),
            ({"num_threads": 1, "loop_factory": 1}, TypeError, "loop_factory must be callable"),
            ({"pool": 1}, TypeError, "pool must be a LoopPool, got 1"),
            ({"pool": LoopPool(1), "num_threads": 1}, TypeError, "num_threads is the pool's"),
            ({"pool": LoopPool(1), "mode": SchedulingMode.QUEUE}, TypeError, "mode is the pool's"),
            ({"mode": SchedulingMode.QUEUE}, TypeError, "mode is about threads: give num_threads"),
            ({"loop_factory": asyncio.new_event_loop}, TypeError, "loop_factory is about threads"),
            ({"threads": 1}, TypeError, "unexpected keyword argument 'threads'"),
        ],
    )
    def test_options(self, options: dict[str, Any], error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            TaskPoolExecutor(2, **options)


class TestSubmitting:
    async def test_arguments_beside_an_awaitable(self, kind: Kind) -> None:
        text = r"^Cannot pass args/kwargs when submitting an awaitable$"
        async with kind.open() as executor:
            submit: Any = executor.submit
            for args, kwargs in (((1,), {}), ((), {"number": 1})):
                coroutine = double(1)
                with pytest.raises(TypeError, match=text):
                    submit(coroutine, *args, **kwargs)
                assert is_closed(coroutine)
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            with pytest.raises(TypeError, match=text):
                submit(future, 1)
            assert not future.done()

    @pytest.mark.parametrize("junk", [None, 42, "double", [double]])
    async def test_what_is_neither(self, kind: Kind, junk: Any) -> None:
        async with kind.open() as executor:
            with pytest.raises(TypeError, match=r"^a callable or an awaitable was expected, got "):
                executor.submit(junk)
            with pytest.raises(TypeError, match=r"^a callable or an awaitable was expected, got "):
                executor.submit(junk, 1)

    async def test_nothing(self, kind: Kind) -> None:
        async with kind.open() as executor:
            submit: Any = executor.submit
            with pytest.raises(TypeError, match="missing 1 required positional argument"):
                submit()

    async def test_an_async_generator_function(self, kind: Kind) -> None:
        async def numbers() -> Any:
            yield 1

        async with kind.open() as executor:
            submit: Any = executor.submit
            with pytest.raises(TypeError, match="must return an awaitable"):
                await submit(numbers)

    async def test_a_future_of_another_loop(self, kind: Kind) -> None:
        other = asyncio.new_event_loop()
        future: asyncio.Future[int] = other.create_future()
        async with kind.open() as executor:
            with pytest.raises((RuntimeError, ValueError), match="different loop"):
                await executor.submit(future)
        other.close()


class TestMapping:
    @pytest.fixture(params=["map", "threaded_map"])
    def name(self, request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    def mapping(self, name: str, executor: TaskPoolExecutor) -> Any:
        return executor.map if name == "map" else threaded_map

    @pytest.mark.parametrize("junk", [None, 42, "double"])
    async def test_no_function(self, name: str, junk: Any) -> None:
        async with TaskPoolExecutor(1) as executor:
            with pytest.raises(TypeError, match=rf"^{name}\(\) needs a callable, got "):
                self.mapping(name, executor)(junk, [1])

    async def test_a_coroutine_in_place_of_a_function(self, name: str) -> None:
        async with TaskPoolExecutor(1) as executor:
            coroutine = double(1)
            with pytest.raises(TypeError, match="needs a callable"):
                self.mapping(name, executor)(coroutine, [1])
            coroutine.close()

    @pytest.mark.parametrize("junk", [None, 42, object()])
    async def test_no_iterable(self, name: str, junk: Any) -> None:
        async with TaskPoolExecutor(1) as executor:
            for iterables in ((junk,), ([1], junk), (junk, [1])):
                with pytest.raises(TypeError, match="object is not iterable"):
                    self.mapping(name, executor)(double, *iterables)

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"buffersize": 0}, ValueError, "buffersize must be None or > 0"),
            ({"buffersize": -1}, ValueError, "buffersize must be None or > 0"),
            ({"buffersize": 1.5}, TypeError, "buffersize must be an integer or None"),
            ({"buffersize": "2"}, TypeError, "buffersize must be an integer or None"),
            ({"buffersize": True}, TypeError, "buffersize must be an integer or None"),
            ({"timeout": "1"}, TypeError, "timeout must be a number of seconds or None"),
            ({"progress": 1}, TypeError, "progress must be a function of"),
            ({"progress": "yes"}, TypeError, "progress must be a function of"),
            ({"chunksize": 2}, TypeError, "unexpected keyword argument 'chunksize'"),
        ],
    )
    async def test_options(
        self, name: str, options: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        numbers = Numbers(3)
        async with TaskPoolExecutor(1) as executor:
            with pytest.raises(error, match=text):
                self.mapping(name, executor)(double, numbers, **options)
        # It is found out before an input is read.
        assert numbers.made == 0

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"num_threads": 0}, ValueError, "num_threads must be at least 1"),
            ({"max_concurrency": 0}, ValueError, "max_concurrency must be at least 1"),
            ({"mode": "fast"}, TypeError, "mode must be a SchedulingMode"),
            ({"pool": 1}, TypeError, "pool must be a LoopPool"),
            ({"pool": LoopPool(1), "num_threads": 1}, TypeError, "num_threads is the pool's"),
        ],
    )
    async def test_options_about_threads(
        self, options: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        numbers = Numbers(3)
        with pytest.raises(error, match=text):
            threaded_map(double, numbers, **options)
        assert numbers.made == 0

    def test_without_a_loop(self) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            threaded_map(double, [1])
        with pytest.raises(RuntimeError, match="no running event loop"):
            TaskPoolExecutor().map(double, [1])


class TestShutdown:
    async def test_cancel_futures_is_a_keyword(self) -> None:
        executor = TaskPoolExecutor(1)
        shutdown: Any = executor.shutdown
        with pytest.raises(TypeError, match="positional argument"):
            await shutdown(True, True)
        assert await executor.submit(double, 1) == 2
        await executor.shutdown()


class TestPools:
    async def test_one_that_is_not_open(self) -> None:
        pool = LoopPool(2)
        executor = TaskPoolExecutor(2, pool=pool)
        coroutine = double(1)
        with pytest.raises(RuntimeError, match="LoopPool"):
            executor.submit(coroutine)
        assert is_closed(coroutine)
        with pytest.raises(RuntimeError, match="LoopPool"):
            executor.map(double, [1])
        # It is used as soon as it is.
        async with pool:
            assert await executor.submit(double, 1) == 2
            await executor.shutdown()

    async def test_one_that_is_closed_meanwhile(self) -> None:
        gate = Gate()
        async with LoopPool(2) as pool:
            executor = TaskPoolExecutor(1, pool=pool)
            futures = [executor.submit(gate.hold, number) for number in range(3)]
            gate.open()
        # The pool has waited for them.
        assert [future.result() for future in futures] == [0, 1, 2]
        coroutine = double(1)
        with pytest.raises(RuntimeError):
            executor.submit(coroutine)
        assert is_closed(coroutine)
        with pytest.raises(RuntimeError):
            executor.submit(double, 1)
        await asyncio.wait_for(executor.shutdown(), PATIENCE)

    async def test_one_that_is_left_by_an_exception(self) -> None:
        gate = Gate()
        executor = None
        with pytest.raises(KeyError):
            async with LoopPool(2) as pool:
                executor = TaskPoolExecutor(1, pool=pool)
                futures = [executor.submit(gate.hold, number) for number in range(3)]
                await gate.inside(1)
                raise KeyError
        assert futures[0].cancelled()
        # Those that waited for their turn find it closed, or are cancelled with it.
        errors = await asyncio.gather(*futures[1:], return_exceptions=True)
        assert all(isinstance(each, RuntimeError | asyncio.CancelledError) for each in errors)
        assert gate.ended == [0]
        assert executor is not None
        await asyncio.wait_for(executor.shutdown(), PATIENCE)


class TestLoopFactories:
    async def test_that_fails(self) -> None:
        def factory() -> asyncio.AbstractEventLoop:
            raise OSError("no loop today")

        async with TaskPoolExecutor(2, num_threads=2, loop_factory=factory) as executor:
            futures = [executor.submit(double, 1), executor.submit(value(1))]
            for future in futures:
                with pytest.raises(OSError, match="no loop today"):
                    await asyncio.wait_for(future, PATIENCE)

    async def test_that_fails_once(self) -> None:
        left = 1

        def factory() -> asyncio.AbstractEventLoop:
            nonlocal left
            if left:
                left -= 1
                raise OSError("no loop today")
            return asyncio.new_event_loop()

        executor = TaskPoolExecutor(4, num_threads=2, loop_factory=factory)
        futures = [executor.submit(double, number) for number in range(20)]
        results = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), PATIENCE)
        # Each is one or the other.
        for number, result in enumerate(results):
            assert result == 2 * number or isinstance(result, OSError)
        await asyncio.wait_for(executor.shutdown(), PATIENCE)
        await turns()
