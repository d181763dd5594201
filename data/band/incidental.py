"""Sounds on a band recording other than its parts: studio noises and recorded clips."""

from __future__ import annotations

import numpy as np

from data.band.config import BandConfig
from data.band.notes import NoteBank
from data.band.song import Song
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

INCIDENTALS = ("squeak", "cough", "scratch", "pick", "breath", "click")


def incidental(bank: NoteBank, song: Song, rng: np.random.Generator, config: BandConfig) -> Audio:
    """Studio and player noises: a click track or count-in, squeaks, coughs, record scratches."""
    samples = round(song.seconds * SAMPLE_RATE)
    track = np.zeros(samples, dtype=np.float32)
    if rng.random() < config.click_track:
        sound = bank.noise("beep" if rng.random() < config.click_beeps else "click", rng)
        last = song.seconds if rng.random() < config.click_throughout else song.start + 2 * song.bar
        times = [song.start + index * song.beat for index in range(int((last - song.start) / song.beat))]
        plan = [(time, sound) for time in times]
    else:
        kinds = rng.choice(INCIDENTALS, int(rng.integers(*config.noises)))
        plan = [(float(rng.uniform(0, song.seconds)), bank.noise(str(kind), rng)) for kind in kinds]
    for time, sound in plan:
        start = round(time * SAMPLE_RATE)
        if 0 <= start < samples:
            part = sound[: samples - start]
            track[start : start + len(part)] += np.float32(rng.uniform(0.4, 1)) * part
    return track


def loop(bank: NoteBank, samples: int, rng: np.random.Generator) -> Audio:
    """An excerpt of a random clip, repeated if it is too short."""
    clip = bank.loops[int(rng.integers(len(bank.loops)))]
    start = int(rng.integers(len(clip)))
    return np.take(clip, np.arange(start, start + samples), mode="wrap") * np.float32(1 / 32_000)
