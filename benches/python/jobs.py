"""The work that is given to the contenders, and what it has to result in."""

from __future__ import annotations

__all__ = ["PLAIN", "Timed", "Work", "doubler", "doubles", "expected", "jobs", "numbers"]

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from scenarios import NAPS, Kind, Scenario

#: Does the work once, from making the coroutines to having the results.
Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Timed:
    """The result of work that measures itself, since only a part of it counts."""

    result: object
    nanoseconds: int


FIBONACCI = 23
DOCUMENT = json.dumps(
    [
        {
            "id": i,
            "name": f"record {i}",
            "tags": ["a", "bc", "def"],
            "price": i * 1.25,
            "nested": {"on": i % 2 == 0, "none": None, "text": "x" * 40},
        }
        for i in range(1100)
    ]
)


async def trivial(x: int) -> int:
    return x * 2


async def sleep0(x: int) -> int:
    await asyncio.sleep(0)
    return x * 2


async def sleeping(x: int) -> int:
    await asyncio.sleep(0.05)
    return x * 2


def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def through_json(_: int) -> int:
    return len(json.dumps(json.loads(DOCUMENT)))


def nap(i: int) -> int:
    time.sleep(NAPS[i] / 1000)
    return NAPS[i]


def doubles(x: int) -> int:
    return x * 2


def numbers(n: int) -> Iterator[int]:
    yield from range(n)


def doubler() -> Generator[int, int, None]:
    x = yield 0
    while True:
        x = yield x * 2


#: What bare threads can do as well.
PLAIN: dict[Kind, tuple[Callable[[int], int], Callable[[Scenario], list[int]]]] = {
    Kind.JSON: (through_json, lambda scenario: [0] * scenario.jobs),
    Kind.POOL_JSON: (through_json, lambda scenario: [0] * scenario.jobs),
    Kind.FIBONACCI: (fibonacci, lambda scenario: [FIBONACCI] * scenario.jobs),
    Kind.UNEVEN: (nap, lambda scenario: list(range(scenario.jobs))),
}
ASYNC: dict[Kind, Callable[[int], Coroutine[Any, Any, int]]] = {
    Kind.GATHER_TRIVIAL: trivial,
    Kind.GATHER_SLEEP0: sleep0,
    Kind.GROUP_TRIVIAL: trivial,
    Kind.SLEEPING: sleeping,
    Kind.ROUND_TRIP: trivial,
    Kind.POOL_SUBMIT: trivial,
    Kind.POOL_MAP: trivial,
    Kind.POOL_THREADS: trivial,
}
#: What has no result.
NOTHING: Final = frozenset({Kind.EMPTY_GROUP, Kind.FIRST_GROUP, Kind.SECOND_GROUP, Kind.IMPORT})
#: What results in doubles of numbers, and what in the numbers.
DOUBLING: Final = frozenset({Kind.CALLS_IN_TURN, Kind.CALLS_AT_ONCE, Kind.STEPS})
ITERATING: Final = frozenset({Kind.ITEMS, Kind.ITEMS_SLOWLY})


def jobs(
    scenario: Scenario,
) -> tuple[Callable[[int], Coroutine[Any, Any, int]], Sequence[int]]:
    """Return the coroutine function, and what it is called with."""
    if scenario.kind in ASYNC:
        return ASYNC[scenario.kind], range(scenario.jobs)
    plain, inputs = PLAIN[scenario.kind]

    async def job(x: int) -> int:
        return plain(x)

    return job, inputs(scenario)


@cache
def expected(scenario: Scenario) -> object:
    """Return what the work has to result in."""
    if scenario.kind in NOTHING:
        return None
    if scenario.kind is Kind.CANCEL:
        return scenario.jobs
    if scenario.kind in ASYNC or scenario.kind in DOUBLING:
        return [x * 2 for x in range(scenario.jobs)]
    if scenario.kind in ITERATING:
        return list(range(scenario.jobs))
    plain, inputs = PLAIN[scenario.kind]
    if scenario.kind is Kind.UNEVEN:
        return list(NAPS)
    # They are all the same.
    return [plain(inputs(scenario)[0])] * scenario.jobs
