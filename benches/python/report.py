"""How the results are shown on a terminal."""

from __future__ import annotations

__all__ = ["factor", "show"]

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# isort: split
from results import NOISY, Results, Verdict
from scenarios import Scenario, Unit

COLUMNS = (
    ("", 19),
    ("min", 7),
    ("median", 7),
    ("x asyncio", 9),
    ("goal", 20),
    ("reached", 13),
)


def show(console: Console, results: Results, *, parallel: bool) -> None:
    """Print a table per scenario, what went wrong, and how to read it."""
    for number, scenario in enumerate(results.scenarios):
        unit = scenario.unit.name.lower() + (" per job" if scenario.per_job else " in all")
        title = f"[bold]{escape(scenario.title)}[/]  [dim]{scenario.name}, {unit}[/]"
        console.print(title, soft_wrap=True)
        console.print(table(results, scenario, header=number == 0, parallel=parallel))
        console.print()
    for note, details in results.notes:
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
        if details:
            console.print(details, markup=False, style="dim", soft_wrap=True)
    summary(console, results, parallel=parallel)


def table(results: Results, scenario: Scenario, *, header: bool, parallel: bool) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=header)
    # The same for every table: they stand below each other, and fit into 80 columns.
    for heading, width in COLUMNS:
        right = heading in ("min", "median", "x asyncio")
        shown.add_column(heading, width=width, no_wrap=True, justify="right" if right else "left")
    for contender, row in results.of(scenario):
        if row.best is None or row.median is None:
            # The whole of it is among the notes.
            reason = "" if row.failure is None else row.failure.split()[0].rstrip(":")
            shown.add_row(contender.value, f"[red]{escape(reason)}[/]")
            continue
        cells = [contender.value, number(row.best, scenario), number(row.median, scenario)]
        share = results.of_asyncio(scenario, contender)
        cells.append("" if share is None else factor(share))
        verdicts = results.verdicts(scenario, contender)
        if not verdicts:
            shown.add_row(*cells)
        for one in verdicts:
            shown.add_row(*cells, one.goal.text(), word(one, parallel=parallel))
            # A further goal stands below the first.
            cells = [""] * len(cells)
    return shown


def number(nanoseconds: float, scenario: Scenario) -> str:
    value = nanoseconds / scenario.unit.value
    text = f"{value:,.1f}" if value < 1000 and scenario.unit is not Unit.NS else f"{value:,.0f}"
    return text.replace(",", " ")


def factor(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def word(verdict: Verdict, *, parallel: bool) -> str:
    ratio = verdict.ratio
    if ratio is None:
        return "[dim]?[/]"
    # So close to the goal that two digits would hide which side it is on.
    shown = f"{ratio:.3f}" if abs(ratio - verdict.goal.limit) < 0.01 else factor(ratio)
    if not parallel:
        return f"[dim]{shown} (GIL)[/]"
    said, colour = ("met", "green") if verdict.met else ("missed", "yellow")
    return f"[{colour}]{shown} {said}{'?' if verdict.noisy else ''}[/]"


def summary(console: Console, results: Results, *, parallel: bool) -> None:
    if results.versions:
        versions = (f"{who.value} is {version}" for who, version in results.versions.items())
        console.print(f"Versions: {', '.join(versions)}.", style="dim", soft_wrap=True)
    rounds = "1 round" if results.rounds == 1 else f"{results.rounds} rounds"
    console.print(
        f"{rounds} in {results.seconds:.0f} s. Ratios are of the minima;"
        " reached: the figure that the goal is about, a ratio of times for <=, of speed for >=;"
        f" ? where a median is more than {NOISY} times its minimum: look at both.",
        style="dim",
        soft_wrap=True,
    )
    met, figures = results.goals_met()
    if parallel and figures:
        by_medians, _ = results.goals_met(medians=True)
        console.print(f"Goals met: {met} of {figures}; by the medians it would be {by_medians}.")
