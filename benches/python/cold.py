"""What a fresh interpreter takes for an import, for its first group, and for its second."""

from __future__ import annotations

__all__ = ["KINDS", "work"]

import subprocess
import sys
from pathlib import Path
from typing import Final

from jobs import Timed, Work
from scenarios import PACKAGES, Contender, Kind, Scenario

SCRIPT: Final = Path(__file__).with_name("fresh.py")

#: What there is, and what it is called there.
KINDS: Final = {Kind.IMPORT: "import", Kind.FIRST_GROUP: "first", Kind.SECOND_GROUP: "second"}

#: How long, in seconds, one interpreter may take.
PATIENCE: Final = 30.0


def work(scenario: Scenario, contender: Contender, folder: Path | None) -> Work:
    """Return what has an interpreter of its own do it, for each sample."""
    package = PACKAGES.get(contender, "asyncio")
    mode = "QUEUE" if contender is Contender.QUEUE else "ROUND_ROBIN"
    arguments = [KINDS[scenario.kind], package, mode, str(scenario.workers)]
    if folder is not None:
        arguments.append(str(folder.resolve()))
    command = [sys.executable, "-I", str(SCRIPT), *arguments]

    async def measured() -> Timed:
        # It blocks the loop, and nothing else is on that.
        done = subprocess.run(  # noqa: ASYNC221
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if done.returncode:
            sys.stderr.write(done.stderr)
            raise RuntimeError(f"the interpreter ended with exit code {done.returncode}")
        return Timed(None, int(done.stdout))

    return measured
