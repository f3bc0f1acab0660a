"""How do I use a blocking database driver in async code? Stream its rows.

The queries of `sqlite3` block, so they run on threads, and the event loop stays free: a heartbeat
shows that. The rows come as an asynchronous iterator, which runs ahead of its consumer by 500 rows
at most, however large the result is. Leaving the loop early closes the connection, on its thread.

    python sqlite_rows.py
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from thrasks import threaded, threaded_iterable

ROWS = 50_000


@threaded
def fill(path: Path) -> None:
    """Make a table of readings."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE reading (sensor INTEGER, value REAL)")
        connection.executemany(
            "INSERT INTO reading VALUES (?, ?)", ((i % 7, i * 0.5) for i in range(ROWS))
        )


@threaded_iterable(max_size=500)
def readings(path: Path, sensor: int) -> Iterator[float]:
    """Yield a sensor's values. All of it runs on one thread, as sqlite3 wants it."""
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute("SELECT value FROM reading WHERE sensor = ?", (sensor,))
        for (value,) in cursor:
            yield value


async def average(path: Path, sensor: int) -> float:
    """Average a sensor's values."""
    count, total = 0, 0.0
    async for value in readings(path, sensor):
        count += 1
        total += value
    return total / count


async def first_above(path: Path, sensor: int, limit: float) -> float | None:
    """Find a value. The rows after it are never fetched."""
    async with readings(path, sensor) as values:
        async for value in values:
            if value > limit:
                return value
    return None


async def heartbeat(beats: list[float]) -> None:
    """Note when the event loop is free, every millisecond."""
    while True:
        beats.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.001)


async def main() -> None:
    """Fill a database, and ask it."""
    beats: list[float] = []
    pulse = asyncio.create_task(heartbeat(beats))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "readings.db"
        await fill(path)
        # Seven queries at once, each on a thread.
        averages = await asyncio.gather(*(average(path, sensor) for sensor in range(7)))
        found = await first_above(path, sensor=3, limit=1000.0)
    pulse.cancel()

    print("averages:", *(f"{value:.1f}" for value in averages))
    print("the first value of sensor 3 above 1000:", found)
    longest = max(after - before for before, after in itertools.pairwise(beats))
    print(f"the event loop was free at least every {longest * 1000:.0f} ms")


if __name__ == "__main__":
    asyncio.run(main())
