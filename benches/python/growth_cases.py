"""What is measured as it grows, and who is measured."""

from __future__ import annotations

__all__ = ["CASES", "FAMILIES", "IDEAL_NAP", "Case", "Family", "Who"]

import enum
from dataclasses import dataclass
from typing import Final

#: How long each of the sleepers sleeps, in seconds.
IDEAL_NAP: Final = 0.1


class Who(enum.Enum):
    """Who is measured; the name is the argument of its process."""

    ASYNCIO = "asyncio"
    UVLOOP = "uvloop"
    ROUND_ROBIN = "thrasks ROUND_ROBIN"
    QUEUE = "thrasks QUEUE"
    ON_UVLOOP = "thrasks on uvloop"


THRASKS: Final = (Who.ROUND_ROBIN, Who.QUEUE)
EVERYBODY: Final = tuple(Who)
#: Those that are there whatever is installed.
PLAIN: Final = (Who.ASYNCIO, *THRASKS)


class Family(enum.Enum):
    """Cases that differ in size only; the name is theirs, but for the size."""

    TASKS_GATHER = "tasks-gather"
    TASKS_GROUP = "tasks-group"
    WORKERS_TRIVIAL = "workers-trivial"
    WORKERS_SLEEP0 = "workers-sleep0"
    EXCHANGE_CHAIN = "exchange-chain"
    EXCHANGE_TREE = "exchange-tree"
    SLEEPERS = "sleepers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """What stands above a family's table."""

    title: str
    #: What the size is a number of.
    size: str
    #: The size whose cost the others' is compared with, or None for the ideal.
    reference: int | None


FAMILIES: Final = {
    Family.TASKS_GATHER: Describe(
        title="gather of n coroutines that return at once, 2 workers", size="n", reference=10_000
    ),
    Family.TASKS_GROUP: Describe(
        title="group: n times create_task of such, 2 workers", size="n", reference=10_000
    ),
    Family.WORKERS_TRIVIAL: Describe(
        title="gather of 10 000 coroutines that return at once", size="workers", reference=2
    ),
    Family.WORKERS_SLEEP0: Describe(
        title="gather of 10 000 coroutines with a sleep(0)", size="workers", reference=2
    ),
    Family.EXCHANGE_CHAIN: Describe(
        title="group: n tasks, each awaits the one before it, 2 workers", size="n", reference=1000
    ),
    Family.EXCHANGE_TREE: Describe(
        title="group: a tree of n tasks, each awaits two others, 2 workers",
        size="n",
        reference=2047,
    ),
    Family.SLEEPERS: Describe(
        title=f"gather of n coroutines that sleep for {IDEAL_NAP * 1000:g} ms, 2 workers",
        size="n",
        reference=None,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One size of a family."""

    family: Family
    size: int
    #: How many tasks there are.
    n: int
    who: tuple[Who, ...]
    workers: int = 2
    #: How often the work is done for one sample.
    inner: int = 1
    samples: int = 3
    warm_ups: int = 1
    #: Whether it is measured in a quick run, too.
    quick: bool = True
    #: Whether its process is not kept for other cases, because of the memory it has.
    alone: bool = False

    @property
    def name(self) -> str:
        """What `--only` calls it."""
        return f"{self.family.value}-{self.size}"

    @property
    def per_task(self) -> bool:
        """Whether the time is that of a task, rather than of the whole."""
        return self.family is not Family.SLEEPERS

    @property
    def divisor(self) -> int:
        """What the time of a sample is divided by."""
        return self.inner * (self.n if self.per_task else 1)

    def turn(self, *, quick: bool) -> tuple[int, int]:
        """Return the samples and the warm-ups of one turn."""
        return (min(self.samples, 2) if quick else self.samples), self.warm_ups


def _cases() -> tuple[Case, ...]:
    found = []
    for family in (Family.TASKS_GATHER, Family.TASKS_GROUP):
        for n in (10, 100, 1000, 10_000, 100_000, 1_000_000):
            large = n > 10_000
            found.append(
                Case(
                    family=family,
                    size=n,
                    n=n,
                    # The larger, the fewer: a second for each run of the largest.
                    inner=max(1, 1000 // n),
                    samples=1 if large else 4,
                    warm_ups=0 if n > 100_000 else 1,
                    who=PLAIN if large else EVERYBODY,
                    quick=not large,
                    alone=n > 100_000,
                )
            )
    for family in (Family.WORKERS_TRIVIAL, Family.WORKERS_SLEEP0):
        for workers in (1, 2, 4, 8, 16, 32, 64):
            # Of asyncio, which has one thread, once.
            who = (Who.ASYNCIO, *THRASKS) if workers == 1 else THRASKS
            found.append(Case(family=family, size=workers, n=10_000, workers=workers, who=who))
    for n in (100, 1000, 10_000):
        found.append(
            Case(family=Family.EXCHANGE_CHAIN, size=n, n=n, who=EVERYBODY, quick=n < 10_000)
        )
    for leaves in (128, 1024, 8192):
        n = leaves * 2 - 1
        found.append(
            Case(family=Family.EXCHANGE_TREE, size=n, n=n, who=EVERYBODY, quick=leaves < 8192)
        )
    for n in (1000, 10_000):
        found.append(Case(family=Family.SLEEPERS, size=n, n=n, who=EVERYBODY, samples=2))
    return tuple(found)


CASES: Final = _cases()
