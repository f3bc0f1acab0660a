"""Add up the digits of large powers of two, on two threads."""

import asyncio

from thrasks import threaded_gather


async def digit_sum(exponent: int) -> int:
    return sum(int(digit) for digit in str(2**exponent))


async def main() -> None:
    sums = [digit_sum(10**n) for n in range(1, 5)]
    print(await threaded_gather(*sums, num_threads=2))


asyncio.run(main())
