"""`python -m thrasks`, run as its users run it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support import Signal

import thrasks
from thrasks import TaskPoolExecutor, ThreadedTaskGroup, threaded, threaded_gather

from .reading import Found

pytestmark = pytest.mark.process

SVG = "{http://www.w3.org/2000/svg}"


def run(*arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "thrasks", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )


async def in_two_steps() -> None:
    await asyncio.sleep(0)


async def waits(begun: Signal) -> None:
    begun.set()
    await asyncio.Event().wait()


async def fails() -> None:
    raise ValueError("on purpose")


async def record(path: Path) -> None:
    """Record a bit of everything."""

    @threaded
    def blocking() -> None:
        pass

    begun, in_the_way, go = Signal(), Signal(), Signal()

    async def blocks() -> None:
        in_the_way.set()
        go.block()

    with thrasks.trace(path):
        await threaded_gather(
            *(in_two_steps() for _ in range(10)), fails(), num_threads=2, return_exceptions=True
        )
        async with ThreadedTaskGroup(1) as group:
            waiting = group.create_task(waits(begun), name="waits <&> \x07")
            await begun.wait()
            group.create_task(blocks())
            await in_the_way.wait()
            group.create_task(in_two_steps(), name="never").cancel()
            waiting.cancel()
            go.set()
        async with TaskPoolExecutor(max_workers=1) as executor:
            await executor.submit(in_two_steps)
        await blocking()


def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    asyncio.run(record(path))
    return path


def lanes(svg: ET.Element, kind: str) -> list[str]:
    return [str(lane.get("data-name")) for lane in svg.iter(f"{SVG}g") if lane.get("class") == kind]


def tasks(svg: ET.Element) -> list[str]:
    classes = (str(one.get("class", "")) for one in svg.iter(f"{SVG}g"))
    return sorted(one.removeprefix("task ") for one in classes if one.startswith("task "))


class TestTrace:
    def test_draws_a_lane_for_each_loop_and_a_bar_for_each_task(self, tmp_path: Path) -> None:
        path = recorded(tmp_path)
        out = tmp_path / "picture.svg"
        ran = run("trace", path, "--out", out, "--width", 900)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.startswith(f"{out}: 16 tasks, ")
        assert "2 cancelled, 1 failed" in ran.stdout

        read, svg = Found(path), ET.parse(out).getroot()
        assert svg.tag == f"{SVG}svg"
        assert svg.get("width") == "900"
        assert sorted(lanes(svg, "loop")) == sorted(read.on_loops())
        assert len(lanes(svg, "thread")) == 1
        assert lanes(svg, "unbegun") == ["never begun"]
        assert tasks(svg) == sorted(task.outcome for task in read.tasks)

        said = " ".join(text for one in svg.iter() if (text := one.text) and text.strip())
        for words in ("running", "suspended", "queued", "cancelled", "failed", "in_two_steps"):
            assert words in said
        assert "waits <&> \ufffd" in said
        assert re.search(r"\d+ (µs|ms|s)", said)

    def test_everything_is_within_the_picture(self, tmp_path: Path) -> None:
        path = recorded(tmp_path)
        assert run("trace", path).returncode == 0
        svg = ET.parse(path.with_suffix(".svg")).getroot()
        width, height = float(str(svg.get("width"))), float(str(svg.get("height")))
        bars = [bar for bar in svg.iter(f"{SVG}rect") if bar.get("width") != "100%"]
        assert len(bars) > 20
        for bar in bars:
            x, y, wide, high = (float(str(bar.get(key))) for key in ("x", "y", "width", "height"))
            assert 0 <= x <= x + wide <= width, bar.attrib
            assert 0 <= y <= y + high <= height, bar.attrib

    def test_of_many_tasks_it_shows_how_many_wait(self, tmp_path: Path) -> None:
        path = tmp_path / "run.json"

        async def main() -> None:
            with thrasks.trace(path):
                await threaded_gather(*(in_two_steps() for _ in range(20_000)), num_threads=2)

        asyncio.run(main())
        out = tmp_path / "run.svg"
        ran = run("trace", path, "-o", out)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "20,000 tasks, " in ran.stdout
        # What is smaller than a pixel is put together.
        assert out.stat().st_size < 2_000_000
        svg = ET.parse(out).getroot()
        assert len(lanes(svg, "loop")) == len(Found(path).on_loops())
        assert tasks(svg) == []
        said = " ".join(one.text or "" for one in svg.iter(f"{SVG}text"))
        assert re.search(r"up to [\d,]+ queued, +[\d,]+ suspended", said)

    def test_a_trace_of_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "run.json"
        with thrasks.trace(path):
            pass
        ran = run("trace", path)
        assert (ran.returncode, ran.stderr) == (0, "")
        ET.parse(path.with_suffix(".svg"))

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (None, "cannot read"),
            ("", "is empty: the block of its thrasks.trace has not ended"),
            ("hello", "is not JSON"),
            ("[1, 2]", "is JSON, but not a trace of thrasks"),
            ('{"traceEvents": []}', "is JSON, but not a trace of thrasks"),
            (json.dumps({"otherData": {"producer": "thrasks"}}), "is a damaged trace"),
            (
                json.dumps({"otherData": {"producer": "thrasks"}, "traceEvents": [{"ph": "X"}]}),
                "is a damaged trace",
            ),
        ],
    )
    def test_what_is_no_trace(self, tmp_path: Path, content: str | None, told: str) -> None:
        path = tmp_path / "run.json"
        if content is not None:
            path.write_text(content)
        ran = run("trace", path)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith("python -m thrasks: error: ")
        assert told in ran.stderr
        assert repr(str(path)) in ran.stderr
        assert len(ran.stderr.splitlines()) == 1
        assert not path.with_suffix(".svg").exists()

    def test_where_it_cannot_write(self, tmp_path: Path) -> None:
        path = tmp_path / "run.json"
        with thrasks.trace(path):
            pass
        ran = run("trace", path, "--out", tmp_path / "nowhere" / "run.svg")
        assert ran.returncode == 1
        assert "cannot write" in ran.stderr

    def test_the_picture_does_not_replace_the_trace(self, tmp_path: Path) -> None:
        path = tmp_path / "run.json"
        with thrasks.trace(path):
            pass
        ran = run("trace", path, "--out", path)
        assert ran.returncode == 1
        assert "would replace the trace" in ran.stderr
        assert Found(path).tasks == []

    @pytest.mark.parametrize("width", ["wide", "3", "1000000"])
    def test_a_width_that_is_none(self, tmp_path: Path, width: str) -> None:
        ran = run("trace", tmp_path / "run.json", "--width", width)
        assert ran.returncode == 2
        assert "argument --width" in ran.stderr


class TestOthers:
    def test_info(self) -> None:
        ran = run("info")
        assert (ran.returncode, ran.stderr) == (0, "")
        told = dict(line.split(None, 1) for line in ran.stdout.splitlines())
        assert told["thrasks"] == importlib.metadata.version("thrasks")
        assert told["Python"].startswith(sys.version.split()[0])
        enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
        assert told["GIL"].startswith("on" if enabled else "off")
        assert re.match(r"\d+ for this process, of \d+", told["cores"])
        assert "EventLoop" in told["loops"] or "uvloop" in told["loops"]
        assert told["carriers"].startswith(("on", "off"))
        assert set(told) >= {"wake-ups", "uvloop", "platform"}

    def test_bench(self) -> None:
        ran = run("bench", "--threads", 2, timeout=110)
        assert (ran.returncode, ran.stderr) == (0, "")
        # Not a terminal: plain text.
        assert "\x1b" not in ran.stdout
        assert "\r" not in ran.stdout
        rows = re.findall(
            r"^  (asyncio|thrasks)  (#+) +([\d.e+]+) (ns|µs|ms|s) a task", ran.stdout, re.M
        )
        assert [name for name, *_ in rows] == ["asyncio", "thrasks"] * 4
        # The longer of two bars has the whole width.
        longest = max(len(bar) for _, bar, *_ in rows)
        for one, other in zip(rows[::2], rows[1::2], strict=True):
            assert max(len(one[1]), len(other[1])) == longest
        assert ran.stdout.count("times as") == 4

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
    def test_ctrl_c_ends_it_quietly(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "thrasks", "bench"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("thrasks ")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert said.strip() == ""

    @pytest.mark.parametrize("command", [(), ("trace",), ("bench",), ("info",)])
    def test_help(self, command: tuple[str, ...]) -> None:
        ran = run(*command, "--help")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.startswith("usage: python -m thrasks")
        if not command:
            assert {"trace", "bench", "info"} <= set(ran.stdout.split())

    @pytest.mark.parametrize("arguments", [(), ("draw",), ("trace",), ("bench", "--threads", "0")])
    def test_arguments_that_are_none(self, arguments: tuple[str, ...]) -> None:
        ran = run(*arguments)
        assert ran.returncode == 2
        assert "usage: python -m thrasks" in ran.stderr
