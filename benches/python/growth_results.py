"""What has been measured as it grows, and the processes that do it."""

from __future__ import annotations

__all__ = ["Growth"]

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# isort: split
from children import Child, LostError
from growth_cases import CASES, FAMILIES, IDEAL_NAP, Case, Who
from results import Row

SCRIPT = Path(__file__).with_name("growth_contender.py")

#: A contender that was lost so often is not started again.
LIVES = 3


@dataclass
class Growth:
    """Everything that has been measured, and the processes that do it."""

    rows: dict[tuple[Case, Who], Row] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    #: What went wrong, and what the process had to say about it.
    notes: list[tuple[str, str]] = field(default_factory=list)
    rounds: int = 0
    seconds: float = 0.0
    _children: dict[Who, Child] = field(default_factory=dict)
    _lost: dict[Who, int] = field(default_factory=dict)

    def turn(self, case: Case, who: Who, *, quick: bool) -> None:
        """Have a contender do its turn; note what becomes of it."""
        row = self.rows.setdefault((case, who), Row())
        if row.failure is not None:
            return
        if self._lost.get(who, 0) >= LIVES:
            row.failure = "dropped"
            return
        try:
            if case.alone:
                self._end(who)
            row.samples += self._child(who).turn(case.name, *case.turn(quick=quick))
            if case.alone:
                self._end(who)
        except LostError as error:
            self._children.pop(who, None)
            self._lost[who] = self._lost.get(who, 0) + 1
            row.failure = str(error)
            self.notes.append((f"{who.value}, {case.name}: {error}", error.details))

    def _child(self, who: Who) -> Child:
        if who not in self._children:
            child = self._children[who] = Child(who, script=SCRIPT)
            if child.version is not None:
                self.versions[who.value] = child.version
        return self._children[who]

    def _end(self, who: Who) -> None:
        child = self._children.get(who)
        if child is not None:
            if wrong := child.close():
                self.notes.append((f"{who.value}: {wrong}", ""))
            del self._children[who]

    def close(self) -> None:
        """Have all end in their own way."""
        for who in list(self._children):
            self._end(who)

    def kill(self) -> None:
        """End them now."""
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def best(self, case: Case | None, who: Who) -> float | None:
        """Return a contender's shortest time at a case, if it has one."""
        row = self.rows.get((case, who)) if case is not None else None
        return None if row is None else row.best

    def of_asyncio(self, case: Case, who: Who) -> float | None:
        """Return the ratio of the minima, to asyncio's at as many tasks of the same kind."""
        same = (
            other
            for other in CASES
            if other.family is case.family and other.n == case.n and Who.ASYNCIO in other.who
        )
        return ratio(self.best(case, who), self.best(next(same, None), Who.ASYNCIO))

    def of_reference(self, case: Case, who: Who) -> float | None:
        """Return the ratio of the minima, to the contender's own at the size of reference."""
        reference = FAMILIES[case.family].reference
        if reference is None:
            return ratio(self.best(case, who), IDEAL_NAP * 1e9)
        other = next(
            (one for one in CASES if one.family is case.family and one.size == reference), None
        )
        return ratio(self.best(case, who), self.best(other, who))

    def as_json(self) -> dict[str, Any]:
        """Return all of it, in nanoseconds."""
        found = [
            {
                "case": case.name,
                "size": case.size,
                "tasks": case.n,
                "workers": case.workers,
                "contender": who.value,
                "per": "task" if case.per_task else "batch",
                "min_ns": row.best,
                "median_ns": row.median,
                "samples_ns": row.samples,
                "of_asyncio": self.of_asyncio(case, who),
                "of_reference": self.of_reference(case, who),
                "failure": row.failure,
            }
            for (case, who), row in self.rows.items()
        ]
        return {
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "versions": self.versions,
            "results": found,
            "notes": [{"note": note, "stderr": details} for note, details in self.notes],
        }


def ratio(own: float | None, reference: float | None) -> float | None:
    return None if own is None or reference is None else own / reference
