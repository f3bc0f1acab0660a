"""What is measured, who takes part, and what it may cost: plain data for both sides of the pipe."""

from __future__ import annotations

__all__ = [
    "ASYNCIO",
    "CONTENDERS",
    "FREE_THREADED",
    "NAPS",
    "NEED_UVLOOP",
    "OLD",
    "PACKAGES",
    "PEERS",
    "SCENARIOS",
    "Contender",
    "Goal",
    "Kind",
    "Scenario",
    "Unit",
]

import enum
from dataclasses import dataclass
from typing import Final


class Contender(enum.Enum):
    """Who is measured, each in a process of its own."""

    ASYNCIO = "asyncio"
    ROUND_ROBIN = "thrasks ROUND_ROBIN"
    QUEUE = "thrasks QUEUE"
    OLD = "thrasks 0.1"
    THREADS = "bare threads"
    PING_PONG = "raw ping-pong"
    THRASKS = "thrasks"
    AIOTHREADS = "aiothreads"
    ATHREADING = "athreading"
    CF_TASKPOOL = "cf-taskpool"
    TONIO = "tonio"
    UVLOOP = "uvloop"
    ON_UVLOOP = "thrasks on uvloop"


class Kind(enum.Enum):
    """The sorts of work there are."""

    GATHER_TRIVIAL = enum.auto()
    GATHER_SLEEP0 = enum.auto()
    GROUP_TRIVIAL = enum.auto()
    JSON = enum.auto()
    FIBONACCI = enum.auto()
    SLEEPING = enum.auto()
    UNEVEN = enum.auto()
    EMPTY_GROUP = enum.auto()
    ROUND_TRIP = enum.auto()
    CALLS_IN_TURN = enum.auto()
    CALLS_AT_ONCE = enum.auto()
    ITEMS = enum.auto()
    ITEMS_SLOWLY = enum.auto()
    STEPS = enum.auto()
    POOL_SUBMIT = enum.auto()
    POOL_MAP = enum.auto()
    POOL_THREADS = enum.auto()
    POOL_JSON = enum.auto()
    CANCEL = enum.auto()
    FIRST_GROUP = enum.auto()
    SECOND_GROUP = enum.auto()
    IMPORT = enum.auto()


class Unit(enum.Enum):
    """What times are shown in; the values are nanoseconds."""

    NS = 1
    US = 1_000
    MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Goal:
    """What thrasks may cost at most, or has to reach at least."""

    limit: float
    #: A contender: its time. Several: that of the fastest. A number: nanoseconds.
    of: Contender | tuple[Contender, ...] | float
    #: What that is, if it is not one contender.
    name: str = ""
    #: Whether it is a speed to be reached, and not a time to be kept.
    speed: bool = False
    who: frozenset[Contender] = frozenset({Contender.ROUND_ROBIN, Contender.QUEUE})

    def text(self) -> str:
        """Say it in a few characters."""
        name = self.of.value if isinstance(self.of, Contender) else self.name
        share = "" if self.limit == 1 else f"{self.limit:.2f} "
        return f"{'>=' if self.speed else '<='} {share}{name}"

    def rivals(self) -> tuple[Contender, ...]:
        """Return the contenders whose times count."""
        if isinstance(self.of, Contender):
            return (self.of,)
        return self.of if isinstance(self.of, tuple) else ()

    def ratio(self, own: float, reference: float) -> float:
        """Compare a time with that of the reference, the way round that the goal has it."""
        return reference / own if self.speed else own / reference

    def time(self, reference: float) -> float:
        """Return the time that just meets it."""
        return reference / self.limit if self.speed else reference * self.limit

    def met(self, ratio: float) -> bool:
        """Say whether that is good enough."""
        return ratio >= self.limit if self.speed else ratio <= self.limit


@dataclass(frozen=True, slots=True)
class Scenario:
    """One piece of work, given to several contenders."""

    name: str
    title: str
    kind: Kind
    jobs: int
    workers: int
    unit: Unit
    #: How many samples a turn has, and how many runs before them do not count.
    samples: int
    warm_ups: int
    who: tuple[Contender, ...]
    goals: tuple[Goal, ...] = ()
    #: How often the work is done for one sample, one after another.
    inner: int = 1
    #: Whether times are shown per job, or of the whole.
    per_job: bool = True

    @property
    def divisor(self) -> int:
        """What one sample is divided by."""
        return self.inner * (self.jobs if self.per_job else 1)

    def turn(self, *, quick: bool) -> tuple[int, int]:
        """Say how many samples a turn has, and how many runs are made before them."""
        if quick:
            return max(1, self.samples // 2), min(self.warm_ups, max(1, self.warm_ups // 2))
        return self.samples, self.warm_ups


ASYNCIO: Final = Contender.ASYNCIO
OLD: Final = Contender.OLD

#: Those whose members can run coroutines.
LOOPS: Final = (ASYNCIO, Contender.ROUND_ROBIN, Contender.QUEUE, OLD)
#: Those who come and go with blocking code.
BRIDGES: Final = (Contender.AIOTHREADS, Contender.ATHREADING)
#: Those who have been installed apart.
PEERS: Final = (*BRIDGES, Contender.CF_TASKPOOL, Contender.TONIO)
#: Those of them who need a free-threaded Python to be installed at all.
FREE_THREADED: Final = (Contender.TONIO,)
#: Those who need uvloop, which is not there for Windows.
NEED_UVLOOP: Final = (Contender.UVLOOP, Contender.ON_UVLOOP)
#: The packages of those who have one.
PACKAGES: Final = {
    Contender.ROUND_ROBIN: "thrasks",
    Contender.QUEUE: "thrasks",
    Contender.OLD: "thrasks",
    Contender.THRASKS: "thrasks",
    Contender.AIOTHREADS: "aiothreads",
    Contender.ATHREADING: "athreading",
    Contender.CF_TASKPOOL: "cf_taskpool",
    Contender.TONIO: "tonio",
    Contender.UVLOOP: "uvloop",
    Contender.ON_UVLOOP: "thrasks",
}
#: In the order of the table.
CONTENDERS: Final = tuple(Contender)

#: Milliseconds of `time.sleep`, in this order. They sum up to four times 90, and whoever hands each
#: to the first of four workers that is free ends after 90. In turns it takes 126.
NAPS: Final = (30, 45, 30, 6, 15, 45, 18, 24, 45, 12, 9, 6, 12, 24, 24, 15)
#: The size, of those that a scenario comes in, at which thrasks is measured on uvloop.
SEEN_ON_UVLOOP: Final = 1000

IDEAL: Final = sum(NAPS) / 4 * Unit.MS.value


def spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def with_thrasks_on_uvloop(jobs: int, *who: Contender) -> tuple[Contender, ...]:
    """Add it where there is one size of several that it is to be seen at."""
    return (*who, Contender.ON_UVLOOP) if jobs == SEEN_ON_UVLOOP else who


def _scenarios() -> tuple[Scenario, ...]:
    tonio = Contender.TONIO
    found = []
    for jobs, samples, warm_ups, limit in (
        (100, 20, 4, 0.20),
        (1000, 10, 2, 0.10),
        (10000, 3, 1, 0.06),
    ):
        found.append(
            Scenario(
                f"gather-trivial-{jobs}",
                f"gather, trivial coroutines, n = {spaced(jobs)}",
                Kind.GATHER_TRIVIAL,
                jobs,
                workers=2,
                unit=Unit.NS,
                samples=samples,
                warm_ups=warm_ups,
                who=with_thrasks_on_uvloop(jobs, *LOOPS, Contender.UVLOOP, tonio),
                goals=(Goal(limit, ASYNCIO), Goal(1, tonio)),
            )
        )
    for jobs, samples, warm_ups in ((1000, 6, 2), (10000, 2, 1)):
        found.append(
            Scenario(
                f"gather-sleep0-{jobs}",
                f"gather, await sleep(0), n = {spaced(jobs)}",
                Kind.GATHER_SLEEP0,
                jobs,
                workers=2,
                unit=Unit.NS,
                samples=samples,
                warm_ups=warm_ups,
                who=with_thrasks_on_uvloop(jobs, *LOOPS, Contender.UVLOOP, tonio),
                goals=(Goal(0.33, ASYNCIO),),
            )
        )
    for jobs, samples, warm_ups, limit in ((100, 20, 4, 0.45), (10000, 3, 1, 0.25)):
        found.append(
            Scenario(
                f"group-trivial-{jobs}",
                f"group.create_task, trivial coroutines, n = {spaced(jobs)}",
                Kind.GROUP_TRIVIAL,
                jobs,
                workers=2,
                unit=Unit.NS,
                samples=samples,
                warm_ups=warm_ups,
                who=with_thrasks_on_uvloop(jobs, *LOOPS, Contender.UVLOOP),
                goals=(Goal(limit, ASYNCIO),),
            )
        )
    for name, title, kind in (
        ("json", "JSON", Kind.JSON),
        ("fibonacci", "Fibonacci", Kind.FIBONACCI),
    ):
        found.append(
            Scenario(
                f"cpu-{name}",
                f"CPU work, {title}: 12 jobs on 2 workers",
                kind,
                jobs=12,
                workers=2,
                unit=Unit.US,
                samples=8,
                warm_ups=1,
                who=(*LOOPS, tonio, Contender.THREADS),
                goals=(Goal(0.97, Contender.THREADS, speed=True),),
            )
        )
    found += [
        Scenario(
            "sleeping",
            "gather, 20 tasks that sleep for 50 ms, on 2 workers",
            Kind.SLEEPING,
            jobs=20,
            workers=2,
            unit=Unit.MS,
            samples=2,
            warm_ups=1,
            who=(*LOOPS, *NEED_UVLOOP),
            goals=(Goal(1.01, ASYNCIO),),
            per_job=False,
        ),
        Scenario(
            "uneven",
            f"16 uneven blocking jobs on 4 workers (ideal: {IDEAL / Unit.MS.value:.0f} ms)",
            Kind.UNEVEN,
            jobs=len(NAPS),
            workers=4,
            unit=Unit.MS,
            samples=1,
            warm_ups=1,
            who=(*LOOPS, Contender.THREADS),
            goals=(Goal(1.05, IDEAL, "ideal", who=frozenset({Contender.QUEUE})),),
            per_job=False,
        ),
        Scenario(
            "enter-exit",
            "enter and leave an empty group of 4 workers",
            Kind.EMPTY_GROUP,
            jobs=1,
            workers=4,
            unit=Unit.US,
            samples=4,
            warm_ups=1,
            who=(*LOOPS, Contender.THREADS),
            goals=(Goal(1, 50.0 * Unit.US.value, "50 us"),),
            inner=20,
        ),
        Scenario(
            "round-trip",
            "one round trip: gather of one coroutine, on 1 worker",
            Kind.ROUND_TRIP,
            jobs=1,
            workers=1,
            unit=Unit.US,
            samples=6,
            warm_ups=1,
            who=(*LOOPS, *NEED_UVLOOP, Contender.PING_PONG),
            goals=(Goal(1.0, Contender.PING_PONG),),
            inner=20,
        ),
    ]
    found += _of_ends_and_beginnings()
    found += _of_blocking_code()
    found += _of_pools()
    return tuple(found)


def _of_ends_and_beginnings() -> list[Scenario]:
    loops = (ASYNCIO, Contender.ROUND_ROBIN, Contender.QUEUE)
    return [
        Scenario(
            "cancel-10000",
            f"cancel a group of {spaced(10000)} sleeping tasks, until all have ended",
            Kind.CANCEL,
            jobs=10000,
            workers=2,
            unit=Unit.NS,
            samples=2,
            warm_ups=1,
            who=(*loops, Contender.UVLOOP),
        ),
        Scenario(
            "first-group",
            "the first group of an interpreter: 2 workers, 1 task",
            Kind.FIRST_GROUP,
            jobs=1,
            workers=2,
            unit=Unit.US,
            samples=2,
            warm_ups=0,
            who=(*loops, OLD),
            per_job=False,
        ),
        Scenario(
            "second-group",
            "the second group of an interpreter, likewise",
            Kind.SECOND_GROUP,
            jobs=1,
            workers=2,
            unit=Unit.US,
            samples=2,
            warm_ups=0,
            who=(*loops, OLD),
            per_job=False,
        ),
        Scenario(
            "import",
            "the import of a fresh interpreter",
            Kind.IMPORT,
            jobs=1,
            workers=1,
            unit=Unit.MS,
            samples=4,
            warm_ups=0,
            who=(ASYNCIO, Contender.THRASKS, OLD),
            goals=(Goal(1.5, ASYNCIO, who=frozenset({Contender.THRASKS})),),
            per_job=False,
        ),
    ]


def _of_blocking_code() -> list[Scenario]:
    thrasks = Contender.THRASKS
    only = frozenset({thrasks})
    callers = (ASYNCIO, thrasks, *BRIDGES, Contender.UVLOOP)
    iterators = (thrasks, *BRIDGES)
    return [
        Scenario(
            "threaded-in-turn",
            "calls of a trivial function on a thread, 50 one after another",
            Kind.CALLS_IN_TURN,
            jobs=50,
            workers=1,
            unit=Unit.US,
            samples=6,
            warm_ups=1,
            who=callers,
            goals=(Goal(0.5, ASYNCIO, who=only),),
        ),
        Scenario(
            "threaded-at-once",
            f"calls of a trivial function on threads, {spaced(1000)} at once",
            Kind.CALLS_AT_ONCE,
            jobs=1000,
            workers=1,
            unit=Unit.US,
            samples=4,
            warm_ups=1,
            who=callers,
            goals=(Goal(0.33, ASYNCIO, who=only),),
        ),
        Scenario(
            "iterable-20000",
            f"async for over a generator on a thread, {spaced(20000)} items",
            Kind.ITEMS,
            jobs=20000,
            workers=1,
            unit=Unit.NS,
            samples=2,
            warm_ups=1,
            who=iterators,
            goals=(Goal(10, BRIDGES, "the peers", speed=True, who=only),),
        ),
        Scenario(
            "iterable-slowly-5000",
            f"async for over a generator, await sleep(0) after each of {spaced(5000)} items",
            Kind.ITEMS_SLOWLY,
            jobs=5000,
            workers=1,
            unit=Unit.NS,
            samples=2,
            warm_ups=1,
            who=iterators,
        ),
        Scenario(
            "generate-2000",
            f"asend to a generator on a thread, {spaced(2000)} times",
            Kind.STEPS,
            jobs=2000,
            workers=1,
            unit=Unit.US,
            samples=2,
            warm_ups=1,
            who=(thrasks, Contender.ATHREADING),
        ),
    ]


def _of_pools() -> list[Scenario]:
    thrasks, peer = Contender.THRASKS, Contender.CF_TASKPOOL
    return [
        Scenario(
            "pool-submit-5000",
            f"executor, one loop: submit {spaced(5000)} trivial jobs, 8 at once",
            Kind.POOL_SUBMIT,
            jobs=5000,
            workers=1,
            unit=Unit.NS,
            samples=4,
            warm_ups=1,
            who=(ASYNCIO, thrasks, peer),
            goals=(Goal(3, peer, speed=True, who=frozenset({thrasks})),),
        ),
        Scenario(
            "pool-map-5000",
            f"executor, one loop: map over {spaced(5000)} inputs, 100 ahead",
            Kind.POOL_MAP,
            jobs=5000,
            workers=1,
            unit=Unit.NS,
            samples=4,
            warm_ups=1,
            who=(thrasks, peer),
        ),
        Scenario(
            "pool-threads-5000",
            f"executor on 2 threads: map over {spaced(5000)} inputs; gather with a semaphore",
            Kind.POOL_THREADS,
            jobs=5000,
            workers=2,
            unit=Unit.NS,
            samples=4,
            warm_ups=1,
            who=(ASYNCIO, thrasks),
        ),
        Scenario(
            "pool-json",
            "executor on 2 threads: map, 12 JSON jobs; gather with a semaphore",
            Kind.POOL_JSON,
            jobs=12,
            workers=2,
            unit=Unit.US,
            samples=8,
            warm_ups=1,
            who=(ASYNCIO, Contender.THREADS, thrasks),
        ),
    ]


SCENARIOS: Final = _scenarios()
