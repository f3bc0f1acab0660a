"""A trace, read from its file."""

from __future__ import annotations

__all__ = ["Life", "Step", "Thread", "TraceFile", "duration", "read", "tasks"]

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import CommandError

#: What to do about a file that is none.
WRITE_ONE = "a trace is what `with thrasks.trace(FILE):` writes"


@dataclass(slots=True)
class Step:
    """A time in which a thread ran a task. In microseconds, as all times here."""

    begin: float
    end: float
    name: str
    task: int


@dataclass(slots=True)
class Thread:
    """A lane of the trace."""

    name: str
    steps: list[Step] = field(default_factory=list)
    #: Where it submitted tasks: from, to, and how many.
    submits: list[tuple[float, float, int]] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    is_loop: bool = False


@dataclass(slots=True)
class Life:
    """A task from its submission to its end."""

    task: int
    name: str
    outcome: str
    #: The name of the thread that ran it, if one did.
    thread: str | None
    begin: float
    end: float
    #: When it was no longer queued.
    begun: float
    suspended: list[tuple[float, float]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def queued_only(self) -> bool:
        """Whether it never ran."""
        return self.thread is None


@dataclass(slots=True)
class TraceFile:
    """All of it."""

    process: str
    duration: float
    left_out: int
    is_cut: bool
    threads: list[Thread]
    #: Tasks that never ran.
    unbegun: list[Life]

    @property
    def lives(self) -> list[Life]:
        """All tasks."""
        return [life for thread in self.threads for life in thread.lives] + self.unbegun

    def describe(self) -> str:
        """Say in a line what there is."""
        lives = self.lives
        loops = sum(thread.is_loop for thread in self.threads)
        told = [
            tasks(len(lives)),
            tasks(loops, "loop"),
            duration(self.duration),
        ]
        for outcome in ("cancelled", "failed", "unfinished"):
            count = sum(life.outcome == outcome for life in lives)
            if count:
                told.append(f"{count:,} {outcome}")
        if self.left_out:
            told.append(f"{self.left_out:,} left out")
        return ", ".join(told)


def tasks(count: int, what: str = "task") -> str:
    """Say how many there are."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def duration(micros: float) -> str:
    """Say a time with three digits and a unit."""
    for limit, unit in ((1e3, "µs"), (1e6, "ms")):
        if micros < limit * 0.9995:
            return f"{micros / (limit / 1e3):.3g} {unit}"
    return f"{micros / 1e6:.3g} s" if micros < 1e9 else f"{micros / 1e6:,.0f} s"


def read(path: Path) -> TraceFile:
    """Read a trace.

    Raises:
        CommandError: There is none in the file.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {str(path)!r}: {error.strerror}; {WRITE_ONE}") from None
    if not text:
        raise CommandError(
            f"{str(path)!r} is empty: the block of its thrasks.trace has not ended, or was killed"
        )
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{str(path)!r} is not JSON ({error}); {WRITE_ONE}") from None
    about = whole.get("otherData") if isinstance(whole, dict) else None
    if not isinstance(about, dict) or about.get("producer") != "thrasks":
        raise CommandError(f"{str(path)!r} is JSON, but not a trace of thrasks; {WRITE_ONE}")
    try:
        return _arrange(whole["traceEvents"], about)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CommandError(
            f"{str(path)!r} is a damaged trace ({type(error).__name__}: {error}); record it again"
        ) from None


def _arrange(events: list[dict[str, Any]], about: dict[str, Any]) -> TraceFile:
    process = "thrasks"
    threads: dict[int, Thread] = {}
    lives: dict[int, Life] = {}
    opened: dict[int, list[float]] = {}
    places: dict[int, int] = {}
    for event in events:
        match event["ph"]:
            case "M" if event["name"] == "process_name":
                process = event["args"]["name"]
            case "M" if event["name"] == "thread_name":
                threads[event["tid"]] = Thread(str(event["args"]["name"]))
            case "X":
                _put_piece(threads[event["tid"]], event)
            case "b" if event["id"] in lives:
                opened[event["id"]].append(event["ts"])
            case "b":
                told, begin = event["args"], float(event["ts"])
                life = Life(
                    event["id"],
                    str(event["name"]),
                    told["outcome"],
                    told.get("thread"),
                    begin,
                    begin,
                    begin,
                )
                lives[event["id"]] = life
                opened[event["id"]] = []
                places[event["id"]] = event["tid"]
            case "e":
                _close(lives[event["id"]], opened[event["id"]], event)
    unbegun = []
    for number, life in lives.items():
        if life.thread is None:
            unbegun.append(life)
        else:
            # Two threads may have one name.
            threads[places[number]].lives.append(life)
    for thread in threads.values():
        for step in thread.steps:
            lives[step.task].steps.append(step)
    return TraceFile(
        process,
        float(about["duration_us"]),
        int(about["tasks_left_out"]),
        bool(about["steps_left_out"]),
        list(threads.values()),
        unbegun,
    )


def _put_piece(thread: Thread, event: dict[str, Any]) -> None:
    begin = float(event["ts"])
    end = begin + float(event["dur"])
    if event["cat"] == "submit":
        thread.submits.append((begin, end, int(event["args"]["tasks"])))
        return
    thread.is_loop |= event["cat"] == "run"
    thread.steps.append(Step(begin, end, str(event["name"]), int(event["args"]["task"])))


def _close(life: Life, opened: list[float], event: dict[str, Any]) -> None:
    if not opened:
        life.end = float(event["ts"])
        return
    begin, end = opened.pop(), float(event["ts"])
    if event["name"] == "queued" and not life.suspended:
        life.begun = end
    else:
        life.suspended.append((begin, end))
