"""The vocabulary: the mapping of token ids to times, drums and velocities. No other module knows a token id.

A segment is `(time (drum velocity)+)* EOS`: increasing absolute times within the segment in steps of 10 ms,
increasing drums within a time. Modelled on MT3's event codec (Gardner et al. 2021, arXiv:2111.03017).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from tokenizer.drums import DRUMS

PAD, BOS, EOS = 0, 1, 2
NUM_SPECIAL = 3
MAX_VELOCITY = 127


@dataclass(frozen=True)
class Codec:
    """Ids of the vocabulary, in the order PAD, BOS, EOS, times, drums, velocities.

    Raises:
        ValueError: the rates do not divide exactly, or a size is out of range.
    """

    steps_per_second: int = 100
    """Time resolution: 10 ms, half of the narrowest usual scoring window (20 ms)."""
    segment_steps: int = 400
    """Steps in a segment: 4 s."""
    velocity_bins: int = 32
    """128 / 32 = 4 velocities per bin."""

    def __post_init__(self) -> None:
        if not (0 < self.steps_per_second <= 1000 and 1000 % self.steps_per_second == 0):
            raise ValueError(f"steps_per_second {self.steps_per_second} must divide 1000")
        if not 0 < self.segment_steps <= 100_000:
            raise ValueError(f"segment_steps {self.segment_steps} is outside 1..100000")
        if not (0 < self.velocity_bins <= 128 and 128 % self.velocity_bins == 0):
            raise ValueError(f"velocity_bins {self.velocity_bins} must divide 128")

    @property
    def num_drums(self) -> int:
        return len(DRUMS)

    @property
    def first_time(self) -> int:
        return NUM_SPECIAL

    @property
    def first_drum(self) -> int:
        return self.first_time + self.segment_steps

    @property
    def first_velocity(self) -> int:
        return self.first_drum + self.num_drums

    @property
    def size(self) -> int:
        """Number of ids."""
        return self.first_velocity + self.velocity_bins

    @property
    def segment_seconds(self) -> float:
        return self.segment_steps / self.steps_per_second

    def step_of(self, time: float) -> int:
        """Seconds from the start of the segment to the nearest step, halves up; may be out of range."""
        return int((time * self.steps_per_second + 0.5) // 1)

    def time_of(self, step: float) -> float:
        """Steps (possibly fractional) to seconds."""
        return step / self.steps_per_second

    def velocity_bin(self, velocity: int) -> int:
        """MIDI velocity 1..127 to its bin."""
        return velocity * self.velocity_bins // 128

    def velocity_of(self, velocity_bin: float) -> int:
        """The centre of a bin (possibly fractional, from an expectation) as MIDI velocity 1..127."""
        width = 128 / self.velocity_bins
        return min(MAX_VELOCITY, max(1, int((velocity_bin + 0.5) * width)))

    def fingerprint(self) -> str:
        """A short hash of everything that defines the meaning of an id; differs for every other
        vocabulary."""
        drums = [(drum.name, drum.td17_note) for drum in DRUMS]
        meaning = {**asdict(self), "drums": drums, "special": [PAD, BOS, EOS]}
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]
