"""Where the figures are from."""

from __future__ import annotations

__all__ = ["cores", "describe", "free_threaded", "gil_enabled", "load"]

import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path


def describe() -> dict[str, object]:
    """Return what there is to know of the machine and the interpreter."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": load(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "free_threaded": free_threaded(),
        "gil_enabled": gil_enabled(),
    }


def cpu_model() -> str:
    try:
        if sys.platform == "linux":
            for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
        elif sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or "unknown CPU"


def cores() -> int:
    """Return how many cores this process may use."""
    count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    return count() or 1


def load() -> float | None:
    """Return how many processes have wanted to run during the last minute."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def free_threaded() -> bool:
    """Say whether this interpreter can be without the GIL."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_enabled() -> bool:
    """Say whether this process has the GIL."""
    enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return enabled()
