"""A trace as a test sees it: read from its file, and held to the format."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import thrasks

Event = dict[str, Any]

#: The format has microseconds, with three places: two times that are the same may differ by this.
TINY = 0.0011


@dataclass(frozen=True)
class Task:
    """A task of a trace, from all that there is of it."""

    number: int
    name: str
    outcome: str
    thread: str | None
    begin: float
    end: float
    queued: float
    running: float
    suspended: float
    cancel_requests: int
    #: The thread, begin and end of each step.
    steps: tuple[tuple[str, float, float], ...]


class Found:
    """A trace. To make one is to check that its file is what it should be."""

    def __init__(self, path: Path) -> None:
        whole = json.loads(path.read_text("utf-8"))
        assert set(whole) == {"displayTimeUnit", "otherData", "traceEvents"}
        self.about: dict[str, Any] = whole["otherData"]
        self.events: list[Event] = whole["traceEvents"]
        self.threads = {
            event["tid"]: event["args"]["name"]
            for event in self.of("M")
            if event["name"] == "thread_name"
        }
        _check_fields(self)
        _check_lanes(self)
        self.tasks = _tasks(self)
        _check_arrows(self)

    def of(self, *phases: str) -> list[Event]:
        return [event for event in self.events if event["ph"] in phases]

    def pieces(self, category: str) -> list[Event]:
        return [event for event in self.of("X") if event["cat"] == category]

    def named(self, name: str) -> list[Task]:
        return [task for task in self.tasks if task.name == name]

    def one(self, name: str) -> Task:
        (found,) = self.named(name)
        return found

    def outcomes(self) -> Counter[str]:
        return Counter(task.outcome for task in self.tasks)

    def on_loops(self) -> set[str]:
        """The threads that have run a task of a loop."""
        return {self.threads[event["tid"]] for event in self.pieces("run")}


def found(trace: thrasks.Trace) -> Found:
    read = Found(Path(trace.path))
    assert len(read.tasks) == trace.tasks
    return read


def _check_fields(found: Found) -> None:
    assert [event["args"]["name"] for event in found.of("M") if event["name"] == "process_name"]
    assert {event["pid"] for event in found.events} == {found.events[0]["pid"]}
    for event in found.events:
        assert event["ph"] in set("MXbensf"), event
        assert event["tid"] in found.threads or event["name"] == "process_name", event
        assert 0 <= event["ts"] <= found.about["duration_us"] + TINY, event
        assert event.get("dur", 0) >= 0, event
    assert set(found.threads) == {event["tid"] for event in found.of("X")}
    assert found.about["producer"] == "thrasks"


def _check_lanes(found: Found) -> None:
    """On each thread, what begins within something ends within it, and times go on."""
    open_until: dict[int, list[float]] = defaultdict(list)
    last: dict[int, float] = defaultdict(float)
    for event in found.of("X"):
        begin, end = event["ts"], event["ts"] + event["dur"]
        assert begin >= last[event["tid"]] - TINY, event
        last[event["tid"]] = begin
        around = open_until[event["tid"]]
        while around and around[-1] <= begin + TINY:
            around.pop()
        assert not around or end <= around[-1] + TINY, event
        around.append(end)


def _tasks(found: Found) -> list[Task]:
    """Each task: it is there once, and what lies in it lies within it."""
    steps: dict[int, list[tuple[str, float, float]]] = defaultdict(list)
    for event in found.of("X"):
        if event["cat"] != "submit":
            thread = found.threads[event["tid"]]
            piece = (thread, event["ts"], event["ts"] + event["dur"])
            steps[event["args"]["task"]].append(piece)
    spans: dict[int, list[Event]] = defaultdict(list)
    for event in found.of("b", "e", "n"):
        spans[event["id"]].append(event)
    tasks = [_task(number, events, steps.pop(number, [])) for number, events in spans.items()]
    assert not steps, "steps of tasks that are not there"
    assert len(tasks) == found.about["tasks"]
    return tasks


def _task(number: int, events: list[Event], steps: list[tuple[str, float, float]]) -> Task:
    whole, end = events[0], events[-1]
    assert (whole["ph"], end["ph"]) == ("b", "e")
    assert whole["name"] == end["name"]
    spent: Counter[str] = Counter()
    open_now: list[Event] = []
    requests = 0
    for event in events:
        assert whole["ts"] <= event["ts"] <= end["ts"], event
        if event["ph"] == "b":
            open_now.append(event)
        elif event["ph"] == "e":
            begun = open_now.pop()
            assert begun["name"] == event["name"]
            spent[event["name"] if open_now else "whole"] += event["ts"] - begun["ts"]
        else:
            assert event["name"] == "cancel requested"
            requests += 1
    assert open_now == []
    told = whole["args"]
    assert told["task"] == number
    assert told["steps"] == len(steps)
    assert told["cancel_requests"] == requests
    assert {thread for thread, _, _ in steps} <= {told.get("thread")}
    for kind in ("queued", "suspended"):
        assert abs(told[f"{kind}_us"] - spent[kind]) < TINY * (len(events) + 1)
    running = sum(until - since for _, since, until in steps)
    assert abs(told["running_us"] - running) < TINY * (len(steps) + 1)
    # All of its time is one of these, but for what lies between the last step and its end.
    parts = running + spent["queued"] + spent["suspended"]
    assert abs(parts - spent["whole"]) < TINY * (len(events) + len(steps) + 1), (events, steps)
    return Task(
        number,
        whole["name"],
        told["outcome"],
        told.get("thread"),
        whole["ts"],
        end["ts"],
        told["queued_us"],
        told["running_us"],
        told["suspended_us"],
        requests,
        tuple(steps),
    )


def _check_arrows(found: Found) -> None:
    """One leads to each task that has begun, from within where it was submitted."""
    begun = {task.number for task in found.tasks if task.thread is not None}
    starts = {event["id"]: event for event in found.of("s")}
    ends = {event["id"]: event for event in found.of("f")}
    assert len(starts) == len(found.of("s"))
    assert set(starts) == set(ends) == begun
    submits = found.pieces("submit")
    for start in starts.values():
        assert any(
            piece["tid"] == start["tid"]
            and piece["ts"] <= start["ts"] <= piece["ts"] + piece["dur"] + TINY
            for piece in submits
        )
    for number, end in ends.items():
        assert end["bp"] == "e"
        assert starts[number]["ts"] <= end["ts"] + TINY
    assert sum(piece["args"]["tasks"] for piece in submits) == len(found.tasks)
