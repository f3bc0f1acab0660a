"""`sqlite_rows.py`, on real databases."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from .program import needs_signals, running, to_end

pytestmark = pytest.mark.process

#: Never ends.
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "books.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE book (title TEXT, pages INTEGER)")
        books = ((f"volume {number}", number * 10) for number in range(1000))
        connection.executemany("INSERT INTO book VALUES (?, ?)", books)
    return path


def in_memory(output: str) -> int:
    match = re.search(r"^\d+ rows, of which at most (\d+) were in memory$", output, re.MULTILINE)
    assert match is not None
    return int(match[1])


@pytest.mark.parametrize("buffer", [1, 20])
async def test_streams_the_rows_of_a_query(database: Path, buffer: int) -> None:
    query = "SELECT title, pages FROM book WHERE pages >= 2000"
    ended = await to_end("sqlite_rows.py", database, query, "--buffer", str(buffer))
    assert (ended.code, ended.errors) == (0, "")
    lines = ended.output.splitlines()
    assert lines[:5] == [f"volume {number}\t{number * 10}" for number in range(200, 205)]
    assert lines[5].startswith("800 rows, ")
    # One that it holds while there is no room, and one that the consumer has in hand.
    assert in_memory(ended.output) <= buffer + 2
    assert re.fullmatch(r"the event loop was free at least every \d+ ms", lines[6])


async def test_leaves_a_result_without_end_early(database: Path) -> None:
    options = ("--rows", "2000", "--buffer", "10")
    ended = await to_end("sqlite_rows.py", database, NUMBERS.format("i"), *options)
    assert (ended.code, ended.errors) == (0, "")
    assert ended.output.startswith("0\n1\n2\n3\n4\n2000 rows, ")
    assert in_memory(ended.output) <= 12


async def test_makes_a_database_of_its_own() -> None:
    ended = await to_end("sqlite_rows.py", "--rows", "3")
    assert (ended.code, ended.errors) == (0, "")
    assert ended.output.startswith("0\t0.0\n1\t0.5\n2\t1.0\n3 rows, ")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM reading", "no such table: reading"),
        ("SELECT", "incomplete input"),
        ("DELETE FROM book", "attempt to write a readonly database"),
        # After rows that were good.
        (NUMBERS.format("abs(-9223372036854775803 - i)"), "integer overflow"),
    ],
)
async def test_says_what_is_wrong_with_a_query(database: Path, query: str, message: str) -> None:
    ended = await to_end("sqlite_rows.py", database, query)
    assert (ended.code, ended.errors) == (1, f"{database}: {message}\n")
    assert "rows, of which" not in ended.output


async def test_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all" * 100)
    ended = await to_end("sqlite_rows.py", text)
    assert (ended.code, ended.errors) == (1, f"{text}: file is not a database\n")
    missing = tmp_path / "missing.db"
    ended = await to_end("sqlite_rows.py", missing)
    assert (ended.code, ended.errors) == (1, f"{missing}: unable to open database file\n")
    assert not missing.exists()


@needs_signals
async def test_ctrl_c_while_rows_come(database: Path) -> None:
    async with running("sqlite_rows.py", database, NUMBERS.format("i")) as program:
        await program.wait_for("^4$")
        ended = await program.interrupted()
    assert (ended.output, ended.errors) == ("0\n1\n2\n3\n4\n", "Interrupted.\n")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_ctrl_c_while_the_query_looks_for_a_row(database: Path) -> None:
    # After its second row it works for ever; the cursor looks for one row ahead.
    endless = f"SELECT * FROM ({NUMBERS.format('i')} WHERE i < 0)"
    query = f"SELECT 1 UNION ALL SELECT 2 UNION ALL {endless}"
    async with running("sqlite_rows.py", database, query, "--buffer", "1") as program:
        await program.wait_for("^1$")
        await program.at_work()
        ended = await program.interrupted()
    assert (ended.output, ended.errors) == ("1\n", "Interrupted.\n")
