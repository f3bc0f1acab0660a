"""Measure thrasks side by side with asyncio, bare threads, thrasks 0.1 and the peers, in one run.

Every contender lives in a process of its own. They take turns at each scenario, round after round,
so that whatever else the machine does hits all of them alike.

    python side_by_side.py [--quick] [--thrasks01 DIR] [--peers DIR] [--json FILE] [--only NAME]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

# isort: split
import machine
from children import Child, LostError
from report import Results, Row, show
from scenarios import OLD, PACKAGES, PEERS, SCENARIOS, Contender, Scenario

#: Seconds after which no new round begins, and rounds at most.
QUICK = (23.0, 3)
FULL = (210.0, 20)

#: The contenders that are in folders of their own, and are left out unless these are given.
APART = (OLD, *PEERS)

#: A contender that was lost so often is not started again.
LIVES = 3

#: Above this, times say more about the other processes.
LOAD = 0.5


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


def members(scenario: Scenario, folders: Mapping[Contender, Path]) -> list[Contender]:
    return [who for who in scenario.who if who in folders or who not in APART]


def measure(
    scenarios: Sequence[Scenario], options: argparse.Namespace, progress: Console
) -> Results:
    results = Results(scenarios)
    folders: dict[Contender, Path] = {}
    if options.thrasks01 is not None:
        folders[OLD] = options.thrasks01
    if options.peers is not None:
        folders |= dict.fromkeys(PEERS, options.peers)
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
                    who = members(scenario, folders)
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


@contextlib.contextmanager
def meter(progress: Console, budget: float) -> Iterator[Callable[[int, str], None]]:
    """Show how far we are, at every new scenario; nothing is drawn while a contender works."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), TimeElapsedColumn())
    begin = time.monotonic()
    if progress.is_terminal:
        with Progress(*columns, console=progress, auto_refresh=False, transient=True) as bars:
            bar = bars.add_task("starting", total=budget)

            def tick(number: int, name: str) -> None:
                elapsed = min(time.monotonic() - begin, budget)
                bars.update(bar, completed=elapsed, description=f"round {number}: {name}")
                bars.refresh()

            yield tick
    else:
        shown = 0

        def line(number: int, name: str) -> None:
            nonlocal shown
            if number > shown:
                shown = number
                progress.print(f"round {number}, after {time.monotonic() - begin:.0f} s")

        yield line


# --- the command line -----------------------------------------------------------------------------


def folder_with(text: str, contenders: Sequence[Contender], requirements: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"not a folder: {text}")
    for package in (PACKAGES[contender] for contender in contenders):
        module = folder / package
        if not ((module / "__init__.py").is_file() or module.with_suffix(".py").is_file()):
            raise argparse.ArgumentTypeError(
                f"no package {package} in {text};"
                f" to get it: pip install --no-deps --target DIR {requirements}"
            )
    return folder


def folder_of_thrasks01(text: str) -> Path:
    return folder_with(text, [OLD], "thrasks==0.1.0.post1")


def folder_of_peers(text: str) -> Path:
    return folder_with(text, PEERS, "aiothreads==1.1.4 athreading==0.3.1 cf-taskpool==0.2.0")


def writable_file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"a folder, not a file: {text}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot be written: {text}")
    return path


def scenarios_called(text: str) -> list[Scenario]:
    found = [
        scenario
        for scenario in SCENARIOS
        if scenario.name == text or scenario.name.startswith(f"{text}-")
    ]
    if not found:
        names = ", ".join(scenario.name for scenario in SCENARIOS)
        raise argparse.ArgumentTypeError(f"no scenario is called {text!r}; there are {names}")
    return found


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="side_by_side.py",
        description="Measure thrasks side by side with asyncio and others, in one run.",
        epilog="NAME is one of " + ", ".join(scenario.name for scenario in SCENARIOS) + ".",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--quick", action="store_true", help="rough numbers, in less than half a minute"
    )
    parser.add_argument(
        "--thrasks01",
        type=folder_of_thrasks01,
        metavar="DIR",
        help="the folder that thrasks 0.1 has been installed into; it is left out otherwise",
    )
    parser.add_argument(
        "--peers",
        type=folder_of_peers,
        metavar="DIR",
        help="the folder that the other packages have been installed into; likewise",
    )
    parser.add_argument(
        "--json",
        type=writable_file,
        metavar="FILE",
        help="write everything measured there, too",
    )
    parser.add_argument(
        "--only",
        type=scenarios_called,
        action="extend",
        metavar="NAME",
        help="only this scenario, or those whose names begin so (gather, cpu); may be repeated",
    )
    return parser.parse_args(argv)


# --- the program ----------------------------------------------------------------------------------


def headline(console: Console, where: dict[str, object], date: str) -> None:
    build = "free-threaded" if where["free_threaded"] else "not free-threaded"
    gil = "the GIL is on" if where["gil_enabled"] else "the GIL is off"
    console.print(date)
    console.print(
        f"{where['cpu']}, {where['cores']} cores, {where['system']}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{where['python']}, {build}, {gil}, {where['compiler']}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    load = where["load"]
    if isinstance(load, float) and load > LOAD:
        console.print(
            f"[yellow]Something else is working on this machine (load {load:.1f}):"
            " take the times as too high and the ratios as rough.[/]",
            soft_wrap=True,
        )
    if where["gil_enabled"]:
        console.print(
            "[yellow]Nothing runs in parallel with the GIL, and the goals are not meant for it.[/]",
            soft_wrap=True,
        )
    console.print()


def bench(options: argparse.Namespace, console: Console, progress: Console) -> int:
    chosen = SCENARIOS
    if options.only is not None:
        chosen = tuple(scenario for scenario in SCENARIOS if scenario in options.only)
    where = machine.describe()
    date = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
    headline(console, where, date)

    results = measure(chosen, options, progress)
    show(console, results, parallel=not where["gil_enabled"])
    if options.json is not None:
        everything: dict[str, Any] = {
            "date": date,
            "machine": where,
            "quick": options.quick,
        }
        everything |= results.as_json()
        try:
            options.json.write_text(json.dumps(everything, indent=2) + "\n", "utf-8")
        except OSError as error:
            message = f"cannot write {options.json}: {error.strerror}"
            print(f"side_by_side.py: error: {message}", file=sys.stderr)
            return 1
    # What has become of the others' work is their own business.
    broken = {
        who.value
        for (_, who), row in results.rows.items()
        if row.failure is not None and who not in APART
    }
    if broken:
        names = ", ".join(sorted(broken))
        console.print(f"[red]Not everything could be measured: {escape(names)}.[/]")
        return 1
    return 0


def on_terminate(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    sys.exit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    # With the children, that is.
    signal.signal(signal.SIGTERM, on_terminate)
    console = Console(highlight=False)
    progress = Console(stderr=True, highlight=False)
    try:
        return bench(options, console, progress)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
