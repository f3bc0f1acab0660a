"""What type checkers see of calls on threads. What they see is so: the tests run, too.

A call that they are to refuse is one that they are told to ignore: both mypy and pyright complain
of what is ignored for nothing.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn, assert_type

import pytest

from thrasks import (
    BoundThreaded,
    Threaded,
    ThreadedBase,
    ThreadedSeparate,
    call,
    threaded,
    threaded_separate,
)


@threaded
def repeat(text: str, times: int = 2) -> list[str]:
    return [text] * times


@threaded_separate
def double(number: int) -> int:
    return number * 2


@threaded
def nothing() -> None:
    pass


@threaded
def all_kinds(
    first: str, second: int | None = None, *args: str, **kwargs: str | int
) -> dict[str, Any]:
    return {"first": first, "second": second, "args": args, "kwargs": kwargs}


@threaded
def first_of(items: list[Any], /, *, default: str) -> str:
    return items[0] if items else default


def undecorated(number: int, *, text: str = "") -> str:
    return f"{number}{text}"


@threaded
def parse(text: str) -> Any:
    return json.loads(text)


@threaded
def refuse(text: str) -> NoReturn:
    raise ValueError(text)


class Account:
    def __init__(self, owner: str, balance: int = 0) -> None:
        self.owner = owner
        self.balance = balance

    @threaded
    def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @threaded_separate
    def owner_of(self) -> str:
        return self.owner

    @threaded
    @classmethod
    def named(cls, owner: str, *, balance: int = 0) -> Account:
        return cls(owner, balance)

    @threaded
    @staticmethod
    def interest(balance: int) -> float:
        return balance / 10

    @threaded
    @staticmethod
    def formatted(value: Any, width: int = 0) -> str:
        return f"{value:{width}}"

    @threaded_separate
    @staticmethod
    def currency() -> str:
        return "EUR"

    @staticmethod
    @threaded
    def outside_in(balance: int) -> float:
        return balance / 10


class Savings(Account):
    pass


async def test_functions() -> None:
    assert_type(repeat("a"), asyncio.Future[list[str]])
    assert_type(await repeat("a"), list[str])
    assert_type(await repeat(text="a", times=3), list[str])
    assert_type(await repeat.async_call("a", times=3), list[str])
    assert_type(repeat.sync_call("a", 3), list[str])
    assert_type(await double(2), int)
    assert_type(double.sync_call(number=2), int)
    assert await repeat(text="a", times=3) == repeat.sync_call("a", 3) == ["a", "a", "a"]
    await nothing()
    if TYPE_CHECKING:
        repeat(1)  # type: ignore[arg-type]
        repeat()  # type: ignore[call-arg]
        repeat("a", 3, 4)  # type: ignore[call-arg]
        repeat("a", often=3)  # type: ignore[call-arg]
        repeat.async_call("a", "3")  # type: ignore[arg-type]
        repeat.sync_call(1)  # type: ignore[arg-type]
        double("2")  # type: ignore[arg-type]
        nothing(1)  # type: ignore[call-arg]
        _text: str = await double(2)  # type: ignore[assignment]


async def test_all_kinds_of_parameters() -> None:
    assert_type(await all_kinds("a", 1, "b", key=2), dict[str, Any])
    assert_type(await all_kinds.async_call("a"), dict[str, Any])
    assert_type(all_kinds.sync_call("a", None, "b", "c", key="d"), dict[str, Any])
    assert_type(await first_of([1], default=""), str)
    assert await first_of([], default="none") == "none"
    if TYPE_CHECKING:
        all_kinds()  # type: ignore[call-arg]
        all_kinds("a", "b")  # type: ignore[arg-type]
        all_kinds.async_call("a", 1, 2)  # type: ignore[arg-type]
        all_kinds.sync_call("a", key=1.5)  # type: ignore[arg-type]
        first_of(items=[1], default="")  # type: ignore[call-arg]
        first_of([1], "")  # type: ignore[call-arg]


async def test_functions_of_which_the_result_is_not_known() -> None:
    # They are not taken for generator functions, which are functions with another result.
    found: dict[str, int] = await parse('{"a": 1}')
    assert found == {"a": 1}
    with pytest.raises(ValueError, match="no"):
        await refuse("no")
    separate = threaded_separate(json.loads)
    assert await separate("[1]") == separate.sync_call("[1]") == [1]
    if TYPE_CHECKING:
        refuse()  # type: ignore[call-arg]
        # To mypy what has such a result is Any, with its parameters.
        parse(1)  # pyright: ignore[reportArgumentType]


async def test_the_kinds_of_wrappers() -> None:
    short: Threaded[[int], str] = threaded(str)
    separate: ThreadedSeparate[[int], str] = threaded_separate(str, detach=False)
    any_of_them: list[ThreadedBase[[int], str]] = [short, separate]
    assert [await each(1) for each in any_of_them] == ["1", "1"]
    static = threaded(staticmethod(undecorated))
    assert_type(await static(1, text="a"), str)
    assert_type(await threaded(lambda: 1)(), int)
    assert await static(1, text="a") == "1a"
    if TYPE_CHECKING:
        static("1")  # type: ignore[arg-type]
        threaded(1)  # type: ignore[call-overload]
        threaded_separate(undecorated, detach="no")  # type: ignore[call-overload]
        _other: Threaded[[str], str] = short  # type: ignore[assignment]


async def test_methods() -> None:
    account = Account("Ann")
    assert_type(await account.deposit(5), int)
    assert_type(await account.deposit.async_call(amount=5), int)
    assert_type(account.deposit.sync_call(5), int)
    assert_type(await account.owner_of(), str)
    assert account.balance == 15
    assert_type(await Account.deposit(account, 5), int)
    assert_type(Account.deposit.sync_call(account, amount=5), int)
    assert account.balance == 25
    # Bound, with the rest of the parameters.
    bound: BoundThreaded[[int], int] = account.deposit
    assert bound is account.deposit
    if TYPE_CHECKING:
        account.deposit()  # type: ignore[call-arg]
        account.deposit("5")  # type: ignore[arg-type]
        account.deposit(account, 5)  # type: ignore[call-arg, arg-type]
        account.deposit.sync_call(sum=5)  # type: ignore[call-arg]
        account.deposit.async_call("5")  # type: ignore[arg-type]
        Account.deposit(5)  # type: ignore[call-arg, arg-type]


async def test_class_methods() -> None:
    for named in (Account.named, Account("Bob").named, Savings.named):
        assert_type(await named("Ann", balance=3), Account)
        assert_type(named.sync_call("Ann"), Account)
        assert (await named("Ann", balance=3)).balance == 3
    assert type(await Savings.named("Ann")) is Savings
    if TYPE_CHECKING:
        Account.named()  # type: ignore[call-arg]
        Account.named(1)  # type: ignore[arg-type]
        Account("Bob").named("Ann", 3)  # type: ignore[call-arg]
        Savings.named.sync_call(Savings, "Ann")  # type: ignore[call-arg, arg-type]


async def test_static_methods() -> None:
    account = Savings("Ann")
    assert_type(await Account.interest(5), float)
    assert_type(await account.interest(balance=5), float)
    assert_type(account.interest.sync_call(5), float)
    assert_type(await account.currency(), str)
    assert_type(await Account.currency(), str)
    assert_type(await Account.outside_in(5), float)
    assert_type(await account.formatted(5, 3), str)
    assert_type(await Account.formatted("5", width=3), str)
    assert await account.formatted(5, 3) == await Account.formatted(5, 3) == "  5"
    assert await account.interest(5) == await Account.interest(5) == 0.5
    if TYPE_CHECKING:
        account.interest()  # type: ignore[call-arg]
        account.interest("5")  # type: ignore[arg-type]
        Account.interest(account, 5)  # type: ignore[call-arg, arg-type]
        account.currency(1)  # type: ignore[call-arg]


async def test_call() -> None:
    acall = call(undecorated)
    coroutine: Coroutine[Any, Any, str] = acall(1)
    assert_type(await coroutine, str)
    assert_type(await acall(number=1, text="a"), str)

    with ThreadPoolExecutor(1) as executor:
        assert_type(await call(undecorated, executor)(2), str)

        @call(executor=executor)
        def decorated(one: int, other: int = 2) -> tuple[int, int]:
            return one, other

        @call()
        def decorated_plainly(one: int) -> int:
            return one

        assert_type(await decorated(1, other=3), tuple[int, int])
        assert_type(await decorated_plainly(1), int)
        assert await decorated(1, other=3) == (1, 3)
    function: Callable[[int], Coroutine[Any, Any, str]] = call(undecorated)
    assert await function(3) == "3"
    if TYPE_CHECKING:
        _ = acall("1")  # type: ignore[arg-type]
        _ = acall(1, "a")  # type: ignore[call-arg]
        _ = decorated("1")  # type: ignore[arg-type]
        _ = decorated_plainly()  # type: ignore[call-arg]
        call(undecorated, 3)  # type: ignore[call-overload]
        call(executor="pool")  # type: ignore[call-overload]
