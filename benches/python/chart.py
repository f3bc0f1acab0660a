"""The comparison as an image: how long everybody takes, as a multiple of asyncio's time."""

from __future__ import annotations

__all__ = ["NEEDED", "draw"]

import importlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from report import factor
from results import Results
from scenarios import ASYNCIO, CONTENDERS, PEERS, Contender, Scenario

#: What has to be installed to draw, and is imported by nobody else.
NEEDED: Final = "matplotlib"

#: Thrasks is blue, the peers are warm, what is there without either is grey or green.
COLOURS: Final = {
    Contender.ASYNCIO: "#57606a",
    Contender.ROUND_ROBIN: "#0a4fa8",
    Contender.QUEUE: "#4c9bf0",
    Contender.THRASKS: "#0a4fa8",
    Contender.ON_UVLOOP: "#17a2a8",
    Contender.OLD: "#b9c9de",
    Contender.THREADS: "#57606a",
    Contender.PING_PONG: "#8c959f",
    Contender.UVLOOP: "#4ea64b",
    Contender.TONIO: "#d9480f",
    Contender.AIOTHREADS: "#e8a33d",
    Contender.ATHREADING: "#c77dbb",
    Contender.CF_TASKPOOL: "#a0682a",
}
GOAL: Final = "#111111"
INK: Final = "#1f2328"
FAINT: Final = "#59636e"
LINES: Final = "#d8dee4"
#: Of its own, so that the image can be read on whatever is around it.
PAPER: Final = "#ffffff"

#: Inches. What stands above the bars and below them has its own height, and each bar.
WIDTH: Final = 11.0
HEAD, FOOT = 0.95, 0.62
BAR: Final = 0.118
GAP: Final = 1.0
#: The share of the width for the names of the scenarios, twice.
NAMES: Final = 0.122
#: Fewer bars than this stand in one column.
ONE_COLUMN: Final = 24

#: What is beyond is cut off, and has its figure written beside it.
LEAST, MOST = 0.03, 64.0
#: What a figure takes of the axis, as a factor.
ROOM: Final = 1.7
TICKS: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)

SETTINGS: Final = {
    # Fixed, where they would be random.
    "svg.hashsalt": "thrasks",
    # Text is drawn: it looks the same wherever the image is shown.
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": INK,
}


def draw(path: Path, results: Results, where: Mapping[str, Any], date: str) -> None:
    """Draw the minima of all contenders, and what would meet the goals.

    Raises:
        OSError: The file cannot be written.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    figures: Any = importlib.import_module("matplotlib.figure")
    shown = [scenario for scenario in results.scenarios if baseline(results, scenario)]
    columns = in_columns(results, shown)
    units = max((sum(height(results, one) for one in column) for column in columns), default=0)
    # Of no style that somebody has in a file of settings.
    matplotlib.rcdefaults()
    with matplotlib.rc_context(SETTINGS):
        tall = HEAD + FOOT + BAR * (units + GAP)
        figure = figures.Figure(figsize=(WIDTH, tall), facecolor=PAPER, edgecolor=LINES)
        share = 1 / max(1, len(columns))
        for number, column in enumerate(columns):
            left = number * share + NAMES
            box = (left, FOOT / tall, share - NAMES - 0.02, 1 - (HEAD + FOOT) / tall)
            bars(figure.add_axes(box), results, column, units)
        heading(figure, {who for scenario in shown for who, _ in results.of(scenario)}, tall)
        footing(figure, results, where, date, tall)
        # No date, nor which version drew it: the same figures make the same file.
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def baseline(results: Results, scenario: Scenario) -> Contender | None:
    """Return who is 1: asyncio, or whoever comes first of the others who are not thrasks."""
    others = [who for who in scenario.who if who in PEERS]
    for who in (ASYNCIO, *others):
        if results.best(scenario, who) is not None:
            return who
    return None


def drawn(results: Results, scenario: Scenario) -> list[Contender]:
    one = baseline(results, scenario)
    return [who for who, _ in results.of(scenario) if who is not one]


def height(results: Results, scenario: Scenario) -> float:
    # A name and what it is compared with need two lines.
    return max(2, len(drawn(results, scenario))) + GAP


def in_columns(results: Results, scenarios: Sequence[Scenario]) -> list[list[Scenario]]:
    """Put them into two columns of about the same height, in order, unless they are few."""
    heights = [height(results, scenario) for scenario in scenarios]
    if sum(heights) < ONE_COLUMN:
        return [list(scenarios)] if scenarios else []
    splits = range(1, len(scenarios))
    best = min(splits, key=lambda split: max(sum(heights[:split]), sum(heights[split:])), default=1)
    return [column for column in (list(scenarios[:best]), list(scenarios[best:])) if column]


def bars(axes: Any, results: Results, scenarios: Sequence[Scenario], units: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(LEAST, MOST)
    axes.set_ylim(units + GAP / 2, -GAP / 2)
    axes.set_facecolor(PAPER)
    axes.set_axisbelow(True)
    axes.xaxis.grid(True, color=LINES, linewidth=0.6)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS], fontsize=7)
    axes.set_xticks([], minor=True)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    middles, names = [], []
    top = 0.0
    for scenario in scenarios:
        one = baseline(results, scenario)
        assert one is not None
        tall = height(results, scenario)
        names.append(scenario.name if one is ASYNCIO else f"{scenario.name}\n(1 is {one.value})")
        middles.append(top + (tall - GAP) / 2)
        of_scenario(axes, results, scenario, top)
        top += tall
        axes.axhline(top - GAP / 2, color=LINES, linewidth=0.6)
    axes.axvline(1, color=COLOURS[ASYNCIO], linewidth=1.2)
    axes.set_yticks(middles, names, fontsize=7.5)


def of_scenario(axes: Any, results: Results, scenario: Scenario, top: float) -> None:
    one = baseline(results, scenario)
    assert one is not None
    unit = results.best(scenario, one)
    assert unit is not None
    who = drawn(results, scenario)
    first = top + (height(results, scenario) - GAP - len(who)) / 2
    for place, contender in enumerate(who):
        middle = first + place + 0.5
        own = results.best(scenario, contender)
        if own is None:
            axes.text(1.06, middle, "failed", fontsize=6, va="center", color=FAINT)
            continue
        ratio = own / unit
        end = min(max(ratio, LEAST), MOST)
        axes.barh(
            middle, end - 1, left=1, height=0.82, color=COLOURS[contender], linewidth=0, zorder=2
        )
        targets = [
            time / unit
            for goal in scenario.goals
            if contender in goal.who and (time := results.target(scenario, goal)) is not None
        ]
        goal = min(max(min(targets), LEAST), MOST) if targets else None
        if goal is not None:
            mark(axes, goal, middle)
        figure_of(axes, ratio, end, goal, middle)


def figure_of(axes: Any, ratio: float, end: float, goal: float | None, middle: float) -> None:
    """Write the ratio behind the bar, or at its end where there is no room behind it."""
    outwards = ratio >= 1
    at = end
    # Behind the mark, where that would be in its way.
    if goal is not None and 1 < (goal / end if outwards else end / goal) < ROOM:
        at = goal
    inside = at > MOST / ROOM if outwards else at < LEAST * ROOM
    if inside:
        at = end
    axes.annotate(
        factor(ratio),
        (at, middle),
        xytext=(-3 if outwards is inside else 3, -0.3),
        textcoords="offset points",
        ha="right" if outwards is inside else "left",
        va="center_baseline",
        fontsize=5.8,
        color=INK,
        zorder=4,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": PAPER, "linewidth": 0} if inside else None,
    )


def mark(axes: Any, at: float, middle: float) -> None:
    ends = [middle - 0.53, middle + 0.53]
    axes.plot([at, at], ends, color=PAPER, linewidth=3, solid_capstyle="butt")
    axes.plot([at, at], ends, color=GOAL, linewidth=1.4, solid_capstyle="butt", zorder=3)


def heading(figure: Any, there: AbstractSet[Contender], tall: float) -> None:
    patches: Any = importlib.import_module("matplotlib.patches")
    lines: Any = importlib.import_module("matplotlib.lines")
    figure.text(
        0.012,
        1 - 0.12 / tall,
        "Time taken, as a multiple of asyncio's: left of 1 is faster",
        fontsize=11,
        weight="bold",
        va="top",
    )
    entries = [
        patches.Patch(color=COLOURS[who], label=who.value)
        for who in CONTENDERS
        if who in there and who is not ASYNCIO
    ]
    entries.append(lines.Line2D([], [], color=COLOURS[ASYNCIO], linewidth=1.2, label="asyncio"))
    entries.append(lines.Line2D([], [], color=GOAL, linewidth=2.2, label="thrasks's goal"))
    figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(0.006, 1 - 0.33 / tall),
        ncols=7,
        frameon=False,
        fontsize=7.5,
        handlelength=1.2,
        columnspacing=1.4,
    )


def footing(
    figure: Any, results: Results, where: Mapping[str, Any], date: str, tall: float
) -> None:
    build = "free-threaded" if where["free_threaded"] else "with the GIL"
    packages = {
        who.value: version
        for who, version in results.versions.items()
        if who in (Contender.OLD, Contender.UVLOOP, *PEERS)
    }
    for who in (Contender.ROUND_ROBIN, Contender.QUEUE, Contender.THRASKS):
        if who in results.versions:
            packages["thrasks"] = results.versions[who]
    rounds = "1 round" if results.rounds == 1 else f"{results.rounds} rounds"
    text = (
        "The minimum of each, on a logarithmic axis. The scenarios are explained in"
        " benches/README.md. Trivial work measures nothing but overhead;"
        " what several threads are for is in cpu-* and uneven.\n"
        f"{where['python']}, {build}; {where['cpu']}, {where['cores']} cores;"
        f" {rounds} on {date[:10]}; "
        + ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))
    )
    figure.text(0.012, 0.08 / tall, text, fontsize=6.5, color=FAINT, va="bottom", linespacing=1.5)
