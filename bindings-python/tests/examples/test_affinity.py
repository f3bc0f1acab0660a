"""`affinity.py`: every account on one loop, and the accounts on all of them."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from .program import needs_signals, running, to_end

pytestmark = pytest.mark.process


def table(output: str) -> dict[str, tuple[int, list[str]]]:
    """Return the balance and the threads of each account."""
    rows = {}
    for line in output.splitlines()[1:]:
        account, threads = line.split(" on ")
        name, balance = account.rsplit(maxsplit=1)
        rows[name.strip()] = (int(balance.replace(",", "")), threads.split(", "))
    return rows


async def test_everything_about_an_account_runs_on_one_loop(tmp_path: Path) -> None:
    chance = random.Random(7)
    names = [f"account {number}" for number in range(9)]
    lines = [(chance.choice(names), chance.randint(-(10**6), 10**6)) for _ in range(3_000)]
    path = tmp_path / "bookings.csv"
    path.write_text("".join(f"{name} , {amount}\n" for name, amount in lines))
    ended = await to_end("affinity.py", path, "--threads", "3")
    assert (ended.code, ended.errors) == (0, "")
    found = table(ended.output)
    expected = dict.fromkeys(names, 0)
    for name, amount in lines:
        expected[name] += amount
    # A booking that ran beside another of its account would have lost it.
    assert {name: balance for name, (balance, _) in found.items()} == expected
    assert all(len(threads) == 1 for _, threads in found.values())
    homes = Counter(thread for _, (thread,) in found.values())
    assert list(homes.values()) == [3, 3, 3]


async def test_has_accounts_of_its_own() -> None:
    ended = await to_end("affinity.py")
    assert (ended.code, ended.errors) == (0, "")
    assert len(table(ended.output)) == 8


@pytest.mark.parametrize("line", ["alice,1.5", ""])
async def test_says_which_line_is_wrong(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bookings.csv"
    path.write_text(f"alice,5\n{line}\nbob,3\n")
    ended = await to_end("affinity.py", path)
    expected = f"{path}, line 2: expected account,amount, got {line!r}\n"
    assert (ended.code, ended.errors) == (1, expected)
    assert table(ended.output) == {}


async def test_says_that_there_is_no_file(tmp_path: Path) -> None:
    ended = await to_end("affinity.py", tmp_path / "missing")
    assert (ended.code, table(ended.output)) == (1, {})
    assert ended.errors.endswith(f"'{tmp_path / 'missing'}'\n")
    assert "Traceback" not in ended.errors


@needs_signals
async def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    path = tmp_path / "bookings.csv"
    path.write_text("alice,1\nbob,2\n" * 500_000)
    async with running("affinity.py", path) as program:
        await program.wait_for("^accounts on 4 loops$")
        ended = await program.interrupted()
    assert (ended.output, ended.errors) == ("accounts on 4 loops\n", "Interrupted.\n")
