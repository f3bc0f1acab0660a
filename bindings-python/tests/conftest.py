"""What every test is held to: it leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import inspect
import os
import signal
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import flavours
import pytest
from leaks import keep_what_there_is, nothing_left_behind

from thrasks import SchedulingMode

faulthandler.enable()

# On a free-threaded build pytest's own warning filters hold in pytest's context only, which the
# workers' threads do not share. In an empty context this sets those of the whole process.
contextvars.Context().run(warnings.simplefilter, "error")
# And this those of the interpreters that tests start.
os.environ["PYTHONWARNINGS"] = "error"


#: What is promised and not built yet, by the test that will hold it: listed, so that it is not
#: mistaken for done.
NOT_YET: dict[str, str] = {}


#: Tests that leave objects behind, which are not looked at until this is mended.
LEAKS_NOT_YET: dict[str, str] = {}


#: Tests that have asyncio log errors, with a loop that has no exception handler of its own.
COMPLAIN = {
    "test_taskgroup_20": "it is CPython's, and has a KeyboardInterrupt take the place of an error",
}


#: Benchmarks are run by those who ask for them.
BENCHMARKS = Path(__file__).parent / "benchmark"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--flavour",
        default="",
        metavar="NAME[,NAME]",
        help=f"run the tests with other defaults: {', '.join(flavours.FLAVOURS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background, where shells have Ctrl-C ignored: the programs that tests start
        # and interrupt would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    names = [name for name in config.getoption("--flavour").split(",") if name]
    try:
        flavours.apply(names)
    except ValueError as error:
        raise pytest.UsageError(f"--flavour: {error}") from None
    if asks_for_benchmarks(config) and config.getoption("log_cli_level", "") is None:
        # They log what they find, which is what they are run for.
        config.option.log_cli_level = "INFO"
        config.option.log_cli_format = config.option.log_cli_format or "%(message)s"
    # Now nothing is captured.
    config.stash[STDERR] = os.dup(2)


def pytest_unconfigure(config: pytest.Config) -> None:
    if STDERR in config.stash:
        os.close(config.stash[STDERR])


def pytest_report_header() -> str:
    return f"flavour: {', '.join(flavours.chosen) or 'plain'}"


def asks_for_benchmarks(config: pytest.Config) -> bool:
    """Say whether `-m` or `-k` names them, or a path leads to them."""
    if "benchmark" in f"{config.option.markexpr} {config.option.keyword}":
        return True
    here = config.invocation_params.dir
    paths = (here / argument.partition("::")[0] for argument in config.args)
    return any(path.resolve().is_relative_to(BENCHMARKS) for path in paths)


def leave_out_benchmarks(config: pytest.Config, items: list[pytest.Item]) -> None:
    benchmarks = [item for item in items if item.get_closest_marker("benchmark")]
    if benchmarks and not asks_for_benchmarks(config):
        config.hook.pytest_deselected(items=benchmarks)
        items[:] = [item for item in items if item not in benchmarks]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    leave_out_benchmarks(config, items)
    for item in items:
        reason = NOT_YET.get(getattr(item, "originalname", item.name))
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=f"not yet: {reason}"))
        for mark in item.iter_markers("not_in"):
            for name in set(mark.args).intersection(flavours.chosen):
                item.add_marker(pytest.mark.skip(reason=f"not in {name}: {mark.kwargs['reason']}"))


def pytest_collection_finish() -> None:
    keep_what_there_is()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function as the main task of a loop."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = inspect.signature(test).parameters
    on_any = not {"bridge", "executor"}.isdisjoint(pyfuncitem.path.parts)
    factory = flavours.loop_factory() if on_any else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(test(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(params=list(SchedulingMode), ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> SchedulingMode:
    """Run the test in each mode."""
    chosen: SchedulingMode = request.param
    return chosen


PASSED = pytest.StashKey[bool]()
STDERR = pytest.StashKey[int]()

#: How much longer, in seconds, than it may take a test goes on before it ends the process. It has
#: been told by a signal before, which a loop that waits need not hear: uvloop's does not.
GRACE = 30.0


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, object, object]:
    limit = settings.timeout + GRACE
    faulthandler.dump_traceback_later(limit, exit=True, file=item.config.stash[STDERR])
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_timeout_cancel_timer() -> Generator[None, object, object]:
    faulthandler.cancel_dump_traceback_later()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def leak_check(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves something behind."""
    names = [getattr(node, "originalname", node.name) for node in request.node.listchain()]
    leaks = any(name in LEAKS_NOT_YET for name in names)
    complains = any(name in COMPLAIN for name in names)
    passed = request.node.stash.get
    with nothing_left_behind(lambda: not leaks and passed(PASSED, False), complains):
        yield
