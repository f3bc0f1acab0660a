"""A scheduler of one's own: an object with a `place` method."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

from collections.abc import Sequence

from support import where

from thrasks import Scheduler, ThreadedTaskGroup


class Middle:
    """Places everything on worker 1."""

    def __init__(self) -> None:
        self.loads: list[list[int]] = []

    def place(self, loads: Sequence[int]) -> int:
        self.loads.append(list(loads))
        return 1


async def test_chooses_and_is_told_the_loads() -> None:
    middle = Middle()
    scheduler: Scheduler = middle
    async with ThreadedTaskGroup(3, mode=scheduler) as group:
        tasks = [group.create_task(where()) for _ in range(5)]
        assert "Middle" in repr(group)
    assert len({task.result() for task in tasks}) == 1
    assert len(middle.loads) == 5
    assert all(len(loads) == 3 for loads in middle.loads)
    # What is on the worker counts, whether it has begun or not; on the others there is nothing.
    assert all(loads[0] == loads[2] == 0 for loads in middle.loads)
