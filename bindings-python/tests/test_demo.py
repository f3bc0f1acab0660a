"""The demo, `examples/python/demo.py`: what it finds, and what it does with bad input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "python" / "demo.py"

#: Seconds; more than any of them needs.
LIMIT = 50

#: One of each statistic, and a warning.
SOURCE = """\
import os.path
from sys import argv

class One:
    def method(self):
        return lambda: 0

async def two():
    if argv:
        import os as again
    try:
        pass
    except ValueError:
        def inner(): pass
    "\\d"
"""

pytestmark = pytest.mark.process

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")


def demo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # What it does not silence itself is a failure.
    environment = {**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, DEMO, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=environment,
        check=False,
    )


def statistics(output: str) -> dict[str, int]:
    """Return the rows of the table of statistics."""
    names = ("files parsed", "lines", "functions", "async functions", "classes")
    found = {}
    for line in map(str.strip, output.splitlines()):
        for name in names:
            rest = line.removeprefix(name)
            if rest != line and rest.replace(",", "").strip().isdigit():
                found[name] = int(rest.replace(",", ""))
    return found


def test_collects_statistics_in_every_mode(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "sub/c.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(SOURCE)
    (tmp_path / "d.txt").write_text("not Python")
    done = demo(tmp_path, "--threads", "2")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert statistics(done.stdout) == {
        "files parsed": 3,
        "lines": 3 * len(SOURCE.splitlines()),
        "functions": 6,
        "async functions": 3,
        "classes": 3,
    }
    assert "os (6), sys (3)" in done.stdout
    for contender in ("asyncio.gather", "ROUND_ROBIN", "QUEUE", "LEAST_LOADED", "bare threads"):
        assert contender in done.stdout
    assert "All 5 runs found the same statistics." in done.stdout
    assert "Every file could be read and parsed." in done.stdout


def test_reports_files_that_cannot_be_read_or_parsed(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    (tmp_path / "null.py").write_bytes(b"\0")
    (tmp_path / "coding.py").write_bytes(b"# coding: no-such-codec\n")
    (tmp_path / "nested.py").write_text("(" * 5000)
    expected = {"syntax.py", "null.py", "coding.py", "nested.py"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.py")
        (tmp_path / "broken.py").symlink_to("nowhere")
        expected |= {"pipe.py", "broken.py"}
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    assert statistics(done.stdout)["files parsed"] == 1
    assert (
        f"{len(expected)} of {len(expected) + 1} files could not be read or parsed" in done.stdout
    )
    for name in expected:
        (line,) = [text for text in done.stdout.splitlines() if text.strip().startswith(name)]
        assert line.strip() != f"{name}:", "no reason is given"


def test_names_ten_of_them_at_most(tmp_path: Path) -> None:
    for i in range(25):
        (tmp_path / f"bad{i}.py").write_text("?")
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "25 of 25 files could not be read or parsed" in done.stdout
    assert done.stdout.count("bad") == 10
    assert "and 15 more" in done.stdout


def test_takes_no_more_files_than_asked_for(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i:02}.py").write_text("x = 1\n")
    done = demo(tmp_path, "--limit", "7")
    assert done.returncode == 0, done.stderr
    assert "7 of 20 Python files" in done.stdout
    assert statistics(done.stdout)["files parsed"] == 7


BAD = {
    "a folder that is not there": (["no/such/folder"], "no/such/folder"),
    "a file": ([__file__], "not a folder"),
    "a limit of 0": (["--limit", "0"], "--limit: must be at least 1, got 0"),
    "a limit below 0": (["--limit", "-1"], "--limit: must be at least 1, got -1"),
    "a limit that is no number": (["--limit", "all"], "--limit: must be a whole number, got 'all'"),
    "no threads": (["--threads", "0"], "--threads: must be at least 1, got 0"),
    "an unknown option": (["--fast"], "--fast"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_an_error_on_stderr(what: str) -> None:
    arguments, text = BAD[what]
    done = demo(*arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_so_is_a_folder_without_python_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    done = demo(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"demo.py: error: no Python files under {tmp_path}\n"


@needs_signals
@pytest.mark.parametrize("when", ["asyncio.gather", "threaded_gather", "bare threads"])
def test_ctrl_c_ends_it_cleanly(when: str, tmp_path: Path) -> None:
    body = "".join(f"def f{i}(a, b=(1, 2)):\n    return [a * {i}, b]\n" for i in range(1000))
    for i in range(40):
        (tmp_path / f"{i}.py").write_text(body)
    with subprocess.Popen(
        [sys.executable, DEMO, tmp_path, "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            heard = ""
            while when not in heard:
                heard = process.stderr.readline()
                assert heard, "it has ended already"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors.endswith("Interrupted.\n")
    assert "Traceback" not in errors


def test_reads_the_standard_library_unless_told_otherwise() -> None:
    done = demo("--limit", "20")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "20 of " in done.stdout
    assert "All 5 runs found the same statistics." in done.stdout
