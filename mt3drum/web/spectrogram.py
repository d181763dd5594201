"""The spectrogram of a recording as a pyramid of small PNG tiles, for the review page."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from mt3drum.audio.recording import AudioSource
from mt3drum.config import HOP, SAMPLE_RATE, AudioConfig

TILE_FRAMES = 2_000
"""20 s at 10 ms per frame: a tile is 2,000 pixels wide."""
BANDS = 80
LOW_HZ, HIGH_HZ = 30.0, 16_000.0
AUDIO = AudioConfig(windows=(2048,), mel_bands=BANDS, low_hz=LOW_HZ, high_hz=HIGH_HZ)
"""Its mel bank is stored in `assets/mel_banks.npz`: run scripts/make_mel_banks.py after a change."""
RANGE = 60 / 20 * np.log(10)
"""Range of the shades: 60 dB, as natural logarithm of the amplitude."""
STEP = 4
"""Columns of a level that form one column of the next coarser level."""
SHADES = 16  # four bits per pixel: half a megabyte for five minutes
TOP_QUANTILE = 0.997
EDGE = 5  # frames on both sides of a tile that are computed but not drawn


def spectrogram_tiles(recording: AudioSource) -> dict[str, Any]:
    """Compute what the page needs to draw a recording at any zoom with a few tiles.

    Returns:
        `levels`: from the finest to the first that fits one tile, each with `step` (frames per column: 1, 4,
        16, ...) and `tiles` (base64 PNG images of up to `tile_frames` columns, 16 shades of grey, white is
        loud, low frequencies at the bottom; the last may be narrower); `tile_frames`, `frames_per_second`,
        `low_hz`, `high_hz`.
    """
    blocks = [tile.astype(np.float16) for tile in _levels(recording)]
    loud = np.concatenate([tile.ravel()[::7] for tile in blocks]).astype(np.float32)
    floor = float(np.log(AudioConfig().floor))
    top = max(float(np.quantile(loud, TOP_QUANTILE)), floor + RANGE)  # silence stays dark
    level, step = np.concatenate(blocks, axis=1), 1
    levels = [{"step": step, "tiles": _tiles(level, top)}]
    while level.shape[1] > TILE_FRAMES:
        level, step = coarser(level), step * STEP
        levels.append({"step": step, "tiles": _tiles(level, top)})
    return {
        "levels": levels,
        "tile_frames": TILE_FRAMES,
        "frames_per_second": SAMPLE_RATE // HOP,
        "low_hz": round(LOW_HZ),
        "high_hz": round(HIGH_HZ),
    }


def coarser(level: np.ndarray) -> np.ndarray:
    """[bands frames] -> [bands ceil(frames / STEP)]: means of `STEP` columns; the last column is repeated."""
    short = -level.shape[1] % STEP
    whole = np.pad(level, ((0, 0), (0, short)), mode="edge")
    return whole.reshape(len(level), -1, STEP).mean(axis=2, dtype=np.float32).astype(level.dtype)


def _tiles(level: np.ndarray, top: float) -> list[str]:
    tiles = []
    for start in range(0, level.shape[1], TILE_FRAMES):
        part = level[:, start : start + TILE_FRAMES].astype(np.float32)
        shade = ((part - (top - RANGE)) / RANGE * SHADES).clip(0, SHADES - 1)
        tiles.append(base64.b64encode(grey_png(shade.astype(np.uint8)[::-1])).decode("ascii"))
    return tiles


def _levels(recording: AudioSource) -> Iterator[np.ndarray]:
    """Log-mel levels [bands frames], one tile at a time."""
    import torch

    from mt3drum.audio.log_mel import LogMel

    features = LogMel(AUDIO)
    edge, length = EDGE * HOP, TILE_FRAMES * HOP
    held = np.zeros(edge, dtype=np.float32)
    blocks = recording.blocks()
    left = recording.samples
    while left > 0:
        parts, have = [held], len(held)
        for block in blocks:
            parts.append(block)
            have += len(block)
            if have >= length + 2 * edge:
                break
        held = np.concatenate(parts)
        frames = -(-min(left, length) // HOP)
        audio = np.zeros((frames + 2 * EDGE) * HOP, dtype=np.float32)
        audio[: min(len(held), len(audio))] = held[: len(audio)]
        with torch.inference_mode():
            level = features(torch.from_numpy(audio)[None])[0, 0]
        yield level[:, EDGE : EDGE + frames].numpy()
        held = held[length:]
        left -= length


def grey_png(shades: np.ndarray) -> bytes:
    """Encode [height width] values 0..15 as a PNG image."""
    height, width = shades.shape
    even = np.pad(shades, ((0, 0), (0, width % 2)))
    packed = (even[:, 0::2] << 4 | even[:, 1::2]).astype(np.uint8)
    rows = np.pad(packed, ((0, 0), (1, 0)))  # each row begins with its filter type: none
    head = struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0)  # four bits, greyscale
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
