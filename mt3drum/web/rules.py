"""What the browser needs beside the graphs: sizes, tables, decode settings and constants, as one JSON object.

Everything that a rule of transcription takes from a table or a constant is read from the modules that own it,
so that the browser's code (`browser/`) holds the steps and no number of its own.
"""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import Any

import numpy as np

from mt3drum.audio import downmix, limits, recording
from mt3drum.audio.log_mel import LONG_WINDOW, mel_filters
from mt3drum.config import HOP, SAMPLE_RATE, AudioConfig, ModelConfig
from mt3drum.decode import hypothesis, onset_head, stitch, velocity
from mt3drum.decoding import TO_FINISH, DecodeConfig
from mt3drum.web import page, spectrogram
from mt3drum.web.score_rules import score_rules
from tokenizer.codec import BOS, EOS, MAX_VELOCITY, NUM_SPECIAL, PAD, Codec
from tokenizer.drums import DRUMS, INSTRUMENT_OF
from tokenizer.hits import SAME_STROKE

_KNOWN = {
    "onset_weight",
    "onset_bias",
    "length_penalty",  # compares beams; a greedy search has one
    "classes",
    "minimum_gap",
    "exclusive_gap",
    "minimum_confidence",
    "silence_gate",
    "max_tokens",
    "margin",
    "loudness_pass",
    "confidence_calibration",
    "frames",  # of another way to decode
}
"""Decode settings that the browser heeds; the others must be as usual."""
MAX_SECONDS = 1_200.0
"""The browser decodes a whole recording at once: 20 minutes in stereo are 420 MB."""


def site_rules(config: ModelConfig, decoding: DecodeConfig) -> dict[str, Any]:
    """Plain JSON values.

    Args:
        decoding: greedy, by decoder and onset head.

    Raises:
        ValueError: the settings ask for what the browser does not do.
    """
    usual = DecodeConfig()
    other = [
        f"{field.name} {getattr(decoding, field.name)!r}"
        for field in fields(DecodeConfig)
        if field.name not in _KNOWN and getattr(decoding, field.name) != getattr(usual, field.name)
    ]
    if decoding.onset_weight == 1:
        other.append("onset_weight 1 (the onset head alone)")
    if other:
        raise ValueError(f"decode settings that the browser has not: {', '.join(other)}")
    return {
        "codec": _codec(config.codec),
        "model": {
            "decoderLayers": config.decoder_layers,
            "heads": config.width // config.head_width,
            "headWidth": config.head_width,
        },
        "decoding": _decoding(decoding, config.codec),
        "audio": _audio(),
        "features": features(config.audio),
        "spectrogram": _spectrogram(),
        "instruments": list(INSTRUMENT_OF),
        "page": page.page_tables(),
        "score": score_rules(),
    }


def _codec(codec: Codec) -> dict[str, Any]:
    return {
        "pad": PAD,
        "bos": BOS,
        "eos": EOS,
        "special": NUM_SPECIAL,
        "firstTime": codec.first_time,
        "firstDrum": codec.first_drum,
        "firstVelocity": codec.first_velocity,
        "size": codec.size,
        "steps": codec.segment_steps,
        "perSecond": codec.steps_per_second,
        "velocityBins": codec.velocity_bins,
        "maxVelocity": MAX_VELOCITY,
        "fingerprint": codec.fingerprint(),
    }


def _decoding(decoding: DecodeConfig, codec: Codec) -> dict[str, Any]:
    return {
        "onsetWeight": decoding.onset_weight,
        "onsetBias": decoding.onset_bias,
        "classes": sorted(decoding.classes),
        "gapSteps": decoding.gap_steps(codec),
        "minimumGap": decoding.minimum_gap,
        "exclusiveGap": decoding.exclusive_gap,
        "leastConfidence": [decoding.least(drum) for drum in range(len(DRUMS))],
        "silenceGate": decoding.silence_gate,
        "maxTokens": decoding.max_tokens,
        "marginSteps": decoding.margin_steps(codec),
        "calibration": [list(point) for point in decoding.confidence_calibration],
        "toFinish": TO_FINISH,
        "window": hypothesis.WINDOW,
        "tiny": hypothesis.TINY,
        "floor": onset_head.FLOOR,
        "suppress": onset_head.SUPPRESS,
        "sameStroke": SAME_STROKE,
        "refined": stitch.REFINED,
        "loudnessPass": decoding.loudness_pass,
        "attack": list(velocity.ATTACK),
        "before": list(velocity.BEFORE),
        "fewest": velocity.FEWEST,
        "leastEnergy": velocity.LEAST,
    }


def _audio() -> dict[str, Any]:
    return {
        "sampleRate": SAMPLE_RATE,
        "hop": HOP,
        "targetPeak": recording.TARGET_PEAK,
        "clip": recording.CLIP,
        "silence": recording.SILENCE,
        "peakBlock": recording.PEAK_BLOCK,
        "peakQuantile": recording.PEAK_QUANTILE,
        "maxSeconds": MAX_SECONDS,
        "block": limits.BLOCK,
        "lost": downmix.LOST,
        "often": downmix.OFTEN,
        "quiet": downmix.QUIET,
    }


def _spectrogram() -> dict[str, Any]:
    return {
        "features": features(spectrogram.AUDIO),
        "tileFrames": spectrogram.TILE_FRAMES,
        "range": float(spectrogram.RANGE),
        "step": spectrogram.STEP,
        "shades": spectrogram.SHADES,
        "topQuantile": spectrogram.TOP_QUANTILE,
        "edge": spectrogram.EDGE,
        "lowHz": round(spectrogram.LOW_HZ),
        "highHz": round(spectrogram.HIGH_HZ),
    }


def features(config: AudioConfig) -> dict[str, Any]:
    """Of a log-mel spectrogram: for each window its length, stride (frames held) and bank.

    A bank is its bands one after the other: `first` bin of each, number of bins (`sizes`), and all weights,
    in base64 of little-endian float32.
    """
    channels = []
    for window in config.windows:
        bank = mel_filters(window, config)
        bank = bank / bank.sum(axis=1, keepdims=True).clip(min=1.0)
        spans = [_span(band) for band in bank]
        weights = np.concatenate([band[low:high] for band, (low, high) in zip(bank, spans, strict=True)])
        channels.append(
            {
                "window": window,
                "stride": 2 if window >= LONG_WINDOW else 1,
                "first": [low for low, _ in spans],
                "sizes": [high - low for low, high in spans],
                "weights": base64.b64encode(weights.astype("<f4").tobytes()).decode("ascii"),
            }
        )
    return {"floor": config.floor, "bands": config.mel_bands, "channels": channels}


def _span(band: np.ndarray) -> tuple[int, int]:
    """First bin of a band, and one past its last."""
    heard = np.flatnonzero(band)
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, 0)
