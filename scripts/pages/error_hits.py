"""The missed and invented hits of the development recordings, each with what is known about it.

Five classes, 50 ms, matched as scripts/benchmark.py does.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from librosa import mel_frequencies

from data.corpora.readers import read_mdb
from eval.inputs.annotations import read_annotation
from eval.metrics.match import Events, TrackMatch, get_scheme, match_tracks, reduce_hits
from mt3drum import Transcriber
from mt3drum.audio.log_mel import LogMel
from mt3drum.audio.recording import AudioSource, open_file, segments
from mt3drum.config import HOP, SAMPLE_RATE, AudioConfig
from mt3drum.decode.onset_head import onset_probabilities
from tokenizer.drums import DRUMS, SCHEMES
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS

MIXES = ("drum_only", "pseudo_mix", "full_mix")
WINDOW = 0.05  # seconds
STRONG, WEAK = 0.5, 0.1
"""Probability of the onset head from which its evidence for a missed hit counts as strong or weak."""
MOMENT_SECONDS = 2.0
MOMENTS = 10
MOST_A_SONG = 3
LABELS = SCHEMES["5"].labels
RANGES: Mapping[str, tuple[float, float]] = {
    "KD": (30, 120),
    "SD": (150, 8_000),
    "TT": (60, 500),
    "HH": (2_000, 18_000),
    "CY": (2_000, 18_000),
}
"""Hz: where a stroke of each label shows."""
GROUPS = ((30, 200), (200, 800), (800, 3_000), (3_000, 8_000), (8_000, 18_000))
"""Hz: an onset of anything shows in one of these."""
ONSET = 8.0
"""dB that a group of bands rises by at an onset."""
_WINDOW = 2_048  # samples: kicks are told from basses, and attacks still stand out
_BEFORE, _AFTER = slice(-9, -3), slice(-2, 6)  # frames of 10 ms; the window reaches two of them back
_DECIBEL = 20 / np.log(10)


@dataclass(frozen=True, eq=False)
class Levels:
    """Level of a recording by mel band."""

    decibel: np.ndarray
    """[mel t], at 100 frames a second."""
    hertz: np.ndarray
    """[mel] centres."""

    def rise(self, time: float, low: float, high: float) -> float:
        """dB by which the mean level of the bands low..high (Hz) is higher at `time` (s) than just before."""
        frames = self.decibel[(self.hertz >= low) & (self.hertz < high)].mean(0)
        at = min(max(round(time * SAMPLE_RATE / HOP), -_BEFORE.start), len(frames) - _AFTER.stop)
        before = frames[at + _BEFORE.start : at + _BEFORE.stop].mean()
        return float(frames[at + _AFTER.start : at + _AFTER.stop].max() - before)

    def onsets(self, time: float) -> np.ndarray:
        """[groups] which of `GROUPS` rise by `ONSET` at `time` (s)."""
        return np.array([self.rise(time, low, high) >= ONSET for low, high in GROUPS])


def measure(recording: AudioSource) -> Levels:
    """Levels of a recording at the loudness the model hears it."""
    config = AudioConfig(windows=(_WINDOW,))
    audio = np.concatenate(list(recording.blocks())) * np.float32(recording.gain)
    audio = audio[: len(audio) // HOP * HOP]
    with torch.inference_mode():
        mel = LogMel(config)(torch.from_numpy(audio)[None])[0, 0].numpy()
    centres = mel_frequencies(config.mel_bands + 2, fmin=config.low_hz, fmax=config.high_hz)[1:-1]
    return Levels(mel * _DECIBEL, centres)


def head_opinion(transcriber: Transcriber, path: Path) -> np.ndarray:
    """[t label]: the onset head's highest probability of each of the five labels, as decoding uses it.

    Args:
        transcriber: in evaluation mode on the CPU, as `Transcriber.load(device="cpu")` gives it.
    """
    recording = open_file(path)
    codec = transcriber.model.config.codec
    margin = transcriber.config.margin_steps(codec)
    label_of = np.array(SCHEMES["5"].of_class)
    opinion = np.zeros((recording.samples // HOP + codec.segment_steps, len(LABELS)), dtype=np.float32)
    for segment in segments(recording, codec, margin):
        with torch.inference_mode():
            encoded = transcriber.model.encode(torch.from_numpy(segment.audio)[None])
            probability = onset_probabilities(encoded.onset_logits, transcriber.config.onset_bias)
        middle = probability[0, margin : codec.segment_steps - margin].numpy()
        start = segment.start + margin
        for label in range(len(LABELS)):
            opinion[start : start + len(middle), label] = middle[:, label_of == label].max(1)
    return opinion


def opinion_at(opinion: np.ndarray, time: float, label: int) -> float:
    """The highest of `head_opinion` within 30 ms of `time` (s)."""
    at = round(time * SAMPLE_RATE / HOP)
    return float(opinion[max(0, at - 3) : at + 4, label].max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Take:
    """One recording in one mix, transcribed and matched."""

    song: str
    mix: str
    match: TrackMatch
    hits: tuple[Hit, ...]
    """As written."""
    removed: Events
    """Found and left out for their low confidence."""
    strokes: tuple[Hit, ...]
    """The annotation in its finer labels, with those that scoring leaves out."""
    opinion: np.ndarray
    """[t label]: `head_opinion`."""
    levels: Levels
    drums: Levels
    """Of the drums alone."""
    other: TrackMatch
    """ADTOF's estimate of the same recording, matched."""


@dataclass(frozen=True)
class Wrong:
    """A hit that was missed or invented."""

    take: Take
    kind: str
    """"missed" or "invented"."""
    time: float
    label: str
    drum: str
    why: str
    flat: bool
    """In the drums alone, the bands of its label rise by less than half of `ONSET`."""
    shared: bool
    """ADTOF's estimate has the same error."""


def listen(transcriber: Transcriber, data: Path) -> list[Take]:
    """Transcribe and match every recording in every mix."""
    takes = []
    unjudged = LABEL_MAPS["mdb_class"].unjudged
    everything = Transcriber(transcriber.model, replace(transcriber.config, minimum_confidence=0.0))
    strokes = {recording.name: recording.hits for recording in read_mdb(data, annotation="subclass")}
    drums = {
        recording.name: measure(open_file(recording.audio)) for recording in read_mdb(data) if recording.audio
    }
    for mix in MIXES:
        for recording in read_mdb(data, mix=mix):
            assert recording.audio is not None
            name, song = recording.name, recording.name.removeprefix("MusicDelta_")
            found = everything.transcribe_file(recording.audio).hits
            sure = [transcriber.config.confident(hit) for hit in found]
            hits = tuple(hit for hit, kept in zip(found, sure, strict=True) if kept)
            left = [hit for hit, kept in zip(found, sure, strict=True) if not kept]
            theirs = read_annotation(
                data / "estimates" / "adtof" / mix / f"{song}.mid", LABEL_MAPS["gm"]
            ).hits
            match, other = (
                match_tracks({name: recording.hits}, {name: estimate}, window=WINDOW, unjudged=unjudged)[0]
                for estimate in (hits, theirs)
            )
            removed = reduce_hits(left, get_scheme("5"), unjudged)
            opinion = head_opinion(transcriber, recording.audio)
            levels = measure(open_file(recording.audio))
            takes.append(
                Take(song, mix, match, hits, removed, strokes[name], opinion, levels, drums[name], other)
            )
            print(f"{song} {mix}: {len(match.missed)} missed, {len(match.false)} invented", file=sys.stderr)
    return takes


def near(times: np.ndarray, time: float) -> np.ndarray:
    """Indices of the times within the window of one."""
    return np.flatnonzero(np.abs(times - time) <= WINDOW + 1e-9)


def errors(take: Take) -> list[Wrong]:
    """Every missed and invented hit of a recording, by time."""
    label_of = SCHEMES["5"].of_class
    references, estimates = take.match.references, take.match.estimates
    found = []
    for kind, events, indices, others, drawn in (
        ("missed", references, take.match.missed, take.other.references, take.strokes),
        ("invented", estimates, take.match.false, take.other.estimates, take.hits),
    ):
        wrong = take.other.missed if kind == "missed" else take.other.false
        for i in indices.tolist():
            time, label = float(events.time[i]), int(events.label[i])
            drum = min(
                (hit for hit in drawn if label_of[hit.drum] == label), key=lambda hit: abs(hit.time - time)
            ).drum
            same = [j for j in near(others.time[wrong], time) if others.label[wrong[j]] == label]
            why = _why_missed(take, time, label) if kind == "missed" else _why_invented(take, time, label)
            flat = take.drums.rise(time, *RANGES[LABELS[label]]) < ONSET / 2
            found.append(
                Wrong(take, kind, time, LABELS[label], DRUMS[drum].name, why, flat, shared=bool(same))
            )
    return sorted(found, key=lambda wrong: wrong.time)


def _why_missed(take: Take, time: float, label: int) -> str:
    estimates, false = take.match.estimates, take.match.false
    if any(take.removed.label[near(take.removed.time, time)] == label):
        return "low confidence"
    if len(near(estimates.time[false], time)):
        return "as another"
    opinion = opinion_at(take.opinion, time, label)
    return "strong evidence" if opinion >= STRONG else "weak evidence" if opinion >= WEAK else "no evidence"


def _why_invented(take: Take, time: float, label: int) -> str:
    references, missed = take.match.references, take.match.missed
    if len(near(references.time[missed], time)):
        return "for another"
    around = near(references.time, time)
    if any(references.label[around] == label):
        return "twice"
    if len(around):
        return "beside another"
    if len(near(np.array([stroke.time for stroke in take.strokes]), time)):
        return "unscored stroke"
    drums = take.drums.onsets(time)
    if (take.levels.onsets(time) & ~drums).any():
        return "band"
    return "drums" if drums.any() else "nothing"


def worst_moments(wrong: Sequence[Wrong]) -> list[tuple[Take, float, list[Wrong]]]:
    """The windows with most errors, worst first.

    No two of one song overlap, in whatever mixes, and no song has more than `MOST_A_SONG`.
    """
    candidates = []
    for take in dict.fromkeys(each.take for each in wrong):
        own = [each for each in wrong if each.take is take]
        for start in sorted({max(0.0, int(each.time * 10) / 10 - 0.1) for each in own}):
            inside = [each for each in own if start <= each.time < start + MOMENT_SECONDS]
            candidates.append((take, start, inside))
    chosen: list[tuple[Take, float, list[Wrong]]] = []
    for take, start, inside in sorted(candidates, key=lambda candidate: -len(candidate[2])):
        of_song = [at for other, at, _ in chosen if other.song == take.song]
        apart = all(abs(at - start) >= MOMENT_SECONDS for at in of_song)
        if apart and len(of_song) < MOST_A_SONG and len(chosen) < MOMENTS:
            chosen.append((take, start, inside))
    return chosen
