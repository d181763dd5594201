"""What transcription in the browser needs besides the ONNX graphs, as JSON: sizes, tables, settings.

All tables and constants are read from the modules that own them, so that the browser code (`browser/`)
contains only the algorithm.
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
    "length_penalty",  # compares beams; greedy search has only one
    "classes",
    "minimum_gap",
    "exclusive_gap",
    "minimum_confidence",
    "silence_gate",
    "max_tokens",
    "margin",
    "loudness_pass",
    "confidence_calibration",
    "frames",  # settings of another decoder
}
"""Decode settings that the browser supports; all others must have their defaults."""
MAX_SECONDS = 1_200.0
"""The browser decodes a whole recording in memory: 20 minutes in stereo take 420 MB."""


def site_rules(config: ModelConfig, decoding: DecodeConfig) -> dict[str, Any]:
    """Rules and settings as plain JSON values.

    Args:
        decoding: greedy decoding with decoder and onset head.

    Raises:
        ValueError: the browser does not support the settings.
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
        raise ValueError(f"decode settings not supported in the browser: {', '.join(other)}")
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
    """Description of a log-mel spectrogram: length, stride (in frames) and mel bank of each window.

    A mel bank is stored band by band: the `first` bin of each band, its number of bins (`sizes`), and all
    weights as base64 of little-endian float32.
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
    """First bin of a band, and the bin after its last one."""
    heard = np.flatnonzero(band)
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, 0)
