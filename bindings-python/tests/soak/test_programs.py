"""Random programs: whatever they do, the promises hold.

Each is drawn, run, and held to the model while it runs and at its end (see `interpreter`). Then the
process is looked at: nothing of the program is left in it.
"""

from __future__ import annotations

import gc
import threading
import time

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from leaks import busy_workers, check_descriptors, strangers, wait_until

from .conftest import Effort
from .drawing import programs
from .interpreter import Run
from .program import Program
from .watchdog import Watchdog

#: A program takes some hundredths of a second. This many seconds is a hang, even when four other
#: processes keep the machine busy.
HANGS = 60.0

#: Programs per seed.
BATCH = 25

#: Seeds in the normal suite, for each kind of program.
SHORT = 3

#: What may happen in the programs of a kind, and how large a part of the time it has.
KINDS = {
    "calm": ("", 1),
    "failing": ("fail", 1),
    "cancelled": ("cancel", 2),
    "failing and cancelled": ("fail cancel", 4),
    "interrupted": ("fail cancel interrupt", 1),
}


class Process:
    """What the process has when no program runs."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())

    def check(self) -> None:
        """Wait until it has that again, and no more."""
        wait_until(lambda: not busy_workers(), "every worker is idle")
        wait_until(lambda: not strangers() - self._threads, "no other thread")
        check_descriptors()


def run(program: Program, process: Process, watchdog: Watchdog, how_to_repeat: str) -> Run:
    with watchdog.watching(f"{program!r}\n({how_to_repeat})", HANGS):
        one = Run(program)
        one()
        process.check()
        one.check()
    return one


def batch(kind: str, seed: int, process: Process, watchdog: Watchdog) -> int:
    """Run the programs of one seed. Return how many."""
    count = 0
    late: list[Run] = []
    repeat = f"to run it again: cargo xtask soak --seed {seed}"

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @hypothesis.given(programs(KINDS[kind][0]))
    def attempt(program: Program) -> None:
        nonlocal count
        count += 1
        late.append(run(program, process, watchdog, f"{kind}, seed {seed}; {repeat}"))

    try:
        attempt()
        # A "never awaited" or "never retrieved" is said when the object is freed: now.
        gc.collect()
        for one in late:
            one.check_complaints()
    except BaseException as exc:
        exc.add_note(f"{kind} programs, seed {seed}; {repeat}")
        raise
    return count


# The watchdog looks after each program.
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_keep_every_promise(kind: str, effort: Effort, watchdog: Watchdog) -> None:
    process = Process()
    seed = effort.seed
    if effort.minutes is None:
        for seed in range(effort.seed, effort.seed + SHORT):
            batch(kind, seed, process, watchdog)
        return
    whole = sum(part for _, part in KINDS.values())
    end = time.monotonic() + 60 * effort.minutes * KINDS[kind][1] / whole
    count, said = 0, 0.0
    while count == 0 or time.monotonic() < end:
        count += batch(kind, seed, process, watchdog)
        seed += 1
        if time.monotonic() > said + 10:
            said = time.monotonic()
            print(f"\n{kind}: {count} programs, seeds {effort.seed} to {seed - 1}", flush=True)
    print(f"\n{kind}: {count} programs, seeds {effort.seed} to {seed - 1}: done", flush=True)
