"""CPython's own tests of asyncio, with thrasks in the place of what they test.

The tests are those of the interpreter that runs this (`test.test_asyncio` in its library), loaded
when pytest collects them, never copied. `upstream.load` runs a module of theirs in a namespace of
its own, where the names under test mean something else; asyncio itself is not touched.

==================  ===========================================================  ================
here                what is replaced                                             tests, on 3.14
==================  ===========================================================  ================
test_taskgroups.py  `TaskGroup` by `ThreadedTaskGroup(3)`, strict about groups   2 x 49
test_tasks.py       `gather` by `threaded_gather(num_threads=2)`                 2 x 12 and 8 x 6
test_timeouts.py    both: a group inside a timeout                               1
test_context.py     both: decimal contexts of what is gathered                   1
test_graph.py       both: call graphs                                            2, 4 skipped
==================  ===========================================================  ================

Each of their tests is one test here, of the same name and in a class of the same name. A version of
CPython that does not have a test, or a class, does not have it here. An interpreter that comes
without its tests skips them all.

All run as they are but those in `changes.CHANGES`: the table says which, what is different, and
why. `test_changes.py` holds the table to the tests, and counts them.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.adapted")
