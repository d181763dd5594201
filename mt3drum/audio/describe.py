"""Describe an audio file as transcription reads it: format, length, rate, channels, streams."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mt3drum.audio.ffmpeg import MediaFile
from mt3drum.audio.recording import listen, open_raw


class AudioStream(NamedTuple):
    """One audio stream of a file."""

    number: int
    """Number among the audio streams, from 1."""
    codec: str
    rate: int
    """Hz; 0: unknown."""
    channels: int
    """0: unknown."""
    language: str
    """Language tag, such as "eng"; "" if untagged."""
    used: bool
    """Whether transcription uses this stream."""


@dataclass(frozen=True)
class Description:
    """The properties of one file."""

    path: Path
    kind: str
    """Container and encoding."""
    seconds: float
    """Measured by decoding, not taken from the header."""
    streams: tuple[AudioStream, ...]
    silent: bool
    warnings: tuple[str, ...]
    """Warnings that transcription would give for the file."""

    @property
    def stream(self) -> AudioStream:
        """The stream that transcription uses."""
        return next(stream for stream in self.streams if stream.used)


def describe(path: Path) -> Description:
    """Read a file once, to its end.

    Raises:
        AudioError: the file is missing, contains no audio, or has an unsupported format.
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
