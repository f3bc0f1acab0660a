"""Groups and pools that are not open yet, or no longer."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import pytest
from support import Signal, block_until, is_closed, value

from thrasks import LoopPool, ThreadedTaskGroup, threaded_gather


class TestGroupOutOfItsTime:
    async def test_before_it_is_entered(self) -> None:
        group = ThreadedTaskGroup(3)
        coro = value(1)
        with pytest.raises(RuntimeError) as caught:
            group.create_task(coro)
        assert str(caught.value) == (
            f"{group!r} has not been entered: it must be used in async with statement"
        )
        assert is_closed(coro)

    async def test_after_it_was_left(self) -> None:
        async with ThreadedTaskGroup(3) as group:
            pass
        coro = value(1)
        with pytest.raises(RuntimeError) as caught:
            group.create_task(coro)
        assert str(caught.value) == f"{group!r} is finished"
        assert is_closed(coro)

    async def test_after_it_was_left_by_an_error(self) -> None:
        group = ThreadedTaskGroup(1)
        with pytest.raises(LookupError):
            async with group:
                raise LookupError
        coro = value(1)
        with pytest.raises(RuntimeError, match="is finished"):
            group.create_task(coro)
        assert is_closed(coro)


class TestPoolOutOfItsTime:
    async def test_run_on_a_closed_pool(self) -> None:
        async with LoopPool(2) as pool:
            pass
        coro = value(1)
        with pytest.raises(RuntimeError) as caught:
            pool.run(coro)
        assert repr(pool) == "<LoopPool threads=2 mode=QUEUE closed>"
        assert str(caught.value) == f"{pool!r} is closed"
        assert is_closed(coro)
        with pytest.raises(RuntimeError, match="is closed"):
            pool.stats()

    async def test_run_on_a_pool_that_is_not_open_yet(self) -> None:
        pool = LoopPool(2)
        coro = value(1)
        with pytest.raises(RuntimeError, match="has not been entered"):
            pool.run(coro)
        assert is_closed(coro)

    async def test_a_group_on_a_closed_pool(self) -> None:
        async with LoopPool(2) as pool:
            pass
        group = ThreadedTaskGroup(pool=pool)
        with pytest.raises(RuntimeError, match="is closed"):
            async with group:
                raise AssertionError("it was entered")

    async def test_a_gather_on_a_closed_pool(self) -> None:
        async with LoopPool(2) as pool:
            pass
        coros = [value(1), value(2)]
        with pytest.raises(RuntimeError, match="is closed"):
            await threaded_gather(*coros, pool=pool)
        assert all(is_closed(coro) for coro in coros)

    async def test_a_pool_entered_twice(self) -> None:
        pool = LoopPool(1)
        async with pool:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await pool.__aenter__()
        with pytest.raises(RuntimeError, match="has already been entered"):
            await pool.__aenter__()

    async def test_a_group_that_is_open_when_its_pool_closes(self) -> None:
        # The pool waits for what runs on it; what comes later is refused, not lost.
        release, busy = Signal(), Signal()
        pool = LoopPool(1)
        async with pool:
            blocked = pool.run(block_until(release, busy))
            await busy.wait()
            release.set()
        assert blocked.done()
        coro = value(1)
        with pytest.raises(RuntimeError, match="is closed"):
            pool.run(coro)
        assert is_closed(coro)
