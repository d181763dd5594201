"""What the heap of a long process gives back, and what it keeps."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TRIM_SECONDS = 600.0
"""Of sound between two trims."""
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_KEPT = 1 << 30  # bytes


def _libc(name: str) -> Callable[..., int] | None:
    """A function of the GNU C library, where there is one (musl has neither of those used here)."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def keep() -> None:
    """Have the heap keep what is freed; elsewhere nothing.

    For training: a step frees arrays of many MiB, which else go back to the system, to be asked for and
    cleared again in the next (docs/performance.md).
    """
    mallopt = _libc("mallopt")
    if mallopt is not None:
        for option, value in ((_MMAP_THRESHOLD, _KEPT), (_TRIM_THRESHOLD, _KEPT), (_TOP_PAD, 1 << 26)):
            mallopt(option, value)


def trim() -> None:
    """Have the heap return what is freed; elsewhere nothing.

    Arrays of ever other sizes leave holes in it (docs/reliability.md).
    """
    malloc_trim = _libc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


@contextmanager
def without_collector() -> Iterator[None]:
    """For imports, which make many objects and no garbage: looking for it is a tenth of torch's."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
