"""The results, and how they are shown."""

from __future__ import annotations

__all__ = ["Results", "Row", "show"]

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# isort: split
from scenarios import Contender, Goal, Scenario, Unit

#: A spread above which a figure is marked.
NOISY = 1.5

COLUMNS = (
    ("", 19),
    ("min", 7),
    ("median", 7),
    ("x asyncio", 9),
    ("goal", 20),
    ("reached", 13),
)


@dataclass(slots=True)
class Row:
    """What one contender has done at one scenario."""

    samples: list[float] = field(default_factory=list)
    failure: str | None = None

    @property
    def best(self) -> float | None:
        """The shortest time, unless it has failed at some point."""
        return None if self.failure is not None or not self.samples else min(self.samples)

    @property
    def median(self) -> float | None:
        """The median, likewise."""
        return None if self.best is None else statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """How much longer than the shortest time the median is."""
        return statistics.median(self.samples) / min(self.samples) if self.samples else 1.0


@dataclass(slots=True)
class Results:
    """Everything that has been measured."""

    scenarios: Sequence[Scenario]
    rows: dict[tuple[Scenario, Contender], Row] = field(default_factory=dict)
    rounds: int = 0
    seconds: float = 0.0
    versions: dict[Contender, str] = field(default_factory=dict)
    #: What went wrong, and what the process had to say about it.
    notes: list[tuple[str, str]] = field(default_factory=list)

    def of(self, scenario: Scenario) -> Iterator[tuple[Contender, Row]]:
        """Yield a scenario's rows, in order."""
        for contender in scenario.who:
            if (scenario, contender) in self.rows:
                yield contender, self.rows[scenario, contender]

    def best(self, scenario: Scenario, contender: Contender) -> float | None:
        """Return a contender's shortest time, if it has one."""
        row = self.rows.get((scenario, contender))
        return None if row is None else row.best

    def of_asyncio(self, scenario: Scenario, contender: Contender) -> float | None:
        """Return the ratio of the minima."""
        own, reference = (
            self.best(scenario, contender),
            self.best(scenario, Contender.ASYNCIO),
        )
        return None if own is None or reference is None else own / reference

    def of_goal(
        self, scenario: Scenario, contender: Contender, *, medians: bool = False
    ) -> float | None:
        """Return the figure that the goal is about, if there is one for this contender."""
        goal = scenario.goal
        if goal is None or contender not in goal.who:
            return None
        own = self._time(scenario, contender, medians)
        reference = self._reference(scenario, goal, medians)
        return None if own is None or reference is None else goal.ratio(own, reference)

    def _reference(self, scenario: Scenario, goal: Goal, medians: bool) -> float | None:
        if isinstance(goal.of, (int, float)):
            return goal.of
        times = [self._time(scenario, rival, medians) for rival in goal.rivals()]
        known = [time for time in times if time is not None]
        # One that has no time might have been the fastest.
        return min(known) if len(known) == len(times) else None

    def _time(self, scenario: Scenario, contender: Contender, medians: bool) -> float | None:
        row = self.rows.get((scenario, contender))
        return None if row is None else row.median if medians else row.best

    def goals_met(self, *, medians: bool = False) -> tuple[int, int]:
        """Return how many goals are met, and how many have a figure."""
        ratios = [
            (scenario.goal, ratio)
            for scenario in self.scenarios
            for contender in scenario.who
            if scenario.goal is not None
            and (ratio := self.of_goal(scenario, contender, medians=medians)) is not None
        ]
        return sum(goal.met(ratio) for goal, ratio in ratios), len(ratios)

    def noisy(self, scenario: Scenario, contender: Contender) -> bool:
        """Say whether the goal's figure is of times that vary a lot."""
        rivals = () if scenario.goal is None else scenario.goal.rivals()
        who = (contender, *rivals)
        return any(row.spread > NOISY for one, row in self.of(scenario) if one in who)

    def as_json(self) -> dict[str, Any]:
        """Return all of it, in nanoseconds."""
        found = []
        for scenario in self.scenarios:
            for contender, row in self.of(scenario):
                goal, ratio = scenario.goal, self.of_goal(scenario, contender)
                found.append(
                    {
                        "scenario": scenario.name,
                        "title": scenario.title,
                        "contender": contender.value,
                        "per": "job" if scenario.per_job else "batch",
                        "min_ns": row.best,
                        "median_ns": row.median,
                        "samples_ns": row.samples,
                        "of_asyncio": self.of_asyncio(scenario, contender),
                        "goal": None if goal is None or contender not in goal.who else goal.text(),
                        "of_goal": ratio,
                        "of_goal_by_medians": self.of_goal(scenario, contender, medians=True),
                        "noisy": self.noisy(scenario, contender),
                        "goal_met": None if goal is None or ratio is None else goal.met(ratio),
                        "failure": row.failure,
                    }
                )
        return {
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "versions": {who.value: version for who, version in self.versions.items()},
            "results": found,
            "notes": [{"note": note, "stderr": details} for note, details in self.notes],
        }


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
        if row.best is None:
            # The whole of it is among the notes.
            reason = "" if row.failure is None else row.failure.split()[0].rstrip(":")
            shown.add_row(contender.value, f"[red]{escape(reason)}[/]")
            continue
        cells = [contender.value]
        cells.append(number(row.best, scenario))
        cells.append(number(statistics.median(row.samples), scenario))
        share = results.of_asyncio(scenario, contender)
        cells.append("" if share is None else factor(share))
        goal = scenario.goal
        if goal is not None and contender in goal.who:
            cells.append(goal.text())
            ratio = results.of_goal(scenario, contender)
            noisy = results.noisy(scenario, contender)
            cells.append(verdict(goal, ratio, parallel=parallel, noisy=noisy))
        shown.add_row(*cells)
    return shown


def number(nanoseconds: float, scenario: Scenario) -> str:
    value = nanoseconds / scenario.unit.value
    text = f"{value:,.1f}" if value < 1000 and scenario.unit is not Unit.NS else f"{value:,.0f}"
    return text.replace(",", " ")


def factor(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def verdict(goal: Goal, ratio: float | None, *, parallel: bool, noisy: bool) -> str:
    if ratio is None:
        return "[dim]?[/]"
    # So close to the goal that two digits would hide which side it is on.
    shown = f"{ratio:.3f}" if abs(ratio - goal.limit) < 0.01 else factor(ratio)
    if not parallel:
        return f"[dim]{shown} (GIL)[/]"
    word, colour = ("met", "green") if goal.met(ratio) else ("missed", "yellow")
    return f"[{colour}]{shown} {word}{'?' if noisy else ''}[/]"


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
