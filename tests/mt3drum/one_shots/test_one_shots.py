"""Samples of single drums: what is measured, how they are named, labels that are kept, kits."""

from __future__ import annotations

import json
import os
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.kits.load import load_kit
from data.kits.synth import synthesise_kit
from mt3drum.audio.limits import AudioError
from mt3drum.config import SAMPLE_RATE
from mt3drum.one_shots import library
from mt3drum.one_shots.facts import MAX_SECONDS, measure, read_sample
from mt3drum.one_shots.kit import MOST_PER_DRUM, choose, write_kit
from mt3drum.one_shots.library import Label, digest, label_samples, read_labels, to_csv, to_json
from mt3drum.one_shots.names import name_of, prior
from mt3drum.result import Failure
from mt3drum.transcriber import Transcriber
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.whole_file import whole_folder

LABEL = Label("a.wav", "kick", 0.9, "kick", 0.95, "KD", 0.95, -1.0, -6.0, 1.5, 0.4, 1, "ab")


def hit(seconds: float = 0.5, start: float = 0.01, rise: float = 0.0, decay: float = 0.1) -> np.ndarray:
    """A tone of 200 Hz that rises linearly, then decays."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    shape = np.clip(time / rise, 0, 1) if rise else np.ones_like(time)
    sound = np.sin(2 * np.pi * 200 * time + 1.5) * shape * np.exp(-np.maximum(time - rise, 0) / decay)
    return np.concatenate((np.zeros(round(start * SAMPLE_RATE)), 0.5 * sound)).astype(np.float32)


def write(path: Path, audio: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, SAMPLE_RATE, "FLOAT" if path.suffix == ".wav" else None)
    return path


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber.load(precision="float32", device="cpu")


def test_what_is_measured() -> None:
    fast, slow = measure(hit()), measure(hit(rise=0.05))
    assert fast.peak_db == pytest.approx(20 * np.log10(0.5), abs=0.1)
    assert fast.attack_ms < 3 and 25 < slow.attack_ms < 50  # 10 % to 90 % of 50 ms is 40
    expected = np.sqrt((hit(start=0.0)[: int(0.15 * SAMPLE_RATE)].astype(float) ** 2).mean())
    assert fast.loudness_db == pytest.approx(20 * np.log10(expected), abs=0.1)
    assert measure(hit(2.0, decay=0.1)).seconds == pytest.approx(0.1 * np.log(1000), abs=0.03)
    assert measure(hit(2.0, decay=0.1, start=0.7)).seconds == measure(hit(2.0, decay=0.1)).seconds
    assert (fast.strokes, measure(np.concatenate((hit(), hit(), hit()))).strokes) == (1, 3)


@pytest.mark.parametrize("factor", [0.001, 0.1, 2.0])
def test_level_changes_nothing_but_loudness(factor: float) -> None:
    one, other = measure(hit()), measure(np.float32(factor) * hit())
    assert other[2:] == one[2:]
    assert other.peak_db - one.peak_db == pytest.approx(20 * np.log10(factor), abs=0.11)


def test_reading_is_bounded(tmp_path: Path) -> None:
    """A FLAC of silence is small and lasts for ever; reading stops."""
    long = write(tmp_path / "long.flac", np.full(round((MAX_SECONDS + 1) * SAMPLE_RATE), 0.1))
    with pytest.raises(AudioError, match="too long for a sample"):
        read_sample(long)
    with pytest.raises(AudioError, match="silent"):
        read_sample(write(tmp_path / "silent.wav", np.zeros(1000)))
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setparams((1, 2, 44_100, 0, "NONE", ""))
    with pytest.raises(AudioError):
        read_sample(tmp_path / "empty.wav")


def test_a_sample_is_named_by_family_then_by_what_libraries_have() -> None:
    heard = np.full(26, 0.001)
    heard[CLASS_INDEX["hihat_closed_edge"]] = 0.80  # no library has an edge
    heard[CLASS_INDEX["hihat_closed"]] = 0.79
    heard[CLASS_INDEX["kick"]] = 0.5
    name = name_of(heard)
    assert DRUMS[name.drum].name == "hihat_closed"
    assert (name.label("26"), name.label("8"), name.label("5")) == ("hihat_closed", "hihat", "HH")
    share = (0.80 + 0.79 + 0.003) / heard.sum()  # of the family, which its classes share
    assert name.confidence["8"] == name.confidence["5"] == pytest.approx(share, abs=1e-3)
    assert name.confidence["26"] < name.confidence["8"]
    heard[CLASS_INDEX["aux1"]] = 0.99
    assert name_of(heard).label("5") == "" and "5" not in name_of(heard).confidence
    assert prior().shape == (26,) and (prior() > 0).all() and (prior() <= 1).all()


def test_synthetic_drums_are_recognised(transcriber: Transcriber, tmp_path: Path) -> None:
    kit = synthesise_kit(np.random.default_rng(3))
    drums = ["kick", "snare_head", "hihat_closed"]
    paths = [
        write(tmp_path / f"{number}.wav", kit.samples[CLASS_INDEX[drum]][-1].audio / 32767)
        for number, drum in enumerate(drums)
    ]
    found = list(label_samples(paths, {}, lambda: transcriber))
    assert [label.class8 for label in found if isinstance(label, Label)] == ["kick", "snare", "hihat"]


def test_each_content_is_analysed_once_and_failures_stop_nothing(
    transcriber: Transcriber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "BATCH", 2)
    paths = [
        write(tmp_path / "a.wav", hit()),
        tmp_path / "gone.wav",
        write(tmp_path / "b.wav", hit(decay=0.02)),
        write(tmp_path / "c.wav", hit()),
        write(tmp_path / "d.wav", hit(decay=0.02)),
    ]
    (tmp_path / "bad.wav").write_bytes(b"RIFF nothing")
    loads, reads = [], []

    def counted(path: Path) -> np.ndarray:
        reads.append(path)
        return read_sample(path)

    monkeypatch.setattr(library, "read_sample", counted)

    def load() -> Transcriber:
        loads.append(1)
        return transcriber

    found = list(label_samples([*paths, tmp_path / "bad.wav"], {}, load))
    assert [isinstance(one, Failure) for one in found] == [False, True, False, False, False, True]
    labels = [one for one in found if isinstance(one, Label)]
    assert [Path(label.duplicate_of).name for label in labels] == ["", "", "a.wav", "b.wav"]
    assert replace(labels[2], source="", duplicate_of="") == replace(labels[0], source="")
    assert len(reads) == 3 and loads == [1]
    known = {label.sha256: label for label in labels}
    again = list(label_samples(paths, known, lambda: pytest.fail("nothing is new")))
    assert again == found[:-1]


def test_labels_are_read_again_and_damaged_ones_are_not(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    other = replace(LABEL, source="käse\udcff.wav", class5="", confidence5=None, sha256="cd")
    path.write_text(to_json([LABEL, other], [Failure(Path("x"), "why")], "v1"))
    assert read_labels(path, "v1") == {"ab": LABEL, "cd": other}
    assert read_labels(path, "v2") == {}  # other weights
    values = json.loads(path.read_text())
    assert values["failed"] == [{"source": "x", "reason": "why"}]
    for row in ({"class26": "tuba"}, {"seconds": "long"}, {"source": 3}):
        path.write_text(json.dumps({"made_by": "v1", "samples": [values["samples"][0] | row]}))
        assert read_labels(path, "v1") == {}
    for text in ("", "[]", "{}", '{"made_by": "v1"}', '{"made_by": "v1", "samples": [{}]}', "[" * 100_000):
        path.write_text(text)
        assert read_labels(path, "v1") == {}
    assert read_labels(tmp_path / "gone.json", "v1") == {}


def test_a_table_has_a_row_for_each_sample() -> None:
    lines = to_csv([LABEL, replace(LABEL, confidence5=None, duplicate_of="a.wav")]).splitlines()
    assert lines[0].split(",")[:3] == ["source", "class26", "confidence26"]
    assert lines[1].startswith("a.wav,kick,0.9,kick,0.95,KD,0.95,-1.0") and lines[2].endswith("ab,a.wav")
    assert {len(line.split(",")) for line in lines} == {14}


def test_a_kit_has_the_surest_samples_and_the_renderer_reads_it(tmp_path: Path) -> None:
    labels = []
    for number in range(MOST_PER_DRUM + 2):
        path = write(tmp_path / "samples" / f"{number}.wav", (0.5 + 0.1 * number) * hit())
        labels.append(replace(LABEL, source=str(path), confidence26=number / 20, sha256=digest(path)))
    labels.append(replace(labels[-1], duplicate_of=labels[-1].source))
    labels.append(replace(labels[0], class26="tom1_head", confidence26=0.1, sha256="x"))
    chosen = choose(labels, 0.15)
    assert [label.confidence26 for label in chosen.values()] == [n / 20 for n in range(11, 2, -1)]
    assert next(iter(chosen)) == "kick_1.flac" and len(choose(labels, 0.0)) == MOST_PER_DRUM + 1
    folder = tmp_path / "out" / "kit"
    write_kit(folder, chosen)
    kit = load_kit(folder)
    assert len(kit.samples[CLASS_INDEX["kick"]]) == 9 and kit.levels == "single-layer"
    assert float(np.abs(kit.samples[CLASS_INDEX["kick"]][0].audio).max()) > 0
    before = (folder / "kick_1.flac").stat().st_mtime_ns
    write_kit(folder, chosen)
    assert (folder / "kick_1.flac").stat().st_mtime_ns == before  # the same kit is left alone
    write_kit(folder, choose(labels, 0.5))
    assert sorted(path.name for path in folder.iterdir()) == ["kick_1.flac", "kick_2.flac", "kit.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["kit"]


def test_a_folder_of_others_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="was not made by mt3drum label; name another folder"):
        write_kit(folder, {})
    assert (folder / "mine.txt").read_text() == "mine"


def test_a_kit_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", hit())
    folder = tmp_path / "kit"
    write_kit(folder, {"kick_1.flac": replace(LABEL, source=str(path))})
    with pytest.raises(AudioError):
        write_kit(folder, {"kick_1.flac": replace(LABEL, source=str(tmp_path / "gone.wav"))})
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.wav", "kit"]
    assert load_kit(folder).samples


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kit"
    folder.mkdir()
    (folder / "old.txt").touch()
    replace_path = os.replace

    def fail(source: Path, target: Path) -> None:
        if source.name == "new":
            raise OSError("full")
        replace_path(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="full"), whole_folder(folder) as made:
        (made / "new.txt").touch()
    assert [one.name for one in tmp_path.iterdir()] == ["kit"]
    assert [one.name for one in folder.iterdir()] == ["old.txt"]
