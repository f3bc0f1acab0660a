"""What goes wrong in a command, and is told in one line."""

from __future__ import annotations

__all__ = ["CommandError"]


class CommandError(Exception):
    """What was given, what was wrong with it, and what to give instead."""
