"""The command line of `side_by_side.py`."""

from __future__ import annotations

__all__ = ["APART", "Earlier", "arguments", "writable_file"]

import argparse
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# isort: split
import chart
import machine
from results import Results, StrangeFiguresError
from scenarios import FREE_THREADED, OLD, PACKAGES, PEERS, SCENARIOS, Contender, Scenario

#: The contenders that are in folders of their own, and are left out unless these are given.
APART: Final = (OLD, *PEERS)

#: What only one of them needs, with its version: `cargo xtask bench` has the same.
PINNED: Final = {
    Contender.AIOTHREADS: "aiothreads==1.1.4",
    Contender.ATHREADING: "athreading==0.3.1",
    Contender.CF_TASKPOOL: "cf-taskpool==0.2.0",
    Contender.TONIO: "tonio==0.10.5",
    OLD: "thrasks==0.1.0.post1",
}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What another run has written."""

    results: Results
    machine: dict[str, Any]
    date: str


def folder_with(text: str, contenders: Sequence[Contender]) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"not a folder: {text}")
    for contender in contenders:
        package = PACKAGES[contender]
        module = folder / package
        if not ((module / "__init__.py").is_file() or module.with_suffix(".py").is_file()):
            wanted = " ".join(PINNED[one] for one in contenders)
            raise argparse.ArgumentTypeError(
                f"no package {package} in {text};"
                f" to get it: pip install --no-deps --target DIR {wanted}"
            )
    return folder


def folder_of_thrasks01(text: str) -> Path:
    return folder_with(text, [OLD])


def folder_of_peers(text: str) -> Path:
    free_threaded = machine.free_threaded()
    return folder_with(text, [one for one in PEERS if free_threaded or one not in FREE_THREADED])


def writable_file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"a folder, not a file: {text}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot be written: {text}")
    return path


def image_file(text: str) -> Path:
    if Path(text).suffix.lower() != ".svg":
        raise argparse.ArgumentTypeError(f"the image is an SVG, so its name ends in .svg: {text}")
    path = writable_file(text)
    if importlib.util.find_spec(chart.NEEDED) is None:
        raise argparse.ArgumentTypeError(
            f"an image needs {chart.NEEDED}: pip install {chart.NEEDED}"
        )
    return path


def earlier_figures(text: str) -> Earlier:
    try:
        figures = json.loads(Path(text).read_text("utf-8"))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {text}: {error.strerror}") from None
    except ValueError:
        # Neither text nor JSON.
        raise argparse.ArgumentTypeError(f"not JSON: {text}") from None
    try:
        where, date = machine_of(figures), str(figures["date"])
        return Earlier(Results.from_json(figures), where, date)
    except StrangeFiguresError as error:
        reason = str(error)
    except (KeyError, TypeError):
        reason = "it does not say where they are from"
    raise argparse.ArgumentTypeError(f"not the figures of such a run: {text}: {reason}")


def machine_of(figures: Any) -> dict[str, Any]:
    where = dict(figures["machine"])
    # Whatever else is missing, was not asked for.
    for name in machine.describe():
        where[name]
    return where


def scenarios_called(text: str) -> list[Scenario]:
    found = [
        scenario
        for scenario in SCENARIOS
        if scenario.name == text or scenario.name.startswith(f"{text}-")
    ]
    if not found:
        names = ", ".join(scenario.name for scenario in SCENARIOS)
        raise argparse.ArgumentTypeError(f"no scenario is called {text!r}; there are {names}")
    return found


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="side_by_side.py",
        description="Measure thrasks side by side with asyncio and others, in one run.",
        epilog="NAME is one of " + ", ".join(scenario.name for scenario in SCENARIOS) + ".",
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="rough numbers, in less than a minute")
    parser.add_argument(
        "--thrasks01",
        type=folder_of_thrasks01,
        metavar="DIR",
        help="the folder that thrasks 0.1 has been installed into; it is left out otherwise",
    )
    parser.add_argument(
        "--peers",
        type=folder_of_peers,
        metavar="DIR",
        help="the folder that the other packages have been installed into; likewise",
    )
    parser.add_argument(
        "--json",
        type=writable_file,
        metavar="FILE",
        help="write everything measured there, too",
    )
    parser.add_argument(
        "--image",
        type=image_file,
        metavar="FILE.svg",
        help=f"draw the comparison; needs {chart.NEEDED}",
    )
    parser.add_argument(
        "--from",
        dest="earlier",
        type=earlier_figures,
        metavar="FILE",
        help="measure nothing: show, and draw, what --json has written",
    )
    parser.add_argument(
        "--only",
        type=scenarios_called,
        action="extend",
        metavar="NAME",
        help="only this scenario, or those whose names begin so (gather, cpu); may be repeated",
    )
    options = parser.parse_args(argv)
    if options.earlier is not None:
        for name in ("quick", "thrasks01", "peers", "json"):
            if getattr(options, name):
                parser.error(f"argument --{name}: not with --from, which measures nothing")
        if options.only is not None and not set(options.only) & set(
            options.earlier.results.scenarios
        ):
            parser.error("argument --only: there is nothing of it in the file of --from")
    return options
