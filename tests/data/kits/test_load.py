"""Sampled kits: a miniature kit written here is read back; whatever is wrong with one names its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data.kits.load import kit_split, load_kits
from data.kits.sample import to_float
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX

BEFORE = 0.003  # seconds of silence before the attack, the most the kits have


def burst(pitch: float, seconds: float = 0.3, rate: int = SAMPLE_RATE) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    sound = 0.8 * np.cos(2 * np.pi * pitch * time) * np.exp(-time / 0.05)
    return np.concatenate([np.zeros(int(BEFORE * rate)), sound]).astype(np.float32)


def write_kit(folder: Path, *extra: dict[str, Any], **about: Any) -> Path:
    """Kick, two snare layers, hats and a splash; returns kit.json."""
    folder.mkdir(parents=True)
    sounds = {"kick": 60, "soft": 200, "loud": 220, "closed": 6000, "open": 5000, "splash": 4000, "tom": 120}
    for name, pitch in sounds.items():
        soundfile.write(folder / f"{name}.flac", burst(pitch), SAMPLE_RATE)
    entries: list[dict[str, Any]] = [
        {"file": "kick.flac", "articulation": "kick"},
        {"file": "soft.flac", "articulation": "snare_head", "velocity_low": 1, "velocity_high": 63},
        {"file": "loud.flac", "articulation": "snare_head", "velocity_low": 64, "velocity_high": 127},
        {"file": "closed.flac", "articulation": "hihat_closed", "velocity_low": None, "velocity_high": None},
        {"file": "open.flac", "articulation": "hihat_open"},
        {"file": "splash.flac", "articulation": "splash"},
        {"file": "tom.flac", "articulation": "tom1_head"},
        {"file": "tom.flac", "articulation": "other"},
        *extra,
    ]
    manifest = folder / "kit.json"
    manifest.write_text(json.dumps({"licence": "CC0-1.0", "kind": "acoustic", "samples": entries, **about}))
    return manifest


def test_a_kit_is_read_with_its_layers_and_the_attack_located(tmp_path: Path) -> None:
    write_kit(tmp_path / "mini", levels="natural", family="minis")
    (kit,) = load_kits(tmp_path)
    assert (kit.name, kit.licence, kit.kind, kit.family, kit.levels) == (
        "mini",
        "CC0-1.0",
        "acoustic",
        "minis",
        "natural",
    )
    assert kit.partial is None
    snare = kit.samples[CLASS_INDEX["snare_head"]]
    assert [(s.velocity_low, s.velocity_high) for s in snare] == [(1, 63), (64, 127)]
    (kick,) = kit.samples[CLASS_INDEX["kick"]]
    assert kick.audio.dtype == np.int16
    audio = to_float(kick.audio)
    # a cosine burst attacks at its first sample: silence up to there, nearly full level right after
    assert np.abs(audio[: kick.onset]).max(initial=0.0) < 0.01
    assert np.abs(audio[kick.onset : kick.onset + 44]).max() > 0.7
    assert kick.onset <= 44


def test_missing_classes_are_derived_and_splash_is_an_edge_of_crash1(tmp_path: Path) -> None:
    write_kit(tmp_path / "mini")
    (kit,) = load_kits(tmp_path)
    have = {name for name, drum in CLASS_INDEX.items() if drum in kit.samples}
    toms = {f"{tom}_{part}" for tom in ("tom1", "tom2", "tom3", "floor_tom") for part in ("head", "rim")}
    hats = {"hihat_closed_edge", "hihat_open_edge", "hihat_pedal"}
    assert have >= toms | hats | {"snare_rim", "crash1_edge"}
    assert have.isdisjoint({"crash1", "ride", "snare_cross_stick", "aux1"})  # nothing to make them from
    assert kit.samples[CLASS_INDEX["crash1_edge"]][0].variant.startswith("splash")
    head, rim = (kit.samples[CLASS_INDEX[name]][0].audio for name in ("snare_head", "snare_rim"))
    assert not np.array_equal(head[:1000], rim[:1000])


def test_deriving_is_the_same_every_time(tmp_path: Path) -> None:
    write_kit(tmp_path / "mini")
    first, second = load_kits(tmp_path)[0], load_kits(tmp_path)[0]
    for drum, samples in first.samples.items():
        for one, two in zip(samples, second.samples[drum], strict=True):
            np.testing.assert_array_equal(one.audio, two.audio)


def test_derived_toms_are_tuned_down(tmp_path: Path) -> None:
    write_kit(tmp_path / "mini")
    (kit,) = load_kits(tmp_path)

    def pitch(name: str) -> float:
        audio = to_float(kit.samples[CLASS_INDEX[name]][0].audio)
        return float(np.fft.rfftfreq(1 << 17, 1 / SAMPLE_RATE)[np.abs(np.fft.rfft(audio, 1 << 17)).argmax()])

    pitches = [pitch(name) for name in ("tom1_head", "tom2_head", "tom3_head", "floor_tom_head")]
    assert pitches[0] == pytest.approx(120, abs=3)
    assert pitches == sorted(pitches, reverse=True)
    assert pitches[-1] == pytest.approx(0.6 * 120, rel=0.06)


def test_other_sample_rates_and_stereo_become_mono_at_44100(tmp_path: Path) -> None:
    manifest = write_kit(tmp_path / "mini", {"file": "half.flac", "articulation": "ride"})
    soundfile.write(manifest.parent / "half.flac", np.stack([burst(800, 0.5, 22050)] * 2, axis=1), 22050)
    (kit,) = load_kits(tmp_path)
    (ride,) = kit.samples[CLASS_INDEX["ride"]]
    assert ride.audio.ndim == 1
    assert ride.audio.size == pytest.approx(0.5 * SAMPLE_RATE, abs=100)


def test_only_the_named_kits_are_loaded(tmp_path: Path) -> None:
    write_kit(tmp_path / "one")
    write_kit(tmp_path / "two")
    assert [kit.name for kit in load_kits(tmp_path)] == ["one", "two"]
    assert [kit.name for kit in load_kits(tmp_path, ["two"])] == ["two"]
    with pytest.raises(ValueError, match=r"three/kit\.json"):
        load_kits(tmp_path, ["three"])
    with pytest.raises(ValueError, match="no kit found"):
        load_kits(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"file": "kick.flac", "articulation": "gong"}, r"kit\.json: sample 8: unknown articulation 'gong'"),
        ({"file": "kick.flac", "articulation": 3}, r"kit\.json: sample 8: articulation 3"),
        ({"articulation": "kick"}, r'kit\.json: sample 8: expected an object with "file"'),
        ({"file": "../mini2/kick.flac", "articulation": "kick"}, r"kit\.json: sample 8: .*outside the kit"),
        ({"file": "/etc/passwd", "articulation": "kick"}, r"kit\.json: sample 8: .*outside the kit"),
        ({"file": "none.flac", "articulation": "kick"}, r"none\.flac: cannot read the sample"),
        ({"file": "kit.json", "articulation": "kick"}, r"kit\.json: cannot read the sample"),
        ({"file": "kick.flac", "articulation": "kick", "velocity_low": 300}, r"sample 8: velocity 300"),
        ({"file": "kick.flac", "articulation": "kick", "velocity_high": "x"}, r"sample 8: velocity 'x'"),
        ({"file": "kick.flac", "articulation": "kick", "velocity_low": 90, "velocity_high": 9}, "90\\.\\.9"),
        ("kick.flac", r"sample 8: expected an object"),
    ],
)
def test_a_bad_sample_is_one_line_that_names_it(tmp_path: Path, entry: Any, message: str) -> None:
    write_kit(tmp_path / "mini", entry)
    with pytest.raises(ValueError, match=message) as caught:
        load_kits(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_endless_sample_is_refused(tmp_path: Path) -> None:
    manifest = write_kit(tmp_path / "mini", {"file": "long.flac", "articulation": "ride"})
    soundfile.write(manifest.parent / "long.flac", np.zeros(8000 * 31, np.float32), 8000)
    with pytest.raises(ValueError, match=r"long\.flac: cannot read the sample \(longer than 30 s"):
        load_kits(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"samples": 3}', "[" * 100_000])
def test_a_bad_manifest_names_itself(tmp_path: Path, text: str) -> None:
    manifest = write_kit(tmp_path / "mini")
    manifest.write_text(text)
    with pytest.raises(ValueError, match=r"mini/kit\.json: ") as caught:
        load_kits(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_kit_of_nothing_but_silence_is_refused(tmp_path: Path) -> None:
    manifest = write_kit(tmp_path / "mini")
    soundfile.write(manifest.parent / "kick.flac", np.zeros(1000, np.float32), SAMPLE_RATE)
    manifest.write_text(json.dumps({"samples": [{"file": "kick.flac", "articulation": "kick"}]}))
    with pytest.raises(ValueError, match=r"kit\.json: no usable sample"):
        load_kits(tmp_path)


def test_the_split_is_read_from_splits_json(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"kits": {"train": ["a", "b"], "test": "a"}}))
    assert kit_split(path, "train") == ["a", "b"]
    with pytest.raises(ValueError, match=r"splits\.json: no list of kits for split 'validation'"):
        kit_split(path, "validation")
    with pytest.raises(ValueError, match=r"splits\.json: kits of split 'test'"):
        kit_split(path, "test")
    with pytest.raises(ValueError, match=r"none\.json"):
        kit_split(tmp_path / "none.json", "train")
