"""What has been measured of echo servers, and their processes."""

from __future__ import annotations

__all__ = ["Echoes"]

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# isort: split
from children import Child, LostError
from echo_load import WARM_UP
from echo_server import SIZE, Who, Work

SCRIPT = Path(__file__).with_name("echo_server.py")
LOAD = Path(__file__).with_name("echo_load.py")

#: Seconds more than it should take after which a load has hung.
PATIENCE = 30.0


@dataclass(slots=True)
class Turns:
    """What one server has done with one kind of work, a figure for each turn."""

    rates: list[float] = field(default_factory=list)
    p50s: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)
    #: Cores that it and its load have used.
    server: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    failure: str | None = None


@dataclass
class Echoes:
    """Everything that has been measured, and the servers."""

    connections: int
    turns: dict[tuple[Work, Who], Turns] = field(default_factory=dict)
    #: How many connections each thread of a server has had.
    spread: dict[Who, dict[str, int]] = field(default_factory=dict)
    #: What went wrong, and what the process had to say about it.
    notes: list[tuple[str, str]] = field(default_factory=list)
    version: str | None = None
    rounds: int = 0
    seconds: float = 0.0
    _children: dict[Who, Child] = field(default_factory=dict)

    def turn(self, work: Work, who: Who, seconds: float) -> None:
        """Have a server do its turn; note what becomes of it."""
        turns = self.turns.setdefault((work, who), Turns())
        if turns.failure is not None:
            return
        try:
            if who not in self._children:
                self._children[who] = Child(who, script=SCRIPT)
            child = self._children[who]
            self.version = self.version or child.version
            before = child.ask()["cpu"]
            came = self._load(child.hello["ports"][work.value], seconds)
            answer = child.ask()
        except LostError as error:
            if (child_lost := self._children.pop(who, None)) is not None:
                child_lost.kill()
            turns.failure = str(error)
            self.notes.append((f"{who.value}, {work.value}: {error}", error.details))
            return
        self.spread[who] = answer["spread"]
        turns.rates.append(came["requests_per_second"])
        turns.p50s.append(came["p50_us"])
        turns.p99s.append(came["p99_us"])
        turns.load.append(came["load_cores"])
        # It has nothing to do before the load begins, nor after its end.
        turns.server.append((answer["cpu"] - before) / (came["seconds"] + WARM_UP))

    def _load(self, port: int, seconds: float) -> dict[str, Any]:
        arguments = [str(port), str(self.connections), str(seconds), str(SIZE)]
        try:
            done = subprocess.run(
                [sys.executable, str(LOAD), *arguments],
                capture_output=True,
                encoding="utf-8",
                timeout=seconds + PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise LostError(f"hung: the load took {PATIENCE:g} s more than it should") from None
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise LostError(f"failed: the load says {said[-1]}")
        came: dict[str, Any] = json.loads(done.stdout)
        return came

    def close(self) -> None:
        """Have all end in their own way."""
        for who, child in list(self._children.items()):
            if wrong := child.close():
                self.notes.append((f"{who.value}: {wrong}", ""))
            del self._children[who]

    def kill(self) -> None:
        """End them now."""
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def of_asyncio(self, work: Work, who: Who) -> float | None:
        """Return the ratio of the best rates."""
        own, asyncios = self.turns.get((work, who)), self.turns.get((work, Who.ASYNCIO))
        if own is None or asyncios is None or own.failure or asyncios.failure:
            return None
        return max(own.rates) / max(asyncios.rates)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        found = [
            {
                "work": work.value,
                "server": who.value,
                "requests_per_second": turns.rates,
                "p50_us": turns.p50s,
                "p99_us": turns.p99s,
                "server_cores": turns.server,
                "load_cores": turns.load,
                "of_asyncio": self.of_asyncio(work, who),
                "failure": turns.failure,
            }
            for (work, who), turns in self.turns.items()
        ]
        return {
            "connections": self.connections,
            "bytes": SIZE,
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "version": self.version,
            "results": found,
            "connections_per_thread": {who.value: spread for who, spread in self.spread.items()},
            "notes": [{"note": note, "stderr": details} for note, details in self.notes],
        }
