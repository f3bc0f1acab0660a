"""The contenders' processes, from outside."""

from __future__ import annotations

__all__ = ["Child", "LostError"]

import contextlib
import enum
import json
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("contender.py")

#: How long, in seconds, an answer may take, and the end of a child that is told to end.
PATIENCE = 60.0
EXIT_PATIENCE = 5.0

STDERR_SHOWN = 4000


class LostError(Exception):
    """A contender failed, hung or died: its process is not to be used any more."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        #: What the process wrote to standard error.
        self.details = details


class Child:
    """One contender's process, which lives until it is closed.

    While the process works, nothing here runs: there are only two threads, and both wait.
    """

    def __init__(
        self, contender: enum.Enum, folder: Path | None = None, *, script: Path = SCRIPT
    ) -> None:
        """Start the process: the script, with the contender's name as its first argument.

        Raises:
            LostError: It did not come up.
        """
        # Closed with the process.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        arguments = [
            contender.name,
            *([str(folder.resolve())] if folder is not None else []),
        ]
        self._process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            hello = self._answer()
        except BaseException:
            self.kill()
            raise
        #: What it has said of itself.
        self.hello = hello
        self.gil: bool = hello["gil"]
        self.version: str | None = hello["version"]

    def turn(self, scenario: str, samples: int, warm_ups: int) -> list[float]:
        """Have the contender do its turn, and return the samples.

        Raises:
            LostError: It failed, it hung, or it died. It has been closed.
        """
        answer = self.ask(scenario=scenario, samples=samples, warm_ups=warm_ups)
        times: list[float] = answer["samples"]
        return times

    def ask(self, **request: object) -> dict[str, Any]:
        """Have the process do what it is asked to, and return its answer.

        Raises:
            LostError: It failed, it hung, or it died. It has been closed.
        """
        assert self._process.stdin is not None
        try:
            # One that has died leaves a broken pipe, and the answer says that it has died.
            with contextlib.suppress(OSError):
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
            return self._answer()
        except BaseException:
            self.kill()
            raise

    def close(self) -> str | None:
        """Tell the process to end, and return what was wrong with its end, if anything."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            code = self._process.wait(EXIT_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"did not end within {EXIT_PATIENCE:g} s of being told to"
        self.kill()
        return f"ended with exit code {code}" if code else None

    def kill(self) -> None:
        """End the process now, if it is still there."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._stderr.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._answers.put(line)
        # The end of the stream.
        self._answers.put("")

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise LostError(f"hung: no answer in {PATIENCE:g} s", self._said()) from None
        if not line:
            code = self._process.wait()
            raise LostError(f"died with exit code {code}", self._said())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LostError(f"failed: {answer['error']}", self._said())
        return answer

    def _said(self) -> str:
        # Where the child writes next is its own business: they share the offset.
        size = self._stderr.seek(0, 2)
        self._stderr.seek(max(0, size - STDERR_SHOWN))
        return self._stderr.read().decode("utf-8", "replace").strip()
