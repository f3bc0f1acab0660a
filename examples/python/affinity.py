"""How do I keep everything about one key on one thread? With a scheduler of your own.

Tasks that share state which is bound to an event loop (a lock, a connection, a queue of asyncio's)
have to run on the same loop. This scheduler gives each key that it has not seen a home, the workers
in turn. A context variable tells it the key, since `place` is called where the task is created.
What a task creates itself inherits its key, and stays at home as well.

Here the keys are accounts: whatever happens to one happens on one loop, so that an `asyncio.Lock`
guards it, and accounts of other homes are worked on in parallel.

    python affinity.py [FILE] [--threads N]

A line of FILE is an account and an amount: `alice,-5`. Without it there are 5000 made-up ones.

Two other ways. Tasks with the same `context=` run on one worker, too, in every mode; which one is
not yours to say. And `place` is not for keys beside `max_concurrency=`: tasks that wait for their
turn are placed when they get it, by whoever's end made room, without the creator's context.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import threading
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from command_line import at_least_one, run

from thrasks import ThreadedTask, ThreadedTaskGroup, iterate

T = TypeVar("T")

AT_ONCE = 1_000


class ByKey:
    """A scheduler, to be given as `mode=` of a group, a gather or a pool."""

    def __init__(self) -> None:
        self._key: ContextVar[str | None] = ContextVar("key", default=None)
        self._homes: dict[str, int] = {}

    def place(self, loads: Sequence[int]) -> int:
        """Return the home of the key; of a task without one, the worker with the least to do."""
        key = self._key.get()
        if key is None:
            return min(range(len(loads)), key=loads.__getitem__)
        # Tasks may be created on any thread; setdefault lets one of them decide.
        return self._homes.setdefault(key, len(self._homes) % len(loads))

    def create_task(
        self, group: ThreadedTaskGroup, key: str, coro: Coroutine[Any, Any, T]
    ) -> ThreadedTask[T]:
        """Run a coroutine where everything about this key runs."""
        token = self._key.set(key)
        try:
            return group.create_task(coro)
        finally:
            self._key.reset(token)


class Account:
    """Belongs to the first loop that has to wait for its lock; another one would get an error."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.balance = 0
        self.threads: set[str] = set()


async def book(account: Account, amount: int) -> None:
    async with account.lock:
        balance = account.balance
        # As if it were read from a database: others have a turn meanwhile.
        await asyncio.sleep(0)
        account.balance = balance + amount
        account.threads.add(threading.current_thread().name)


class BadLineError(Exception):
    """A line that is not what it should be."""


def bookings(path: Path | None) -> Iterator[tuple[str, int]]:
    if path is None:
        chance = random.Random(1)
        names = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
        yield from ((chance.choice(names), chance.randint(-50, 100)) for _ in range(5_000))
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            name, _, amount = (part.strip() for part in line.rpartition(","))
            try:
                yield name, int(amount)
            except ValueError:
                text = f"{path}, line {number}: expected account,amount, got {line.rstrip()!r}"
                raise BadLineError(text) from None


async def main(path: Path | None, threads: int) -> int:
    accounts: dict[str, Account] = {}
    scheduler = ByKey()
    under_way: deque[ThreadedTask[None]] = deque()
    print(f"accounts on {threads} loops", flush=True)
    try:
        # The lines are read on a thread, ahead of what is done with them.
        async with (
            ThreadedTaskGroup(threads, mode=scheduler) as group,
            iterate(bookings(path)) as lines,
        ):
            async for name, amount in lines:
                account = accounts.setdefault(name, Account())
                booking = scheduler.create_task(group, name, book(account, amount))
                under_way.append(booking)
                if len(under_way) == AT_ONCE:
                    await under_way.popleft()
    except (BadLineError, OSError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, account in sorted(accounts.items()):
        print(f"{name:10} {account.balance:10,}  on {', '.join(sorted(account.threads))}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE")
    parser.add_argument("--threads", type=at_least_one, default=4, help="%(default)s by default")
    given = parser.parse_args()
    sys.exit(run(main(given.file, given.threads)))
