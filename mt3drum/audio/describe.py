"""What a file holds: kind, length, rate, channels and audio streams, as transcription would hear it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mt3drum.audio.ffmpeg import MediaFile
from mt3drum.audio.recording import listen, open_raw


class AudioStream(NamedTuple):
    """One audio stream of a file."""

    number: int
    """Among the audio streams, from 1."""
    codec: str
    rate: int
    """Hz; 0: unknown."""
    channels: int
    """0: unknown."""
    language: str
    """As tagged, such as "eng"; "" where it is not."""
    used: bool
    """Transcription reads this one."""


@dataclass(frozen=True)
class Description:
    """One file."""

    path: Path
    kind: str
    """Container and encoding."""
    seconds: float
    """Counted, not what the header promises."""
    streams: tuple[AudioStream, ...]
    silent: bool
    warnings: tuple[str, ...]
    """What transcription would say of the file."""

    @property
    def stream(self) -> AudioStream:
        """The one that is transcribed."""
        return next(stream for stream in self.streams if stream.used)


def describe(path: Path) -> Description:
    """Read a file once, to its end.

    Raises:
        AudioError: the file is missing, holds no audio, or is of a kind nobody here reads.
    """
    source = open_raw(path)
    heard = listen(source, path)
    if isinstance(source, MediaFile):
        kind = source.kind
        streams = tuple(
            AudioStream(number, s.codec, s.rate, s.channels, s.language, s == source.stream)
            for number, s in enumerate(source.streams, 1)
        )
    else:
        kind = source.kind
        streams = (AudioStream(1, source.codec, source.rate, source.channels, "", True),)
    return Description(path, kind, heard.seconds, streams, heard.gain == 0.0, heard.warnings)
