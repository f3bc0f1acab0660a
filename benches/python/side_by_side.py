"""Measure thrasks side by side with asyncio, bare threads, thrasks 0.1 and the peers, in one run.

Every contender lives in a process of its own. They take turns at each scenario, round after round,
so that whatever else the machine does hits all of them alike.

    python side_by_side.py [--quick] [--thrasks01 DIR] [--peers DIR] [--only NAME]
                           [--json FILE] [--image FILE.svg]
    python side_by_side.py --from FILE [--image FILE.svg] [--only NAME]
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

# isort: split
import chart
import machine
from children import Child, LostError
from options import APART, arguments
from program import failed, headline, meter, run_program, write_figures
from report import show
from results import Results, Row
from scenarios import FREE_THREADED, NEED_UVLOOP, OLD, PEERS, SCENARIOS, Contender, Scenario

#: Seconds after which no new round begins, and rounds at most.
QUICK = (23.0, 3)
FULL = (270.0, 20)

#: What becomes of their work is their own business.
NOT_OURS = (*APART, Contender.UVLOOP)

#: A contender that was lost so often is not started again.
LIVES = 3


# --- the contenders -------------------------------------------------------------------------------


@dataclass
class Team:
    """The children, one per contender, started when they are needed."""

    folders: Mapping[Contender, Path]
    results: Results
    _children: dict[Contender, Child] = field(default_factory=dict)
    _lost: dict[Contender, list[str]] = field(default_factory=dict)

    def turn(self, scenario: Scenario, contender: Contender, *, quick: bool) -> None:
        """Have a contender do its turn; note what becomes of it."""
        row = self.results.rows.setdefault((scenario, contender), Row())
        if row.failure is not None:
            return
        lost = self._lost.setdefault(contender, [])
        if len(lost) >= LIVES:
            row.failure = "dropped: " + lost[-1]
            return
        try:
            child = self._child(contender)
            row.samples += child.turn(scenario.name, *scenario.turn(quick=quick))
        except LostError as error:
            self._children.pop(contender, None)
            row.failure = str(error)
            lost.append(str(error))
            note = f"{contender.value}, {scenario.name}: {error}"
            self.results.notes.append((note, error.details))

    def _child(self, contender: Contender) -> Child:
        if contender not in self._children:
            child = Child(contender, self.folders.get(contender))
            self._children[contender] = child
            if child.version is not None:
                self.results.versions[contender] = child.version
            if child.gil and not machine.gil_enabled():
                note = f"{contender.value}: the GIL was switched on by an import"
                self.results.notes.append((note, ""))
        return self._children[contender]

    def close(self) -> None:
        """Have all end in their own way."""
        while self._children:
            contender, child = next(iter(self._children.items()))
            if wrong := child.close():
                self.results.notes.append((f"{contender.value}: {wrong}", ""))
            del self._children[contender]

    def kill(self) -> None:
        """End them now."""
        for child in self._children.values():
            child.kill()
        self._children.clear()


def absent(folders: Mapping[Contender, Path]) -> dict[Contender, str]:
    """Return who cannot take part here, and why, if that was not to be expected."""
    found = dict.fromkeys((who for who in APART if who not in folders), "")
    if not machine.free_threaded():
        found |= dict.fromkeys(FREE_THREADED, "needs a free-threaded Python")
    if importlib.util.find_spec("uvloop") is None:
        found |= dict.fromkeys(NEED_UVLOOP, "uvloop is not installed")
    return found


def measure(
    scenarios: Sequence[Scenario], options: argparse.Namespace, progress: Console
) -> Results:
    results = Results(scenarios)
    folders: dict[Contender, Path] = {}
    if options.thrasks01 is not None:
        folders[OLD] = options.thrasks01
    if options.peers is not None:
        folders |= dict.fromkeys(PEERS, options.peers)
    left_out = absent(folders)
    for contender, why in left_out.items():
        if why and any(contender in scenario.who for scenario in scenarios):
            results.notes.append((f"{contender.value} is left out: {why}", ""))
    team = Team(folders, results)
    budget, most = QUICK if options.quick else FULL
    begin = time.monotonic()
    longest = 0.0
    try:
        with meter(progress, budget) as tick:
            while results.rounds < most:
                started = time.monotonic()
                if results.rounds and started - begin + longest > budget:
                    break
                for scenario in scenarios:
                    tick(results.rounds + 1, scenario.name)
                    who = [one for one in scenario.who if one not in left_out]
                    # Each is the first to go, and goes after each of the others, in some round.
                    first = results.rounds % len(who)
                    for contender in who[first:] + who[:first]:
                        team.turn(scenario, contender, quick=options.quick)
                results.rounds += 1
                longest = max(longest, time.monotonic() - started)
        results.seconds = time.monotonic() - begin
        team.close()
    finally:
        team.kill()
    return results


# --- the program ----------------------------------------------------------------------------------


def bench(options: argparse.Namespace, console: Console, progress: Console) -> int:
    if options.earlier is not None:
        results, where = options.earlier.results, options.earlier.machine
        date = options.earlier.date
        results.scenarios = chosen(options, results.scenarios)
        headline(console, where, date)
    else:
        where = machine.describe()
        date = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
        headline(console, where, date)
        results = measure(chosen(options, SCENARIOS), options, progress)
    show(console, results, parallel=not where["gil_enabled"])
    try:
        if options.json is not None:
            everything = {"date": date, "machine": where, "quick": options.quick}
            if not write_figures("side_by_side.py", options.json, everything | results.as_json()):
                return 1
            console.print(f"Figures: {options.json}", markup=False, soft_wrap=True)
        if options.image is not None:
            chart.draw(options.image, results, where, date)
            console.print(f"Image: {options.image}", markup=False, soft_wrap=True)
    except OSError as error:
        message = f"cannot write {error.filename}: {error.strerror}"
        print(f"side_by_side.py: error: {message}", file=sys.stderr)
        return 1
    lost = {who for (_, who), row in results.rows.items() if row.failure is not None}
    return failed(console, (who.value for who in lost if who not in NOT_OURS))


def chosen(options: argparse.Namespace, scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    return tuple(one for one in scenarios if options.only is None or one in options.only)


def main(argv: Sequence[str] | None = None) -> int:
    return run_program(bench, arguments(argv))


if __name__ == "__main__":
    sys.exit(main())
