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
"""Tokens a sequence at rest needs for one more hit and its end: time, drum, velocity, EOS."""
_FORMER_NAMES = {"prior_weight": "onset_weight", "prior_bias": "onset_bias"}
"""Names in the headers of earlier checkpoints -> today's."""
DECODED_SCHEMES = ("26", "16", "8", "5")
"""Of `--scheme`: those whose labels are runs of neighbouring classes, as rising drums need."""
TAUGHT = ("scheme", "classes")
"""Settings in a checkpoint's header that say what its weights were taught: no tuning changes them."""
PLAYABLE = 5.0
"""Nats of `--playable`: a stroke of a third hand is written where it is 150 times as likely as not."""
DECODERS = ("product", "frames")
"""Of `--decoder`: decoder and onset head together; the onset head alone, a frame-wise transcriber."""
_FRAMES: Mapping[str, Any] = {
    "onset_weight": 1.0,
    "onset_bias": -0.5,
    "minimum_confidence": 0.0,
    "confidence_calibration": (),
}
"""What `frames` starts from: the bias that leaving out any one development recording chooses
(docs/experiments.md). Bounds and calibration of the product say nothing of another confidence."""


@dataclass(frozen=True)
class DecodeConfig:
    """How to decode. The defaults of a checkpoint's own are in its header.

    Raises:
        ValueError: a value is out of range.
    """

    beam: int = 1
    """Beams a segment; 1 is greedy."""
    onset_weight: float = 0.5
    """lambda: 0 is the decoder alone, 1 the onset head alone (a frame-wise transcriber)."""
    onset_bias: float = -1.0
    """Added to the onset head's logits, which its loss inflates."""
    length_penalty: float = 1.0
    """Finished beams are compared by score / tokens^this."""
    classes: frozenset[int] = frozenset(range(NUM_CLASSES))
    """The vocabulary: the drum classes that a recording holds: all that sounds is taken for one of them. To
    choose what is written, use `Transcription.only`."""
    scheme: str = "26"
    """The labels that are told apart (`tokenizer.drums.SCHEMES`): probabilities of the classes of a label are
    added up before anything is chosen. A hit then has the first class of its label."""
    minimum_gap: float = 0.0
    """Least seconds before one drum is struck again."""
    exclusive_gap: float = 0.03
    """Least seconds between two classes of one instrument (`tokenizer.drums.INSTRUMENT_OF`): a snare is not
    struck on its head and its rim at once, however alike they sound to the onset head."""
    minimum_confidence: float | tuple[tuple[str, float], ...] = 0.0
    """Hits of less calibrated confidence are left out: one bound for all, or pairs of family and bound (0 for
    those not named)."""
    playable: float = 0.0
    """Taken, in nats, from the score of each stroke that would need a third hand
    (`mt3drum.decode.preferences`); 0: off."""
    transitions: float = 0.0
    """Weight of how often human drummers strike a drum at some time after another; 0: off."""
    max_hits_per_second: int | None = None
    """Most hits in any one second of a segment."""
    silence_gate: float = 0.02
    """A segment in which the onset head stays below this has no hits and skips the decoder."""
    max_tokens: int = 1024
    """Longest sequence of one segment: 85 hits a second."""
    margin: float = 0.5
    """Seconds at both ends of a segment that are left to its neighbours."""
    confidence_calibration: tuple[tuple[float, float], ...] = ()
    """Points (raw, calibrated) of a piecewise-linear map of the confidence, rising; none: identity."""
    frames: Mapping[str, Any] = field(default_factory=dict)
    """Fields that differ where the onset head decodes alone (`with_options(decoder="frames")`)."""

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
        if self.scheme not in DECODED_SCHEMES:
            raise ValueError(f"scheme {self.scheme!r} is none of {', '.join(DECODED_SCHEMES)}")
        if unknown := {family for family, _ in self._least} - set(FAMILIES):
            raise ValueError(f"minimum_confidence names no family of drums: {', '.join(sorted(unknown))}")
        if not all(0 <= least <= 1 for _, least in self._least):
            raise ValueError(f"minimum_confidence {self.minimum_confidence} is outside 0..1")
        for name in ("beam", "max_tokens", "max_hits_per_second"):
            if not isinstance(getattr(self, name), int | None):
                raise ValueError(f"{name} {getattr(self, name)!r} is not a whole number")
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
        """With some fields replaced. The option `decoder` is no field: "frames" replaces those that decode by
        the onset head alone, before the other options are heeded. A mapping for `minimum_confidence` changes
        the bounds of the families that it names.

        Raises:
            ValueError: a name is unknown or a value is of the wrong kind or out of range.
        """
        options = dict(options)
        decoder = options.pop("decoder", "product")
        if decoder not in DECODERS:
            raise ValueError(f"decoder {decoder!r} is none of {', '.join(DECODERS)}")
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
        """Whether a hit's calibrated confidence suffices for its family."""
        return hit.confidence >= dict(self._least).get(DRUMS[hit.drum].family, 0.0)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> DecodeConfig:
        """From the JSON of a checkpoint's header (`to_dict`); unknown names are an error, names of earlier
        versions are read.

        Raises:
            ValueError: a name is unknown or a value is of the wrong kind or out of range.
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

    def gap_steps(self, codec: Codec) -> int:
        """The least gap in whole steps."""
        return round(self.minimum_gap * codec.steps_per_second)
