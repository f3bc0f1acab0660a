"""The commands of `python -m thrasks`. Nothing else imports them."""

from __future__ import annotations

__all__: list[str] = []
