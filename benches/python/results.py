"""What has been measured, and what it says about the goals."""

from __future__ import annotations

__all__ = ["NOISY", "Results", "Row", "StrangeFiguresError", "Verdict"]

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scenarios import SCENARIOS, Contender, Goal, Scenario

#: A spread above which a figure is marked.
NOISY = 1.5


class StrangeFiguresError(Exception):
    """What was read is not what `Results.as_json` returns."""


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a contender has done with one of its goals."""

    goal: Goal
    #: The figure that the goal is about, by the minima and by the medians, if it is known.
    ratio: float | None
    by_medians: float | None
    #: Whether it is of times that vary a lot.
    noisy: bool

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, by the minima."""
        return None if self.ratio is None else self.goal.met(self.ratio)

    @property
    def met_by_medians(self) -> bool | None:
        """Whether it would be by the medians."""
        return None if self.by_medians is None else self.goal.met(self.by_medians)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "goal": self.goal.text(),
            "reached": self.ratio,
            "reached_by_medians": self.by_medians,
            "noisy": self.noisy,
            "met": self.met,
        }


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

    def verdicts(self, scenario: Scenario, contender: Contender) -> list[Verdict]:
        """Return how a contender has done with each of its goals."""
        return [
            Verdict(
                goal,
                self._ratio(scenario, contender, goal, medians=False),
                self._ratio(scenario, contender, goal, medians=True),
                self._noisy(scenario, contender, goal),
            )
            for goal in scenario.goals
            if contender in goal.who
        ]

    def target(self, scenario: Scenario, goal: Goal) -> float | None:
        """Return the time, in nanoseconds, that just meets the goal, if that is known."""
        reference = self._reference(scenario, goal, medians=False)
        return None if reference is None else goal.time(reference)

    def goals_met(self, *, medians: bool = False) -> tuple[int, int]:
        """Return how many goals are met, and how many have a figure."""
        found = [
            verdict.met_by_medians if medians else verdict.met
            for scenario in self.scenarios
            for contender in scenario.who
            for verdict in self.verdicts(scenario, contender)
        ]
        known = [met for met in found if met is not None]
        return sum(known), len(known)

    def _ratio(
        self, scenario: Scenario, contender: Contender, goal: Goal, *, medians: bool
    ) -> float | None:
        own = self._time(scenario, contender, medians)
        reference = self._reference(scenario, goal, medians=medians)
        return None if own is None or reference is None else goal.ratio(own, reference)

    def _reference(self, scenario: Scenario, goal: Goal, *, medians: bool) -> float | None:
        if isinstance(goal.of, (int, float)):
            return goal.of
        times = [self._time(scenario, rival, medians) for rival in goal.rivals()]
        known = [time for time in times if time is not None]
        # One that has no time might have been the fastest.
        return min(known) if len(known) == len(times) else None

    def _time(self, scenario: Scenario, contender: Contender, medians: bool) -> float | None:
        row = self.rows.get((scenario, contender))
        return None if row is None else row.median if medians else row.best

    def _noisy(self, scenario: Scenario, contender: Contender, goal: Goal) -> bool:
        who = (contender, *goal.rivals())
        return any(row.spread > NOISY for one, row in self.of(scenario) if one in who)

    def as_json(self) -> dict[str, Any]:
        """Return all of it, in nanoseconds."""
        found = [
            {
                "scenario": scenario.name,
                "title": scenario.title,
                "contender": contender.value,
                "per": "job" if scenario.per_job else "batch",
                "min_ns": row.best,
                "median_ns": row.median,
                "samples_ns": row.samples,
                "of_asyncio": self.of_asyncio(scenario, contender),
                "goals": [verdict.as_json() for verdict in self.verdicts(scenario, contender)],
                "failure": row.failure,
            }
            for scenario in self.scenarios
            for contender, row in self.of(scenario)
        ]
        return {
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "versions": {who.value: version for who, version in self.versions.items()},
            "results": found,
            "notes": [{"note": note, "stderr": details} for note, details in self.notes],
        }

    @classmethod
    def from_json(cls, figures: Mapping[str, Any]) -> Results:
        """Make the results anew from what `as_json` has returned: the goals are today's.

        Raises:
            StrangeFiguresError: It is something else, or of other scenarios than there are now.
        """
        scenarios = {scenario.name: scenario for scenario in SCENARIOS}
        found = cls(())
        try:
            for result in figures["results"]:
                where = (scenarios[result["scenario"]], Contender(result["contender"]))
                samples = [float(sample) for sample in result["samples_ns"]]
                if not all(0 < sample < float("inf") for sample in samples):
                    raise StrangeFiguresError("not every time is above 0")
                found.rows[where] = Row(samples, result["failure"])
            found.rounds = int(figures["rounds"])
            found.seconds = float(figures["seconds"])
            found.versions = {Contender(who): str(v) for who, v in figures["versions"].items()}
            found.notes = [(str(one["note"]), str(one["stderr"])) for one in figures["notes"]]
        except KeyError as error:
            raise StrangeFiguresError(f"{error.args[0]!r} is missing, or unknown") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise StrangeFiguresError(str(error)) from None
        found.scenarios = [
            scenario for scenario in SCENARIOS if any(of is scenario for of, _ in found.rows)
        ]
        return found
