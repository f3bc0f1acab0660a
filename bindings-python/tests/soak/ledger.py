"""What happened while a program ran, taken down from any thread."""

from __future__ import annotations

import inspect
import itertools
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thrasks import ThreadedTask, ThreadedTaskGroup

_tokens = itertools.count()


@dataclass
class Record:
    """One child: a coroutine that was made, and what came of it."""

    scope: Scope
    index: int
    path: tuple[int, ...] = ()
    """What the context variable is to be in it: that of whoever created it."""
    value: object = field(default_factory=lambda: f"value {next(_tokens)}")
    """What it returns: this very object."""
    coroutine: Coroutine[Any, Any, object] | None = None
    handle: ThreadedTask[object] | None = None
    refused: bool = False
    """Whether the group would not take it any more."""
    started: bool = False
    ended: bool = False
    error: BaseException | None = None
    cancelled: bool = False
    thread: str = ""
    asked: int = 0
    """How often its task was cancelled by itself, not by its handle."""
    left_cancelling: int = 0
    """The count of its task when it ended."""
    told: int = 0
    """How often its handle called back."""
    listens: bool = False
    """Whether it is to call back."""

    def was_told(self) -> bool:
        """Return whether its handle has called back, once."""
        return self.told == 1

    def is_over(self) -> bool:
        """Return whether nothing will run of it, and its coroutine is closed."""
        assert self.coroutine is not None
        state = inspect.getcoroutinestate(self.coroutine)
        return state == inspect.CORO_CLOSED and self.started == self.ended


class Scope:
    """A group, a gather or a run on a pool, and its children."""

    def __init__(self, ledger: Ledger, what: str, limit: int | None) -> None:
        self.ledger = ledger
        self.what = what
        self.limit = limit
        self.group: ThreadedTaskGroup | None = None
        self.cancelled = False
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._live = 0
        self._peak = 0
        with ledger.lock:
            ledger.scopes.append(self)

    @property
    def records(self) -> list[Record]:
        """The children so far, in the order in which they were made."""
        with self._lock:
            return list(self._records)

    @property
    def live(self) -> int:
        """How many of the children run."""
        with self._lock:
            return self._live

    def new(self) -> Record:
        """Enter a child."""
        with self._lock:
            record = Record(self, len(self._records))
            self._records.append(record)
        return record

    def begins(self, record: Record) -> None:
        """Take down that a child runs, here."""
        if record.started:
            self.fault(f"child {record.index} has started twice")
        record.started = True
        record.thread = threading.current_thread().name
        with self._lock:
            self._live += 1
            self._peak = max(self._peak, self._live)

    def ends(self, record: Record) -> None:
        """Take down that it is about to end."""
        if record.ended or not record.started:
            self.fault(f"child {record.index} has ended twice, or before it started")
        if threading.current_thread().name != record.thread:
            self.fault(f"child {record.index} ends on another thread than it started on")
        with self._lock:
            self._live -= 1
        record.ended = True

    def fault(self, text: str) -> None:
        """Take down that something is wrong."""
        self.ledger.fault(f"{self.what}: {text}")

    def check_over(self, *, finally_: bool = False) -> None:
        """Find what is still going on.

        Before the very end, a thread may be about to have a child refused.
        """
        if self.live:
            self.fault(f"{self.live} children still run")
        if self.limit is not None and self._peak > self.limit:
            self.fault(f"{self._peak} children ran at once, and the limit is {self.limit}")
        for record in self.records:
            known = finally_ or record.started or record.handle is not None
            if known and not record.is_over():
                self.fault(f"child {record.index} is not over: {record!r}")

    def __repr__(self) -> str:
        return f"<{self.what}>"


class Ledger:
    """Everything that happened in one run of one program."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.scopes: list[Scope] = []
        self.faults: list[str] = []
        self.complaints: list[dict[str, Any]] = []
        self._threads: list[threading.Thread] = []
        self._open_generators: set[int] = set()
        self._generators = itertools.count()

    def fault(self, text: str) -> None:
        """Take down that something is wrong. The run goes on, and fails when it is over."""
        with self.lock:
            self.faults.append(text)

    def generator_begins(self) -> int:
        """Take down that an asynchronous generator is open, and return its number."""
        number = next(self._generators)
        with self.lock:
            self._open_generators.add(number)
        return number

    def generator_ends(self, number: int) -> None:
        """Take down that it is closed."""
        with self.lock:
            self._open_generators.remove(number)

    @property
    def open_generators(self) -> set[int]:
        """The generators that are open."""
        with self.lock:
            return set(self._open_generators)

    def thread(self, target: Callable[[], None]) -> None:
        """Have something done on a plain thread, which the run waits for at its end."""

        def guarded() -> None:
            try:
                target()
            except BaseException as exc:
                self.fault(f"a thread of the program failed: {exc!r}")

        thread = threading.Thread(target=guarded, name="soak-stranger")
        # Both at once, as whoever joins them sees it: what a gather on a worker has left behind may
        # run on for a moment when the main task has ended.
        with self.lock:
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Wait for those threads."""
        while True:
            with self.lock:
                threads, self._threads = self._threads, []
            if not threads:
                return
            for thread in threads:
                thread.join()
