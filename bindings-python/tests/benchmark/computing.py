"""Work for a processor, and another way to what it results in."""

from __future__ import annotations

import json
from typing import Any


def fibonacci(n: int) -> int:
    """Add up, n times: with numbers of thousands of bits."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def fibonacci_by_doubling(n: int) -> int:
    """Return the same, by another way."""
    return _pair(n)[0]


def _pair(n: int) -> tuple[int, int]:
    """Return two of them: F(2k) = F(k) (2 F(k+1) - F(k)), F(2k+1) = F(k)^2 + F(k+1)^2."""
    if n == 0:
        return 0, 1
    a, b = _pair(n // 2)
    c, d = a * (2 * b - a), a * a + b * b
    return (d, c + d) if n % 2 else (c, d)


def document(number: int) -> dict[str, Any]:
    """Return something to be written as JSON, of some hundred bytes."""
    return {
        "id": number,
        "name": f"record {number}",
        "tags": ["a", "bc", "def"],
        "price": number * 1.25,
        "nested": {"on": number % 2 == 0, "none": None, "values": list(range(20))},
    }


def through_json(value: Any, times: int) -> tuple[int, Any]:
    """Write and read a value again and again. Return how much was written, and what was read."""
    written = 0
    for _ in range(times):
        text = json.dumps(value)
        written += len(text)
        value = json.loads(text)
    return written, value
