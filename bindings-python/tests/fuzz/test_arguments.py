"""Every parameter of every call, with values that it is not made for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from soak.conftest import Effort

from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather

from .junk import USELESS, EvilError
from .support import Complaints, check_told

#: What may be raised for a wrong argument; or what the argument itself raised. In a group, where
#: anything that is true may ask for one.
TOLD = (TypeError, ValueError, RuntimeError, EvilError, ZeroDivisionError, ExceptionGroup, Warning)

#: The parameters that these take.
GROUP = [
    "num_threads",
    "mode",
    "strict_exception_groups",
    "max_concurrency",
    "pool",
    "loop_factory",
]
GATHER = ["return_exceptions", "num_threads", "mode", "max_concurrency", "pool", "loop_factory"]
POOL = ["num_threads", "mode", "loop_factory"]
TASK = ["coro", "name", "context", "eager_start", "loop", "unknown"]
RUN = ["coro", "name", "context", "unknown"]


async def seven() -> int:
    return 7


def junk(parameters: list[str]) -> st.SearchStrategy[dict[str, str]]:
    """Draw one or two of the parameters, with the name of a useless value each."""
    return st.dictionaries(
        st.sampled_from(parameters), st.sampled_from(list(USELESS)), min_size=1, max_size=2
    )


async def in_group(arguments: dict[str, Any], coro: Coroutine[Any, Any, int]) -> object:
    async with ThreadedTaskGroup(**arguments) as group:
        handle = group.create_task(coro)
    return handle.result()


async def in_gather(arguments: dict[str, Any], coro: Coroutine[Any, Any, int]) -> object:
    (result,) = await threaded_gather(coro, **arguments)
    return result


async def in_pool(arguments: dict[str, Any], coro: Coroutine[Any, Any, int]) -> object:
    async with LoopPool(**arguments) as pool:
        return await pool.run(coro)


async def as_task(arguments: dict[str, Any], coro: Coroutine[Any, Any, int]) -> object:
    async with ThreadedTaskGroup(1) as group:
        handle = group.create_task(**{"coro": coro, **arguments})
        repr(handle)
    return handle.result()


async def as_run(arguments: dict[str, Any], coro: Coroutine[Any, Any, int]) -> object:
    async with LoopPool(1) as pool:
        handle = pool.run(**{"coro": coro, **arguments})
        repr(handle)
        return await handle


CALLS = [(in_group, GROUP), (in_gather, GATHER), (in_pool, POOL), (as_task, TASK), (as_run, RUN)]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("call", "parameters"), CALLS, ids=lambda it: getattr(it, "__name__", ""))
def test_a_useless_value_is_told_or_works(call: Any, parameters: list[str], effort: Effort) -> None:
    @hypothesis.seed(effort.seed)
    @hypothesis.settings(
        max_examples=2000 if effort.minutes else 60,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @hypothesis.given(junk(parameters))
    def attempt(names: dict[str, str]) -> None:
        arguments = {parameter: USELESS[name] for parameter, name in names.items()}
        coro = seven()

        async def main() -> None:
            complaints = Complaints(asyncio.get_running_loop())
            try:
                result = await call(arguments, coro)
            except TOLD as error:
                check_told(error)
            else:
                # An error may be a result: `return_exceptions` takes any truth.
                assert result == 7 or (
                    "return_exceptions" in arguments and isinstance(result, TOLD)
                )
            assert complaints.contexts == []

        asyncio.run(main())
        if inspect.getcoroutinestate(coro) == inspect.CORO_CREATED:
            # Refused before the coroutine was given to anybody; or it is not what was given.
            assert call in (in_group, in_pool) or "coro" in arguments or "unknown" in arguments
            coro.close()

    attempt()


@pytest.mark.parametrize("name", USELESS)
def test_what_cannot_be_gathered_is_told_and_the_rest_is_closed(name: str) -> None:
    given = USELESS[name]
    coros: list[Coroutine[Any, Any, int]] = []

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        coros.extend([seven(), seven()])
        try:
            results = await threaded_gather(coros[0], given, coros[1])
        except TOLD as error:
            check_told(error)
        else:
            raise AssertionError(f"gathered {results}")
        assert complaints.contexts == []

    asyncio.run(main())
    for coro in coros:
        assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


@pytest.mark.parametrize("name", USELESS)
def test_the_methods_of_a_handle_take_or_refuse_anything(name: str) -> None:
    given = USELESS[name]

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def sleeper() -> None:
            loop.call_soon_threadsafe(started.set)
            await asyncio.sleep(3600)

        async with ThreadedTaskGroup(1) as group:
            handle = group.create_task(sleeper())
            await started.wait()
            for call in (
                lambda: handle.set_name(given),
                lambda: handle.set_result(given),
                lambda: handle.set_exception(given),
                lambda: handle.remove_done_callback(given),
                lambda: handle.get_stack(limit=given),
                lambda: handle.print_stack(file=given),
                lambda: handle.get_name(),
                lambda: repr(handle),
            ):
                try:
                    call()
                except (*TOLD, AttributeError) as error:
                    check_told(error)
            assert handle.cancel(given)
        assert handle.cancelled()
        assert complaints.contexts == []

    asyncio.run(main())
