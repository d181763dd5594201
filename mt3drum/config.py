"""Model configuration: frozen dataclasses, validated at construction and stored in every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from tokenizer.codec import Codec

SAMPLE_RATE = 44_100  # Hz: cymbals have energy up to 18 kHz
HOP = 441  # samples: 10 ms exactly, one frame per time step of the codec
_MOST = {
    "width": 4096,
    "head_width": 4096,
    "encoder_layers": 64,
    "decoder_layers": 64,
    "feed_forward": 64,
    "stem_channels": 4096,
}
"""Bounds of sizes: checkpoints are untrusted."""
PATCH_BANDS = 16
"""Mel bands of a patch of the stem `patch`."""
PARTS = {
    "stem": ("conv", "patch", "fused"),
    "encoder": ("transformer", "conformer", "gru"),
    "head": ("independent", "instrument"),
}
"""Parts of the network and their variants, the usual one first."""


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


@dataclass(frozen=True)
class AudioConfig:
    """Two log-mel spectrograms of one recording, as two channels.

    Raises:
        ValueError: a value is out of range.
    """

    windows: tuple[int, ...] = (1024, 4096)
    """Window lengths in samples: 23 ms resolves the attack, 93 ms pitch and decay."""
    mel_bands: int = 128
    low_hz: float = 30.0
    high_hz: float = 18_000.0
    floor: float = 1e-5
    """Added to the mean band amplitude before the logarithm: -100 dB of full scale."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.windows) <= 8 or not all(_whole(w, HOP, 16_384) for w in self.windows):
            raise ValueError(f"windows {self.windows} must be at most 8, of {HOP}..16384 samples each")
        if not _whole(self.mel_bands, 16, 512) or self.mel_bands % 8:
            raise ValueError(f"mel_bands {self.mel_bands} must be a multiple of 8 in 16..512")
        if not 0 <= self.low_hz < self.high_hz <= SAMPLE_RATE / 2:
            raise ValueError(f"band edges {self.low_hz}..{self.high_hz} Hz are outside 0..{SAMPLE_RATE / 2}")
        if not 0 < self.floor < 1:
            raise ValueError(f"floor {self.floor} is outside 0..1")


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the network.

    Raises:
        ValueError: a value is out of range, or the codec's rate is not one step per frame.
    """

    width: int = 256
    head_width: int = 64
    encoder_layers: int = 4
    decoder_layers: int = 2
    """0: no decoder; the onset head alone, a frame-wise transcriber."""
    feed_forward: int = 4
    """Width of the feed-forward layers as a multiple of `width`."""
    stem_channels: int = 32
    dropout: float = 0.0
    """Dropout in the feed-forward layers. Off by default: the data are augmented anyway, and its random
    numbers took 13 % of a CPU step."""
    stem: str = "conv"
    """conv: two convolutions; patch: patches of 16 bands and 20 ms; fused: one conv stem for each window."""
    frequency_gate: bool = False
    """Weight the bands after the convolutions by the content of the segment (stems conv and fused)."""
    encoder: str = "transformer"
    """transformer, conformer, or gru (recurrent layers, the baseline)."""
    head: str = "independent"
    """Onset head. independent: a sigmoid for each class; instrument: a softmax over the ways of striking each
    instrument and not striking it."""
    audio: AudioConfig = field(default_factory=AudioConfig)
    codec: Codec = field(default_factory=Codec)

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            least = 0 if name == "decoder_layers" else 1
            if not _whole(getattr(self, name), least, most):
                raise ValueError(
                    f"{name} {getattr(self, name)!r} is outside {least}..{most} or no whole number"
                )
        if self.width % self.head_width or self.head_width % 4:
            raise ValueError(f"width {self.width} must be a multiple of head_width {self.head_width}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is outside 0..1")
        self._check_parts()
        if self.codec.steps_per_second * HOP != SAMPLE_RATE:
            raise ValueError(
                f"the codec has {self.codec.steps_per_second} steps a second, the audio "
                f"{SAMPLE_RATE // HOP} frames"
            )
        if not _whole(self.codec.segment_steps, 2, 6000) or self.codec.segment_steps % 2:
            raise ValueError(
                f"segment_steps {self.codec.segment_steps} must be even, an encoder state is 2 frames, and "
                "at most 6000, a minute"
            )

    def _check_parts(self) -> None:
        for name, variants in PARTS.items():
            if getattr(self, name) not in variants:
                raise ValueError(f"{name} {getattr(self, name)!r} is not one of {', '.join(variants)}")
        if not isinstance(self.frequency_gate, bool):
            raise ValueError(f"frequency_gate {self.frequency_gate!r} is neither true nor false")
        if self.stem == "patch" and (self.frequency_gate or self.audio.mel_bands % PATCH_BANDS):
            raise ValueError(
                f"stem patch takes mel_bands in multiples of {PATCH_BANDS}, not {self.audio.mel_bands}, and "
                "no frequency_gate"
            )
        if self.stem == "fused" and len(self.audio.windows) < 2:
            raise ValueError("stem fused joins the stems of at least two windows")

    @property
    def variants(self) -> list[str]:
        """The parts that are not the usual ones, such as `encoder gru`."""
        found = [
            f"{name} {getattr(self, name)}"
            for name, usual in PARTS.items()
            if getattr(self, name) != usual[0]
        ]
        return found + ["frequency_gate"] * self.frequency_gate

    @property
    def segment_samples(self) -> int:
        return self.codec.segment_steps * HOP

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ModelConfig:
        """The inverse of `to_dict`.

        Raises:
            ValueError: a field is missing, unknown or out of range.
        """
        try:
            inner = {
                "audio": AudioConfig(**{**values["audio"], "windows": tuple(values["audio"]["windows"])}),
                "codec": Codec(**values["codec"]),
            }
            return ModelConfig(**{**values, **inner})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a model configuration: {error}") from error


PRESETS: Mapping[str, ModelConfig] = MappingProxyType(
    {
        "tiny": ModelConfig(
            width=32,
            head_width=16,
            encoder_layers=1,
            decoder_layers=1,
            feed_forward=2,
            stem_channels=4,
            audio=AudioConfig(mel_bands=32),
        ),
        "mini": ModelConfig(width=128, head_width=32, encoder_layers=3, decoder_layers=1, stem_channels=16),
        "small": ModelConfig(),
        "base": ModelConfig(width=512, encoder_layers=8, decoder_layers=3, stem_channels=48),
        "large": ModelConfig(width=768, encoder_layers=10, decoder_layers=4, stem_channels=64),
    }
)
