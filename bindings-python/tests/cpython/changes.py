"""The one table of what is not run as CPython has it, and why."""

from __future__ import annotations

import sys
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    #: A test of our own in the place of CPython's; it is in `adapted.py`.
    ADAPTED = "adapted"
    #: It runs as it is, but create_task returns only when the child has begun.
    BEGUN = "begun"
    #: CPython has the test, but does not run it. Here it runs, as it is.
    ENABLED = "enabled"
    #: Expected to fail: what it tests is promised and not built yet.
    NOT_YET = "not yet"
    #: Not run. It may be a whole class.
    SKIPPED = "skipped"
    #: No test, but what tests call; it is in `adapted.py`.
    HELPER = "helper"


ADAPTED, BEGUN, ENABLED, NOT_YET, SKIPPED, HELPER = Kind


class Change(NamedTuple):
    """One test that does not run as it is, in all classes that have it."""

    suite: str
    test: str
    kind: Kind
    why: str
    #: The first version of CPython whose test runs as it is.
    until: tuple[int, int] | None = None


_GROUPS = "test_taskgroups"
_TASKS = "test_tasks"
_TIMEOUTS = "test_timeouts"
_GRAPHS = "test_graph"

_IDLE_WORKERS = (
    "What a child has made dies when its worker next runs (gh-157838), which it is told to do when "
    "the group has ended: that is waited for before the referrers are compared."
)
_BEGINS_LATE = (
    "It relies on children having begun when a sibling fails, or the parent is cancelled, 0.1 s "
    "later. On a busy machine another thread may not have been given the time by then; a child "
    "that has not begun never does."
)
_CLOSED = (
    "Older versions leave a coroutine that is refused to its owner, and the test awaits it. It is "
    "closed here, in every version."
)
_ALWAYS_A_FUTURE = (
    "Where no loop runs, threaded_gather returns a coroutine, and asyncio.gather looks for the "
    "thread's loop."
)
_FOREIGN_FUTURE = (
    "A child awaits a future of the caller's loop, which it can do from another loop only through "
    "one of its own."
)

CHANGES = (
    Change(
        _GROUPS,
        "test_cancels_task_if_created_during_creation",
        ADAPTED,
        "The child is to be cancelled within two turns of its loop, which is not the loop that "
        "does it: it waits to be cancelled instead.",
    ),
    Change(
        _GROUPS,
        "test_error_and_cancel",
        ADAPTED,
        "A child sets an event of its parent's loop, which it has to do by call_soon_threadsafe; "
        "and it fails two turns of that loop after, by when it must have cancelled the parent: the "
        "child waits for that.",
    ),
    Change(_GROUPS, "test_exception_refcycles_parent_task", ADAPTED, _IDLE_WORKERS),
    Change(_GROUPS, "test_exception_refcycles_parent_task_wr", ADAPTED, _IDLE_WORKERS),
    Change(
        _GROUPS,
        "test_taskgroup_21",
        ENABLED,
        "With asyncio, a KeyboardInterrupt in a child ends the event loop. A worker's lives on, "
        "and the parent raises it.",
    ),
    Change(
        _GROUPS,
        "test_taskgroup_23",
        ADAPTED,
        "It counts the group's private `_tasks`; here, its private `_unfinished`.",
    ),
    Change(_GROUPS, "test_cancel_children_on_child_error", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_cancellation", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_nested_groups_both_cancelled", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_taskgroup_04", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_taskgroup_07", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_taskgroup_08", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_taskgroup_11", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_taskgroup_12", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_taskgroup_15", BEGUN, _BEGINS_LATE),
    Change(_GROUPS, "test_taskgroup_16", BEGUN, _BEGINS_LATE),
    Change(_TIMEOUTS, "test_timeout_taskgroup", BEGUN, _BEGINS_LATE),
    Change(
        _TIMEOUTS,
        "setUp",
        HELPER,
        "It says what kind of group stands in the place of TaskGroup: see BEGUN.",
    ),
    Change(
        _GROUPS,
        "setUp",
        HELPER,
        "It says what kind of group stands in the place of TaskGroup: see BEGUN.",
    ),
    Change(_GROUPS, "test_taskgroup_finished", ADAPTED, _CLOSED, until=(3, 13)),
    Change(_GROUPS, "test_taskgroup_no_create_task_after_failure", ADAPTED, _CLOSED, until=(3, 13)),
    Change(_GROUPS, "test_taskgroup_not_entered", ADAPTED, _CLOSED, until=(3, 13)),
    Change(_GROUPS, "test_taskgroup_without_parent_task", ADAPTED, _CLOSED, until=(3, 13)),
    Change(
        _TASKS,
        "setUp",
        HELPER,
        "It first lets a gather start its workers, which are threads: the teardown waits until "
        "those that a test has started have ended.",
    ),
    Change(
        _TASKS,
        "tearDown",
        HELPER,
        "It first runs the loop until children that the test has left behind have ended.",
    ),
    Change(
        _TASKS,
        "_run_loop",
        HELPER,
        "It runs the loop until it has nothing to do; and until the workers have nothing to do.",
    ),
    Change(_TASKS, "wrap_futures", HELPER, _FOREIGN_FUTURE),
    Change(_TASKS, "test_constructor_empty_sequence_without_loop", ADAPTED, _ALWAYS_A_FUTURE),
    Change(_TASKS, "test_constructor_empty_sequence_use_global_loop", ADAPTED, _ALWAYS_A_FUTURE),
    Change(_TASKS, "test_constructor_without_loop", ADAPTED, _ALWAYS_A_FUTURE),
    Change(_TASKS, "test_constructor_use_global_loop", ADAPTED, _ALWAYS_A_FUTURE),
    Change(_TASKS, "test_exception_marking", ADAPTED, _FOREIGN_FUTURE),
    Change(_TASKS, "test_cancel_gather_1", ADAPTED, _FOREIGN_FUTURE),
    Change(
        _GRAPHS,
        "test_stack_tgroup",
        ADAPTED,
        "The child looks after one turn of its loop, when the others need not have begun to wait: "
        "it looks until they do. The private coroutines in which the group waits, and a task of "
        "another loop awaits a handle, are ours.",
    ),
    Change(
        _GRAPHS,
        "test_stack_gather",
        ADAPTED,
        "Likewise: it looks until the caller awaits the gather.",
    ),
    Change(
        _GRAPHS,
        "test_stack_future",
        SKIPPED,
        "Its children await a future of the parent's loop, which they cannot on another loop.",
    ),
    Change(
        _GRAPHS,
        "TestCallStackPy",
        SKIPPED,
        "It has asyncio draw the graph between tasks and futures that are written in Python. The "
        "tasks on workers are asyncio's native ones.",
    ),
)


def changes(suite: str, test: str) -> dict[Kind, Change]:
    """Look up what is different about a test, with this version of CPython."""
    return {
        each.kind: each
        for each in CHANGES
        if (each.suite, each.test) == (suite, test)
        and (each.until is None or sys.version_info < each.until)
    }
