"""Heap settings for long-running processes (GNU C library)."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

TRIM_SECONDS = 600.0
"""Seconds of audio between two trims."""
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_KEPT = 1 << 30  # bytes


def _libc(name: str) -> Callable[..., int] | None:
    """A function of the GNU C library, if available (musl has neither of those used here)."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def keep() -> None:
    """Keep freed memory in the heap; no effect on other C libraries.

    For training: a step frees arrays of many MiB, which would otherwise be returned to the system and cleared
    again for the next step (docs/performance.md).
    """
    mallopt = _libc("mallopt")
    if mallopt is not None:
        for option, value in ((_MMAP_THRESHOLD, _KEPT), (_TRIM_THRESHOLD, _KEPT), (_TOP_PAD, 1 << 26)):
            mallopt(option, value)


def trim() -> None:
    """Return freed memory to the system; no effect on other C libraries.

    Arrays of varying size fragment the heap (docs/reliability.md).
    """
    malloc_trim = _libc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)
