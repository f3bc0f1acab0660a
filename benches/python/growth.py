"""Measure how the cost of a task grows: with the tasks, with the workers, as they exchange results.

Every contender lives in a process of its own. They take turns at each case, round after round, so
that whatever else the machine does hits all of them alike.

    python growth.py [--quick] [--json FILE] [--only NAME]
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import statistics
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# isort: split
import machine
from growth_cases import CASES, FAMILIES, Case, Family, Who
from growth_results import Growth
from options import writable_file
from program import failed, headline, meter, run_program, write_figures
from report import factor
from results import NOISY

#: Seconds after which no new round begins, and rounds at most.
QUICK = (25.0, 3)
FULL = (210.0, 12)


# --- the measuring --------------------------------------------------------------------------------


def measure(cases: Sequence[Case], options: argparse.Namespace, progress: Console) -> Growth:
    growth = Growth()
    present = set(Who)
    if importlib.util.find_spec("uvloop") is None:
        present -= {Who.UVLOOP, Who.ON_UVLOOP}
        growth.notes.append(("uvloop is not installed: left out", ""))
    budget, most = QUICK if options.quick else FULL
    begin = time.monotonic()
    longest = 0.0
    try:
        with meter(progress, budget) as tick:
            while growth.rounds < most:
                started = time.monotonic()
                if growth.rounds and started - begin + longest > budget:
                    break
                for case in cases:
                    tick(growth.rounds + 1, case.name)
                    who = [one for one in case.who if one in present]
                    # Each is the first to go, and goes after each of the others, in some round.
                    first = growth.rounds % len(who)
                    for contender in who[first:] + who[:first]:
                        growth.turn(case, contender, quick=options.quick)
                growth.rounds += 1
                longest = max(longest, time.monotonic() - started)
        growth.seconds = time.monotonic() - begin
        growth.close()
    finally:
        growth.kill()
    return growth


# --- the tables -----------------------------------------------------------------------------------


def show(console: Console, growth: Growth, cases: Sequence[Case]) -> None:
    for family in Family:
        chosen = [case for case in cases if case.family is family]
        if chosen:
            unit = "ns per task" if chosen[0].per_task else "ms in all"
            title = f"[bold]{escape(FAMILIES[family].title)}[/]  [dim]{family.value}, {unit}[/]"
            console.print(title, soft_wrap=True)
            console.print(table(growth, family, chosen))
            console.print()
    for note, details in growth.notes:
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
        if details:
            console.print(details, markup=False, style="dim", soft_wrap=True)
    if growth.versions:
        versions = (f"{who} is {version}" for who, version in growth.versions.items())
        console.print(f"Versions: {', '.join(versions)}.", style="dim", soft_wrap=True)
    rounds = "1 round" if growth.rounds == 1 else f"{growth.rounds} rounds"
    console.print(
        f"{rounds} in {growth.seconds:.0f} s. Ratios are of the minima; the last is to the"
        " contender's own cost at that size, and 1.00 is flat;"
        f" ? where the median is more than {NOISY} times the minimum.",
        style="dim",
        soft_wrap=True,
    )


def table(growth: Growth, family: Family, cases: Sequence[Case]) -> Table:
    describe = FAMILIES[family]
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    of = "ideal" if describe.reference is None else f"{describe.size}={spaced(describe.reference)}"
    shown.add_column(describe.size, justify="right", width=9, no_wrap=True)
    shown.add_column("", width=19, no_wrap=True)
    for heading, width in (("min", 9), ("median", 9), ("x asyncio", 9), (f"x {of}", 11)):
        shown.add_column(heading, justify="right", width=width, no_wrap=True)
    for case in cases:
        size = spaced(case.size)
        for who in case.who:
            row = growth.rows.get((case, who))
            if row is None:
                continue
            if row.best is None:
                reason = (row.failure or "").split()[0].rstrip(":")
                shown.add_row(size, who.value, f"[red]{escape(reason)}[/]")
            else:
                growing = growth.of_reference(case, who)
                mark = "?" if row.spread > NOISY else ""
                shown.add_row(
                    size,
                    who.value,
                    number(row.best, case),
                    number(statistics.median(row.samples), case) + mark,
                    "" if (share := growth.of_asyncio(case, who)) is None else factor(share),
                    "" if growing is None else factor(growing),
                )
            size = ""
    return shown


def number(nanoseconds: float, case: Case) -> str:
    if case.per_task:
        return spaced(nanoseconds)
    return f"{nanoseconds / 1e6:,.1f}".replace(",", " ")


def spaced(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


# --- the command line -----------------------------------------------------------------------------


def cases_called(text: str) -> list[Case]:
    found = [case for case in CASES if case.name == text or case.name.startswith(f"{text}-")]
    if not found:
        names = ", ".join(family.value for family in Family)
        raise argparse.ArgumentTypeError(f"no case is called {text!r}; there are {names}")
    return found


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="growth.py",
        description="Measure how the cost of a task grows, in one run.",
        epilog="NAME is one of "
        + ", ".join(family.value for family in Family)
        + ", also with a size behind it (tasks-gather-1000), or what several begin with (tasks).",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--quick", action="store_true", help="rough numbers of the smaller sizes, soon"
    )
    parser.add_argument(
        "--json", type=writable_file, metavar="FILE", help="write everything measured there, too"
    )
    parser.add_argument(
        "--only",
        type=cases_called,
        action="append",
        metavar="NAME",
        help="only these; may be repeated",
    )
    return parser.parse_args(argv)


def bench(options: argparse.Namespace, console: Console, progress: Console) -> int:
    # A case that is asked for by its full name, all alone, is measured in a quick run, too.
    asked = {
        case
        for cases in options.only or [CASES]
        for case in cases
        if case.quick or not options.quick or len(cases) == 1
    }
    cases = [case for case in CASES if case in asked]
    where = machine.describe()
    date = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
    headline(console, where, date)
    growth = measure(cases, options, progress)
    show(console, growth, cases)
    figures = {"date": date, "machine": where, "quick": options.quick} | growth.as_json()
    if not write_figures("growth.py", options.json, figures):
        return 1
    return failed(console, (who.value for (_, who), row in growth.rows.items() if row.failure))


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    return run_program(bench, options)


if __name__ == "__main__":
    sys.exit(main())
