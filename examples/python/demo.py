"""The main job: read and parse a folder of Python files on all cores.

One coroutine per file awaits its reading and then works the CPU. The same coroutines run under
`asyncio.gather`, then under `threaded_gather` in every scheduling mode; bare threads doing the same
work without asyncio show how fast this machine could go at all. Every run has to find the same
statistics.

    cargo xtask demo [PATH] [--limit N] [--threads N]
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import contextlib
import gc
import os
import platform
import stat
import sys
import sysconfig
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from thrasks import SchedulingMode, threaded_gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Keeps the whole demo well under a minute on two cores.
DEFAULT_LIMIT = 1200
FAILURES_SHOWN = 10
MODULES_SHOWN = 8
# Files per thread that are being read or parsed, with `threaded_gather`.
READ_AHEAD = 32
# Seconds between two looks at the progress.
TICK = 0.1


# --- the work -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileStats:
    """What one file holds."""

    lines: int
    functions: int
    async_functions: int
    classes: int
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one file could not be read or parsed."""

    reason: str


Outcome = FileStats | Failure


def read(path: Path) -> bytes | Failure:
    try:
        # A named pipe called x.py would keep us waiting for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            return Failure("not a regular file")
        return path.read_bytes()
    except OSError as error:
        return Failure(error.strerror or type(error).__name__)


def parse(source: bytes | Failure) -> Outcome:
    if isinstance(source, Failure):
        return source
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        return Failure(f"{type(error).__name__}: {error.msg}{where}")
    except (ValueError, RecursionError, MemoryError) as error:
        # Null bytes; code nested deeper than the parser, or the thread's stack, can take.
        return Failure(f"{type(error).__name__}: {error}")
    return collect(source, tree)


def collect(source: bytes, tree: ast.Module) -> FileStats:
    functions = async_functions = classes = 0
    imports: list[str] = []
    for statement in statements(tree):
        match statement:
            case ast.FunctionDef():
                functions += 1
            case ast.AsyncFunctionDef():
                async_functions += 1
            case ast.ClassDef():
                classes += 1
            case ast.Import(names=names):
                imports += [alias.name.partition(".")[0] for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                imports.append(module.partition(".")[0])
    lines = source.count(b"\n") + (not source.endswith(b"\n") and bool(source))
    return FileStats(lines, functions, async_functions, classes, tuple(imports))


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Walk through all statements; what is counted here is never inside an expression."""
    unvisited: list[ast.AST] = [tree]
    while unvisited:
        node = unvisited.pop()
        yield node
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, block, None)
            # A lambda, or a conditional expression, has an expression there.
            if isinstance(inner, list):
                unvisited += inner


async def analyse(path: Path, readers: ThreadPoolExecutor, meter: Meter) -> Outcome:
    # One small pool of readers for every loop: `asyncio.to_thread` would start up to cores + 4
    # threads of its own on each worker loop, and copy a context per file, for the same effect.
    source = await asyncio.get_running_loop().run_in_executor(readers, read, path)
    outcome = parse(source)
    meter.advance()
    return outcome


# --- the contenders -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """What every contender is given."""

    paths: Sequence[Path]
    threads: int
    readers: ThreadPoolExecutor


def with_asyncio(job: Job, meter: Meter) -> list[Outcome]:
    async def main() -> list[Outcome]:
        return await asyncio.gather(*(analyse(path, job.readers, meter) for path in job.paths))

    return asyncio.run(main())


def with_thrasks(job: Job, meter: Meter, *, mode: SchedulingMode) -> list[Outcome]:
    async def main() -> list[Outcome]:
        return await threaded_gather(
            *(analyse(path, job.readers, meter) for path in job.paths),
            num_threads=job.threads,
            mode=mode,
            # What has been read is parsed before much more is read, so that never all files are in
            # memory, and no worker gets far ahead of the others with starting.
            max_concurrency=READ_AHEAD * job.threads,
        )

    return asyncio.run(main())


def with_bare_threads(job: Job, meter: Meter) -> list[Outcome]:
    def work(path: Path) -> Outcome:
        outcome = parse(read(path))
        meter.advance()
        return outcome

    pool = ThreadPoolExecutor(job.threads)
    try:
        return list(pool.map(work, job.paths))
    finally:
        # Leaves at once when interrupted, instead of working off what is queued.
        pool.shutdown(cancel_futures=True)


Contender = tuple[str, "Callable[[Job, Meter], list[Outcome]]"]

ASYNCIO = "asyncio.gather"
BARE = "bare threads"


def contenders() -> Iterator[Contender]:
    yield ASYNCIO, with_asyncio
    for mode in SchedulingMode:
        yield f"threaded_gather, {mode.name}", partial(with_thrasks, mode=mode)
    yield BARE, with_bare_threads


@dataclass(frozen=True)
class Run:
    """What one contender did."""

    name: str
    outcomes: list[Outcome]
    seconds: float
    cpu_seconds: float
    gc_seconds: float


class GcWatch:
    """How long the cyclic garbage collector worked."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begin = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        """Be called by the collector at the start and the end of its work."""
        if phase == "start":
            self._begin = time.perf_counter()
        else:
            self.seconds += time.perf_counter() - self._begin


def run(contender: Contender, job: Job, meter: Meter) -> Run:
    name, work = contender
    # Each begins with nothing to collect.
    gc.collect()
    watch = GcWatch()
    with meter.showing(name, len(job.paths)):
        gc.callbacks.append(watch)
        cpu, begin = time.process_time(), time.perf_counter()
        try:
            outcomes = work(job, meter)
            seconds, cpu_seconds = (
                time.perf_counter() - begin,
                time.process_time() - cpu,
            )
        finally:
            gc.callbacks.remove(watch)
    return Run(name, outcomes, seconds, cpu_seconds, watch.seconds)


# --- progress -------------------------------------------------------------------------------------


class Meter:
    """A count that any thread may advance, shown at most ten times a second by a thread of its own.

    The workers only add one under a lock; nobody renders on their time.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._done = 0

    def advance(self) -> None:
        """Count one more file."""
        with self._lock:
            self._done += 1

    @contextlib.contextmanager
    def showing(self, name: str, total: int) -> Iterator[None]:
        """Show the count, from 0 on, during the block."""
        self._done = 0
        stop = threading.Event()
        show = self._bar if self._console.is_terminal else self._lines
        thread = threading.Thread(target=show, args=(name, total, stop), name="progress")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _bar(self, name: str, total: int, stop: threading.Event) -> None:
        columns = (
            TextColumn("{task.description:28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, auto_refresh=False) as progress:
            bar = progress.add_task(name, total=total)
            running = True
            while running:
                running = not stop.wait(TICK)
                progress.update(bar, completed=self._done)
                progress.refresh()

    def _lines(self, name: str, total: int, stop: threading.Event) -> None:
        """Not a terminal: a line for every quarter."""
        quarter = 0
        running = True
        while running:
            running = not stop.wait(TICK)
            done = self._done
            if done * 4 // total > quarter:
                quarter = done * 4 // total
                self._console.print(f"{name}: {done} of {total} files", soft_wrap=True)


# --- the input ------------------------------------------------------------------------------------


class BadInputError(Exception):
    """Something on the command line that cannot be used."""


def find_files(root: Path, *, without: Sequence[str] = ()) -> list[Path]:
    try:
        if not stat.S_ISDIR(root.stat().st_mode):
            raise BadInputError(f"not a folder: {root}")
        os.scandir(root).close()
    except OSError as error:
        raise BadInputError(f"cannot read {root}: {error.strerror}") from None
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in without]
        found += [Path(folder, name) for name in files if name.endswith(".py")]
    if not found:
        raise BadInputError(f"no Python files under {root}")
    return sorted(found)


def thin_out(paths: Sequence[Path], limit: int) -> list[Path]:
    """Take files from all over the folder rather than its first ones."""
    if limit >= len(paths):
        return list(paths)
    return [paths[i * len(paths) // limit] for i in range(limit)]


def usable_cores() -> int:
    count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    return count() or 1


def gil_enabled() -> bool:
    enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return enabled()


def at_least_one(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="demo.py", description="Parse a folder of Python files on all cores."
    )
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="the folder (default: the interpreter's own standard library)",
    )
    parser.add_argument(
        "--limit",
        type=at_least_one,
        default=DEFAULT_LIMIT,
        metavar="N",
        help="at most so many files, taken from all over the folder (default: %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=at_least_one,
        default=usable_cores(),
        metavar="N",
        help="loops, and bare threads (default: one per core, here %(default)s)",
    )
    parser.add_argument(
        "--no-gc",
        action="store_true",
        help="switch the cyclic garbage collector off during every run",
    )
    return parser.parse_args(argv)


# --- the results ----------------------------------------------------------------------------------


@dataclass
class Totals:
    """The statistics of all files."""

    lines: int = 0
    functions: int = 0
    async_functions: int = 0
    classes: int = 0
    parsed: int = 0
    imports: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Totals:
        """Add up what the files hold."""
        totals = cls()
        for outcome in outcomes:
            if isinstance(outcome, FileStats):
                totals.parsed += 1
                totals.lines += outcome.lines
                totals.functions += outcome.functions
                totals.async_functions += outcome.async_functions
                totals.classes += outcome.classes
                totals.imports.update(outcome.imports)
        return totals


def show_times(console: Console, runs: Sequence[Run]) -> None:
    seconds = {run.name: run.seconds for run in runs}
    table = Table(box=box.SIMPLE_HEAD, title="Reading and parsing", title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in ("seconds", "speed-up", "of bare", "cores", "GC"):
        table.add_column(heading, justify="right")
    for one in runs:
        table.add_row(
            one.name,
            f"{one.seconds:.2f}",
            f"x {seconds[ASYNCIO] / one.seconds:.2f}",
            f"{seconds[BARE] / one.seconds:.0%}",
            f"{one.cpu_seconds / one.seconds:.2f}",
            f"{one.gc_seconds:.2f}",
        )
    console.print(table)
    console.print(
        "of bare: share of the bare threads' speed. cores: how many were kept busy."
        " GC: seconds in the cyclic garbage collector.",
        style="dim",
    )
    console.print()


def show_statistics(console: Console, outcomes: Sequence[Outcome]) -> None:
    totals = Totals.of(outcomes)
    table = Table(box=box.SIMPLE_HEAD, title="What the files hold", title_justify="left")
    table.add_column("")
    table.add_column("count", justify="right")
    for name, count in (
        ("files parsed", totals.parsed),
        ("lines", totals.lines),
        ("functions", totals.functions),
        ("async functions", totals.async_functions),
        ("classes", totals.classes),
    ):
        table.add_row(name, f"{count:,}")
    console.print(table)
    # The count decides, then the name: the order of equals must not depend on who came first.
    top = sorted(totals.imports.items(), key=lambda item: (-item[1], item[0]))[:MODULES_SHOWN]
    text = ", ".join(f"{name} ({count:,})" for name, count in top) or "none"
    console.print(f"Most imported: {text}", markup=False, highlight=False)


def show_failures(console: Console, job: Job, root: Path, outcomes: Sequence[Outcome]) -> None:
    failures = [
        (path, outcome.reason)
        for path, outcome in zip(job.paths, outcomes, strict=True)
        if isinstance(outcome, Failure)
    ]
    if not failures:
        console.print("Every file could be read and parsed.")
        return
    console.print(f"{len(failures)} of {len(outcomes)} files could not be read or parsed:")
    for path, reason in failures[:FAILURES_SHOWN]:
        text = printable(f"  {path.relative_to(root)}: {reason}")
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if len(failures) > FAILURES_SHOWN:
        console.print(f"  and {len(failures) - FAILURES_SHOWN} more")


def printable(text: str) -> str:
    """Replace what a terminal cannot show: a name may be any bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def differences(job: Job, runs: Sequence[Run]) -> Iterator[str]:
    """Yield one line per run that did not find what the first one found."""
    first, *others = runs
    for other in others:
        pairs = zip(job.paths, first.outcomes, other.outcomes, strict=True)
        differing = [(path, ours, theirs) for path, ours, theirs in pairs if ours != theirs]
        if differing:
            path, ours, theirs = differing[0]
            yield (
                f"{first.name} and {other.name} disagree about {len(differing)} files,"
                f" the first of them {path}: {ours} and {theirs}"
            )


# --- the program ----------------------------------------------------------------------------------


def describe(console: Console, root: Path, found: int, job: Job, *, no_gc: bool) -> None:
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    build = "with the GIL" if gil_enabled() else "free-threaded"
    console.print(
        f"{interpreter} ({build}), {usable_cores()} cores, {job.threads} threads",
        highlight=False,
    )
    some = f"{len(job.paths)} of {found}" if len(job.paths) < found else f"{found}"
    console.print(
        f"{some} Python files under {printable(str(root))}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if no_gc:
        console.print("Cyclic GC: switched off for every contender.")
    elif not gil_enabled():
        console.print(
            "Cyclic GC: on for every contender, as Python sets it. Each collection stops all"
            " threads: --no-gc shows what that costs."
        )
    if gil_enabled():
        console.print(
            "[yellow]The GIL is on: parallelism is off. Everything works, nothing gets faster;"
            " run it on a free-threaded CPython (3.14t) to see it on all cores.[/]"
        )
    console.print()


def demo(options: argparse.Namespace, console: Console, progress: Console) -> int:
    standard_library = options.path is None
    root = Path(sysconfig.get_path("stdlib")) if standard_library else options.path
    # What was installed beside the standard library does not belong to it.
    found = find_files(root, without=("site-packages",) if standard_library else ())
    paths = thin_out(found, options.limit)

    with contextlib.ExitStack() as stack:
        readers = ThreadPoolExecutor(options.threads, thread_name_prefix="reader")
        stack.callback(readers.shutdown, cancel_futures=True)
        job = Job(paths, options.threads, readers)
        describe(console, root, len(found), job, no_gc=options.no_gc)

        # The first to run must not be the one who waits for the disk, nor the one who finds the
        # interpreter cold.
        for _ in readers.map(read, paths):
            pass
        warm_up = Job(thin_out(paths, 20), options.threads, readers)
        for contender in contenders():
            run(contender, warm_up, Meter(Console(quiet=True)))

        if options.no_gc:
            gc.disable()
        meter = Meter(progress)
        runs = [run(contender, job, meter) for contender in contenders()]

    outcomes = runs[0].outcomes
    console.print()
    show_times(console, runs)
    show_statistics(console, outcomes)
    console.print()
    show_failures(console, job, root, outcomes)
    console.print()
    wrong = list(differences(job, runs))
    if wrong:
        for line in wrong:
            console.print(f"[red]WRONG:[/] {escape(printable(line))}", soft_wrap=True)
        return 1
    console.print(f"All {len(runs)} runs found the same statistics.")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    # Old code is full of what newer compilers warn about. Set once, for the whole process, before
    # there is a second thread: `catch_warnings` around each parse would be a race between threads.
    for category in (SyntaxWarning, DeprecationWarning):
        warnings.simplefilter("ignore", category)
    console = Console(highlight=False)
    progress = Console(stderr=True, highlight=False)
    try:
        return demo(options, console, progress)
    except BadInputError as error:
        print(f"demo.py: error: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
