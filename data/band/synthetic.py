"""A bank of synthesised instruments, so that a clone without any data can train."""

from pathlib import Path

import numpy as np

from data.band.notes import Instrument, NoteBank, NoteSample, join, load_notes, make_instrument, to_int16
from data.dsp import tones

_SYNTHETIC: tuple[tuple[str, str, range], ...] = (
    ("string_bass", "bass", range(28, 56, 6)),
    ("slap_bass", "bass", range(28, 56, 6)),
    ("saw_bass", "bass", range(28, 56, 6)),
    ("square_bass", "bass", range(28, 56, 6)),
    ("fm_bass", "bass", range(28, 56, 6)),
    ("steel_guitar", "guitar", range(40, 82, 5)),
    ("nylon_guitar", "guitar", range(40, 82, 5)),
    ("electric_guitar", "guitar", range(38, 84, 5)),
    ("palm_muted", "muted", range(36, 66, 5)),
    ("dead_string", "muted", range(40, 70, 6)),
    ("banjo", "pluck", range(50, 86, 5)),
    ("fm_keys", "keys", range(40, 92, 6)),
    ("fm_pluck", "pluck", range(48, 92, 6)),
    ("organ", "organ", range(36, 92, 6)),
    ("saw_pad", "pad", range(40, 84, 6)),
    ("saw_lead", "lead", range(48, 92, 6)),
    ("square_lead", "lead", range(48, 92, 6)),
    ("brass", "brass", range(44, 84, 6)),
    ("choir", "voice", range(44, 80, 5)),
)


def synthetic_notes(rng: np.random.Generator, per_kind: int = 3, noises: int = 6) -> NoteBank:
    """Synthesise a bank: strings, synthesisers, FM, organs, voices, each in `per_kind` random variants.

    Takes about a second. It also contains `noises` variants of every kind of noise.
    """
    found: list[Instrument] = []
    for index in range(per_kind):
        for kind, role, pitches in _SYNTHETIC:
            seed = int(rng.integers(2**32))  # all notes of an instrument draw the same settings
            notes = [_synthesise(kind, pitch, np.random.default_rng(seed)) for pitch in pitches]
            found.append(make_instrument(f"{kind}_{index}", "synthesised", notes, role, 6.0))
    made = {kind: tuple(tones.noise(kind, rng) for _ in range(noises)) for kind in tones.NOISE_KINDS}
    return NoteBank(tuple(found), made, (), {"synthesised": "made by this project, Apache-2.0"})


def make_bank(root: Path | None, rng: np.random.Generator, held_out: bool = False) -> NoteBank:
    """Recorded notes and clips (if root is given) plus synthesised ones; held_out: only recorded ones that
    training never uses."""
    if held_out and root is not None:
        return load_notes(root, held_out=True)
    made = synthetic_notes(rng)
    return made if root is None else join(load_notes(root), made)


def _synthesise(kind: str, pitch: int, rng: np.random.Generator) -> NoteSample:
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    seconds, u = 2.5, rng.uniform
    exact = frequency
    match kind:
        case "string_bass":
            audio, exact = tones.pluck(frequency, seconds, rng, u(1, 4), u(0.1, 0.6))
        case "slap_bass":
            audio, exact = tones.pluck(frequency, 1.5, rng, u(0.4, 1.2), u(0.75, 1.0))
            pop = tones.noise("pick", rng)
            audio[: len(pop)] += pop * u(0.3, 1.0)
        case "steel_guitar" | "nylon_guitar" | "electric_guitar" | "banjo":
            hard = {"steel_guitar": 0.8, "nylon_guitar": 0.35, "electric_guitar": 0.65, "banjo": 0.85}[kind]
            ring = u(0.3, 0.7) if kind == "banjo" else u(1.5, 4)
            audio, exact = tones.pluck(frequency, seconds, rng, ring, hard + u(-0.15, 0.15))
            pick = tones.noise("pick", rng)
            audio[: len(pick)] += pick * u(0.0, 0.5)
        case "palm_muted":
            audio, exact = tones.pluck(frequency, 0.6, rng, u(0.12, 0.4), u(0.2, 0.6))
        case "dead_string":
            audio, exact = tones.pluck(frequency, 0.25, rng, u(0.03, 0.09), u(0.3, 0.9))
            audio[:400] += tones.noise_burst(rng, u(1500, 4000), 1.0, u(0.01, 0.05))[:400] * u(0.2, 1.0)
        case "fm_bass":
            audio = tones.frequency_modulation(
                frequency, seconds, rng, rng.choice([0.5, 1.0, 2.0]), u(0.5, 5)
            )
        case "fm_keys":
            audio = tones.frequency_modulation(
                frequency, seconds, rng, rng.choice([1.0, 2.0, 14.0]), u(0.3, 2)
            )
        case "fm_pluck":
            audio = tones.frequency_modulation(
                frequency, 1.0, rng, rng.choice([1.0, 1.41, 3.0, 3.5]), u(1, 6)
            )
        case "choir":
            vowel = str(rng.choice(list(tones.FORMANTS)))
            audio = tones.choir(frequency, seconds, rng, vowel, u(0.9, 1.3))
        case _:
            shape = kind.partition("_")[2] if kind == "saw_pad" else kind.partition("_")[0]
            audio = tones.subtractive(frequency, seconds, rng, shape)
    return NoteSample(69 + 12 * float(np.log2(exact / 440)), to_int16(audio))
