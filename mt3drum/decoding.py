"""Decoding options: a frozen dataclass, checked at construction. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

from tokenizer.codec import Codec
from tokenizer.drums import DRUMS, FAMILIES, NUM_CLASSES, SCHEMES
from tokenizer.hits import Hit

TO_FINISH = 4
"""Tokens needed for one more hit and the end of the sequence: time, drum, velocity, EOS."""
_FORMER_NAMES = {"prior_weight": "onset_weight", "prior_bias": "onset_bias"}
"""Field names in headers of earlier checkpoints -> current names."""
DECODED_SCHEMES = ("26", "16", "8", "5")
"""Values of `--scheme`: schemes whose labels are runs of neighbouring classes, as ascending drums require."""
TAUGHT = ("scheme", "classes")
"""Settings in a checkpoint's header that say what its weights were taught: no tuning changes them."""
PLAYABLE = 5.0
"""Nats of `--playable`: a hit that needs a third hand must be 150 times as likely as its absence."""
DECODERS = ("product", "frames")
"""Values of `--decoder`: decoder and onset head combined; the onset head alone, a frame-wise transcriber."""
_FRAMES: Mapping[str, Any] = {
    "onset_weight": 1.0,
    "onset_bias": -0.5,
    "minimum_confidence": 0.0,
    "confidence_calibration": (),
}
"""Defaults of `frames`. Leave-one-out selection on the development recordings gives this bias in every fold
(docs/experiments.md). Thresholds and calibration of the combined decoder do not apply to its confidence."""


@dataclass(frozen=True)
class DecodeConfig:
    """Decoding options. A checkpoint's header contains its own defaults.

    Raises:
        ValueError: a value is out of range.
    """

    beam: int = 1
    """Hypotheses per segment; 1 is greedy search."""
    onset_weight: float = 0.5
    """lambda, the weight of the onset head: 0 is the decoder alone, 1 the onset head alone."""
    onset_bias: float = -1.0
    """Added to the onset head's logits, which its loss inflates."""
    length_penalty: float = 1.0
    """Finished hypotheses are compared by score / tokens^length_penalty."""
    classes: frozenset[int] = frozenset(range(NUM_CLASSES))
    """The drum classes that the recording contains; every sound is attributed to one of them. To select which
    drums are written, use `Transcription.only`."""
    scheme: str = "26"
    """The labels to distinguish (`tokenizer.drums.SCHEMES`): the probabilities of a label's classes are added
    up before anything is chosen. A hit then has the first class of its label."""
    minimum_gap: float = 0.0
    """Minimum seconds between two hits on one drum."""
    exclusive_gap: float = 0.03
    """Minimum seconds between two classes of one instrument (`tokenizer.drums.INSTRUMENT_OF`): a snare cannot
    be struck on head and rim at the same time, although the onset head may detect both."""
    minimum_confidence: float | tuple[tuple[str, float], ...] = 0.0
    """Hits of lower calibrated confidence are dropped: one threshold for all, or pairs of family and
    threshold (0 for families not named)."""
    playable: float = 0.0
    """Penalty in nats for each hit that would need a third hand (`mt3drum.decode.preferences`); 0: off."""
    transitions: float = 0.0
    """Weight of how often human drummers strike one drum at some time after another; 0: off."""
    max_hits_per_second: int | None = None
    """Maximum number of hits in any one second of a segment."""
    silence_gate: float = 0.02
    """A segment in which the onset head stays below this probability has no hits and skips the decoder."""
    max_tokens: int = 1024
    """Maximum sequence length of a segment: 85 hits per second."""
    margin: float = 0.5
    """Seconds at both ends of a segment that belong to its neighbours."""
    margin_before: float | None = None
    """Seconds at the start of a segment that belong to the one before, if not `margin`. Live decoding has
    long ones (`mt3drum.live`)."""
    loudness_pass: bool = True
    """Estimate velocities from the model and the energy in the recording (`mt3drum.decode.velocity`) instead
    of the model alone."""
    confidence_calibration: tuple[tuple[float, float], ...] = ()
    """Points (raw, calibrated) of an increasing piecewise-linear confidence map; empty: identity."""
    frames: Mapping[str, Any] = field(default_factory=dict)
    """Overrides for decoding with the onset head alone (`with_options(decoder="frames")`)."""

    def __post_init__(self) -> None:
        bounds = {
            "beam": (1, 64),
            "onset_weight": (0, 1),
            "onset_bias": (-20, 20),
            "length_penalty": (0, 4),
            "minimum_gap": (0, 1),
            "exclusive_gap": (0, 1),
            "playable": (0, 100),
            "transitions": (0, 10),
            "silence_gate": (0, 1),
            "max_tokens": (TO_FINISH, 100_000),
            "margin": (0, 60),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} {getattr(self, name)} is outside {low}..{high}")
        if self.margin_before is not None and not 0 <= self.margin_before <= 60:
            raise ValueError(f"margin_before {self.margin_before} is outside 0..60")
        if self.scheme not in DECODED_SCHEMES:
            raise ValueError(f"scheme {self.scheme!r} is not one of {', '.join(DECODED_SCHEMES)}")
        if unknown := {family for family, _ in self._least} - set(FAMILIES):
            raise ValueError(f"minimum_confidence names no family of drums: {', '.join(sorted(unknown))}")
        if not all(0 <= least <= 1 for _, least in self._least):
            raise ValueError(f"minimum_confidence {self.minimum_confidence} is outside 0..1")
        for name in ("beam", "max_tokens", "max_hits_per_second"):
            if not isinstance(getattr(self, name), int | None):
                raise ValueError(f"{name} {getattr(self, name)!r} is not a whole number")
        if not isinstance(self.loudness_pass, bool):
            raise ValueError(f"loudness_pass {self.loudness_pass!r} is neither true nor false")
        if not self.classes or not self.classes <= set(range(NUM_CLASSES)):
            raise ValueError(f"classes {sorted(self.classes)} must be some of 0..{NUM_CLASSES - 1}")
        if not self.written:
            raise ValueError(
                f"scheme {self.scheme} has no label for any of the classes {sorted(self.classes)}"
            )
        if self.max_hits_per_second is not None and not 1 <= self.max_hits_per_second <= 1000:
            raise ValueError(f"max_hits_per_second {self.max_hits_per_second} is outside 1..1000")
        points = self.confidence_calibration
        if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in points) or any(
            a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(points)
        ):
            raise ValueError(f"confidence_calibration {points} must be rising points in 0..1")
        if self.frames:
            if not isinstance(self.frames, Mapping) or {"frames", "onset_weight"} & set(self.frames):
                raise ValueError(f"frames {self.frames} must be decoding settings, without onset_weight")
            DecodeConfig.from_dict(self.frames)

    def with_options(self, options: Mapping[str, Any]) -> DecodeConfig:
        """A copy with some fields replaced. The option `decoder` is not a field: "frames" first applies the
        overrides for decoding with the onset head alone. A mapping for `minimum_confidence` changes the
        thresholds of the families that it names.

        Raises:
            ValueError: a name is unknown, or a value has the wrong type or is out of range.
        """
        options = dict(options)
        decoder = options.pop("decoder", "product")
        if decoder not in DECODERS:
            raise ValueError(f"decoder {decoder!r} is not one of {', '.join(DECODERS)}")
        frames = {**_FRAMES, **self.frames} if decoder == "frames" else {}
        base = DecodeConfig.from_dict({**self.to_dict(), **frames})
        if isinstance(least := options.get("minimum_confidence"), Mapping):
            options["minimum_confidence"] = {**dict(base._least), **least}
        chosen = DecodeConfig.from_dict({**base.to_dict(), **options})
        if DECODED_SCHEMES.index(chosen.scheme) < DECODED_SCHEMES.index(self.scheme):
            raise ValueError(f"scheme {chosen.scheme}: this checkpoint tells only {self.scheme} labels apart")
        if decoder == "frames" and chosen.onset_weight != 1:
            raise ValueError(f"onset_weight {chosen.onset_weight} is not for the decoder frames, which has 1")
        return chosen

    @property
    def written(self) -> frozenset[int]:
        """The classes that hits can have: of `classes`, or the first of each label that holds one of them."""
        return SCHEMES[self.scheme].written(self.classes)

    @property
    def _least(self) -> tuple[tuple[str, float], ...]:
        given = self.minimum_confidence
        return given if isinstance(given, tuple) else tuple((family, given) for family in FAMILIES)

    def confident(self, hit: Hit) -> bool:
        """Whether a hit reaches the confidence threshold of its family."""
        return hit.confidence >= self.least(hit.drum)

    def least(self, drum: int) -> float:
        """The confidence threshold of a drum's family."""
        return dict(self._least).get(DRUMS[drum].family, 0.0)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> DecodeConfig:
        """From the JSON of a checkpoint's header (`to_dict`). Names of earlier versions are accepted.

        Raises:
            ValueError: a name is unknown, or a value has the wrong type or is out of range.
        """
        if not isinstance(values, Mapping):
            raise ValueError("not decoding settings: no mapping of names to values")
        if both := [old for old, new in _FORMER_NAMES.items() if {old, new} <= set(values)]:
            raise ValueError(f"{both[0]} is now called {_FORMER_NAMES[both[0]]}; give only that")
        values = {_FORMER_NAMES.get(name, name): value for name, value in values.items()}
        unknown = set(values) - {field.name for field in fields(DecodeConfig)}
        if unknown:
            raise ValueError(f"unknown decoding settings: {', '.join(sorted(unknown))}")
        try:
            if "classes" in values:
                values["classes"] = frozenset(values["classes"])
            if "confidence_calibration" in values:
                values["confidence_calibration"] = tuple((x, y) for x, y in values["confidence_calibration"])
            if "scheme" in values:
                values["scheme"] = str(values["scheme"])  # YAML and --decode take 8 for a number
            least = values.get("minimum_confidence")
            if isinstance(least, Mapping):
                values["minimum_confidence"] = tuple(least.items())
            return DecodeConfig(**values)
        except TypeError as error:
            raise ValueError(f"not decoding settings: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        least = self.minimum_confidence
        return {
            **values,
            "classes": sorted(self.classes),
            "confidence_calibration": list(self.confidence_calibration),
            "minimum_confidence": dict(least) if isinstance(least, tuple) else least,
            "frames": dict(self.frames),
        }

    def margin_steps(self, codec: Codec) -> int:
        """The margin in whole steps, at most a quarter of the segment."""
        return min(round(self.margin * codec.steps_per_second), codec.segment_steps // 4)

    def steps_before(self, codec: Codec) -> int:
        """The margin at the start in whole steps; at least an eighth of the segment is left between the
        two."""
        if self.margin_before is None:
            return self.margin_steps(codec)
        most = codec.segment_steps - codec.segment_steps // 8 - self.margin_steps(codec)
        return min(round(self.margin_before * codec.steps_per_second), most)

    def gap_steps(self, codec: Codec) -> int:
        """`minimum_gap` in whole steps."""
        return round(self.minimum_gap * codec.steps_per_second)
