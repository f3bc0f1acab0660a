"""The timeline of a trace as an SVG picture."""

from __future__ import annotations

__all__ = ["MIN_WIDTH", "draw"]

import math
import re
from collections import Counter
from xml.etree import ElementTree as ET

from .layout import Small, heights, nice, outermost, rows, short
from .tracefile import Life, Step, Thread, TraceFile, duration, tasks

MIN_WIDTH = 400

#: Room for the names of the lanes, and at the right for the last number of the axis.
LEFT, RIGHT = 190, 30

#: The heights of what is in a lane.
STRIP, ROW, AREA, SUBMITS = 18, 11, 46, 8

#: How many rows of tasks a lane has, and how many tasks. Of more, it shows how many wait.
MOST_ROWS, MOST_BARS = 24, 600

#: How many names of tasks have colours of their own.
MOST_COLOURS = 7

#: Okabe and Ito's, which those who do not see all colours tell apart; the last is for other names.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6d31", "#777777")

#: Those on which dark letters are read better.
LIGHT = ("#e69f00", "#56b4e9", "#cc79a7")

INK, PALE, LINE, BAD = "#222222", "#767676", "#e3e3e3", "#c00000"

#: Characters that XML does not have.
_ODD = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def draw(trace: TraceFile, width: int) -> str:
    """Draw a trace.

    Args:
        trace: It.
        width: How many pixels wide the picture is to be.

    Returns:
        The text of an SVG file.
    """
    return _Picture(trace, width).text()


#: What is queued: it has no colour, since no loop has it.
_QUEUED = {"fill": "#ebebeb", "stroke": "#999999", "stroke_width": 0.7, "stroke_dasharray": "2 1.5"}


class _Picture:
    def __init__(self, trace: TraceFile, width: int) -> None:
        self.trace = trace
        self.width = width
        self.span = max(
            trace.duration,
            *(life.end for life in trace.lives),
            *(step.end for thread in trace.threads for step in thread.steps),
            1.0,
        )
        self.scale = (width - LEFT - RIGHT) / self.span
        names = Counter(life.name for life in trace.lives)
        common = (name for name, _ in names.most_common(MOST_COLOURS))
        self.colours = dict(zip(common, COLOURS, strict=False))
        self.others = len(names) > len(self.colours)
        self.root = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "font-family": "system-ui, 'DejaVu Sans', sans-serif",
                "font-size": "11",
            },
        )
        self.y = 0.0

    # --- pieces -----------------------------------------------------------------------------------

    def x(self, micros: float) -> float:
        return LEFT + micros * self.scale

    def add(self, kind: str, parent: ET.Element | None = None, **attributes: object) -> ET.Element:
        told = {
            name.rstrip("_").replace("_", "-"): f"{value:.2f}".rstrip("0").rstrip(".")
            if isinstance(value, float)
            else str(value)
            for name, value in attributes.items()
        }
        return ET.SubElement(self.root if parent is None else parent, kind, told)

    def say(
        self, x: float, y: float, text: str, parent: ET.Element | None = None, **more: object
    ) -> None:
        self.add("text", parent, x=x, y=y, **{"fill": INK} | more).text = _ODD.sub("\ufffd", text)

    def bar(
        self, lane: ET.Element, begin: float, end: float, y: float, height: float, **more: object
    ) -> ET.Element:
        x = self.x(begin)
        return self.add(
            "rect", lane, x=x, y=y, width=max(self.x(end) - x, 0.6), height=height, **more
        )

    def tip(self, element: ET.Element, text: str) -> None:
        ET.SubElement(element, "title").text = _ODD.sub("\ufffd", text)

    def colour(self, name: str) -> str:
        return self.colours.get(name, COLOURS[-1])

    # --- the whole --------------------------------------------------------------------------------

    def text(self) -> str:
        trace = self.trace
        self.add("rect", width="100%", height="100%", fill="#ffffff")
        self.say(12, 22, trace.process, font_size=15, font_weight="bold")
        self.say(12, 40, trace.describe(), fill=PALE)
        self.legend(60)
        self.y = 92.0 if self.colours else 76.0
        grid = self.add("g", id="axis")
        top = self.y
        self.y += 14
        # Who only calls functions on threads of theirs comes last.
        last = [thread for thread in trace.threads if thread.steps and not thread.is_loop]
        first = [thread for thread in trace.threads if not thread.steps or thread.is_loop]
        for thread in first + last:
            if thread.steps or thread.lives:
                self.lane(thread)
            elif thread.submits:
                self.submitter(thread)
        if trace.unbegun:
            self.never_begun(trace.unbegun)
        self.axis(grid, top)
        self.y += 14
        for note, holds in (
            (f"{trace.left_out:,} tasks that were submitted later are left out", trace.left_out),
            ("later steps of some tasks are left out", trace.is_cut),
        ):
            if holds:
                self.say(LEFT, self.y, note, fill=BAD)
                self.y += 16
        height = math.ceil(self.y)
        self.root.attrib |= {
            "width": str(self.width),
            "height": str(height),
            "viewBox": f"0 0 {self.width} {height}",
        }
        ET.indent(self.root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(self.root, "unicode") + "\n"

    def legend(self, y: float) -> None:
        legend = self.add("g", id="legend")
        x = 12.0

        def entry(text: str, **look: object) -> None:
            nonlocal x, y
            if x + 26 + 6.3 * len(text) > self.width and x > 12:
                x, y = 12.0, y + 16
            if "cross" in look:
                self.cross(legend, x + 9, y - 4)
            else:
                self.add("rect", legend, x=x, y=y - 9, width=18, height=10, **look)
            self.say(x + 23, y, text, legend)
            x += 40 + 6.3 * len(text)

        sample = COLOURS[0]
        entry("running", fill=sample)
        entry("suspended", fill=sample, fill_opacity=0.28)
        entry("queued", **_QUEUED)
        entry("cancelled", cross=True)
        entry("failed", fill="none", stroke=BAD, stroke_width=1.5)
        x, y = 12.0, y + 17
        for name, colour in self.colours.items():
            entry(short(name, 40), fill=colour)
        if self.others:
            entry("other names", fill=COLOURS[-1])

    def axis(self, grid: ET.Element, top: float) -> None:
        step = nice(self.span / max(2, (self.width - LEFT - RIGHT) / 110))
        unit, per = next(
            ((unit, per) for unit, per in (("s", 1e6), ("ms", 1e3)) if self.span >= 2 * per),
            ("µs", 1.0),
        )
        for index in range(int(self.span / step) + 1):
            x = self.x(index * step)
            self.add("line", grid, x1=x, x2=x, y1=top + 4, y2=self.y, stroke=LINE)
            shown = f"{index * step / per:.6g} {unit}"
            self.say(x, top, shown, grid, fill=PALE, text_anchor="middle")

    def cross(self, parent: ET.Element, x: float, y: float) -> ET.Element:
        path = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"
        return self.add("path", parent, d=path, stroke=BAD, stroke_width=1.6, fill="none")

    def begin_lane(self, kind: str, name: str, told: str) -> ET.Element:
        lane = self.add("g", class_=kind)
        lane.set("data-name", _ODD.sub("\ufffd", name))
        self.say(12, self.y + 13, short(name, 26), lane, font_weight="bold")
        if told:
            self.say(12, self.y + 27, told, lane, fill=PALE, font_size=10)
        return lane

    def end_lane(self, lane: ET.Element) -> None:
        self.add("line", lane, x1=12, x2=self.width - 12, y1=self.y, y2=self.y, stroke=LINE)
        self.y += 8

    def lane(self, thread: Thread) -> None:
        busy = sum(step.end - step.begin for step in outermost(thread.steps)) / self.span
        told = f"{tasks(len(thread.lives), 'task' if thread.is_loop else 'call')}, {busy:.0%} busy"
        lane = self.begin_lane("loop" if thread.is_loop else "thread", thread.name, told)
        top = self.y
        self.steps(lane, thread.steps)
        self.y += STRIP + 3
        self.submits(lane, thread)
        self.lives(lane, thread.lives)
        self.y = max(self.y, top + 34) + 4
        self.end_lane(lane)

    def submitter(self, thread: Thread) -> None:
        count = sum(count for _, _, count in thread.submits)
        lane = self.begin_lane("submitter", thread.name, f"submits {tasks(count)}")
        top = self.y
        self.y += 5
        self.submits(lane, thread)
        self.y = top + 34
        self.end_lane(lane)

    def never_begun(self, lives: list[Life]) -> None:
        lane = self.begin_lane("unbegun", "never begun", tasks(len(lives)))
        top = self.y
        self.y += SUBMITS
        self.lives(lane, lives)
        self.y = max(self.y, top + 34)
        self.end_lane(lane)

    # --- what is in a lane ------------------------------------------------------------------------

    def submits(self, lane: ET.Element, thread: Thread) -> None:
        if not thread.submits:
            return
        taken: set[int] = set()
        for begin, end, count in thread.submits:
            pixel = int(self.x(begin))
            if self.x(end) - self.x(begin) < 1 and pixel in taken:
                continue
            taken.add(pixel)
            mark = self.bar(
                lane, begin, max(end, begin + 1.5 / self.scale), self.y, SUBMITS - 3, fill=PALE
            )
            self.tip(mark, f"submits {tasks(count)} at {duration(begin)}")
        self.y += SUBMITS

    def steps(self, lane: ET.Element, steps: list[Step]) -> None:
        """Draw who runs: each step that is wide enough, and how much there is of the others."""
        self.add(
            "rect",
            lane,
            x=LEFT,
            y=self.y,
            width=self.width - LEFT - RIGHT,
            height=STRIP,
            fill="#f6f6f6",
        )
        small: dict[int, Small] = {}
        wide = []
        for step in steps:
            if (step.end - step.begin) * self.scale >= 1:
                wide.append(step)
                continue
            one = small.setdefault(int(self.x(step.begin)), Small())
            one.spent += step.end - step.begin
            one.names[step.name] += 1
        for pixel, one in sorted(small.items()):
            name, _ = one.names.most_common(1)[0]
            height = max(3.0, min(1.0, one.spent * self.scale) * STRIP)
            mark = self.add(
                "rect",
                lane,
                x=pixel,
                y=self.y + STRIP - height,
                width=1,
                height=height,
                fill=self.colour(name),
            )
            if (count := one.names.total()) > 1:
                self.tip(mark, f"{count:,} steps, most of them of {name}")
        for step in wide:
            mark = self.bar(lane, step.begin, step.end, self.y, STRIP, fill=self.colour(step.name))
            self.tip(
                mark,
                f"{step.name} (task {step.task}) ran for {duration(step.end - step.begin)}"
                f" at {duration(step.begin)}",
            )
            if (step.end - step.begin) * self.scale > 7 * min(len(step.name), 12):
                fits = int((step.end - step.begin) * self.scale / 6.8)
                self.say(
                    self.x(step.begin) + 4,
                    self.y + 13,
                    short(step.name, fits),
                    lane,
                    fill=INK if self.colour(step.name) in LIGHT else "#ffffff",
                )

    def lives(self, lane: ET.Element, lives: list[Life]) -> None:
        shared = None
        if len(lives) <= MOST_BARS:
            shared = rows(lives, 3 / self.scale, MOST_ROWS)
        if shared is None:
            self.areas(lane, lives)
            return
        for row in shared:
            for life in row:
                self.life(lane, life)
            self.y += ROW
        self.y += 2

    def life(self, lane: ET.Element, life: Life) -> None:
        y, height, colour = self.y + 1, ROW - 3, self.colour(life.name)
        one = self.add("g", lane, class_=f"task {life.outcome}")
        told = [
            f"{life.name} (task {life.task}): {life.outcome}",
            f"queued {duration(life.begun - life.begin)}",
        ]
        if not life.queued_only:
            running = sum(step.end - step.begin for step in life.steps)
            suspended = sum(end - begin for begin, end in life.suspended)
            told += [f"running {duration(running)}", f"suspended {duration(suspended)}"]
        self.tip(one, ", ".join(told))
        if life.begun > life.begin:
            self.bar(one, life.begin, life.begun, y + 1, height - 2, **_QUEUED)
        for begin, end in life.suspended:
            if (end - begin) * self.scale >= 0.3:
                self.bar(one, begin, end, y, height, fill=colour, fill_opacity=0.28)
        drawn = -1.0
        for step in life.steps:
            # What lies on a pixel that is drawn already adds nothing.
            if self.x(step.end) < drawn + 0.5:
                continue
            self.bar(one, step.begin, step.end, y, height, fill=colour)
            drawn = self.x(step.end)
        if life.outcome == "failed":
            self.bar(
                one, life.begun, life.end, y, height, fill="none", stroke=BAD, stroke_width=1.5
            )
        elif life.outcome == "cancelled":
            self.cross(one, self.x(life.end), y + height / 2)

    def areas(self, lane: ET.Element, lives: list[Life]) -> None:
        """Draw how many tasks wait, where there are too many for a bar each."""
        size = self.width - LEFT - RIGHT
        queued = heights(((life.begin, life.begun) for life in lives), self.scale, size)
        pairs = (pair for life in lives for pair in life.suspended)
        suspended = heights(pairs, self.scale, size)
        most = max(1, *queued, *suspended)
        bottom = self.y + AREA
        for counts, look in (
            (queued, _QUEUED),
            (suspended, {"fill": COLOURS[0], "fill_opacity": 0.28}),
        ):
            path = [f"M{LEFT} {bottom:.1f}"]
            last = 0
            for pixel, count in enumerate(counts):
                if count != last:
                    path.append(f"H{LEFT + pixel}V{bottom - AREA * count / most:.1f}")
                    last = count
            path.append(f"H{LEFT + len(counts)}V{bottom:.1f}Z")
            area = self.add("path", lane, d="".join(path), **look)
            self.tip(area, f"up to {max(counts):,} at a time")
        for outcome in ("failed", "cancelled"):
            ends = Counter(int(self.x(life.end)) for life in lives if life.outcome == outcome)
            for pixel, count in sorted(ends.items()):
                mark = self.add(
                    "rect",
                    lane,
                    class_=f"task {outcome}",
                    x=pixel,
                    y=bottom - 5,
                    width=1.2,
                    height=5,
                    fill=BAD,
                )
                self.tip(mark, f"{count:,} {outcome}")
        for line, told in enumerate(
            (f"up to {max(queued):,} queued,", f"{max(suspended):,} suspended")
        ):
            self.say(12, bottom - 12 + 12 * line, told, lane, fill=PALE, font_size=10)
        self.y = bottom + 4
