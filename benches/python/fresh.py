"""A fresh interpreter, which prints what its import took, its first group, or its second.

That is in nanoseconds. Nothing is imported at the top but what every interpreter has from its
start. `cold.py` starts these:

    python -I fresh.py import|first|second asyncio|thrasks MODE WORKERS [DIR]
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def imported(package: str) -> tuple[Any, int]:
    if package == "asyncio":
        begin = time.perf_counter_ns()
        import asyncio

        return asyncio, time.perf_counter_ns() - begin
    begin = time.perf_counter_ns()
    import thrasks

    return thrasks, time.perf_counter_ns() - begin


def groups(module: Any, mode: str, workers: int) -> list[int]:
    """Return the times of two groups, one after the other, with a task in each."""
    import asyncio

    async def job() -> None:
        pass

    def make() -> Any:
        if module is asyncio:
            return asyncio.TaskGroup()
        return module.ThreadedTaskGroup(workers, mode=module.SchedulingMode[mode])

    async def both() -> list[int]:
        times = []
        for _ in range(2):
            begin = time.perf_counter_ns()
            async with make() as tasks:
                tasks.create_task(job())
            times.append(time.perf_counter_ns() - begin)
        return times

    return asyncio.run(both())


def main() -> None:
    what, package, mode, workers, *folder = sys.argv[1:]
    sys.path[:0] = folder
    module, taken = imported(package)
    if folder and not module.__file__.startswith(folder[0]):
        sys.exit(f"{package} was to come from {folder[0]}, and came from {module.__file__}")
    if what != "import":
        first, second = groups(module, mode, int(workers))
        taken = first if what == "first" else second
    sys.stdout.write(f"{taken}\n")


if __name__ == "__main__":
    main()
