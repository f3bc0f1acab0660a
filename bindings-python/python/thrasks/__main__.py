"""What `python -m thrasks` does."""

from __future__ import annotations

import sys

from ._tools.command import main

if __name__ == "__main__":
    sys.exit(main())
