"""How do I read a large result from a blocking database in async code? Stream its rows.

The cursor of `sqlite3` blocks, so it runs on a thread, and the event loop stays free: a heartbeat
shows that. The rows come as an asynchronous iterator. The cursor is ahead of its consumer by
`--buffer` rows at most and waits when that is full, so that memory stays bounded however large the
result is. Leaving the loop early closes the connection, on its thread; a query that is busy finding
its next row is interrupted.

    python sqlite_rows.py [FILE [QUERY]] [--rows N] [--buffer N]

Without FILE it makes a database of some readings and reads that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from command_line import at_least_one, run

from thrasks import threaded, threaded_iterable

QUERY = "SELECT * FROM reading"
MADE = 200_000
SHOWN = 5

Row = tuple[object, ...]


@threaded
def make(path: Path) -> None:
    """Make a database, on a thread. `WITH RECURSIVE` is SQL's loop."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE reading (sensor INTEGER, value REAL)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ?)"
            " INSERT INTO reading SELECT i % 7, i * 0.5 FROM n",
            (MADE,),
        )


class Query:
    """A query on a thread. It counts the rows that are in memory."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        #: Set when nobody wants more.
        self.left = threading.Event()
        self._lock = threading.Lock()
        self._ahead = 0
        self.most_ahead = 0

    def rows(self) -> Iterator[Row]:
        """Yield the rows. All of it runs on one thread, as sqlite3 wants it."""
        uri = f"{self._path.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            # sqlite asks that every so often while it works, and ends the query if so.
            connection.set_progress_handler(self.left.is_set, 10_000)
            try:
                for row in connection.execute(self._text):
                    self.count(1)
                    yield row
            except sqlite3.OperationalError:
                if not self.left.is_set():
                    raise

    def count(self, change: int) -> None:
        """Take note of rows that come, or go."""
        with self._lock:
            self._ahead += change
            self.most_ahead = max(self.most_ahead, self._ahead)


async def heartbeat(longest: list[float]) -> None:
    """Note how long the event loop was busy with something else at most."""
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(0.001)
        longest[0] = max(longest[0], loop.time() - before)


async def show(path: Path, text: str, limit: int | None, buffer: int) -> int:
    longest, count, query = [0.0], 0, Query(path, text)
    pulse = asyncio.create_task(heartbeat(longest))
    try:
        # A decorator where the size is always the same: `@threaded_iterable(max_size=100)`.
        stream = threaded_iterable(query.rows, max_size=buffer)
        async with stream() as rows:
            try:
                async for row in rows:
                    query.count(-1)
                    count += 1
                    if count <= SHOWN:
                        print(*row, sep="\t", flush=True)
                    if count == limit:
                        break  # The rows after this one are never fetched.
            finally:
                # Leaving the outer block waits for the thread.
                query.left.set()
    except sqlite3.Error as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    finally:
        pulse.cancel()
    print(f"{count} rows, of which at most {query.most_ahead} were in memory")
    print(f"the event loop was free at least every {longest[0] * 1000:.0f} ms")
    return 0


async def main(path: Path | None, query: str, limit: int | None, buffer: int) -> int:
    if path is not None:
        return await show(path, query, limit, buffer)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "readings.db"
        await make(made)
        return await show(made, query, limit, buffer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="of sqlite")
    parser.add_argument("query", nargs="?", default=QUERY, metavar="QUERY", help=QUERY)
    parser.add_argument("--rows", type=at_least_one, help="so many at most (default: all)")
    parser.add_argument("--buffer", type=at_least_one, default=500, help="rows (%(default)s)")
    given = parser.parse_args()
    sys.exit(run(main(given.file, given.query, given.rows, given.buffer)))
