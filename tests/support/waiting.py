"""Waiting for what comes by itself; how long that may take is nobody's concern but of what hangs."""

import time
from collections.abc import Callable
from typing import Final

HANGS_AFTER_S: Final = 900.0
"""Ends what hangs: many times what anything here takes on a machine that is busy with other things."""


def eventually(condition: Callable[[], bool], what: str = "what was waited for") -> None:
    """Waits until a condition holds."""
    ends_s = time.monotonic() + HANGS_AFTER_S
    while not condition():
        assert time.monotonic() < ends_s, f"did not come: {what}"
        time.sleep(0.02)
