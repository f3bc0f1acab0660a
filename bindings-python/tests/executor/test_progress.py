"""`map(progress=...)`: whom it tells what."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support import eventually_async, for_ever

from thrasks import threaded_map

from .support import AsyncNumbers, Gate, Kind, Numbers, double, turns

Told = list[tuple[int, int | None]]


def telling() -> tuple[Told, Any]:
    told: Told = []
    return told, lambda done, total: told.append((done, total))


class TestFunctions:
    @pytest.mark.parametrize("ordered", [True, False])
    async def test_each_result_is_told_once(self, kind: Kind, ordered: bool) -> None:
        told, tell = telling()
        async with kind.open() as executor:
            results = executor.map(double, range(20), ordered=ordered, progress=tell)
            assert len([each async for each in results]) == 20
        assert told == [(number, 20) for number in range(1, 21)]

    async def test_the_total_is_the_shortest_inputs(self, kind: Kind) -> None:
        async def pair(one: int, other: int) -> int:
            return one + other

        told, tell = telling()
        async with kind.open() as executor:
            async for _ in executor.map(pair, range(9), [1, 2, 3], progress=tell):
                pass
        assert told == [(1, 3), (2, 3), (3, 3)]

    @pytest.mark.parametrize("inputs", [Numbers(3), AsyncNumbers(3), iter(range(3))])
    async def test_or_not_known(self, inputs: Any) -> None:
        told, tell = telling()
        async for _ in threaded_map(double, inputs, num_threads=2, progress=tell):
            pass
        assert sorted(told) == [(1, None), (2, None), (3, None)]

    async def test_nothing(self, kind: Kind) -> None:
        told, tell = telling()
        async with kind.open() as executor:
            assert [each async for each in executor.map(double, [], progress=tell)] == []
        assert told == []

    async def test_results_are_told_before_they_are_taken(self, kind: Kind) -> None:
        told, tell = telling()
        async with kind.open() as executor:
            results = executor.map(double, range(3), progress=tell)
            assert await eventually_async(lambda: len(told) == 3)
            assert [each async for each in results] == [0, 2, 4]

    async def test_on_this_loop(self, kind: Kind) -> None:
        loops = []
        async with kind.open() as executor:
            async for _ in executor.map(
                double, range(3), progress=lambda *_: loops.append(asyncio.get_running_loop())
            ):
                pass
        assert loops == [asyncio.get_running_loop()] * 3

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_exceptions_that_are_results_count(self, kind: Kind, ordered: bool) -> None:
        async def work(number: int) -> int:
            if number % 3 == 0:
                raise ValueError
            if number % 3 == 1:
                raise asyncio.CancelledError
            return number

        told, tell = telling()
        async with kind.open() as executor:
            mapping = executor.map(
                work, range(9), progress=tell, return_exceptions=True, ordered=ordered
            )
            assert len([each async for each in mapping]) == 9
        assert told == [(number, 9) for number in range(1, 10)]

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_what_is_cancelled_does_not(self, kind: Kind, ordered: bool) -> None:
        gate = Gate()
        told, tell = telling()
        async with kind.open(2) as executor:
            async with executor.map(gate.hold, range(9), progress=tell, ordered=ordered):
                await gate.inside(2)
            await turns()
        assert told == []

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_one_that_raises(self, kind: Kind, ordered: bool) -> None:
        def tell(done: int, _: int | None) -> None:
            raise KeyError(done)

        seen: list[str] = []
        # A handler that kept the exceptions would keep the map that their tracebacks refer to.
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: seen.append(repr(context["exception"]))
        )
        async with kind.open() as executor:
            results = executor.map(double, range(5), progress=tell, ordered=ordered)
            assert sorted([each async for each in results]) == [0, 2, 4, 6, 8]
        assert seen == [f"KeyError({number})" for number in range(1, 6)]

    async def test_false_is_none(self, kind: Kind) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(3), progress=False)
            assert [each async for each in results] == [0, 2, 4]


class TestBars:
    @pytest.fixture(autouse=True)
    def one_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tqdm = pytest.importorskip("tqdm").tqdm
        # It has a thread that stays, and a lock for processes, too, which has one that watches it.
        tqdm.set_lock(threading.RLock())
        monkeypatch.setattr(tqdm, "monitor_interval", 0)

    async def test_one_is_drawn(self, kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
        async with kind.open() as executor:
            results = executor.map(double, range(20), progress=True)
            assert len([each async for each in results]) == 20
            await turns()
        drawn = capsys.readouterr().err
        assert "100%" in drawn
        assert "20/20" in drawn
        assert drawn.endswith("\n")

    async def test_of_an_unknown_length(
        self, kind: Kind, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with kind.open() as executor:
            results = executor.map(double, Numbers(20), progress=True, ordered=False)
            assert len([each async for each in results]) == 20
            await turns()
        assert "20it" in capsys.readouterr().err

    async def test_it_is_closed_when_the_map_is_left_early(
        self, kind: Kind, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with kind.open() as executor:
            async with executor.map(double, range(20), progress=True, buffersize=2) as results:
                for _ in range(5):
                    await anext(results)
            await turns()
            # Those that were taken, and what was under way.
            drawn = capsys.readouterr().err
            assert any(f" {count}/20" in drawn for count in (5, 6, 7))
            assert drawn.endswith("\n")

    async def test_and_when_it_fails(self, kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
        async def fail(_: int) -> None:
            raise ValueError("of a job")

        async with kind.open() as executor:
            with pytest.raises(ValueError, match="of a job"):
                async for _ in executor.map(fail, range(3), progress=True):
                    pass
            await turns()
        assert capsys.readouterr().err.endswith("\n")

    async def test_without_tqdm(self, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        async with kind.open() as executor:
            with pytest.raises(ImportError, match=r"pip install 'thrasks\[progress\]'"):
                executor.map(double, range(3), progress=True)
            # It is said before anything begins.
            numbers = Numbers(3)
            with pytest.raises(ImportError, match="or pass a function of"):
                executor.map(double, numbers, progress=True)
            assert numbers.made == 0
            assert await executor.submit(double, 1) == 2

    async def test_without_tqdm_of_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        with pytest.raises(ImportError, match=r"pip install 'thrasks\[progress\]'"):
            threaded_map(double, range(3), progress=True)


async def test_a_map_that_waits_for_inputs_tells_what_there_is(kind: Kind) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2
        await for_ever()

    told, tell = telling()
    async with kind.open() as executor, executor.map(double, numbers(), progress=tell):
        assert await eventually_async(lambda: len(told) == 2)
    assert told == [(1, None), (2, None)]
