"""Stems: they add up to the recording exactly, and hold what they should better than a gate does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.audio import stems
from mt3drum.audio.drum_model import onsets_of
from mt3drum.audio.limits import AudioError
from mt3drum.audio.stems import REST, write_stems
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

RATE = 22_050
SECONDS = 6.0


def strike(name: str, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(int(0.5 * RATE)) / RATE
    if name == "kick":
        return np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.08)
    noise = rng.normal(size=t.size)
    if name == "hihat_closed":
        return np.diff(noise, prepend=0) * np.exp(-t / 0.03) * 0.3
    return (0.5 * noise + np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.09) * 0.5


@pytest.fixture(scope="module")
def clip() -> tuple[dict[str, np.ndarray], list[Hit]]:
    """Stems by family, and the hits: kick and snare in turn, hi-hats on and between them."""
    rng = np.random.default_rng(0)
    hits, parts = [], {}
    for name, family, times in (
        ("kick", "kick", np.arange(0.25, SECONDS, 1.0)),
        ("snare_head", "snare", np.arange(0.75, SECONDS, 1.0)),
        ("hihat_closed", "hihat", np.arange(0.25, SECONDS, 0.25)),
    ):
        audio = np.zeros(int(SECONDS * RATE) + RATE)
        for time in times:
            sound = strike(name, rng)
            audio[round(time * RATE) : round(time * RATE) + sound.size] += 0.3 * sound
            hits.append(Hit(float(time), CLASS_INDEX[name], 100))
        parts[family] = audio[: int(SECONDS * RATE)]
    return parts, sorted(hits)


def recording(path: Path, parts: Mapping[str, np.ndarray], channels: int = 2) -> np.ndarray:
    """Write the mix; returns it as integers of 24 bits [samples, channels]."""
    mix = np.sum(list(parts.values()), axis=0)
    audio = np.stack([mix * (1 - 0.4 * channel) for channel in range(channels)], axis=1)
    soundfile.write(path, audio, RATE, "PCM_24")
    return soundfile.read(path, dtype="int32", always_2d=True)[0] >> 8


def read(paths: list[Path]) -> dict[str, np.ndarray]:
    return {path.stem: soundfile.read(path, dtype="int32", always_2d=True)[0] >> 8 for path in paths}


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    target = (reference @ estimate) / (reference @ reference) * reference
    return float(10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target))))


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_stems_and_rest_are_the_recording(
    tmp_path: Path, clip: tuple[dict[str, np.ndarray], list[Hit]], kind: str
) -> None:
    parts, hits = clip
    mix = recording(tmp_path / "a.wav", parts)
    paths = write_stems(tmp_path / "a.wav", hits, tmp_path / "stems", kind=kind)
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in ("kick", "snare", "hihat", REST)]
    info = soundfile.info(str(paths[0]))
    assert (info.samplerate, info.channels, info.subtype) == (RATE, 2, "PCM_24")
    assert np.array_equal(sum(read(paths).values()), mix)
    assert sorted(path.name for path in (tmp_path / "stems").iterdir()) == sorted(p.name for p in paths)


def test_each_stem_is_nearer_to_its_drum_than_the_mix_and_a_gate(
    tmp_path: Path, clip: tuple[dict[str, np.ndarray], list[Hit]]
) -> None:
    parts, hits = clip
    mix = recording(tmp_path / "a.wav", parts, 1)[:, 0].astype(float)
    found = read(write_stems(tmp_path / "a.wav", hits, tmp_path))
    for family, drum in (("kick", "kick"), ("snare", "snare_head"), ("hihat", "hihat_closed")):
        gate = np.zeros(mix.size)
        for hit in hits:
            if hit.drum == CLASS_INDEX[drum]:
                gate[round(hit.time * RATE) : round((hit.time + 0.2) * RATE)] = 1
        quality = si_sdr(parts[family], found[family][:, 0].astype(float))
        assert quality > max(si_sdr(parts[family], mix), si_sdr(parts[family], mix * gate)) + 2, family


def test_blocks_make_no_difference_to_speak_of(
    tmp_path: Path, clip: tuple[dict[str, np.ndarray], list[Hit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, hits = clip
    mix = recording(tmp_path / "a.wav", parts)
    whole = read(write_stems(tmp_path / "a.wav", hits, tmp_path / "whole"))
    monkeypatch.setattr(stems, "BLOCK_SECONDS", 2)
    monkeypatch.setattr(stems, "CONTEXT_SECONDS", 1)
    cut = read(write_stems(tmp_path / "a.wav", hits, tmp_path / "cut"))
    assert np.array_equal(sum(cut.values()), mix)
    for name in ("kick", "snare", "hihat"):
        assert np.sqrt(np.mean((cut[name] - whole[name]) ** 2.0)) < 0.1 * np.sqrt(np.mean(whole[name] ** 2.0))


def test_a_steady_tone_stays_mostly_in_the_rest(
    tmp_path: Path, clip: tuple[dict[str, np.ndarray], list[Hit]]
) -> None:
    parts, hits = clip
    tone = 0.2 * np.sin(2 * np.pi * 660 * np.arange(int(SECONDS * RATE)) / RATE)
    recording(tmp_path / "a.wav", {**parts, "tone": tone}, 1)
    rest = read(write_stems(tmp_path / "a.wav", hits, tmp_path))[REST][:, 0] / 2**23
    assert 0.6 < float(rest @ tone) / float(tone @ tone) < 1.1


def test_families_left_out_stay_in_the_rest(
    tmp_path: Path, clip: tuple[dict[str, np.ndarray], list[Hit]]
) -> None:
    parts, hits = clip
    mix = recording(tmp_path / "a.wav", parts, 1)
    paths = write_stems(tmp_path / "a.wav", hits, tmp_path / "kick", ("kick", "tom"))
    assert [path.stem for path in paths] == ["kick", REST]
    found = read(paths)
    assert np.array_equal(found["kick"] + found[REST], mix)
    assert si_sdr(parts["kick"], found["kick"][:, 0].astype(float)) > 10


def test_without_hits_all_is_rest_and_overs_add_up(tmp_path: Path) -> None:
    loud = np.where(np.arange(RATE) // 50 % 2, 1.0, -1.0)
    soundfile.write(tmp_path / "a.wav", loud, RATE, "FLOAT")
    (rest,) = write_stems(tmp_path / "a.wav", [], tmp_path / "stems")
    assert np.array_equal(read([rest])[REST][:, 0], np.clip(loud * 2**23, -(2**23), 2**23 - 1))
    hits = [Hit(0.1 * i, CLASS_INDEX["snare_head"], 100) for i in range(9)]
    paths = write_stems(tmp_path / "a.wav", hits, tmp_path / "stems")
    total = np.sum(list(read(paths).values()), axis=0)[:, 0]
    assert np.array_equal(total, np.clip(loud * 2**23, -(2**23), 2**23 - 1))


def test_nothing_is_left_of_a_recording_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="a.wav"):
        write_stems(tmp_path / "a.wav", [Hit(0.0, 0, 90)], tmp_path / "stems")
    assert not (tmp_path / "stems").exists()


def test_an_open_hat_ends_with_the_next_stroke_of_the_hat() -> None:
    names = ("hihat_open", "hihat_closed", "hihat_open", "snare_head")
    hits = [Hit(0.2 * i, CLASS_INDEX[name], 90) for i, name in enumerate(names)]
    opened, closed, last, _ = onsets_of(hits, 100.0)
    assert (opened.length, last.length) == (22, 82)  # two frames before the onset
    assert closed.length == 27
