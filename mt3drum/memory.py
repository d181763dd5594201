"""What a process that transcribes for hours gives back."""

from __future__ import annotations

import ctypes
import sys

TRIM_SECONDS = 600.0
"""Of sound between two trims."""


def trim() -> None:
    """Have the GNU C library return freed memory to the system; elsewhere nothing.

    Arrays of ever other sizes leave holes in its heap: after a hundred recordings half of it was holes, and
    the process held 900 MiB where it used 620 (docs/reliability.md).
    """
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if malloc_trim is not None:
            malloc_trim(0)
