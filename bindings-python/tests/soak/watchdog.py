"""Turns a hang into a failure that shows what waits for what, and where every thread is."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator

import pytest

from .scene import describe

#: How long, in seconds, a look at what hangs may take: it asks objects that may be locked.
LOOK = 30.0


class Watchdog:
    """Ends the process when something takes too long: what hangs cannot be relied on to end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._what = ""
        threading.Thread(target=self._watch, name="soak-watchdog", daemon=True).start()

    @contextlib.contextmanager
    def watching(self, what: str, seconds: float) -> Iterator[None]:
        """Watch over a block, which is not to take longer than this."""
        self._set(time.monotonic() + seconds, what)
        try:
            yield
        finally:
            self._set(None, "")

    def _set(self, deadline: float | None, what: str) -> None:
        with self._changed:
            self._deadline, self._what = deadline, what
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while True:
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    self._bark()
                self._changed.wait(left)

    def _bark(self) -> None:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture(in_=True)
        print(f"\n{self._what}\nhas not ended in time.", file=sys.stderr, flush=True)
        faulthandler.dump_traceback_later(LOOK, exit=True, file=sys.stderr)
        try:
            describe(sys.stderr)
        except BaseException:
            traceback.print_exc()
        print("\nEvery thread:", file=sys.stderr, flush=True)
        faulthandler.dump_traceback(sys.stderr, all_threads=True)
        os._exit(70)
