"""Print what the README compares, each cell of which a program finds out.

    python compare_features.py [--thrasks01 DIR] [--peers DIR] [--only LIBRARY] [--check FILE]

Every cell has a process of its own. One that does not end in time has hung. With `--check` the
tables of a Markdown file are compared with what was found, rows and columns by their names; the
exit code is 1 if a cell differs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

# isort: split
import features_bridge
import features_coroutines
import features_executor
from features import Column, Table
from options import folder_of_peers, folder_of_thrasks01

TABLES: Final = (features_coroutines.TABLE, features_bridge.TABLE, features_executor.TABLE)

#: What is there without any folder.
AT_HAND: Final = (Column.THRASKS, Column.ASYNCIO)

#: In seconds. The slowest takes two.
PATIENCE: Final = 10.0

#: The cells of a table, by its name, the row's, and the column.
Cells = dict[tuple[str, str, str], str]


def ask(table: Table, row: str, column: Column, folder: Path | None) -> str:
    """Run the program of a cell."""
    environment = dict(os.environ)
    if folder is not None:
        environment["PYTHONPATH"] = str(folder)
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--cell", table.name, row, column.value],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "hangs"
    if not done.stdout:
        print(f"{column}: {row}\n{done.stderr}", file=sys.stderr)
        return "?"
    return done.stdout.splitlines()[-1]


def found(folders: dict[Column, Path | None]) -> Cells:
    """Run all programs, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        futures = {
            (table.name, row, column.value): pool.submit(ask, table, row, column, folders[column])
            for table in TABLES
            for row in table.rows
            for column in table.columns
            if column in folders
        }
        return {cell: future.result() for cell, future in futures.items()}


def markdown(table: Table, cells: Cells) -> Iterator[str]:
    names = [column.value for column in table.columns if (table.name, column.value) in shown(cells)]
    yield "| " + " | ".join([table.name, *names]) + " |"
    yield "| " + " | ".join(["---"] * (len(names) + 1)) + " |"
    for row in table.rows:
        yield "| " + " | ".join([row, *(cells[table.name, row, name] for name in names)]) + " |"


def shown(cells: Cells) -> set[tuple[str, str]]:
    return {(table, column) for table, _, column in cells}


def written(text: str) -> Cells:
    """Read the tables of a Markdown file that have our names."""
    cells: Cells = {}
    names: list[str] = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            names = []
        elif not names:
            names = fields
        else:
            row = zip(names[1:], fields[1:], strict=False)
            cells.update({(names[0], fields[0], column): cell for column, cell in row})
    return cells


def differences(cells: Cells, text: str) -> list[str]:
    """Compare a file with what was found. A file without any of our cells is a mistake."""
    theirs = written(text)
    common = cells.keys() & theirs.keys()
    if not common:
        return ["no cell of these tables is there"]
    return [
        f"{', '.join(cell)}: {theirs[cell]!r} there, {cells[cell]!r} found"
        for cell in cells
        if cell in common and cells[cell] != theirs[cell]
    ]


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--thrasks01", type=folder_of_thrasks01, metavar="DIR", help="thrasks 0.1")
    parser.add_argument("--peers", type=folder_of_peers, metavar="DIR", help="the other packages")
    parser.add_argument("--only", action="append", choices=[one.value for one in Column])
    parser.add_argument("--check", type=Path, metavar="FILE", help="a README with such tables")
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    if options.cell is not None:
        name, row, column = options.cell
        (table,) = (one for one in TABLES if one.name == name)
        print(table.rows[row](Column(column)), flush=True)
        return 0
    folders: dict[Column, Path | None] = dict.fromkeys(AT_HAND)
    if options.thrasks01 is not None:
        folders[Column.OLD] = options.thrasks01
    if options.peers is not None:
        folders |= dict.fromkeys((one for one in Column if one not in folders), options.peers)
        if options.thrasks01 is None:
            del folders[Column.OLD]
    if options.only:
        folders = {column: folders[column] for column in folders if column.value in options.only}
    cells = found(folders)
    for table in TABLES:
        print(*markdown(table, cells), "", sep="\n")
    if options.check is None:
        return 0
    wrong = differences(cells, options.check.read_text("utf-8"))
    print(*wrong or [f"{options.check} says the same"], sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
