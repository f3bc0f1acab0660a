"""Measure an echo server whose connections are spread over two loops against servers on one.

Every server lives in a process of its own, and so does the load. They take turns, round after
round, so that whatever else the machine does hits all of them alike.

    python echo.py [--quick] [--connections N] [--seconds S] [--json FILE] [--only NAME]
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
from echo_results import Echoes
from echo_server import LOOPS, SIZE, Who, Work
from options import writable_file
from program import failed, headline, meter, run_program, write_figures
from report import factor

#: Rounds, and seconds of each turn.
QUICK = (2, 0.5)
FULL = (7, 1.5)

TITLES = {
    Work.PROTOCOL: "echo, protocols",
    Work.STREAMS: "echo, streams",
    Work.JSON: "echo, protocols, JSON for about 100 us of CPU time per message",
}


def measure(works: Sequence[Work], options: argparse.Namespace, progress: Console) -> Echoes:
    echoes = Echoes(options.connections)
    servers = list(Who)
    if importlib.util.find_spec("uvloop") is None:
        servers = [Who.ASYNCIO, Who.THRASKS]
        echoes.notes.append(("uvloop is not installed: left out", ""))
    rounds, seconds = QUICK if options.quick else FULL
    seconds = options.seconds or seconds
    begin = time.monotonic()
    try:
        with meter(progress, rounds * len(works) * len(servers) * (seconds + 0.5)) as tick:
            for number in range(rounds):
                for work in works:
                    tick(number + 1, work.value)
                    # Each is the first to go, and goes after each of the others, in some round.
                    first = number % len(servers)
                    for who in servers[first:] + servers[:first]:
                        echoes.turn(work, who, seconds)
                echoes.rounds += 1
        echoes.seconds = time.monotonic() - begin
        echoes.close()
    finally:
        echoes.kill()
    for who, spread in echoes.spread.items():
        if who in (Who.THRASKS, Who.ON_UVLOOP) and len(spread) != LOOPS:
            echoes.notes.append((f"{who.value}: {len(spread)} threads had connections", ""))
    return echoes


# --- the tables -----------------------------------------------------------------------------------


def show(console: Console, echoes: Echoes, works: Sequence[Work]) -> None:
    for number, work in enumerate(works):
        console.print(f"[bold]{TITLES[work]}[/]  [dim]{work.value}[/]", soft_wrap=True)
        console.print(table(echoes, work, header=number == 0))
        console.print()
    for note, details in echoes.notes:
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
        if details:
            console.print(details, markup=False, style="dim", soft_wrap=True)
    console.print(
        f"{echoes.rounds} rounds in {echoes.seconds:.0f} s; {echoes.connections} connections, each"
        f" with one message of {SIZE} bytes on its way. The ratio is of the best rounds, latencies"
        " and cores are medians of the rounds. Cores: what the server's threads and the load's one"
        f" used of the machine's {machine.cores()}; where the two add up to all of them, more loops"
        " have nothing to run on, and where the load uses one whole core it is the limit itself.",
        style="dim",
        soft_wrap=True,
    )


def table(echoes: Echoes, work: Work, *, header: bool) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=header)
    shown.add_column("requests per second", width=19, no_wrap=True)
    for heading in ("best", "median", "x asyncio", "p50 us", "p99 us", "server", "load"):
        width = 9 if heading == "x asyncio" else 7
        shown.add_column(heading, justify="right", width=width, no_wrap=True)
    for who in Who:
        turns = echoes.turns.get((work, who))
        if turns is None:
            continue
        if turns.failure is not None:
            reason = turns.failure.split()[0].rstrip(":")
            shown.add_row(who.value, f"[red]{escape(reason)}[/]")
            continue
        share = echoes.of_asyncio(work, who)
        shown.add_row(
            who.value,
            spaced(max(turns.rates)),
            spaced(statistics.median(turns.rates)),
            "" if share is None else factor(share),
            spaced(statistics.median(turns.p50s)),
            spaced(statistics.median(turns.p99s)),
            f"{statistics.median(turns.server):.2f}",
            f"{statistics.median(turns.load):.2f}",
        )
    return shown


def spaced(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


# --- the command line -----------------------------------------------------------------------------


def works_called(text: str) -> Work:
    try:
        return Work(text)
    except ValueError:
        names = ", ".join(work.value for work in Work)
        raise argparse.ArgumentTypeError(f"no work is called {text!r}; there are {names}") from None


def connections(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"not a number from 1 to 1000: {text}")
    return int(text)


def seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.05 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"not a number from 0.05 to 3600: {text}")
    return number


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="echo.py",
        description="Measure an echo server on two loops against servers on one, in one run.",
        epilog="NAME is one of " + ", ".join(work.value for work in Work) + ".",
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="rough numbers, soon")
    parser.add_argument(
        "--connections", type=connections, default=64, metavar="N", help="how many; 64 by default"
    )
    parser.add_argument(
        "--seconds",
        type=seconds,
        metavar="S",
        help=f"how long a turn takes; {FULL[1]:g} by default, {QUICK[1]:g} with --quick",
    )
    parser.add_argument(
        "--json", type=writable_file, metavar="FILE", help="write everything measured there, too"
    )
    parser.add_argument(
        "--only",
        type=works_called,
        action="append",
        metavar="NAME",
        help="only this work; may be repeated",
    )
    return parser.parse_args(argv)


def bench(options: argparse.Namespace, console: Console, progress: Console) -> int:
    works = [work for work in Work if options.only is None or work in options.only]
    where = machine.describe()
    date = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
    headline(console, where, date)
    echoes = measure(works, options, progress)
    show(console, echoes, works)
    figures = {"date": date, "machine": where, "quick": options.quick} | echoes.as_json()
    if not write_figures("echo.py", options.json, figures):
        return 1
    return failed(console, (who.value for (_, who), turns in echoes.turns.items() if turns.failure))


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    return run_program(bench, options)


if __name__ == "__main__":
    sys.exit(main())
