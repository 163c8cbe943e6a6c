"""The most memory that the process has held, since it was last asked to forget."""

import contextlib
import resource
import sys
from pathlib import Path

_FORGET = Path("/proc/self/clear_refs")


def forget_peak_memory() -> None:
    """Starts anew from what is held now, on Linux; elsewhere the peak is that since the process began."""
    with contextlib.suppress(OSError):
        _FORGET.write_text("5")  # the kernel's number for the peak of resident memory


def peak_memory_mb() -> float:
    """The most megabytes (10^6 bytes) that were resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
