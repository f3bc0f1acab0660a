"""Count the instructions of a task, which do not depend on what else the machine does.

Valgrind counts those of two runs that differ in the number of tasks only; the rest is a division.

    python instructions.py [--quick] [--json FILE] [--only NAME]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# isort: split
import machine
from counted import AT_ONCE, Who, Work
from options import writable_file
from program import headline, run_program, write_figures
from report import factor

SCRIPT = Path(__file__).with_name("counted.py")

#: The numbers of tasks of the two runs.
FEW, MANY = 1000, 11_000

#: How often they are run: the counts differ by what threads do while they wait.
QUICK, FULL = 1, 3

#: Seconds that one run may take. It takes some ten where nothing else runs.
PATIENCE = 600.0

VALGRIND = ("valgrind", "--tool=callgrind", "--separate-threads=yes", "--fair-sched=try")

#: The processes that are at work, to be ended with this one.
RUNNING: set[subprocess.Popen[str]] = set()

TITLES = {
    Work.GATHER: "gather of coroutines that return at once",
    Work.GATHER_SLEEP0: "gather of coroutines with a sleep(0)",
    Work.GROUP: "group: create_task of coroutines that return at once",
    Work.SUBMIT: f"executor: submit of such, {AT_ONCE} at once; of asyncio, gather and semaphore",
}


class CountError(Exception):
    """There is no count."""


@dataclass(slots=True)
class Counts:
    """Instructions per task, one of each for each repetition."""

    caller: list[float] = field(default_factory=list)
    workers: list[float] = field(default_factory=list)
    failure: str | None = None

    @property
    def totals(self) -> list[float]:
        """Those of all threads together."""
        return [sum(both) for both in zip(self.caller, self.workers, strict=True)]

    @property
    def total(self) -> float | None:
        """The median of these."""
        return None if self.failure is not None else statistics.median(self.totals)

    @property
    def spread(self) -> float:
        """By how much they differ, as a part of the median."""
        totals = self.totals
        return (max(totals) - min(totals)) / statistics.median(totals)


# --- the counting ---------------------------------------------------------------------------------


def run(who: Who, work: Work, n: int) -> tuple[int, int]:
    """Return the instructions of the main thread and of the others.

    Raises:
        CountError: The program failed under Valgrind, or took too long.
    """
    variables = os.environ | {
        # The same dictionaries in each run.
        "PYTHONHASHSEED": "0",
        "THRASKS_CARRIERS": "0" if who is Who.PLAIN else "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = [
            *VALGRIND,
            f"--callgrind-out-file={out}",
            sys.executable,
            str(SCRIPT),
            who.name,
            work.name,
            str(n),
        ]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=variables,
            )
        except OSError as error:
            raise CountError(f"valgrind could not be started: {error.strerror}") from None
        RUNNING.add(process)
        with process:
            try:
                _, said = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise CountError(f"took more than {PATIENCE:g} s") from None
            finally:
                RUNNING.discard(process)
        if process.returncode:
            last = (said.strip().splitlines() or [""])[-1]
            raise CountError(f"exit code {process.returncode}: {last}")
        counts = {path.name: total(path) for path in Path(folder).glob("out-*")}
    if "out-01" not in counts:
        raise CountError("callgrind left no counts of the main thread")
    main = counts.pop("out-01")
    return main, sum(counts.values())


def total(path: Path) -> int:
    for line in path.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name == "totals":
            return int(value)
    raise CountError(f"callgrind left no totals in {path.name}")


def measure(
    works: Sequence[Work], repeats: int, progress: Console
) -> dict[tuple[Work, Who], Counts]:
    found = {(work, who): Counts() for work in works for who in members(work)}
    # As many at once as there are cores: a count is no time.
    with concurrent.futures.ThreadPoolExecutor(machine.cores()) as pool:
        runs = [
            (counts, [pool.submit(run, who, work, n) for n in (FEW, MANY)])
            for _ in range(repeats)
            for (work, who), counts in found.items()
        ]
        try:
            for number, (counts, futures) in enumerate(runs, 1):
                try:
                    few, many = (future.result() for future in futures)
                except CountError as error:
                    counts.failure = str(error)
                else:
                    counts.caller.append((many[0] - few[0]) / (MANY - FEW))
                    counts.workers.append((many[1] - few[1]) / (MANY - FEW))
                progress.print(f"{number} of {len(runs)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(RUNNING):
                process.kill()
            raise
    return found


def members(work: Work) -> tuple[Who, ...]:
    # The executor runs its jobs on the caller's loop: there is no mode.
    return (Who.ASYNCIO, Who.ROUND_ROBIN) if work is Work.SUBMIT else tuple(Who)


# --- the program ----------------------------------------------------------------------------------


def show(console: Console, found: dict[tuple[Work, Who], Counts]) -> None:
    for work in Work:
        rows = {who: counts for (of, who), counts in found.items() if of is work}
        if rows:
            console.print(f"[bold]{TITLES[work]}[/]  [dim]{work.value}[/]", soft_wrap=True)
            console.print(table(rows))
            console.print()
    console.print(
        f"Instructions per task: the difference of {FEW} and {MANY} tasks, medians of the"
        " repetitions; spread: by how much their totals differ. Valgrind runs one thread at a time,"
        " so that workers never wait for each other; what a thread sleeps is no instruction.",
        style="dim",
        soft_wrap=True,
    )


def table(rows: dict[Who, Counts]) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    shown.add_column("", width=21, no_wrap=True)
    for heading in ("caller", "workers", "total", "x asyncio", "spread"):
        shown.add_column(heading, justify="right", width=10, no_wrap=True)
    asyncios = rows[Who.ASYNCIO].total
    for who, counts in rows.items():
        if counts.total is None:
            shown.add_row(who.value, "[red]failed[/]")
            continue
        shown.add_row(
            who.value,
            f"{statistics.median(counts.caller):.0f}",
            f"{statistics.median(counts.workers):.0f}",
            f"{counts.total:.0f}",
            "" if asyncios is None else factor(counts.total / asyncios),
            f"{counts.spread * 100:.1f} %" if len(counts.totals) > 1 else "",
        )
    return shown


def as_json(found: dict[tuple[Work, Who], Counts]) -> dict[str, Any]:
    results = [
        {
            "work": work.value,
            "contender": who.value,
            "caller": counts.caller,
            "workers": counts.workers,
            "total": counts.total,
            "failure": counts.failure,
        }
        for (work, who), counts in found.items()
    ]
    return {"few": FEW, "many": MANY, "results": results}


def work_called(text: str) -> list[Work]:
    works = [work for work in Work if work.value == text or work.value.startswith(f"{text}-")]
    if not works:
        names = ", ".join(work.value for work in Work)
        raise argparse.ArgumentTypeError(f"no work is called {text!r}; there are {names}")
    return works


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="instructions.py",
        description="Count the instructions of a task with Valgrind.",
        epilog="NAME is one of " + ", ".join(work.value for work in Work) + ".",
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="count once, not three times")
    parser.add_argument(
        "--json", type=writable_file, metavar="FILE", help="write everything counted there, too"
    )
    parser.add_argument(
        "--only",
        type=work_called,
        action="extend",
        metavar="NAME",
        help="only this work, or those whose names begin so (gather); may be repeated",
    )
    return parser.parse_args(argv)


def bench(options: argparse.Namespace, console: Console, progress: Console) -> int:
    works = [work for work in Work if options.only is None or work in options.only]
    where = machine.describe()
    # How busy it is does not matter here.
    where["load"] = None
    date = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
    headline(console, where, date)
    found = measure(works, QUICK if options.quick else FULL, progress)
    show(console, found)
    figures = {"date": date, "machine": where, "quick": options.quick} | as_json(found)
    if not write_figures("instructions.py", options.json, figures):
        return 1
    failed = [(key, counts.failure) for key, counts in found.items() if counts.failure]
    for (work, who), failure in failed:
        console.print(f"[red]{who.value}, {work.value}: {escape(str(failure))}[/]", soft_wrap=True)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    if shutil.which("valgrind") is None:
        print("instructions.py: error: valgrind is not installed", file=sys.stderr)
        return 1
    return run_program(bench, options)


if __name__ == "__main__":
    sys.exit(main())
