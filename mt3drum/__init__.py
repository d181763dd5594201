"""Automatic drum transcription: onset time, drum class, velocity and confidence for every hit of a recording.

import mt3drum
for hit in mt3drum.transcribe("song.wav").hits: ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mt3drum.transcriber import Transcriber, transcribe

__all__ = ["Transcriber", "__version__", "transcribe"]


def __getattr__(name: str) -> Any:
    """Import torch only when an attribute that needs it is accessed (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mt3drum")
    if name in ("Transcriber", "transcribe"):
        from mt3drum import transcriber

        return getattr(transcriber, name)
    raise AttributeError(f"module 'mt3drum' has no attribute {name!r}")
