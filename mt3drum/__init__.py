"""mt3drum: a recording of drums in, a score out.

    import mt3drum
    for hit in mt3drum.transcribe("song.wav").hits: ...

`mt3drum.transcribe` is a module that can be called (the function has its name); the whole ladder is there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mt3drum.transcribe import Transcriber, transcribe

__all__ = ["Transcriber", "__version__", "transcribe"]


def __getattr__(name: str) -> Any:
    """Import torch only when something that needs it is asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mt3drum")
    if name == "transcribe":
        return import_module("mt3drum.transcribe")
    if name == "Transcriber":
        return import_module("mt3drum.transcribe").Transcriber
    raise AttributeError(f"module 'mt3drum' has no attribute {name!r}")
